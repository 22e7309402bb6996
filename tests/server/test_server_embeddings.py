"""Embeddings over HTTP: by hand, by OpenAI's own client, and against the command line to the last digit."""

from __future__ import annotations

import base64
import http.client
import json
import math
import struct
import subprocess

import openai
import pytest

TEXTS = ["A cat sits on the mat.", "", "Ein Hund schläft 🐕.", "word " * 500]


def embed(server, path="/v1/embeddings", **body):
    status, _, reply = server.post(path, {"input": TEXTS, **body})
    assert status == 200, reply
    return reply


def vectors(reply):
    return [item["embedding"] for item in reply["data"]]


def refusal(server, **body):
    status, _, reply = server.post("/v1/embeddings", body)
    assert status == 400
    return reply["error"]


def test_reply_has_what_clients_read(embedder):
    reply = embed(embedder)
    assert reply["object"] == "list"
    assert reply["model"] == embedder.start_line["model"]
    assert [item["index"] for item in reply["data"]] == [0, 1, 2, 3]
    assert all(item["object"] == "embedding" and len(item["embedding"]) == 384 for item in reply["data"])
    assert [item["truncated"] for item in reply["data"]] == [False, False, False, True]
    for item, text in zip(reply["data"], TEXTS):
        assert 0 < item["characters_used"] < len(text) if item["truncated"] else item["characters_used"] == len(text)
    assert reply["usage"]["prompt_tokens"] == reply["usage"]["total_tokens"]
    assert reply["usage"]["total_tokens"] == sum(item["tokens"] for item in reply["data"])
    for vector in vectors(reply):
        assert math.fsum(value * value for value in vector) == pytest.approx(1, abs=1e-5)


def test_a_single_string_and_the_short_path(embedder):
    alone = embed(embedder, input=TEXTS[0])
    assert len(alone["data"]) == 1
    assert vectors(alone)[0] == vectors(embed(embedder))[0]
    assert vectors(embed(embedder, path="/embeddings")) == vectors(embed(embedder))


def test_base64_holds_the_same_bits(embedder):
    floats = vectors(embed(embedder, encoding_format="float"))
    encoded = vectors(embed(embedder, encoding_format="base64"))
    for vector, text in zip(floats, encoded):
        assert list(struct.unpack("<384f", base64.b64decode(text, validate=True))) == [
            struct.unpack("<f", struct.pack("<f", value))[0] for value in vector
        ]


def test_the_command_line_prints_the_same_digits(embedder, rescoldo, all_minilm_ember):
    texts = [TEXTS[0], TEXTS[2], TEXTS[3]]
    output = subprocess.run(
        [rescoldo, "embed", "--model", all_minilm_ember, "-"],
        input="\n".join(texts).encode(), check=True, capture_output=True,
    ).stdout  # fmt: skip
    printed = [json.loads(line, parse_float=str)["embedding"] for line in output.splitlines()]
    connection = http.client.HTTPConnection(embedder.host, embedder.port)
    connection.request("POST", "/v1/embeddings", json.dumps({"input": texts}))
    reply = json.loads(connection.getresponse().read(), parse_float=str)
    connection.close()
    assert vectors(reply) == printed


def test_nulls_and_unknown_fields_change_nothing(embedder):
    reply = embed(
        embedder, model=None, encoding_format=None, dimensions=None, user="u", input_type="query", truncation=True,
        output_dtype=None, output_dimension=None,
    )  # fmt: skip
    assert vectors(reply) == vectors(embed(embedder))


def test_dimensions_are_answered_truthfully(embedder):
    assert vectors(embed(embedder, dimensions=384)) == vectors(embed(embedder))
    error = refusal(embedder, input="a", dimensions=256)
    assert error["param"] == "dimensions"
    assert "256" in error["message"] and "384" in error["message"]


@pytest.mark.parametrize("token_ids", [[1, 2, 3], [[1, 2], [3]]])
def test_token_ids_are_refused_with_the_way_out(embedder, token_ids):
    error = refusal(embedder, input=token_ids)
    assert error["param"] == "input"
    assert "check_embedding_ctx_length=False" in error["message"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 3}, "input"),
        ({"input": ["a", {"text": "b"}]}, "input[1]"),
        ({"input": ["a", None]}, "input[1]"),
        ({"input": "a", "encoding_format": "int8"}, "encoding_format"),
        ({"input": "a", "encoding_format": 1}, "encoding_format"),
        ({"input": "a", "dimensions": "384"}, "dimensions"),
    ],
)
def test_what_is_wrong_is_named(embedder, body, param):
    assert refusal(embedder, **body)["param"] == param


def test_a_cross_encoder_has_no_embeddings(cross_encoder):
    error = refusal(cross_encoder, input="a")
    assert error["code"] == "unsupported_model"
    assert "cross-encoder" in error["message"] and "rerank" in error["message"]


def test_too_many_inputs(start, all_minilm_ember):
    server = start("--max-inputs", "2", ember=all_minilm_ember)
    assert server.post("/v1/embeddings", {"input": ["a", "b"]})[0] == 200
    assert refusal(server, input=["a", "b", "c"])["param"] == "input"


# --- OpenAI's client ---


def client_of(server, base="/v1"):
    return openai.OpenAI(api_key="no-key", base_url=server.url + base, max_retries=0)


@pytest.mark.parametrize("base", ["/v1", ""])
@pytest.mark.parametrize("encoding", [None, "float", "base64"])
def test_openai_client(embedder, base, encoding):
    options = {} if encoding is None else {"encoding_format": encoding}
    reply = client_of(embedder, base).embeddings.create(model="any", input=TEXTS, **options)
    assert [item.index for item in reply.data] == [0, 1, 2, 3]
    assert reply.usage.total_tokens > 0
    if encoding != "base64":
        expected = vectors(embed(embedder))
        for item, vector in zip(reply.data, expected):
            assert item.embedding == pytest.approx(vector, abs=0, rel=1e-7)


def test_openai_errors(embedder):
    with pytest.raises(openai.BadRequestError) as caught:
        client_of(embedder).embeddings.create(model="any", input=[[1, 2, 3]])
    assert caught.value.param == "input"
    assert "check_embedding_ctx_length=False" in str(caught.value)
    with pytest.raises(openai.NotFoundError):
        client_of(embedder).chat.completions.create(model="any", messages=[{"role": "user", "content": "hi"}])


def test_openai_models(embedder):
    assert [model.id for model in client_of(embedder).models.list()] == [embedder.start_line["model"]]
