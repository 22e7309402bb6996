"""Two servers for all clients, one with each kind of model, and what the command line says of the same texts."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest
from client_texts import DOCUMENTS, QUERY

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # litellm would fetch prices when it is imported
os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "server"))
from running_server import RunningServer  # noqa: E402
from tiny_cross_encoder import bake_tiny_cross_encoder  # noqa: E402


@pytest.fixture(scope="session")
def client_ember(rescoldo, all_minilm_directory, tmp_path_factory) -> pathlib.Path:
    return bake_tiny_cross_encoder(rescoldo, tmp_path_factory.mktemp("clients-cross-encoder"), all_minilm_directory)


@pytest.fixture(scope="session")
def reranker(rescoldo, client_ember):
    with RunningServer(rescoldo, client_ember) as server:
        yield server


@pytest.fixture(scope="session")
def embedder(rescoldo, all_minilm_ember):
    with RunningServer(rescoldo, all_minilm_ember) as server:
        yield server


def _run(arguments, text: str) -> str:
    return subprocess.run(arguments, input=text.encode(), check=True, capture_output=True).stdout.decode()


@pytest.fixture(scope="session")
def scores(rescoldo, client_ember) -> dict[int, float]:
    """Document to score, best first, of `rescoldo rerank`."""
    line = json.dumps({"query": QUERY, "passages": [{"id": i, "text": text} for i, text in enumerate(DOCUMENTS)]})
    reply = json.loads(_run([rescoldo, "rerank", "--model", client_ember, "--jsonl", "-"], line))
    return {passage["id"]: passage["relevance_score"] for passage in reply["passages"]}


@pytest.fixture(scope="session")
def vectors(rescoldo, all_minilm_ember) -> list[list[float]]:
    """The embeddings of DOCUMENTS of `rescoldo embed`."""
    lines = _run([rescoldo, "embed", "--model", all_minilm_ember, "-"], "\n".join(DOCUMENTS)).splitlines()
    return [json.loads(line)["embedding"] for line in lines]
