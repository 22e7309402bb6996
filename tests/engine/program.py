"""Runs the real binary. Numbers come back as the digits it printed where the tests are about bits."""

from __future__ import annotations

import io
import json
import os
import pathlib
import subprocess

import numpy as np


def run(rescoldo: str, *arguments, text: str = "", disable_isa: str = "") -> str:
    environment = {**os.environ, "RESCOLDO_DISABLE_ISA": disable_isa}
    result = subprocess.run(
        [rescoldo, *map(str, arguments)], input=text.encode(), capture_output=True, env=environment, check=False
    )
    assert result.returncode == 0, f"{arguments}: exit {result.returncode}: {result.stderr.decode()}"
    return result.stdout.decode()


def bake(rescoldo: str, directory: pathlib.Path, precision: str) -> pathlib.Path:
    ember = directory.with_name(f"{directory.name}-{precision}.ember")
    run(rescoldo, "bake", "--model", directory, "--output", ember, "--precision", precision)
    return ember


def embed(rescoldo: str, ember: pathlib.Path, texts: list[str], **options) -> list[dict]:
    """The replies in order; numbers as printed."""
    output = run(rescoldo, "embed", "--model", ember, "-", text="\n".join(texts) + "\n", **options)
    replies = [json.loads(line, parse_float=str, parse_int=str) for line in output.splitlines()]
    assert [reply["index"] for reply in replies] == [str(index) for index in range(len(texts))]
    return replies


def vectors(replies: list[dict]) -> np.ndarray:
    return np.array([reply["embedding"] for reply in replies], dtype=np.float64)


def embed_npy(rescoldo: str, ember: pathlib.Path, texts: list[str]) -> np.ndarray:
    command = [rescoldo, "embed", "--model", str(ember), "--format", "npy", "-"]
    result = subprocess.run(command, input=("\n".join(texts) + "\n").encode(), capture_output=True, check=True)
    return np.load(io.BytesIO(result.stdout))


def rerank(rescoldo: str, ember: pathlib.Path, lists: list[tuple[str, list[str]]], raw: str, **options):
    """The raw scores (`raw`: logit or cosine) of each list's passages in the order given, as printed."""
    requests = [
        {"query": query, "passages": [{"id": index, "text": text} for index, text in enumerate(passages)]}
        for query, passages in lists
    ]
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    replies = run(rescoldo, "rerank", "--model", ember, "--jsonl", "--raw", "-", text=lines, **options).splitlines()
    assert len(replies) == len(lists)
    scores = []
    for line, (_, passages) in zip(replies, lists):
        reply = json.loads(line, parse_float=str, parse_int=str)
        by_index = {int(passage["id"]): passage[raw] for passage in reply["passages"]}
        assert sorted(by_index) == list(range(len(passages)))
        scores.append([by_index[index] for index in range(len(passages))])
    return scores
