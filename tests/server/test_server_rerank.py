"""Reranking over HTTP: by hand, by Cohere's own client, and against the command line to the last digit."""

from __future__ import annotations

import http.client
import json
import math
import subprocess

import cohere
import pytest

QUERY = "What is the capital of France?"
DOCUMENTS = [
    "Berlin is the capital of Germany.",
    "Paris is the capital of France.",
    "",
    "Bread is baked from flour, water and salt.",
    "La Tour Eiffel se trouve à Paris 🗼.",
    "paris " * 400,
]
PATHS = ["/v1/rerank", "/v2/rerank", "/rerank", "/v1/v1/rerank", "/v1/v2/rerank"]


@pytest.fixture(params=["embedder", "cross_encoder"])
def server(request):
    return request.getfixturevalue(request.param)


def rerank(server, path="/v1/rerank", **body):
    status, _, reply = server.post(path, {"query": QUERY, "documents": DOCUMENTS, **body})
    assert status == 200, reply
    return reply


def assert_refused(answer, param, *words):
    status, _, reply = answer
    assert status == 400
    assert reply["error"]["param"] == param
    assert reply["error"]["type"] == "invalid_request_error"
    assert reply["message"] == reply["detail"] == reply["error"]["message"]
    for word in words:
        assert word in reply["message"]


@pytest.mark.parametrize("path", PATHS)
def test_every_path_gives_the_same_results(server, path):
    assert rerank(server, path)["results"] == rerank(server)["results"]


def test_reply_has_what_clients_read(server):
    reply = rerank(server)
    assert reply["object"] == "rerank"
    assert reply["id"]
    assert reply["model"] == server.start_line["model"]
    assert reply["usage"]["total_tokens"] == reply["usage"]["prompt_tokens"] > 0
    assert reply["meta"]["billed_units"] == {"search_units": 1}
    assert sorted(result["index"] for result in reply["results"]) == list(range(len(DOCUMENTS)))
    assert all("document" not in result for result in reply["results"])


def test_sorted_best_first_with_the_raw_score_beside(embedder, cross_encoder):
    results = rerank(embedder)["results"]
    assert results[0]["index"] == 1
    assert [r["relevance_score"] for r in results] == sorted((r["relevance_score"] for r in results), reverse=True)
    for result in results:
        assert result["relevance_score"] == pytest.approx((1 + result["cosine"]) / 2, abs=1e-7)
    for result in rerank(cross_encoder)["results"]:
        assert result["relevance_score"] == pytest.approx(1 / (1 + math.exp(-result["logit"])), abs=1e-6)


def test_equal_scores_keep_the_order_of_the_documents(server):
    reply = rerank(server, documents=["same"] * 5)
    assert [result["index"] for result in reply["results"]] == [0, 1, 2, 3, 4]


def test_tokens_and_truncation_are_told(server):
    by_index = {result["index"]: result for result in rerank(server)["results"]}
    assert by_index[5]["truncated"] is (server.start_line["kind"] == "embedder")  # 256 tokens against 512
    assert not by_index[0]["truncated"]
    assert by_index[5]["tokens"] > by_index[0]["tokens"] > 0


def test_top_n(server):
    everything = rerank(server)["results"]
    assert rerank(server, top_n=2)["results"] == everything[:2]
    assert rerank(server, top_n=1000)["results"] == everything
    assert rerank(server, top_n=None)["results"] == everything


def test_documents_may_be_objects_and_come_back(server):
    mixed = [{"text": text, "id": index} if index % 2 else text for index, text in enumerate(DOCUMENTS)]
    results = rerank(server, documents=mixed, return_documents=True)["results"]
    for result in results:
        assert result.pop("document") == {"text": DOCUMENTS[result["index"]]}
    assert results == rerank(server)["results"]


def test_infinity_clients_get_the_document_as_a_string_and_raw_scores_when_asked(server):
    raw = "cosine" if server.start_line["kind"] == "embedder" else "logit"
    for result in rerank(server, path="/rerank", return_documents=True, raw_scores=False)["results"]:
        assert result["document"] == DOCUMENTS[result["index"]]
    for result in rerank(server, raw_scores=True)["results"]:
        assert result["relevance_score"] == result[raw]


def test_nulls_and_unknown_fields_change_nothing(server):
    reply = rerank(
        server, model="rerank-v3.5", top_n=None, return_documents=None, max_chunks_per_doc=None, priority=None,
        max_tokens_per_doc=4096, rank_fields=["text"], overlap_tokens=80, something={"nested": [1, 2.5, None]},
    )  # fmt: skip
    assert reply["results"] == rerank(server)["results"]


def test_a_text_may_hold_nul_and_any_character(server):
    reply = rerank(server, documents=["a\0b", "\u2028\U0001f5fc\\\"\n\x01"], return_documents=True)
    texts = {result["index"]: result["document"]["text"] for result in reply["results"]}
    assert texts == {0: "a\0b", 1: "\u2028\U0001f5fc\\\"\n\x01"}


def test_scores_are_those_of_the_command_line_to_the_last_digit(server, rescoldo, request):
    ember = request.getfixturevalue("all_minilm_ember" if server.start_line["kind"] == "embedder" else "cross_encoder_ember")
    line = json.dumps({"query": QUERY, "passages": [{"id": i, "text": text} for i, text in enumerate(DOCUMENTS)]})
    output = subprocess.run(
        [rescoldo, "rerank", "--model", ember, "--jsonl", "-"], input=line.encode(), check=True, capture_output=True
    ).stdout
    expected = {p["id"]: p["relevance_score"] for p in json.loads(output, parse_float=str)["passages"]}
    connection = http.client.HTTPConnection(server.host, server.port)
    connection.request("POST", "/v1/rerank", json.dumps({"query": QUERY, "documents": DOCUMENTS}))
    reply = json.loads(connection.getresponse().read(), parse_float=str)
    connection.close()
    assert {r["index"]: r["relevance_score"] for r in reply["results"]} == {int(k): v for k, v in expected.items()}


def test_documents_may_be_limited_in_tokens(server):
    long = "paris " * 400
    cut = rerank(server, documents=[long], max_tokens_per_doc=5)["results"][0]
    assert cut["truncated"] and cut["characters_used"] == 29
    alone = rerank(server, documents=["paris paris paris paris paris"])["results"][0]
    assert cut["relevance_score"] == alone["relevance_score"]


def test_long_documents_are_scored_in_chunks_when_asked(server):
    long = "paris " * 600 + "the capital of France is Paris."
    whole = rerank(server, documents=[long], max_chunks_per_doc=1024, overlap_tokens=80)["results"][0]
    first = rerank(server, documents=[long], max_chunks_per_doc=1)["results"][0]
    assert whole["windows"] > 1 and not whole["truncated"]
    assert whole["relevance_score"] >= first["relevance_score"] and first["truncated"]
    assert "windows" not in first


def test_named_fields_of_documents_are_joined(server):
    documents = [{"title": "Paris", "text": "is the capital", "id": 1}, {"title": "Berlin", "text": "is not"}]
    results = rerank(server, documents=documents, rank_fields=["title", "text"])["results"]
    assert results == rerank(server, documents=["Paris\nis the capital", "Berlin\nis not"])["results"]


def test_many_documents(server):
    documents = [f"document number {number}" for number in range(301)]
    reply = rerank(server, documents=documents)
    assert len(reply["results"]) == 301
    assert reply["meta"]["billed_units"] == {"search_units": 4}


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({"documents": ["a"]}, "query", ["missing"]),
        ({"query": None, "documents": ["a"]}, "query", ["missing"]),
        ({"query": "", "documents": ["a"]}, "query", ["empty"]),
        ({"query": 1, "documents": ["a"]}, "query", ["a number", "expected a string"]),
        ({"query": "q"}, "documents", ["missing", "array"]),
        ({"query": "q", "documents": []}, "documents", ["empty"]),
        ({"query": "q", "documents": "a"}, "documents", ["a string", "array"]),
        ({"query": "q", "documents": ["a", 2]}, "documents[1]", ["a number"]),
        ({"query": "q", "documents": ["a", None]}, "documents[1]", ["null"]),
        ({"query": "q", "documents": ["a", {"title": "b"}]}, "documents[1].text", ["missing"]),
        ({"query": "q", "documents": ["a", {"text": ["b"]}]}, "documents[1].text", ["an array"]),
        ({"query": "q", "documents": ["a"], "top_n": 0}, "top_n", ["at least 1"]),
        ({"query": "q", "documents": ["a"], "top_n": -3}, "top_n", ["-3"]),
        ({"query": "q", "documents": ["a"], "top_n": 1.5}, "top_n", ["a fraction"]),
        ({"query": "q", "documents": ["a"], "top_n": "3"}, "top_n", ["a string"]),
        ({"query": "q", "documents": ["a"], "return_documents": 1}, "return_documents", ["a number"]),
        ({"query": "q", "documents": ["a"], "max_tokens_per_doc": 0}, "max_tokens_per_doc", ["at least 1"]),
        ({"query": "q", "documents": ["a"], "max_chunks_per_doc": "x"}, "max_chunks_per_doc", ["a string"]),
        ({"query": "q", "documents": ["a"], "overlap_tokens": -1}, "overlap_tokens", ["at least 0"]),
        ({"query": "q", "documents": ["a"], "rank_fields": "title"}, "rank_fields", ["names"]),
        ({"query": "q", "documents": [{"text": "a"}], "rank_fields": ["title"]}, "documents[0]", ["title", "missing"]),
    ],
)
def test_what_is_wrong_is_named(server, body, param, words):
    assert_refused(server.post("/v1/rerank", body), param, *words)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"[1]", "invalid_json"),
        (b'"text"', "invalid_json"),
        (b'{"query":"q","documents":["a"]}x', "invalid_json"),
        (b'{"query":"q","documents":["a"],}', "invalid_json"),
        (b'{"query":"q","query":"r","documents":["a"]}', "invalid_json"),
        (b'{"query":"\xff","documents":["a"]}', "invalid_json"),
        (b'{"query":"\\ud800","documents":["a"]}', "invalid_json"),
        (b'{"query":"q\n","documents":["a"]}', "invalid_json"),
        (b"\xef\xbb\xbf{}", "invalid_json"),
        (b'{"query":"q","documents":["a"],"x":NaN}', "invalid_json"),
        (b'{"query":"q","documents":["a"],"x":1e999}', "invalid_json"),
        (b'{"x":' + b"[" * 17 + b"]" * 17 + b"}", "json_too_deep"),
        (b"[" * 1000000, "json_too_deep"),
        (b'{"x":[' + b"0," * 300000 + b"0]}", "too_many_json_values"),
    ],
)
def test_what_is_not_json_is_refused(embedder, body, code):
    status, _, reply = embedder.post("/v1/rerank", body)
    assert (status, reply["error"]["code"]) == (400, code)


def test_json_errors_say_where(embedder):
    _, _, reply = embedder.post("/v1/rerank", b'{"query": nope}')
    assert "byte 1" in reply["message"]


def test_too_many_documents(start):
    server = start("--max-passages", "3")
    assert server.post("/v1/rerank", {"query": "q", "documents": ["a"] * 3})[0] == 200
    assert_refused(server.post("/v1/rerank", {"query": "q", "documents": ["a"] * 4}), "documents", "4", "3")


# --- Cohere's client ---


def test_cohere_v1(server):
    client = cohere.Client("no-key", base_url=server.url)
    reply = client.rerank(model="any", query=QUERY, documents=DOCUMENTS, top_n=3, return_documents=True)
    assert reply.id
    assert [result.index for result in reply.results] == [r["index"] for r in rerank(server, top_n=3)["results"]]
    assert [result.document.text for result in reply.results] == [DOCUMENTS[r.index] for r in reply.results]


def test_cohere_v1_with_objects(server):
    client = cohere.Client("no-key", base_url=server.url)
    reply = client.rerank(query=QUERY, documents=[{"text": text} for text in DOCUMENTS], rank_fields=["text"])
    assert [result.index for result in reply.results] == [r["index"] for r in rerank(server)["results"]]


@pytest.mark.parametrize("base", ["", "/v1"])
def test_cohere_v2(server, base):
    client = cohere.ClientV2("no-key", base_url=server.url + base)
    reply = client.rerank(model="any", query=QUERY, documents=DOCUMENTS, top_n=None, max_tokens_per_doc=None)
    expected = rerank(server)["results"]
    assert [(r.index, r.relevance_score) for r in reply.results] == [
        (r["index"], r["relevance_score"]) for r in expected
    ]


def test_cohere_error(server):
    client = cohere.ClientV2("no-key", base_url=server.url)
    with pytest.raises(cohere.BadRequestError) as caught:
        client.rerank(model="any", query=QUERY, documents=[])
    assert "documents" in caught.value.body["message"]
