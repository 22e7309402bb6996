"""Unmodified packages that cannot be installed beside the others, against the real binary; what is asserted is as in
test_python_clients.py."""

from __future__ import annotations

import numpy as np
import pytest
from client_texts import DOCUMENTS, QUERY

for package in ("infinity_client", "huggingface_hub"):
    pytest.importorskip(package, reason="tests/clients/apart/requirements.txt is not installed")

from huggingface_hub import InferenceClient  # noqa: E402
from infinity_client import Client  # noqa: E402
from infinity_client.api.default import embeddings, health, models, rerank  # noqa: E402
from infinity_client.models import OpenAIEmbeddingInputText, OpenAIEmbeddingResult, RerankInput  # noqa: E402


def assert_vectors(given, vectors):
    assert np.array_equal(np.array(given, dtype=np.float32), np.array(vectors, dtype=np.float32))


# --- infinity ---


@pytest.mark.parametrize("return_documents", [False, True])
def test_infinity_rerank(reranker, scores, return_documents):
    body = RerankInput(query=QUERY, documents=DOCUMENTS, return_documents=return_documents, model="any", top_n=4)
    with Client(base_url=reranker.url) as client:
        reply = rerank.sync(client=client, body=body)
    assert [(r.index, r.relevance_score) for r in reply.results] == list(scores.items())[:4]
    assert reply.object_.value == "rerank" and reply.usage.total_tokens > 0
    if return_documents:
        assert [r.document for r in reply.results] == [DOCUMENTS[r.index] for r in reply.results]


def test_infinity_raw_scores(reranker):
    body = RerankInput(query=QUERY, documents=DOCUMENTS, raw_scores=True)
    with Client(base_url=reranker.url) as client:
        reply = rerank.sync(client=client, body=body)
    _, _, other = reranker.post("/rerank", {"query": QUERY, "texts": DOCUMENTS, "raw_scores": True})
    assert [(r.index, r.relevance_score) for r in reply.results] == [(r["index"], r["score"]) for r in other]


def test_infinity_embeddings(embedder, vectors):
    """Its body always says dimensions: 0. It reads no answer in base64, whoever sends it."""
    body = OpenAIEmbeddingInputText(input_=DOCUMENTS, model="any")
    assert body.to_dict()["dimensions"] == 0
    with Client(base_url=embedder.url) as client:
        reply = embeddings.sync(client=client, body=body)
    assert isinstance(reply, OpenAIEmbeddingResult) and reply.usage.total_tokens > 0
    assert_vectors([item.embedding for item in reply.data], vectors)


def test_infinity_status(embedder):
    with Client(base_url=embedder.url) as client:
        assert health.sync(client=client)["unix"] > 0
        assert [model.id for model in models.sync(client=client).data] == ["all-MiniLM-L6-v2"]


# --- Hugging Face's ---


@pytest.mark.parametrize("path", ["", "/", "/embed"])
def test_feature_extraction(embedder, vectors, path):
    client = InferenceClient(embedder.url + path, token="any")
    assert_vectors(client.feature_extraction(DOCUMENTS), vectors)
    assert_vectors(client.feature_extraction(DOCUMENTS[0]), vectors[:1])
    assert_vectors(client.feature_extraction(DOCUMENTS, normalize=True, truncate=True, truncation_direction="right"), vectors)
    pooled = client.feature_extraction(DOCUMENTS, normalize=False)
    assert np.abs(np.linalg.norm(pooled, axis=1) - 1).min() > 0.1
    _, _, expected = embedder.post("/embed", {"inputs": DOCUMENTS, "normalize": False})
    assert_vectors(pooled, expected)
    assert not np.array_equal(client.feature_extraction(DOCUMENTS[4], truncation_direction="left"), vectors[4:])


def test_feature_extraction_names_what_cannot_be_had(embedder):
    from huggingface_hub.errors import HfHubHTTPError

    client = InferenceClient(embedder.url, token="any")
    for options, word in (
        ({"truncate": False}, "text 4"), ({"prompt_name": "query"}, "prompt_name"), ({"dimensions": 100}, "384"),
        ({"encoding_format": "base64"}, "encoding_format"),
    ):  # fmt: skip
        with pytest.raises(HfHubHTTPError) as caught:
            client.feature_extraction(DOCUMENTS, **options)
        assert caught.value.response.status_code == 422 and word in caught.value.response.text


@pytest.mark.parametrize("path", ["", "/similarity"])
def test_sentence_similarity(embedder, vectors, path):
    given = InferenceClient(embedder.url + path, token="any").sentence_similarity(DOCUMENTS[0], DOCUMENTS[1:])
    expected = np.array(vectors[1:]) @ np.array(vectors[0])
    assert given == pytest.approx(expected.tolist(), abs=1e-6)


def test_text_classification_of_a_pair(reranker, scores):
    """Hugging Face's client has no method for reranking: a cross-encoder is a classifier of pairs to it."""
    client = InferenceClient(reranker.url, token="any")
    for index in (0, 1):
        found = client.text_classification([[QUERY, DOCUMENTS[index]]])
        assert [(element.label, element.score) for element in found] == [("LABEL_0", scores[index])]
    raw = client.text_classification([[QUERY, DOCUMENTS[0]]], function_to_apply="none")
    _, _, other = reranker.post("/predict", {"inputs": [[QUERY, DOCUMENTS[0]]], "raw_scores": True})
    assert raw[0].score == other[0][0]["score"]
