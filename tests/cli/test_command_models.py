"""bake, inspect, selftest and bench as commands; what bake makes is tested by the tests of the engine."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time

import pytest

from json_output import json_lines


def test_bake_reports_what_it_made(run, embedder_directory, tmp_path):
    ember = tmp_path / "new.ember"
    result = run("bake", "--model", embedder_directory, "--output", ember)
    (report,) = json_lines(result.stdout)
    assert report["file"] == str(ember) and report["precision"] == "int8" and report["kind"] == "embedder"
    assert report["ember_bytes"] == ember.stat().st_size
    assert report["selftest"]["passed"] is True
    assert {t["tensor"].split(".")[1] for t in report["quantization"] if t["tensor"].startswith("layers.")} == {"0", "1"}
    assert all(0 < t["relative_error"] < 0.05 for t in report["quantization"])
    assert b"rescoldo bake: " in result.stderr
    assert run("bake", "--model", embedder_directory, "--output", ember, "--quiet").stderr == b""


def test_bake_names_the_model_as_told(run, embedder_directory, tmp_path):
    ember = tmp_path / "named.ember"
    run("bake", "--model", embedder_directory, "--output", ember, "--name", "my-model")
    (inspected,) = json_lines(run("inspect", ember).stdout)
    assert inspected["metadata"]["models"][0]["name"] == "my-model"


def test_bake_refuses_what_is_no_model(refuse, embedder_directory, tmp_path):
    ember = tmp_path / "x.ember"
    assert f"{tmp_path}/none" in refuse("bake", "--quiet", "--model", tmp_path / "none", "--output", ember)
    assert "config.json" in refuse("bake", "--quiet", "--model", tmp_path, "--output", ember)
    assert "/none/x.ember" in refuse("bake", "--quiet", "--model", embedder_directory, "--output", tmp_path / "none" / "x.ember")
    assert str(tmp_path) in refuse("bake", "--quiet", "--model", embedder_directory, "--output", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_bake_interrupted_leaves_nothing(rescoldo, all_minilm_directory, tmp_path, number):
    """At several moments of its life; an ember that is there all the same must be whole."""
    for delay in (0.02, 0.1, 0.3, 0.6):
        ember = tmp_path / "interrupted.ember"
        process = subprocess.Popen(
            [rescoldo, "bake", "--model", all_minilm_directory, "--output", ember],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        time.sleep(delay)
        process.send_signal(number)
        _, messages = process.communicate(timeout=120)
        if ember.exists():
            assert subprocess.run([rescoldo, "inspect", "--verify", ember], stdout=subprocess.DEVNULL).returncode == 0
            ember.unlink()
        else:
            assert process.returncode in (1, -number)
            if process.returncode == 1:
                assert b"interrupted; nothing was written" in messages
        assert list(tmp_path.iterdir()) == []


def test_inspect_tells_everything(run, embedder):
    (inspected,) = json_lines(run("inspect", embedder, "--verify").stdout)
    assert inspected["size"] == embedder.stat().st_size and inspected["verified"] is True
    assert {section["name"] for section in inspected["sections"]} == {"metadata", "tokenizer", "weights"}
    assert all(re.fullmatch("[0-9a-f]{16}", section["xxh3_64"]) for section in inspected["sections"])
    model = inspected["metadata"]["models"][0]
    assert model["kind"] == "embedder" and model["shape"]["hidden_size"] == 64
    assert {source["file"] for source in model["sources"]} >= {"config.json", "vocab.txt", "model.safetensors"}


def test_selftest(run, embedder, cross_encoder):
    for ember in (embedder, cross_encoder):
        (report,) = json_lines(run("selftest", "--model", ember).stdout)
        assert report["passed"] is True and report["deviation"] <= report["limit"]


def test_selftest_finds_altered_weights(refuse, run, embedder, tmp_path):
    (inspected,) = json_lines(run("inspect", embedder).stdout)
    (weights,) = [section for section in inspected["sections"] if section["name"] == "weights"]
    content = bytearray(embedder.read_bytes())
    content[weights["offset"] + weights["size"] // 2] ^= 1
    altered = tmp_path / "altered.ember"
    altered.write_bytes(content)
    assert "weights" in refuse("selftest", "--model", altered)


@pytest.mark.parametrize("threads", [1, 2])
def test_bench_measures_beside_the_peak(run, cross_encoder, embedder, threads):
    for ember in (cross_encoder, embedder):
        result = run(
            "bench", "--model", ember, "--tokens", 64, "--pairs", 4, "--threads", threads, "--seconds", 1, "--json"
        )
        (report,) = json_lines(result.stdout)
        assert (report["tokens"], report["pairs"], report["threads"]) == (64, 4, threads)
        rate = report["pairs_per_second"]
        assert 0 < rate["min"] <= rate["median"] <= rate["max"]
        assert report["tokens_per_second"] == pytest.approx(64 * rate["median"], rel=1e-5)
        assert report["int8_peak_gmacs"] > 0 and report["isa"]
        # Linear layers of this shape: 2 layers of 4 * 64 * 64 + 2 * 64 * 128 multiply-accumulates a token. A
        # cross-encoder's last layer needs only keys and values of the tokens after the first.
        full = computed = 64 * 2 * (4 * 64 * 64 + 2 * 64 * 128)
        if ember is cross_encoder:
            computed -= 63 * (2 * 64 * 64 + 2 * 64 * 128)
        of_peak = rate["median"] / 1e9 / (threads * report["int8_peak_gmacs"])
        assert report["share_of_peak"] == pytest.approx(of_peak * computed, rel=1e-5)
        assert report["full_share_of_peak"] == pytest.approx(of_peak * full, rel=1e-5)


def test_bench_refuses_what_the_model_cannot_do(refuse, embedder):
    assert "the model takes at most 128" in refuse("bench", "--model", embedder, "--tokens", 256)
    assert "whole number" in refuse("bench", "--model", embedder, "--tokens", 2, status=2)


@pytest.fixture(scope="module")
def both(run, cross_encoder_directory, embedder_directory, tmp_path_factory):
    """An ember of both small models, the embedder first."""
    ember = tmp_path_factory.mktemp("both") / "both.ember"
    result = run("bake", "--model", embedder_directory, "--model", cross_encoder_directory, "--name", "vectors",
                 "--name", "scores", "--output", ember, "--precision", "f32", "--quiet")
    reports = json_lines(result.stdout)
    assert [report["name"] for report in reports] == ["vectors", "scores"]
    assert all(report["selftest"]["passed"] and report["selftest"]["bits_equal"] for report in reports)
    return ember


def test_several_models_are_inspected_and_tested(run, refuse, both):
    (inspected,) = json_lines(run("inspect", both, "--verify").stdout)
    assert [(model["name"], model["kind"]) for model in inspected["metadata"]["models"]] == [
        ("vectors", "embedder"), ("scores", "cross-encoder")]
    reports = json_lines(run("selftest", "--model", both).stdout)
    assert [report["model"] for report in reports] == ["vectors", "scores"]
    (report,) = json_lines(run("selftest", "--model", both, "--model-name", "scores").stdout)
    assert report["model"] == "scores" and report["bits_equal"] is True
    assert "there is vectors, scores" in refuse("selftest", "--model", both, "--model-name", "other")


def test_a_command_takes_the_model_of_its_task(run, refuse, both, cross_encoder, embedder):
    query, texts = ("--query", "what is it"), b"one\ntwo words\n"
    expected = run("rerank", "--model", cross_encoder, *query, input=texts).stdout
    assert run("rerank", "--model", both, *query, input=texts).stdout == expected
    assert run("rerank", "--model", both, "--model-name", "scores", *query, input=texts).stdout == expected
    by_cosine = run("rerank", "--model", embedder, *query, input=texts).stdout
    assert run("rerank", "--model", both, "--model-name", "vectors", *query, input=texts).stdout == by_cosine
    expected = run("embed", "--model", embedder, input=texts).stdout
    assert run("embed", "--model", both, input=texts).stdout == expected
    assert "embed needs an embedder" in refuse("embed", "--model", both, "--model-name", "scores", input=texts)
    assert run("tokenize", "--model", both, "--model-name", "scores", input=texts).stdout


def test_bake_refuses_models_it_cannot_keep_apart(refuse, embedder_directory, tmp_path):
    same = ("--model", embedder_directory, "--model", embedder_directory, "--output", tmp_path / "x.ember", "--quiet")
    assert "name them apart" in refuse("bake", *same)
    assert "more --name than --model" in refuse("bake", *same, *["--name", "n"] * 3, status=2)
    assert "at most 8 models" in refuse("bake", *same, *["--model", embedder_directory] * 7, status=2)


def test_serve_ends_with_a_model_that_computes_wrong(run, embedder, tmp_path):
    """The digest of the shortest golden text is altered, as if this processor had computed something else. The server
    finds out while it listens already (docs/operations.md): its log, then what ended it."""
    (inspected,) = json_lines(run("inspect", embedder).stdout)
    items = inspected["metadata"]["models"][0]["golden"]["items"]
    bits = min(items, key=lambda item: len(item["text"].encode()))["bits"].encode()
    content = embedder.read_bytes()
    assert content.count(bits) == 1
    altered = tmp_path / "altered.ember"
    altered.write_bytes(content.replace(bits, bits[::-1]))
    result = run("serve", "--model", altered, "--listen", "127.0.0.1:0", status=1)
    *log, message = result.stderr.decode().splitlines()
    assert json.loads(log[0])["event"] == "start" and '"ready"' not in result.stderr.decode()
    assert message.startswith("rescoldo serve: small-embedder computes wrong here")
    assert "1 of 1 golden texts are not, to the bit" in message


def test_prompts_are_read_before_texts(run, refuse, embedder, embedder_directory, cross_encoder_directory, tmp_path):
    ember = tmp_path / "prompted.ember"
    bake = ("bake", "--quiet", "--precision", "f32", "--output", ember)
    run(*bake, "--model", embedder_directory, "--query-prompt", "one ", "--passage-prompt", "two: ")
    (inspected,) = json_lines(run("inspect", ember).stdout)
    assert inspected["metadata"]["models"][0]["prompts"] == {"query": "one ", "passage": "two: "}

    def vector(model, text, *options):
        (line,) = json_lines(run("embed", "--model", model, *options, input=text.encode()).stdout)
        return line["embedding"]

    assert vector(ember, "words") == vector(embedder, "words")
    assert vector(ember, "words", "--prompt", "query") == vector(embedder, "one words")
    assert vector(ember, "words", "--prompt", "passage") == vector(embedder, "two: words")
    assert vector(embedder, "words", "--prompt", "query") == vector(embedder, "words")
    # An embedder reranks with both; where a score stands in the passage does not count the prompt.
    (scored,) = json_lines(run("rerank", "--model", ember, "--query", "words", input=b"one word").stdout)
    query, passage = vector(embedder, "one words"), vector(embedder, "two: one word")
    lengths = [sum(x * x for x in values) ** 0.5 for values in (query, passage)]
    cosine = sum(a * b for a, b in zip(query, passage)) / (lengths[0] * lengths[1])
    assert scored["relevance_score"] == pytest.approx((1 + cosine) / 2, abs=1e-6)
    assert scored["characters_used"] == len("one word")
    assert "only an embedder reads a prompt" in refuse(*bake, "--model", cross_encoder_directory, "--query-prompt", "x")
    assert "expected at most 255" in refuse(*bake, "--model", embedder_directory, "--query-prompt", "x" * 256)


def test_prompts_come_from_the_files(run, embedder_directory, tmp_path):
    directory = tmp_path / "model"
    shutil.copytree(embedder_directory, directory)
    prompts = {"query": "find: ", "document": "", "passage": "read: "}
    (directory / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}))
    run("bake", "--quiet", "--model", directory, "--output", tmp_path / "x.ember")
    (inspected,) = json_lines(run("inspect", tmp_path / "x.ember").stdout)
    model = inspected["metadata"]["models"][0]
    assert model["prompts"] == {"query": "find: ", "passage": "read: "}
    assert "config_sentence_transformers.json" in {source["file"] for source in model["sources"]}
