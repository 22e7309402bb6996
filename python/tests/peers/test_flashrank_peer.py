"""rescoldo.flashrank beside FlashRank itself, on the same files."""

from __future__ import annotations

import math
import pathlib

import flashrank
import pytest
from conftest import FLASHRANK_NAME
from texts import PASSAGES, QUERIES

import rescoldo.flashrank


def logit(score: float) -> float:
    return math.log(score) - math.log1p(-score)


@pytest.fixture(scope="module")
def rankers(made_models: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    embers = tmp_path_factory.mktemp("embers")
    cache_dir = str(made_models / "flashrank")
    return {
        "ours": rescoldo.flashrank.Ranker(FLASHRANK_NAME, cache_dir, ember_dir=embers),
        "theirs": flashrank.Ranker(FLASHRANK_NAME, cache_dir),
    }


def rerank(ranker, query: str, texts: list[str]) -> list[dict]:
    module = flashrank if isinstance(ranker, flashrank.Ranker) else rescoldo.flashrank
    passages = [{"id": index, "text": text, "meta": {"of": query}, "extra": [index]} for index, text in enumerate(texts)]
    return ranker.rerank(module.RerankRequest(query=query, passages=passages))


def logits(ranker, query: str) -> list[float]:
    by_id = {result["id"]: float(result["score"]) for result in rerank(ranker, query, PASSAGES)}
    return [logit(by_id[index]) for index in range(len(PASSAGES))]


def test_the_dictionaries_are_the_same_but_for_the_score(rankers):
    for query in QUERIES:
        ours, theirs = (rerank(rankers[name], query, PASSAGES) for name in ("ours", "theirs"))
        without_score = [
            sorted(({key: value for key, value in result.items() if key != "score"} for result in results), key=lambda r: r["id"])
            for results in (ours, theirs)
        ]
        assert without_score[0] == without_score[1] and [list(r) for r in ours] == [list(r) for r in theirs]


def test_scores_are_closer_to_the_float_reference_than_flashranks(rankers, reference):
    def distance(name: str) -> float:
        found = [value for query in QUERIES for value in logits(rankers[name], query)]
        expected = [value for row in reference["dequantized"] for value in row]
        return math.sqrt(sum((a - b) ** 2 for a, b in zip(found, expected)) / len(expected))

    ours, theirs = distance("ours"), distance("theirs")
    print(f"distance of logits from the float reference: rescoldo {ours:.4f}, flashrank {theirs:.4f}")
    assert ours <= theirs


def test_the_order_is_that_of_the_reference_where_margins_are_clear(rankers, reference):
    for query, expected in zip(QUERIES, reference["dequantized"]):
        found = logits(rankers["ours"], query)
        for first, a in enumerate(expected):
            for second, b in enumerate(expected):
                if a > b + 0.3:
                    assert found[first] > found[second], (query, first, second)
