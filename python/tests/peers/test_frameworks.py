"""LangChain's FlashrankRerank and LlamaIndex's FlashRankRerank over rescoldo, each in a process of its own, since they
import flashrank for good. FlashRank is installed beside them here, and must not be what they run."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest
from conftest import FLASHRANK_NAME
from texts import PASSAGES, QUERIES

from rescoldo.flashrank import Ranker, RerankRequest

LANGCHAIN = """
import json, sys
import rescoldo.flashrank
name, cache_dir, query, texts = json.loads(sys.stdin.read())
rescoldo.flashrank.install(cache_dir)
from langchain_community.document_compressors import FlashrankRerank
from langchain_core.documents import Document

compressor = FlashrankRerank(model=name, top_n=4)
documents = [Document(page_content=text, metadata={"source": str(index)}) for index, text in enumerate(texts)]
found = compressor.compress_documents(documents, query)
assert "onnxruntime" not in sys.modules
print(json.dumps([[d.metadata["id"], d.metadata["relevance_score"], d.page_content, d.metadata["source"]] for d in found]))
"""

LLAMA_INDEX = """
import json, sys
import rescoldo.flashrank
name, cache_dir, query, texts = json.loads(sys.stdin.read())
rescoldo.flashrank.install(cache_dir)
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.postprocessor.flashrank_rerank import FlashRankRerank

reranker = FlashRankRerank(model=name, top_n=4)
nodes = [NodeWithScore(node=TextNode(text=text, id_=str(index)), score=0.0) for index, text in enumerate(texts)]
found = reranker.postprocess_nodes(nodes, query_str=query)
assert "onnxruntime" not in sys.modules
print(json.dumps([[int(n.node.id_), n.score, n.node.text, n.node.id_] for n in found]))
"""


@pytest.mark.parametrize("code", [LANGCHAIN, LLAMA_INDEX], ids=["langchain", "llama_index"])
def test_a_framework_ranks_with_rescoldo(code: str, cache_dir: pathlib.Path):
    passages = [{"id": index, "text": text} for index, text in enumerate(PASSAGES)]
    expected = Ranker(FLASHRANK_NAME, cache_dir).rerank(RerankRequest(QUERIES[1], passages))[:4]
    process = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps([FLASHRANK_NAME, str(cache_dir), QUERIES[1], PASSAGES]),
        capture_output=True, text=True,
    )
    assert process.returncode == 0, process.stderr
    found = json.loads(process.stdout.splitlines()[-1])
    assert found == [[r["id"], r["score"], r["text"], str(r["id"])] for r in expected]
