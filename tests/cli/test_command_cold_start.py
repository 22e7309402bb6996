"""rescoldo bench --cold-start: it starts real servers, and its report is that of their times."""

from __future__ import annotations

import json
import pathlib

import pytest


@pytest.mark.parametrize("kind", ["cross_encoder", "embedder"])
def test_times_of_each_moment(run, request, kind: str) -> None:
    report = json.loads(run("bench", "--model", request.getfixturevalue(kind), "--cold-start", "--runs", 3).stdout)
    assert report["runs"] == 3
    measured = [report["page_cache_warm"]]
    if report["page_cache_cold"] is not None:  # a file system in memory keeps its pages
        measured.append(report["page_cache_cold"])
    for moments in measured:
        for percentile in ("p50", "p90", "max"):
            times = [moments[moment][percentile] for moment in ("listening_ms", "ready_ms", "first_score_ms")]
            assert 0 < times[0] <= times[1] <= times[2]
        for times in moments.values():
            assert times["p50"] <= times["p90"] <= times["max"]


def test_no_server_is_left(run, cross_encoder: pathlib.Path) -> None:
    run("bench", "--model", cross_encoder, "--cold-start", "--runs", 1)
    for process in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert str(cross_encoder).encode() not in process.read_bytes()
        except OSError:
            pass  # it has just ended


def test_a_model_that_cannot_be_opened(refuse, tmp_path: pathlib.Path) -> None:
    (tmp_path / "broken.ember").write_bytes(b"no ember")
    assert "broken.ember" in refuse("bench", "--model", tmp_path / "broken.ember", "--cold-start")
