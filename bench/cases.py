"""The texts of the benchmarks: NovelEval where it is at hand, else made texts of the same lengths."""

from __future__ import annotations

import pathlib
import random
import sys

from environment import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "tests" / "engine"))
from texts import paragraph, question, varied_texts  # noqa: E402

PASSAGES = 100


class Collection:
    """Queries and passages to take lists and calibration inputs from."""

    def __init__(self, directory: pathlib.Path | None):
        directory = directory or REPOSITORY.parent / "shared" / "data" / "noveleval"
        if (directory / "corpus.tsv").is_file():
            self.name = "NovelEval-2306"
            self.queries = [line.split("\t")[1] for line in (directory / "queries.tsv").read_text().splitlines()]
            self.passages = [line.split("\t")[1] for line in (directory / "corpus.tsv").read_text().splitlines()]
            return
        print(f"bench: !!! NO NOVELEVAL in {directory} (--noveleval DIRECTORY): texts are made up, their lengths like\n"
              "bench: !!! NovelEval's. Times compare; scores mean nothing.", file=sys.stderr, flush=True)
        self.name = "made texts with the lengths of NovelEval-2306"
        generator = random.Random(20)
        self.queries = [question(generator) for _ in range(21)]
        self.passages = [
            paragraph(generator, max(1, round(generator.lognormvariate(2.2, 0.75)))) for _ in range(420)
        ]

    def long_list(self) -> tuple[str, list[str]]:
        """One query, its 20 candidates and those of the next four: 100 passages as a retriever would bring them."""
        return self.queries[0], self.passages[:PASSAGES]

    def cut_list(self) -> tuple[str, list[str]]:
        query, passages = self.long_list()
        return query, [passage[:400] for passage in passages]

    def calibration_pairs(self, count: int = 200) -> list[tuple[str, str]]:
        """Not the pairs of the lists: queries and passages of the other questions."""
        rest = self.passages[PASSAGES:]
        return [(self.queries[5 + index % 16], rest[(index * 7) % len(rest)]) for index in range(count)]

    def calibration_texts(self, count: int = 200) -> list[str]:
        return varied_texts(1000 + count)[1000:]


def short_sentences(count: int = 128) -> list[str]:
    generator = random.Random(3)
    return [paragraph(generator, 1) for _ in range(count)]


def long_texts(count: int = 32) -> list[str]:
    """All beyond the 256 tokens that all-MiniLM-L6-v2 takes."""
    generator = random.Random(4)
    return [paragraph(generator, 24) for _ in range(count)]


def queries_and_passages(queries: int = 20, passages: int = 200) -> tuple[list[str], list[str]]:
    """Every query is compared with every passage."""
    generator = random.Random(5)
    return (
        [question(generator) for _ in range(queries)],
        [paragraph(generator, generator.randrange(1, 8)) for _ in range(passages)],
    )
