"""The package is typed: mypy --strict and pyright find nothing in it, and know what its calls return."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

USER = """
import numpy
from numpy.typing import NDArray
from typing_extensions import assert_type

import rescoldo
from rescoldo.flashrank import Ranker, RerankRequest

embedder = rescoldo.Embedder("a.ember")
assert_type(embedder.encode("a"), NDArray[numpy.float32])
assert_type(embedder.encode("a", convert_to_numpy=False), list[float])
assert_type(embedder.encode(["a"], convert_to_numpy=False), list[list[float]])
reranker = rescoldo.Reranker("a.ember", truncation="windows")
assert_type(reranker.rank("a", ["b"])[0]["score"], float)
assert_type(reranker.predict([("a", "b")]), NDArray[numpy.float32])
assert_type(reranker.predict([("a", "b")], convert_to_numpy=False), list[float])
Ranker("a", cache_dir="b").rerank(RerankRequest(query="a", passages=[{"text": "b"}]))
"""


def run(directory: pathlib.Path, *arguments: str) -> None:
    """In the directory of the user's program, since both look for the package in the current one first."""
    environment = {**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1", "VIRTUAL_ENV": sys.prefix,
                   "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}"}  # fmt: skip
    command = [sys.executable, "-m", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=directory)
    assert result.returncode == 0, result.stdout + result.stderr


def test_mypy(tmp_path):
    (tmp_path / "user.py").write_text(USER)
    run(tmp_path, "mypy", "--strict", "-m", "user", "-p", "rescoldo")


def test_pyright(tmp_path):
    (tmp_path / "user.py").write_text(USER)
    run(tmp_path, "pyright", "user.py")
    run(tmp_path, "pyright", "--ignoreexternal", "--verifytypes", "rescoldo")
