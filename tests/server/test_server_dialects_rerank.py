"""Reranking as the clients of each service send it, and what they read back."""

from __future__ import annotations

import pytest
from running_server import ask, refused

QUERY = "What is the capital of France?"
DOCUMENTS = ["Berlin is the capital of Germany.", "Paris is the capital of France.", "Bread is baked from flour."]
LONG = "paris " * 700
RESULT_PATHS = ["/v1/rerank", "/v2/rerank", "/rerank", "/v1/v1/rerank", "/v1/v2/rerank", "/reranking", "/v1/reranking"]
BARE_PATHS = ["/rerank", "/reranking"]


@pytest.fixture(scope="module")
def expected(cross_encoder):
    """index to score, best first, as /v2/rerank gives them."""
    reply = ask(cross_encoder, "/v2/rerank", query=QUERY, documents=DOCUMENTS)
    return {result["index"]: result["relevance_score"] for result in reply["results"]}


def scores(results, key="relevance_score"):
    return {result["index"]: result[key] for result in results}


def assert_same(results, expected, key="relevance_score"):
    assert list(scores(results, key).items()) == list(expected.items())


# --- Cohere, Jina, vLLM, infinity, llama.cpp ---


@pytest.mark.parametrize("path", RESULT_PATHS)
def test_documents_give_results(cross_encoder, expected, path):
    reply = ask(cross_encoder, path, query=QUERY, documents=DOCUMENTS)
    assert_same(reply["results"], expected)
    assert reply["object"] == "rerank" and reply["model"] and reply["id"]
    assert reply["usage"]["total_tokens"] > 0 and reply["meta"]


@pytest.mark.parametrize("path", RESULT_PATHS)
def test_the_document_comes_back_in_a_form_that_the_clients_of_the_path_read(cross_encoder, path):
    results = ask(cross_encoder, path, query=QUERY, documents=DOCUMENTS, return_documents=True)["results"]
    for result in results:
        if path in BARE_PATHS:
            assert "document" not in result
        else:
            assert result["document"] == {"text": DOCUMENTS[result["index"]]}
    for result in ask(cross_encoder, path, query=QUERY, documents=DOCUMENTS, return_documents=True, raw_scores=False)["results"]:
        assert result["document"] == DOCUMENTS[result["index"]]


def test_clients_of_voyage_and_pinecone_that_look_like_cohere_find_data(cross_encoder, expected):
    for path in ("/v1/rerank", "/rerank"):
        reply = ask(cross_encoder, path, query=QUERY, documents=DOCUMENTS, return_documents=True)
        assert_same(reply["data"], expected)
        assert_same(reply["data"], expected, "score")
    assert "data" not in ask(cross_encoder, "/v2/rerank", query=QUERY, documents=DOCUMENTS)


@pytest.mark.parametrize(("path", "status"), [("/rerank", 422), ("/reranking", 422), ("/v1/rerank", 400), ("/v2/rerank", 400)])
def test_the_status_of_a_bad_top_n(cross_encoder, path, status):
    reply = refused(cross_encoder, path, status, query=QUERY, documents=DOCUMENTS, top_n=0)
    assert reply["error"]["param"] == "top_n"
    assert refused(cross_encoder, path, 400, query=QUERY, documents=[])["detail"]


# --- Voyage, Mixedbread, Pinecone ---


@pytest.mark.parametrize("path", RESULT_PATHS)
@pytest.mark.parametrize("more", [{"top_k": 2}, {"truncation": True, "top_k": None}])
def test_voyage(cross_encoder, expected, path, more):
    reply = ask(cross_encoder, path, query=QUERY, documents=DOCUMENTS, return_documents=True, **more)
    assert_same(reply["data"], dict(list(expected.items())[: more["top_k"]]))
    assert [item["document"] for item in reply["data"]] == [DOCUMENTS[item["index"]] for item in reply["data"]]
    assert reply["object"] == "list" and reply["usage"]["total_tokens"] > 0 and "results" not in reply


def test_voyage_without_truncation(cross_encoder):
    reply = refused(cross_encoder, "/v1/rerank", 400, query=QUERY, documents=["a", LONG], truncation=False)
    for word in ("passage 1", "700", "512"):
        assert word in reply["message"]
    assert reply["error"]["code"] == "limit_exceeded"


@pytest.mark.parametrize("path", ["/v1/reranking", "/rerank", "/v1/rerank"])
def test_mixedbread(cross_encoder, expected, path):
    reply = ask(cross_encoder, path, query=QUERY, input=DOCUMENTS, top_k=2, return_input=True, model="m")
    assert_same(reply["data"], dict(list(expected.items())[:2]), "score")
    assert [item["input"] for item in reply["data"]] == [DOCUMENTS[item["index"]] for item in reply["data"]]


def test_pinecone(cross_encoder, expected):
    documents = [{"text": text, "id": str(index)} for index, text in enumerate(DOCUMENTS)]
    reply = ask(cross_encoder, "/rerank", query=QUERY, documents=documents, rank_fields=["text"], return_documents=True)
    assert_same(reply["data"], expected, "score")
    assert reply["data"][0]["document"] == documents[reply["data"][0]["index"]]
    assert reply["usage"]["rerank_units"] == 1 and reply["model"]


# --- text-embeddings-inference, Elasticsearch, NVIDIA, FlashRank ---


@pytest.mark.parametrize("path", RESULT_PATHS)
def test_tei(cross_encoder, expected, path):
    reply = ask(cross_encoder, path, query=QUERY, texts=DOCUMENTS, return_text=True, truncate=None, truncation_direction="Right")
    assert_same(reply, expected, "score")
    assert [item["text"] for item in reply] == [DOCUMENTS[item["index"]] for item in reply]
    assert {"logit", "tokens", "truncated"} <= set(reply[0])


def test_tei_raw_scores_and_top_n(cross_encoder):
    reply = ask(cross_encoder, "/rerank", query=QUERY, texts=DOCUMENTS, raw_scores=True, top_n=2)
    assert len(reply) == 2 and all(item["score"] == item["logit"] for item in reply)
    assert "text" not in reply[0]


def test_tei_truncates_at_either_end_or_not_at_all(cross_encoder):
    text = "alpha " * 700 + "omega " * 700

    def score(of, **body):
        return ask(cross_encoder, "/rerank", query="q", texts=[of], **body)[0]["score"]

    room = 512 - 3 - 1
    assert score(text) == score(text, truncation_direction="right") == score("alpha " * room)
    assert score(text, truncation_direction="Left") == score("omega " * room)
    reply = refused(cross_encoder, "/rerank", 422, query="q", texts=["a", text], truncate=False)
    assert set(reply) == {"error", "error_type"} and reply["error_type"] == "Validation"
    for word in ("passage 1", "1400", "512"):
        assert word in reply["error"]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"query": "q", "texts": []}, "texts is empty"),
        ({"query": "q", "texts": ["a"], "truncation_direction": "up"}, '"right" or "left"'),
        ({"query": "q", "texts": ["a", 1]}, "texts[1]"),
        ({"texts": ["a"]}, "query is missing"),
    ],
)
def test_tei_errors_have_their_form(cross_encoder, body, word):
    status, _, reply = cross_encoder.post("/rerank", body)
    assert (status, reply["error_type"]) == (422, "Validation")
    assert word in reply["error"]


def test_elasticsearch(cross_encoder, expected):
    path = "/_inference/rerank/my-reranker"
    reply = ask(cross_encoder, path, query=QUERY, input=DOCUMENTS, return_documents=True, task_settings={"top_n": 2})
    assert_same(reply["rerank"], dict(list(expected.items())[:2]))
    assert reply["rerank"][0]["text"] == DOCUMENTS[reply["rerank"][0]["index"]]
    assert cross_encoder.post("/_inference/rerank/a/b", {})[0] == 404
    assert cross_encoder.post("/_inference/rerank/", {})[0] == 404
    assert refused(cross_encoder, path, 400, query=QUERY, input=DOCUMENTS, task_settings=3)["error"]["param"] == "task_settings"


def test_nvidia(cross_encoder):
    reply = ask(cross_encoder, "/v1/ranking", model="m", query={"text": QUERY}, passages=[{"text": text} for text in DOCUMENTS])
    by_index = {r["index"]: r["logit"] for r in ask(cross_encoder, "/v2/rerank", query=QUERY, documents=DOCUMENTS)["results"]}
    assert [(r["index"], r["logit"]) for r in reply["rankings"]] == list(by_index.items())
    body = {"query": {"text": QUERY}, "passages": [{"text": LONG}]}
    assert ask(cross_encoder, "/v1/ranking", **body, truncate="END")["rankings"][0]["truncated"]
    assert "512" in refused(cross_encoder, "/v1/ranking", 400, **body, truncate="NONE")["message"]
    assert refused(cross_encoder, "/v1/ranking", 400, query={}, passages=["a"])["error"]["param"] == "query.text"


def test_flashrank(cross_encoder, expected):
    passages = [
        {"id": f"p{index}", "text": text, "meta": {"nested": [1, 2.5, None, "ü🗼\"\0"]}, "score": "old"}
        for index, text in enumerate(DOCUMENTS)
    ]
    reply = ask(cross_encoder, "/rerank", query=QUERY, passages=passages)
    assert reply == [{**passages[index], "score": score} for index, score in expected.items()]
    assert len(ask(cross_encoder, "/rerank", query=QUERY, passages=passages, top_n=1)) == 1
