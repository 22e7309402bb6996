"""Cohere's and OpenAI's packages for Node.js; `npm ci` in tests/clients/node installs them."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess

import numpy as np
import pytest
from client_texts import DOCUMENTS, QUERY

NODE = pathlib.Path(os.environ.get("RESCOLDO_NODE_CLIENTS", pathlib.Path(__file__).parent / "node"))


@pytest.fixture(scope="module")
def replies(reranker, embedder):
    if shutil.which("node") is None or not (NODE / "node_modules").is_dir():
        pytest.skip(f"the packages of {NODE / 'package.json'} are not installed")
    done = subprocess.run(
        ["node", NODE / "clients.mjs", reranker.url, embedder.url],
        input=json.dumps({"query": QUERY, "documents": DOCUMENTS}).encode(), capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ["cohereV1", "cohereV2"])
def test_cohere_rerank(replies, scores, name):
    assert replies[name] == [[index, score] for index, score in scores.items()]
    assert replies["cohereV1Documents"] == [DOCUMENTS[index] for index in scores]


@pytest.mark.parametrize("name", ["cohereEmbedV1", "cohereEmbedV1ByType", "cohereEmbedV2", "openai", "openaiFloat"])
def test_embeddings(replies, vectors, name):
    assert np.array_equal(np.array(replies[name], dtype=np.float32), np.array(vectors, dtype=np.float32))


def test_openai_refusal(replies):
    assert replies["refusal"]["status"] == 400
    assert "check_embedding_ctx_length=False" in replies["refusal"]["message"]
