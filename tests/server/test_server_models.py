"""A server with two models of one ember: a request chooses by "model" or by task, and gets the same numbers as from
each model alone."""

from __future__ import annotations

import concurrent.futures
import subprocess

import pytest
from raw_http import RawConnection, post
from running_server import RunningServer
from test_server_overload import ENDLESS, PATIENT, in_work, running, wait_until
from tiny_cross_encoder import write_tiny_cross_encoder

EMBEDDER = "all-MiniLM-L6-v2"
QUERY = "What is the capital of France?"
TEXTS = ["Paris is the capital of France.", "Berlin is the capital of Germany.", "Eggs.", "word " * 90]


@pytest.fixture(scope="module")
def both(rescoldo, cross_encoder_ember, all_minilm_directory, tmp_path_factory):
    ember = tmp_path_factory.mktemp("both") / "both.ember"
    sources = ("--model", all_minilm_directory, "--model", cross_encoder_ember.with_suffix(""))
    names = ("--name", EMBEDDER, "--name", "ranker")
    subprocess.run([rescoldo, "bake", "--quiet", *sources, *names, "--output", ember], check=True, capture_output=True)
    with RunningServer(rescoldo, ember) as server:
        yield server


def rerank(server, model=None, texts=TEXTS):
    status, _, reply = server.post("/v1/rerank", {"query": QUERY, "documents": texts} | ({"model": model} if model else {}))
    assert status == 200, reply
    return reply


def embed(server, model=None):
    status, _, reply = server.post("/v1/embeddings", {"input": TEXTS} | ({"model": model} if model else {}))
    assert status == 200, reply
    return reply


def test_both_models_are_listed(both):
    _, _, models = both.get("/v1/models")
    assert [model["id"] for model in models["data"]] == [EMBEDDER, "ranker"]
    _, _, information = both.get("/info")
    assert [(model["name"], model["kind"]) for model in information["models"]] == [
        (EMBEDDER, "embedder"), ("ranker", "cross-encoder")]
    assert both.start_line["models"] == [EMBEDDER, "ranker"]
    _, _, metrics = both.get("/metrics")
    assert metrics.count("rescoldo_build_info{") == 2


@pytest.mark.parametrize("model", [None, "right", "rerank-english-v3.0"])
def test_a_request_chooses_by_name_or_by_task(both, cross_encoder, embedder, model):
    ranked = rerank(both, "ranker" if model == "right" else model)
    assert ranked["model"] == "ranker"
    assert ranked["results"] == rerank(cross_encoder)["results"]
    embedded = embed(both, EMBEDDER if model == "right" else model)
    assert embedded["model"] == EMBEDDER
    assert embedded["data"] == embed(embedder)["data"]


def test_a_model_named_for_another_task_is_answered_with_what_to_send(both):
    status, _, reply = both.post("/v1/rerank", {"model": EMBEDDER, "query": QUERY, "documents": TEXTS})
    assert (status, reply["error"]["code"]) == (400, "unsupported_model")
    assert f"{EMBEDDER} is an embedder" in reply["error"]["message"] and '"model": "ranker"' in reply["error"]["message"]
    status, _, reply = both.post("/v1/embeddings", {"model": "ranker", "input": TEXTS})
    assert (status, reply["error"]["code"]) == (400, "unsupported_model")
    assert "ranker is a cross-encoder" in reply["error"]["message"]
    assert f'"model": "{EMBEDDER}"' in reply["error"]["message"]


def test_models_side_by_side_in_one_memory_change_no_bit(both):
    """The sessions of a worker share their working memory; requests of both models take turns on it."""
    def numbers(reply):
        return reply.get("results") or reply["data"]

    calls = [rerank, embed] * 12
    expected = {call: numbers(call(both)) for call in (rerank, embed)}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda call: (call, numbers(call(both))), calls))
    assert all(reply == expected[call] for call, reply in replies)


@pytest.fixture(scope="module")
def unequal(rescoldo, cross_encoder_ember, all_minilm_directory, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unequal")
    heavy = write_tiny_cross_encoder(folder, all_minilm_directory, layers=6, hidden=256)
    ember = folder / "unequal.ember"
    sources = ("--model", cross_encoder_ember.with_suffix(""), "--model", heavy)
    names = ("--name", "light", "--name", "heavy")
    subprocess.run([rescoldo, "bake", "--quiet", *sources, *names, "--output", ember], check=True, capture_output=True)
    with RunningServer(rescoldo, ember, *PATIENT) as server:
        yield server


def test_a_light_model_makes_no_promises_for_a_heavy_one(unequal):
    def seconds_per_token():
        metrics = unequal.metrics()
        return metrics["rescoldo_predicted_wait_seconds"] / metrics["rescoldo_queue_tokens"]

    with RawConnection(unequal) as connection:
        connection.send(post("/v1/rerank", {"model": "heavy", **ENDLESS}))
        wait_until(lambda: running(unequal) == 1)
        for _ in range(12):
            rerank(unequal, "light")
        after_light = seconds_per_token()
        for _ in range(12):
            rerank(unequal, "heavy")
        assert after_light > seconds_per_token() / 4  # the one costs more than ten times the other
    wait_until(lambda: in_work(unequal) == 0)


def test_the_working_memory_is_that_of_the_larger_model(both, embedder):
    def session_bytes(server):
        return server.get("/info")[2]["memory"]["session_bytes"]

    # Beside the arena each session has its outputs and the lists of a batch.
    assert session_bytes(both) < session_bytes(embedder) * 1.1


@pytest.fixture(scope="module")
def prompted(rescoldo, all_minilm_directory, tmp_path_factory):
    ember = tmp_path_factory.mktemp("prompted") / "prompted.ember"
    prompts = ("--query-prompt", "query: ", "--passage-prompt", "passage: ")
    subprocess.run([rescoldo, "bake", "--quiet", "--model", all_minilm_directory, *prompts, "--output", ember],
                   check=True, capture_output=True)
    with RunningServer(rescoldo, ember) as server:
        yield server


def vector(server, path, body):
    status, _, reply = server.post(path, body)
    assert status == 200, reply
    if path == "/embed":
        return reply[0]
    return reply["data"][0]["embedding"] if path == "/v1/embeddings" else reply["embeddings"]["float"][0]


@pytest.mark.parametrize("path, text, field, query, passage", [
    ("/v1/embeddings", "input", "input_type", "query", "document"),
    ("/v1/embeddings", "input", "input_type", "query", "passage"),
    ("/v1/embeddings", "input", "task", "retrieval.query", "retrieval.passage"),
    ("/v2/embed", "texts", "input_type", "search_query", "search_document"),
    ("/embed", "inputs", "prompt_name", "query", "document"),
])
def test_the_field_of_each_client_chooses_the_prompt(prompted, path, text, field, query, passage):
    def plain(words):
        return vector(prompted, path, {text: [words]})

    assert vector(prompted, path, {text: ["words"], field: query}) == plain("query: words")
    assert vector(prompted, path, {text: ["words"], field: passage}) == plain("passage: words")
    if field != "prompt_name":
        assert vector(prompted, path, {text: ["words"], field: "clustering"}) == plain("words")


def test_a_prompt_the_model_has_not_is_refused_where_it_is_named(prompted, embedder):
    status, _, reply = prompted.post("/embed", {"inputs": "words", "prompt_name": "code"})
    assert status in (400, 413, 422) and 'has no prompt "code"; it has query, document' in str(reply)
    status, _, reply = embedder.post("/embed", {"inputs": "words", "prompt_name": "query"})
    assert status in (400, 413, 422) and "it has none" in str(reply)
    # Clients send a role to every model: it is no error where there is no prompt.
    assert vector(embedder, "/v1/embeddings", {"input": ["words"], "input_type": "query"}) == vector(
        embedder, "/v1/embeddings", {"input": ["words"]})


def test_the_other_paths_of_tei_read_the_prompt_too(prompted):
    def ask(path, **body):
        status, _, reply = prompted.post(path, body)
        assert status == 200, reply
        return reply

    def similarity(source, sentence, **parameters):
        return ask("/similarity", inputs={"source_sentence": source, "sentences": [sentence]}, **parameters)

    expected = similarity("query: a cat", "query: a dog")
    assert similarity("a cat", "a dog", parameters={"prompt_name": "query"}) == expected
    assert similarity("a cat", "a dog", prompt_name="query") == expected != similarity("a cat", "a dog")
    assert ask("/embed_all", inputs="a cat", prompt_name="document") == ask("/embed_all", inputs="passage: a cat")
    for special in (True, False):
        asked = {"inputs": ["a cat", "ein Hund"], "add_special_tokens": special, "prompt_name": "query"}
        expected = ask("/tokenize", inputs=["query: a cat", "query: ein Hund"], add_special_tokens=special)
        assert ask("/tokenize", **asked) == expected
    assert prompted.post("/tokenize", {"inputs": "a", "prompt_name": "code"})[0] == 422
