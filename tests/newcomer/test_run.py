"""`make run` as a newcomer meets it: from a name or a folder to a served model, and at once the second time."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = ["Berlin is the capital of Germany.", "Paris is the capital of France."]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Run:
    """scripts/run as a process, with a cache of its own."""

    def __init__(self, cache: pathlib.Path, rescoldo: str, **variables: str) -> None:
        self.port = free_port()
        self.log = cache.parent / f"run-{self.port}.log"
        environment = {name: value for name, value in os.environ.items() if name not in ("MODEL", "PRECISION")}
        environment |= {"CACHE": str(cache), "LISTEN": f"127.0.0.1:{self.port}", "RESCOLDO": rescoldo} | variables
        self.started = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([REPOSITORY / "scripts" / "run"], env=environment, stderr=log)

    def said(self) -> str:
        return self.log.read_text()

    def wait_ready(self) -> float:
        """Seconds from the start until it answers."""
        while self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5):
                    return time.monotonic() - self.started
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.01)
        raise AssertionError(f"ended with {self.process.returncode}: {self.said()}")

    def first_document(self) -> int:
        body = {"query": "What is the capital of France?", "documents": DOCUMENTS}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v1/rerank",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)["results"][0]["index"]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


@pytest.fixture
def run(rescoldo, tmp_path):
    started: list[Run] = []

    def start(**variables: str) -> Run:
        started.append(Run(tmp_path / "cache", rescoldo, **variables))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def test_a_directory_is_baked_once_and_served(run, all_minilm_directory, tmp_path):
    first = run(MODEL=str(all_minilm_directory))
    first.wait_ready()
    assert first.first_document() == 1
    assert f"curl http://127.0.0.1:{first.port}/v1/rerank" in first.said()
    assert first.stop() == 0

    ember = tmp_path / "cache" / "all-MiniLM-L6-v2-int8.ember"
    baked = ember.stat().st_mtime_ns
    second = run(MODEL=str(all_minilm_directory))
    second.wait_ready()
    assert second.stop() == 0
    assert ember.stat().st_mtime_ns == baked


def test_an_ember_is_served_as_it_is(run, all_minilm_ember, tmp_path):
    server = run(MODEL=str(all_minilm_ember))
    server.wait_ready()
    assert server.first_document() == 1
    assert server.stop() == 0
    assert not (tmp_path / "cache").exists()


def test_an_unreachable_default_gives_the_fallback_and_says_so(run):
    unreachable = f"http://127.0.0.1:{free_port()}"
    first = run(HF_ENDPOINT=unreachable)
    first.wait_ready()
    assert "ms-marco-MiniLM-L-12-v2, could not be reached" in first.said()
    assert "make run MODEL=ms-marco-MiniLM-L-12-v2" in first.said()
    assert first.first_document() == 1
    assert first.stop() == 0

    second = run(HF_ENDPOINT=unreachable)
    second.wait_ready()
    assert second.stop() == 0
    assert "could not be reached" in second.said()
    assert "fetch:" not in second.said()


def test_an_unreachable_named_model_fails_and_says_what_was_tried(run):
    unreachable = f"http://127.0.0.1:{free_port()}"
    failed = run(MODEL="ms-marco-MiniLM-L-12-v2", HF_ENDPOINT=unreachable)
    assert failed.process.wait(timeout=60) == 1
    assert f"tried: {unreachable}/cross-encoder/ms-marco-MiniLM-L12-v2 (not reachable)" in failed.said()


def test_an_unknown_model_is_answered_with_the_known_ones(run):
    failed = run(MODEL="no-such-model")
    assert failed.process.wait(timeout=60) == 1
    assert "all-MiniLM-L6-v2" in failed.said()
