"""Ranking quality on NovelEval-2306: int8 against float32. The data are optional."""

from __future__ import annotations

import json
import os
import pathlib
import warnings

import pytest
from program import run

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def noveleval() -> pathlib.Path:
    directory = pathlib.Path(os.environ.get("NOVELEVAL", REPOSITORY.parent / "shared" / "data" / "noveleval"))
    if not (directory / "qrels.txt").is_file():
        message = f"NOT CHECKED: ranking quality; NovelEval is not in {directory} (NOVELEVAL=DIRECTORY names it)"
        warnings.warn(message, stacklevel=1)
        pytest.skip(message)
    return directory


def ndcg(rescoldo: str, ember: pathlib.Path, data: pathlib.Path, candidates: pathlib.Path) -> float:
    report = run(
        rescoldo, "eval", "--model", ember, "--queries", data / "queries.tsv", "--corpus", data / "corpus.tsv",
        "--qrels", data / "qrels.txt", "--run", candidates, "--json",
    )  # fmt: skip
    return json.loads(report)["nDCG@10"]


def test_int8_ranks_as_well_as_f32(rescoldo, all_minilm_ember, all_minilm_f32_ember, noveleval, tmp_path):
    candidates = tmp_path / "candidates.trec"
    queries = [line.split("\t")[0] for line in (noveleval / "queries.tsv").read_text().splitlines()]
    candidates.write_text(
        "".join(f"{query} Q0 {query}-{rank} {rank + 1} {20 - rank} web\n" for query in queries for rank in range(20))
    )
    f32 = ndcg(rescoldo, all_minilm_f32_ember, noveleval, candidates)
    int8 = ndcg(rescoldo, all_minilm_ember, noveleval, candidates)
    print(f"nDCG@10: f32 {f32:.4f}, int8 {int8:.4f}")
    assert f32 > 0.5577, "no better than BM25 (55.77, Sun et al. 2023)"
    assert abs(int8 - f32) <= 0.003
