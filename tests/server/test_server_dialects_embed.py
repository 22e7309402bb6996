"""Embeddings as the clients of Cohere and of text-embeddings-inference send them, and what they read back."""

from __future__ import annotations

import base64
import math
import struct

import numpy as np
import pytest
import tokenizers
from running_server import ask, refused

TEXTS = ["A cat sits on the mat.", "", "Ein Hund schläft 🐕."]
LONG = "alpha " * 400 + "omega " * 400
TYPES = ["float", "int8", "uint8", "binary", "ubinary", "base64"]
V1, V2 = ["/v1/embed", "/v1/v1/embed"], ["/v2/embed", "/v1/v2/embed", "/embed"]


@pytest.fixture(scope="module")
def expected(embedder):
    return [item["embedding"] for item in ask(embedder, "/v1/embeddings", input=TEXTS)["data"]]


# --- Cohere ---


@pytest.mark.parametrize("path", V1)
def test_cohere_v1_floats(embedder, expected, path):
    reply = ask(embedder, path, texts=TEXTS, model="m", input_type="search_query", embedding_types=None, truncate=None)
    assert reply["response_type"] == "embeddings_floats" and reply["id"]
    assert reply["embeddings"] == expected and reply["texts"] == TEXTS
    assert reply["meta"]["billed_units"]["input_tokens"] > 0


@pytest.mark.parametrize("path", V1 + V2)
def test_cohere_by_type(embedder, expected, path):
    reply = ask(embedder, path, texts=TEXTS, model="m", input_type="search_query", embedding_types=TYPES)
    assert reply["response_type"] == "embeddings_by_type" and set(reply["embeddings"]) == set(TYPES)
    embeddings = reply["embeddings"]
    assert embeddings["float"] == expected
    vectors = np.array(expected, dtype=np.float32)
    assert [struct.unpack("<384f", base64.b64decode(text, validate=True)) for text in embeddings["base64"]] == [
        tuple(vector) for vector in vectors.tolist()
    ]
    int8 = np.array(embeddings["int8"])
    assert int8.min() >= -127 and int8.max() <= 127 and (np.abs(int8).max(axis=1) == 127).all()
    cosines = (int8 * vectors).sum(axis=1) / np.linalg.norm(int8, axis=1) / np.linalg.norm(vectors, axis=1)
    assert (cosines > 0.999).all()
    assert embeddings["uint8"] == (int8 + 128).tolist()
    bits = np.packbits(vectors > 0, axis=1)
    assert embeddings["ubinary"] == bits.tolist()
    assert embeddings["binary"] == (bits.astype(int) - 128).tolist()


@pytest.mark.parametrize("path", V2)
def test_cohere_v2_without_types_is_float(embedder, expected, path):
    assert ask(embedder, path, texts=TEXTS, model="m", input_type="x")["embeddings"] == {"float": expected}


def test_cohere_inputs_of_text(embedder, expected):
    inputs = [{"content": [{"type": "text", "text": text}]} for text in TEXTS]
    assert ask(embedder, "/v2/embed", inputs=inputs, model="m")["embeddings"] == {"float": expected}


def test_cohere_truncates_at_either_end_or_not_at_all(embedder):
    def vector(text, **body):
        return ask(embedder, "/v2/embed", texts=[text], **body)["embeddings"]["float"][0]

    room = 256 - 2
    assert vector(LONG) == vector(LONG, truncate="END") == vector("alpha " * room)
    assert vector(LONG, truncate="START") == vector("omega " * room)
    reply = refused(embedder, "/v2/embed", 400, texts=["a", LONG], truncate="NONE")
    for word in ("text 1", "800", "254"):
        assert word in reply["message"]
    assert ask(embedder, "/v2/embed", texts=["a", LONG])["meta"]["truncated_texts"] == 1


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "texts"),
        ({"texts": []}, "texts"),
        ({"texts": ["a", 1]}, "texts[1]"),
        ({"texts": ["a"], "embedding_types": ["float", "int4"]}, "embedding_types"),
        ({"texts": ["a"], "embedding_types": "float"}, "embedding_types"),
        ({"texts": ["a"], "truncate": "MIDDLE"}, "truncate"),
        ({"texts": ["a"], "output_dimension": 256}, "output_dimension"),
        ({"images": ["data:"]}, "images"),
        ({"inputs": []}, "inputs"),
        ({"inputs": [{"content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "inputs[0].content"),
    ],
)
def test_what_is_wrong_is_named(embedder, body, param):
    assert refused(embedder, "/v2/embed", 400, **body)["error"]["param"] == param


# --- OpenAI's path, as Voyage uses it ---


def test_voyage(embedder, expected):
    reply = ask(
        embedder, "/v1/embeddings", input=TEXTS, model="m", input_type=None, truncation=True, output_dtype=None,
        output_dimension=None, encoding_format="float",
    )  # fmt: skip
    assert [item["embedding"] for item in reply["data"]] == expected
    assert refused(embedder, "/v1/embeddings", 400, input=LONG, truncation=False)["error"]["code"] == "limit_exceeded"
    assert refused(embedder, "/v1/embeddings", 400, input="a", output_dtype="int8")["error"]["param"] == "output_dtype"


# --- text-embeddings-inference ---


def test_tei_embed(embedder, expected):
    assert ask(embedder, "/embed", inputs=TEXTS, truncate=True, normalize=True, dimensions=384) == expected
    assert ask(embedder, "/embed", inputs=TEXTS[0]) == expected[:1]


def test_tei_embed_without_normalizing(embedder, expected):
    raw = ask(embedder, "/embed", inputs=TEXTS, normalize=False)
    for vector, unit in zip(raw, expected):
        norm = math.sqrt(math.fsum(value * value for value in vector))
        assert abs(norm - 1) > 0.1
        assert [value / norm for value in vector] == pytest.approx(unit, abs=1e-6)


def test_tei_truncates_at_either_end_or_not_at_all(embedder):
    room = 256 - 2
    assert ask(embedder, "/embed", inputs=LONG) == ask(embedder, "/embed", inputs="alpha " * room)
    left = ask(embedder, "/embed", inputs=LONG, truncation_direction="left")
    assert left == ask(embedder, "/embed", inputs="omega " * room)
    reply = refused(embedder, "/embed", 422, inputs=["a", LONG], truncate=False)
    assert reply["error_type"] == "Validation"
    for word in ("text 1", "800", "254"):
        assert word in reply["error"]


def test_tei_similarity(embedder, expected):
    reply = ask(embedder, "/similarity", inputs={"source_sentence": TEXTS[0], "sentences": TEXTS[1:]}, parameters={})
    vectors = np.array(expected)
    assert reply == pytest.approx((vectors[1:] @ vectors[0]).tolist(), abs=1e-6)


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("/embed", {}, "inputs is missing"),
        ("/embed", {"inputs": []}, "inputs is empty"),
        ("/embed", {"inputs": [[1, 2]]}, "token ids"),
        ("/embed", {"inputs": "a", "dimensions": 12}, "384"),
        ("/embed", {"inputs": "a", "prompt_name": "query"}, "prompt_name"),
        ("/similarity", {"inputs": ["a"]}, "source_sentence"),
        ("/similarity", {"inputs": {"source_sentence": "a", "sentences": []}}, "inputs.sentences is empty"),
        ("/similarity", {"inputs": {"source_sentence": "a", "sentences": ["b"]}, "parameters": 1}, "parameters"),
    ],
)
def test_tei_errors_have_their_form(embedder, path, body, word):
    status, _, reply = embedder.post(path, body)
    assert (status, reply["error_type"]) == (422, "Validation"), reply
    assert word in reply["error"]


def test_tei_says_424_of_a_task_that_the_model_does_not_have(cross_encoder):
    reply = refused(cross_encoder, "/embed", 424, inputs="a")
    assert reply["error_type"] == "Backend" and "cross-encoder" in reply["error"]
    assert refused(cross_encoder, "/v2/embed", 400, texts=["a"])["error"]["code"] == "unsupported_model"
    status, _, reply = cross_encoder.post("/embed", b"{")
    assert (status, set(reply)) == (400, {"error", "error_type"})


# --- tokens: embed_all, tokenize, decode ---


def test_tei_embed_all_means_to_the_embedding(embedder):
    raw = ask(embedder, "/embed", inputs=TEXTS, normalize=False)
    for vectors, vector, item in zip(
        ask(embedder, "/embed_all", inputs=TEXTS), raw, ask(embedder, "/v1/embeddings", input=TEXTS)["data"]
    ):
        assert len(vectors) == item["tokens"]
        assert np.mean(vectors, axis=0) == pytest.approx(np.array(vector), abs=1e-6)
    assert refused(embedder, "/embed_all", 422, inputs=["a"] * 33)["error_type"] == "Validation"


@pytest.fixture(scope="module")
def library(all_minilm_directory):
    tokenizer = tokenizers.Tokenizer.from_file(str(all_minilm_directory / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


SENTENCES = [*TEXTS, "Isn't it 3.5? It's 'so', we've said!", "don't (stop) [SEP] a...b https://x.org/a_b", "日本語 Ünïcödé"]


@pytest.mark.parametrize("special", [True, False])
def test_tei_tokenize_is_the_library(embedder, library, special):
    reply = ask(embedder, "/tokenize", inputs=SENTENCES, add_special_tokens=special)
    for text, tokens in zip(SENTENCES, reply):
        encoding = library.encode(text, add_special_tokens=special)
        assert [token["id"] for token in tokens] == encoding.ids
        for token, piece, (start, stop), mask in zip(tokens, encoding.tokens, encoding.offsets, encoding.special_tokens_mask):
            assert token["special"] == bool(mask)
            if mask:
                assert (token["text"], token["start"], token["stop"]) == (piece, None, None)
            else:
                assert (token["text"], token["start"], token["stop"]) == (text[start:stop], start, stop)
    assert ask(embedder, "/tokenize", inputs="a cat") == ask(embedder, "/tokenize", inputs=["a cat"])


@pytest.mark.parametrize("skip", [True, False])
def test_tei_decode_is_the_library(embedder, library, skip):
    ids = [library.encode(text).ids for text in SENTENCES] + [list(range(start, start + 500)) for start in (0, 1000, 30000)]
    expected = [library.decode(one, skip_special_tokens=skip) for one in ids]
    assert ask(embedder, "/decode", ids=ids, skip_special_tokens=skip) == expected
    assert ask(embedder, "/decode", ids=ids[3], skip_special_tokens=skip) == [expected[3]]
    assert ask(embedder, "/decode", ids=[]) == [""]


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("/tokenize", {}, "inputs is missing"),
        ("/tokenize", {"inputs": "a", "add_special_tokens": 1}, "add_special_tokens"),
        ("/decode", {}, "ids"),
        ("/decode", {"ids": [1, "a"]}, "ids"),
        ("/decode", {"ids": [[1], 2]}, "a number"),
        ("/decode", {"ids": [-1]}, "ids"),
        ("/decode", {"ids": [30522]}, "30522"),
    ],
)
def test_errors_about_tokens(embedder, path, body, word):
    assert word in refused(embedder, path, 422, **body)["error"]


def test_the_reply_of_tokenize_is_bounded(embedder):
    assert "262144 tokens" in refused(embedder, "/tokenize", 422, inputs="a " * 300000)["error"]


# --- the main task, info ---


@pytest.mark.parametrize("path", ["/", "/invocations"])
def test_the_main_task(embedder, cross_encoder, expected, path):
    assert ask(embedder, path, inputs=TEXTS) == expected
    assert ask(embedder, path, query="q", texts=["a"]) == ask(embedder, "/rerank", query="q", texts=["a"])
    assert ask(cross_encoder, path, query="q", texts=["a"]) == ask(cross_encoder, "/rerank", query="q", texts=["a"])
    assert ask(cross_encoder, path, inputs=["q", "a"]) == ask(cross_encoder, "/predict", inputs=["q", "a"])


def test_tei_predict(embedder, cross_encoder):
    pairs = [["q", "a"], ["another query", "b"], ["q", "c " * 600]]
    reply = ask(cross_encoder, "/predict", inputs=pairs)
    for (query, text), prediction in zip(pairs, reply):
        score = ask(cross_encoder, "/rerank", query=query, texts=[text])[0]["score"]
        assert prediction == [{"score": score, "label": "LABEL_0"}]
        assert ask(cross_encoder, "/predict", inputs=[query, text]) == prediction
    raw = ask(cross_encoder, "/predict", inputs=pairs, raw_scores=True)
    assert raw[0][0]["score"] == ask(cross_encoder, "/rerank", query="q", texts=["a"], raw_scores=True)[0]["score"]
    assert "pair" in refused(cross_encoder, "/predict", 422, inputs="a")["error"]
    assert "inputs[1]" in refused(cross_encoder, "/predict", 422, inputs=[["a", "b"], ["c"]])["error"]
    assert "passage 2" in refused(cross_encoder, "/predict", 422, inputs=pairs, truncate=False)["error"]
    assert refused(embedder, "/predict", 424, inputs=["a", "b"])["error_type"] == "Backend"


@pytest.mark.parametrize("kind", ["embedder", "cross_encoder"])
def test_info_has_what_clients_of_tei_read(request, kind):
    server = request.getfixturevalue(kind)
    _, _, info = server.get("/info")
    for name in (
        "model_id", "model_dtype", "model_type", "max_concurrent_requests", "max_input_length", "max_batch_tokens",
        "max_batch_requests", "max_client_batch_size", "tokenization_workers", "version", "sha", "docker_label",
    ):  # fmt: skip
        assert name in info
    assert next(iter(info["model_type"])) == ("embedding" if kind == "embedder" else "reranker")
