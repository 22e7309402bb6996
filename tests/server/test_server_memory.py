"""--memory-limit: what fits is served within it, what does not is refused with the arithmetic."""

from __future__ import annotations

import re
import subprocess

import pytest

MIB = 1 << 20


def test_limits_are_lowered_to_fit(start):
    server = start("--memory-limit", "32MiB", "--threads", "1")
    info = server.get("/info")[2]
    plan, limits = info["memory"]["plan"], info["limits"]
    assert plan["limit_bytes"] == 32 * MIB and plan["limit_source"] == "--memory-limit" and plan["limits_lowered"]
    parts = [value for name, value in plan.items() if name.endswith("_bytes") and name not in ("limit_bytes", "total_bytes")]
    assert sum(parts) == plan["total_bytes"] <= 32 * MIB
    assert limits["max_body_bytes"] <= limits["max_body_bytes_in_flight"] < 8 * MIB
    assert any('"limits_lowered"' in line for line in server.lines)
    assert server.post("/v1/rerank", {"query": "q", "documents": ["a"] * 1000})[0] == 200
    assert server.get("/info")[2]["memory"]["work_in_flight_bytes"] == 0


def test_no_limit(start):
    plan = start("--memory-limit", "none").get("/info")[2]["memory"]["plan"]
    assert (plan["limit_bytes"], plan["limit_source"], plan["limits_lowered"]) == (None, "none", False)


def test_what_cannot_fit_is_refused_with_the_arithmetic(rescoldo, cross_encoder_ember):
    result = subprocess.run(
        [rescoldo, "serve", "--model", cross_encoder_ember, "--listen", "127.0.0.1:0", "--threads", "1",
         "--memory-limit", "64MiB", "--max-body-bytes-in-flight", str(100 * MIB)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    numbers = [float(number) for number in re.findall(r"\d+\.\d", result.stderr)]
    total, limit, *parts = numbers
    parts.remove(100.0)  # the size of the bodies, before it is multiplied
    assert limit == 64.0 and total > limit and abs(sum(parts) - total) < 0.5, result.stderr


@pytest.mark.parametrize("size", ["", "0", "64MB", "-1", "1.5GiB"])
def test_sizes_that_are_none_are_refused(rescoldo, cross_encoder_ember, size):
    command = [rescoldo, "serve", "--model", cross_encoder_ember, "--memory-limit", size]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 2 and "--memory-limit" in result.stderr


def test_tokens_that_need_too_much_memory(start):
    """A byte may be a token of twenty bytes, and of more in a list of tokens."""
    server = start("--max-work-bytes-in-flight", str(MIB), "--max-body-bytes", str(8 * MIB))
    large, small = "!" * 100_000, "!" * 1000
    for path, body in (
        ("/v1/rerank", {"query": large, "documents": [small]}),
        ("/v1/rerank", {"query": small, "documents": [large], "max_chunks_per_doc": 1000}),
        ("/rerank", {"query": small, "texts": [large], "truncation_direction": "Left"}),
        ("/tokenize", {"inputs": [small] * 10}),
    ):
        status, _, reply = server.post(path, body)
        assert status == 413 and "memory" in str(reply), (path, reply)
    for path, body in (
        ("/v1/rerank", {"query": small, "documents": [large]}),  # what is cut is read no further
        ("/v1/rerank", {"query": small, "documents": [large] * 10, "max_chunks_per_doc": 3}),
        ("/tokenize", {"inputs": [small]}),
    ):
        assert server.post(path, body)[0] == 200, path
    assert server.get("/info")[2]["memory"]["work_in_flight_bytes"] == 0


def test_requests_that_need_too_much_memory(start):
    server = start("--max-work-bytes-in-flight", str(MIB))
    status, _, reply = server.post("/v1/rerank", {"query": "q", "documents": ["a"] * 5000})
    assert status == 413 and "memory" in str(reply)
    assert server.post("/v1/rerank", {"query": "q", "documents": ["a"] * 1000})[0] == 200
    assert server.get("/info")[2]["memory"]["work_in_flight_bytes"] == 0
