"""A field that changes results is honoured on every path that it may be sent to, or refused by name; none is passed
over."""

from __future__ import annotations

import pytest

QUERY = "What is the capital of France?"
DOCUMENTS = ["Berlin is the capital of Germany.", "Paris is the capital of France.", "Bread is baked from flour."]
LONG = "alpha " * 700 + "omega " * 700

# How each dialect's requests look, with documents of one's own, and where its results are.
RERANKS = {
    "cohere-v1": ("/v1/rerank", lambda texts: {"query": QUERY, "documents": texts}, lambda reply: reply["results"]),
    "cohere-v2": ("/v2/rerank", lambda texts: {"query": QUERY, "documents": texts}, lambda reply: reply["results"]),
    "bare": ("/rerank", lambda texts: {"query": QUERY, "documents": texts}, lambda reply: reply["results"]),
    "voyage": ("/v1/rerank", lambda texts: {"query": QUERY, "documents": texts, "top_k": None}, lambda reply: reply["data"]),
    "mixedbread": ("/v1/reranking", lambda texts: {"query": QUERY, "input": texts}, lambda reply: reply["data"]),
    "pinecone": (
        "/rerank",
        lambda texts: {"query": QUERY, "documents": [{"text": text} for text in texts], "rank_fields": ["text"]},
        lambda reply: reply["data"],
    ),
    "tei": ("/rerank", lambda texts: {"query": QUERY, "texts": texts}, lambda reply: reply),
    "elasticsearch": ("/_inference/rerank/x", lambda texts: {"query": QUERY, "input": texts}, lambda reply: reply["rerank"]),
    "nvidia": (
        "/v1/ranking",
        lambda texts: {"query": {"text": QUERY}, "passages": [{"text": text} for text in texts]},
        lambda reply: reply["rankings"],
    ),
    "flashrank": ("/rerank", lambda texts: {"query": QUERY, "passages": [{"text": text} for text in texts]}, lambda reply: reply),
}
EMBEDS = {
    "openai": ("/v1/embeddings", "input", lambda reply: reply["data"][0]["embedding"]),
    "cohere-v1": ("/v1/embed", "texts", lambda reply: reply["embeddings"][0]),
    "cohere-v2": ("/v2/embed", "texts", lambda reply: reply["embeddings"]["float"][0]),
    "tei": ("/embed", "inputs", lambda reply: reply[0]),
}


def ask(server, path, body):
    status, _, reply = server.post(path, body)
    assert status == 200, reply
    return reply


def results(server, dialect, texts=DOCUMENTS, **more):
    path, request, found = RERANKS[dialect]
    return found(ask(server, path, {**request(texts), **more}))


def score(item):
    return next(item[name] for name in ("relevance_score", "score", "logit") if name in item)


def scores(server, dialect, texts=DOCUMENTS, **more):
    return [score(item) for item in results(server, dialect, texts, **more)]


def message(reply):
    return reply["error"]["message"] if isinstance(reply["error"], dict) else reply["error"]


def assert_refused(server, path, body, field):
    status, _, reply = server.post(path, body)
    assert status in (400, 422), reply
    assert message(reply).startswith(field), reply


# --- rerank ---


@pytest.mark.parametrize("dialect", RERANKS)
def test_how_many_results(cross_encoder, dialect):
    assert len(results(cross_encoder, dialect, top_n=2)) == 2
    if dialect not in ("cohere-v1", "cohere-v2", "bare"):  # documents with top_k are Voyage's
        assert len(results(cross_encoder, dialect, top_k=2)) == 2


@pytest.mark.parametrize("dialect", RERANKS)
def test_how_long_texts_are_read(cross_encoder, dialect):
    def of(text, **more):
        return scores(cross_encoder, dialect, [text], **more)

    start, end = of(LONG), of(LONG, truncation_direction="Left")
    assert start != end
    assert of(LONG, truncation_side="left") == of(LONG, truncate="START") == end
    assert of(LONG, truncate=True) == of(LONG, truncate="END") == start
    assert of(LONG, truncate_prompt_tokens=-1) == of(LONG, truncate_prompt_tokens=100000) == start
    # [CLS] query [SEP] text [SEP], of which the query has seven tokens
    assert of(LONG, truncate_prompt_tokens=7 + 3 + 9) == of("alpha " * 9)
    assert of(LONG, truncate_prompt_tokens=7 + 3 + 9, truncation_side="left") == of("omega " * 9)
    assert of(LONG, max_tokens_per_doc=5) == of(LONG, max_doc_length=5) == of("alpha " * 5)
    assert of(LONG, max_chunks_per_doc=100) == [max(of(LONG, max_chunks_per_doc=100, overlap_tokens=0))]


@pytest.mark.parametrize("dialect", RERANKS)
def test_what_is_too_long_is_refused_when_asked(cross_encoder, dialect):
    path, request, _ = RERANKS[dialect]
    for fields in ({"truncate": False}, {"truncation": False}, {"truncate": "NONE"}):
        status, _, reply = cross_encoder.post(path, {**request(["a", LONG]), **fields})
        assert status in (400, 422) and "passage 1" in message(reply), reply


@pytest.mark.parametrize("dialect", [name for name in RERANKS if name != "nvidia"])
def test_scores_of_the_model_itself(cross_encoder, dialect):
    logits = scores(cross_encoder, "nvidia")
    assert scores(cross_encoder, dialect) != logits
    for fields in ({"raw_scores": True}, {"use_activation": False}, {"activation": False}):
        assert scores(cross_encoder, dialect, **fields) == logits


@pytest.mark.parametrize("dialect", RERANKS)
@pytest.mark.parametrize(
    ("field", "refused", "harmless"),
    [
        ("instruction", "Rank by date.", ""), ("prompt", "Rank by date: ", ""), ("prompt_name", "query", None),
        ("rewrite_query", True, False), ("return_embeddings", True, False), ("max_query_length", 5, None),
        ("max_tokens_per_query", 5, None), ("add_special_tokens", False, True), ("chat_template", "{{ x }}", None),
        ("truncate_prompt_tokens", 2, None), ("truncation_side", "middle", "Right"), ("use_activation", 1, True),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_refused_by_name(cross_encoder, dialect, field, refused, harmless):
    path, request, _ = RERANKS[dialect]
    assert_refused(cross_encoder, path, {**request(DOCUMENTS), field: refused}, field)
    ask(cross_encoder, path, {**request(DOCUMENTS), field: harmless})


def test_pinecone_as_its_documents_say(cross_encoder):
    documents = [{"id": f"d{i}", "text": text, "year": 1990 + i} for i, text in enumerate(DOCUMENTS)]
    body = {"query": QUERY, "documents": documents, "rank_fields": ["text"]}
    found = ask(cross_encoder, "/rerank", body)["data"]
    assert [item["document"] for item in found] == [documents[item["index"]] for item in found]
    assert all("document" not in item for item in ask(cross_encoder, "/rerank", {**body, "return_documents": False})["data"])
    titled = [{"id": f"d{i}", "title": text} for i, text in enumerate(DOCUMENTS)]
    found = ask(cross_encoder, "/rerank", {"query": QUERY, "documents": titled, "rank_fields": ["title"]})["data"]
    assert found[0]["document"] == titled[found[0]["index"]]
    body["documents"] = [{"text": LONG}]
    assert ask(cross_encoder, "/rerank", {**body, "parameters": {"truncate": "END"}})
    assert cross_encoder.post("/rerank", {**body, "parameters": {"truncate": "NONE"}})[0] == 400
    assert_refused(cross_encoder, "/rerank", {**body, "parameters": 1}, "parameters")


def test_open_webui_finds_all_documents(cross_encoder):
    """It sends the length of its list, and maps the results by their places after it has sorted them by index."""
    body = {"model": "any", "query": QUERY, "documents": DOCUMENTS, "top_n": len(DOCUMENTS)}
    headers = {"Authorization": "Bearer ", "X-OpenWebUI-User-Name": "A", "X-OpenWebUI-User-Id": "1"}
    for path in ("/v1/rerank", "/rerank", "/v2/rerank"):
        status, _, reply = cross_encoder.post(path, body, headers)
        assert status == 200
        ordered = sorted(reply["results"], key=lambda item: item["index"])
        assert [item["index"] for item in ordered] == list(range(len(DOCUMENTS)))


# --- embed ---


def vector(server, dialect, text="A cat sits on the mat.", **more):
    path, name, found = EMBEDS[dialect]
    return found(ask(server, path, {name: [text], **more}))


@pytest.mark.parametrize("dialect", EMBEDS)
def test_how_long_texts_are_embedded(embedder, dialect):
    def of(text, **more):
        return vector(embedder, dialect, text, **more)

    start, end = of(LONG), of(LONG, truncation_direction="Left")
    assert start != end
    assert of(LONG, truncation_side="left") == of(LONG, truncate="START") == end
    assert of(LONG, truncate=True) == of(LONG, truncation=True) == of(LONG, truncate_prompt_tokens=-1) == start
    assert of(LONG, truncate_prompt_tokens=2 + 5) == of("alpha " * 5)
    path, name, _ = EMBEDS[dialect]
    for fields in ({"truncate": False}, {"truncation": False}, {"truncate": "NONE"}):
        status, _, reply = embedder.post(path, {name: ["a", LONG], **fields})
        assert status in (400, 422) and "text 1" in message(reply), reply


def test_cohere_max_tokens(embedder):
    for dialect in ("cohere-v1", "cohere-v2"):
        assert vector(embedder, dialect, LONG, max_tokens=5) == vector(embedder, dialect, "alpha " * 5)
        assert vector(embedder, dialect, LONG, max_tokens=2**40) == vector(embedder, dialect, LONG)


@pytest.mark.parametrize("dialect", ["openai", "tei"])
def test_vectors_as_pooled(embedder, dialect):
    pooled = vector(embedder, "tei", normalize=False)
    unit = vector(embedder, dialect)
    assert pooled != unit
    for fields in ({"normalize": False}, {"normalized": False}, {"use_activation": False}, {"embd_normalize": -1}):
        assert vector(embedder, dialect, **fields) == pooled
    for fields in ({"normalize": True}, {"normalized": True}, {"use_activation": True}, {"embd_normalize": 2}):
        assert vector(embedder, dialect, **fields) == unit
    path, name, _ = EMBEDS[dialect]
    assert_refused(embedder, path, {name: "a", "embd_normalize": 1}, "embd_normalize")


@pytest.mark.parametrize("dialect", EMBEDS)
@pytest.mark.parametrize(
    ("field", "refused", "harmless"),
    [
        ("instruction", "Find:", ""), ("prompt", "query: ", ""), ("late_chunking", True, False),
        ("add_special_tokens", False, True), ("truncate_prompt_tokens", 0, None),
    ],
)  # fmt: skip
def test_what_cannot_be_embedded_is_refused_by_name(embedder, dialect, field, refused, harmless):
    path, name, _ = EMBEDS[dialect]
    assert_refused(embedder, path, {name: ["a"], field: refused}, field)
    ask(embedder, path, {name: ["a"], field: harmless})


@pytest.mark.parametrize(
    ("field", "refused", "harmless"),
    [
        ("embedding_type", "binary", "float"), ("embed_dtype", "float16", "float32"), ("endianness", "big", "native"),
        ("modality", "image", "text"), ("dimensions", 12, 0), ("prompt_name", "query", None),
    ],
)  # fmt: skip
def test_what_openai_s_path_cannot_give(embedder, field, refused, harmless):
    assert_refused(embedder, "/v1/embeddings", {"input": "a", field: refused}, field)
    ask(embedder, "/v1/embeddings", {"input": "a", field: harmless})
    as_jina, as_openai = (
        ask(embedder, "/v1/embeddings", {"input": "a", name: "base64"})["data"] for name in ("embedding_type", "encoding_format")
    )
    assert as_jina == as_openai


# --- text-embeddings-inference and Hugging Face ---


def test_parameters_beside_the_body_or_in_it(embedder):
    body = {"inputs": "A cat sits on the mat."}
    pooled = ask(embedder, "/", {**body, "normalize": False})
    assert ask(embedder, "/", {**body, "parameters": {"normalize": False}}) == pooled
    assert ask(embedder, "/", {**body, "parameters": {"normalize": True}, "normalize": False}) == pooled
    assert_refused(embedder, "/embed", {**body, "parameters": {"truncate": 1}}, "truncate")
    assert_refused(embedder, "/embed", {**body, "encoding_format": "base64"}, "encoding_format")


def test_the_main_task_takes_sentence_similarity(embedder):
    body = {"inputs": {"source_sentence": QUERY, "sentences": DOCUMENTS}, "parameters": {}}
    assert ask(embedder, "/", body) == ask(embedder, "/similarity", body)


def test_functions_of_text_classification(cross_encoder):
    body = {"inputs": [QUERY, DOCUMENTS[0]]}
    raw = ask(cross_encoder, "/predict", {**body, "raw_scores": True})
    assert ask(cross_encoder, "/", {**body, "parameters": {"function_to_apply": "none", "top_k": 1}}) == raw
    assert ask(cross_encoder, "/", {**body, "parameters": {"function_to_apply": "sigmoid"}}) == ask(cross_encoder, "/", body)
    assert_refused(cross_encoder, "/", {**body, "parameters": {"function_to_apply": "softmax"}}, "function_to_apply")
    assert_refused(cross_encoder, "/predict", {**body, "prompt_name": "query"}, "prompt_name")


# --- Vertex AI ---


def vertex(server, *instances):
    reply = ask(server, "/vertex", {"instances": list(instances)})
    assert list(reply) == ["predictions"] and len(reply["predictions"]) == len(instances)
    return reply["predictions"]


def test_vertex_embeds(embedder):
    first, second = {"inputs": "A cat sits on the mat."}, {"inputs": DOCUMENTS}
    assert vertex(embedder, first, second) == [ask(embedder, "/embed", body) for body in (first, second)]
    first["normalize"] = second["normalize"] = False
    assert vertex(embedder, second, first) == [ask(embedder, "/embed", body) for body in (second, first)]


def test_vertex_reranks_and_predicts(cross_encoder, embedder):
    first = {"query": QUERY, "texts": DOCUMENTS, "return_text": True, "top_n": 2}
    second = {"query": "Who bakes?", "texts": DOCUMENTS[::-1], "raw_scores": True}
    assert vertex(cross_encoder, first, second) == [ask(cross_encoder, "/rerank", body) for body in (first, second)]
    pairs = {"inputs": [[QUERY, text] for text in DOCUMENTS]}
    one = {"inputs": ["Who bakes?", DOCUMENTS[2]]}
    assert vertex(cross_encoder, pairs, one) == [ask(cross_encoder, "/predict", body) for body in (pairs, one)]
    same = {"query": QUERY, "texts": DOCUMENTS[1:]}
    assert vertex(embedder, first, same) == [ask(embedder, "/rerank", body) for body in (first, same)]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "instances is missing"),
        ({"instances": []}, "instances holds 0 requests"),
        ({"instances": ["a"]}, "instances[0] is a string"),
        ({"instances": [{"inputs": "a"}, {"inputs": [1]}]}, "instances[1]: inputs holds token ids"),
        ({"instances": [{"inputs": "a"}, {"inputs": "a", "prompt": "query: "}]}, "instances[1]: prompt is not available"),
        ({"instances": [{"inputs": "a"}, {"inputs": "a", "normalize": False}]}, "instances[1] is to be read otherwise"),
        ({"instances": [{"inputs": "a"}], "parameters": {"truncate": False}}, "parameters"),
        ({"instances": [{"inputs": "a"}, {"inputs": ["a"] * 10000}]}, "instances[1]: inputs holds 10000 texts"),
        ({"instances": [{"query": "a", "texts": ["b"]}, {"query": "b", "texts": ["b"]}]}, "instances[1] has another query"),
    ],
)
def test_vertex_says_which_instance_is_wrong(embedder, body, word):
    status, _, reply = embedder.post("/vertex", body)
    assert (status, reply["error_type"]) == (422, "Validation") and word in reply["error"], reply
