"""The pages about the server, and its log."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess

import pytest
from running_server import WAIT_SECONDS

SECRET = "a text that no log may hold"


def test_health_pages(embedder):
    assert embedder.get("/livez")[::2] == (200, {"status": "live"})
    assert embedder.get("/readyz")[::2] == (200, {"status": "ready"})
    status, _, reply = embedder.get("/health")
    assert (status, reply["status"]) == (200, "ok")
    assert isinstance(reply["unix"], int)


def test_info(embedder, all_minilm_ember):
    _, _, info = embedder.get("/info")
    assert info["name"] == "rescoldo"
    assert info["model"]["name"] == "all-MiniLM-L6-v2"
    assert (info["model"]["kind"], info["model"]["precision"]) == ("embedder", "int8")
    assert (info["model"]["layers"], info["model"]["hidden_size"], info["model"]["max_length"]) == (6, 384, 256)
    assert info["memory"]["model_bytes"] == all_minilm_ember.stat().st_size
    assert info["memory"]["session_bytes"] > 0
    assert info["memory"]["resident_bytes"] > 0
    assert info["limits"]["max_body_bytes"] == 8 << 20
    assert info["isa"]


def test_limits_of_the_command_line_are_told(start):
    limits = start("--max-body-bytes", "1000", "--idle-timeout", "7").get("/info")[2]["limits"]
    assert (limits["max_body_bytes"], limits["idle_timeout_seconds"]) == (1000, 7)


def test_metrics_are_well_formed(embedder):
    embedder.post("/v1/rerank", {"query": "q", "documents": ["a", "b " * 600]})
    _, headers, text = embedder.get("/metrics")
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert text.endswith("\n")
    types, samples = {}, set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types
            types[name] = kind
        elif not line.startswith("# HELP "):
            match = re.fullmatch(r'([a-z_]+)(\{(?:[a-z]+="(?:[^"\\]|\\.)*",?)*\})? ([0-9.e+-]+|\+Inf)', line)
            assert match, line
            name = match[1]
            family = name if name in types else re.sub("_(bucket|sum|count)$", "", name)
            assert family in types, line
            assert (name, match[2]) not in samples, line
            samples.add((name, match[2]))
            if types[family] == "counter":
                assert name.endswith("_total"), line
            assert name.startswith(("rescoldo_", "process_")), line
    assert {"rescoldo_build_info", "rescoldo_queue_requests", "process_resident_memory_bytes"} <= set(types)


def test_metrics_count(start):
    server = start()
    before = server.metrics()
    server.post("/v1/rerank", {"query": "q", "documents": ["a", "b " * 600]})
    server.post("/v1/rerank", {})
    server.get("/nowhere")
    after = server.metrics()

    def growth(name):
        return after.get(name, 0) - before.get(name, 0)

    assert growth('rescoldo_http_requests_total{route="/v1/rerank",code="200"}') == 1
    assert growth('rescoldo_http_requests_total{route="/v1/rerank",code="400"}') == 1
    assert growth('rescoldo_http_requests_total{route="other",code="404"}') == 1
    assert growth("rescoldo_input_texts_total") == 2
    assert growth("rescoldo_input_tokens_total") > 512
    assert growth("rescoldo_truncated_texts_total") == 1
    assert growth("rescoldo_request_compute_seconds_count") == 1
    assert growth('rescoldo_http_request_duration_seconds_count{route="/v1/rerank"}') == 2
    assert after["rescoldo_bodies_in_flight_bytes"] == 0


def test_buckets_are_cumulative(embedder):
    assert embedder.get("/livez")[0] == 200
    metrics = embedder.metrics()
    buckets = [v for k, v in metrics.items() if k.startswith('rescoldo_http_request_duration_seconds_bucket{route="/livez"')]
    assert buckets == sorted(buckets)
    assert buckets[-1] == metrics['rescoldo_http_request_duration_seconds_count{route="/livez"}']


def test_one_log_line_per_request_and_no_texts(start):
    server = start()
    server.post("/v1/rerank", {"query": SECRET, "documents": [SECRET]}, {"X-Request-Id": "first"})
    entry = server.wait_for_event("request", request_id="first")
    assert (entry["method"], entry["path"], entry["status"], entry["texts"]) == ("POST", "/v1/rerank", 200, 1)
    assert entry["tokens"] > 0 and entry["bytes_in"] > 0 and entry["bytes_out"] > 0
    assert {"queue_ms", "tokenize_ms", "compute_ms", "total_ms"} <= entry.keys()
    server.post("/v1/rerank", {"query": SECRET, "documents": [SECRET, 3]}, {"X-Request-Id": "second"})
    assert server.wait_for_event("request", request_id="second")["code"] == "invalid_field"
    server.post("/nowhere?" + SECRET.replace(" ", "+"), {})
    assert server.wait_for_event("request", status=404)["path"] == "/nowhere"
    server.get("/livez")
    server.close()
    assert all(json.loads(line)["time"].endswith("Z") for line in server.lines)
    assert not any("no log may" in line or "no+log" in line for line in server.lines)
    assert not any("/livez" in line for line in server.lines)


@pytest.mark.parametrize("kind", ["embedder", "cross_encoder"])
def test_models(request, kind):
    server = request.getfixturevalue(kind)
    _, _, reply = server.get("/v1/models")
    assert [model["id"] for model in reply["data"]] == [server.start_line["model"]]
    assert server.get("/models")[2] == reply


def test_the_documented_limits_are_the_servers(embedder):
    text = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "operations.md").read_text()
    documented = {name: int(value) for name, value in re.findall(r"^\| `(\w+)` \| (\d+) \|", text, re.MULTILINE)}
    assert documented == embedder.get("/info")[2]["limits"]


def test_requests_may_be_logged_elsewhere(start, tmp_path):
    file = tmp_path / "access.log"
    file.write_text("kept\n")
    server = start("--access-log", str(file))
    server.post("/v1/rerank", {"query": "q", "documents": ["b " * 600]}, {"X-Request-Id": "one"})
    server.close()
    kept, line = file.read_text().splitlines()
    entry = json.loads(line)
    assert kept == "kept"
    assert (entry["event"], entry["request_id"], entry["route"], entry["truncated"]) == ("request", "one", "/v1/rerank", 1)
    assert not any('"request"' in line for line in server.lines)
    assert any('"drain"' in line for line in server.lines)


def test_requests_on_standard_output(start):
    server = start("--access-log", "stdout")
    server.get("/nowhere")
    server.terminate()
    assert json.loads(server.process.stdout.read())["status"] == 404


def test_requests_that_nobody_wants_logged(start):
    server = start("--access-log", "none")
    server.get("/nowhere")
    server.close()
    assert not any('"request"' in line for line in server.lines)
    assert server.process.returncode == 0


def test_an_access_log_that_cannot_be(rescoldo, cross_encoder_ember):
    result = subprocess.run(
        [rescoldo, "serve", "--model", cross_encoder_ember, "--access-log", "/nonexistent/log"],
        capture_output=True, timeout=WAIT_SECONDS, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert b"/nonexistent/log" in result.stderr
