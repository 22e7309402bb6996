"""--memory-limit: what fits is served within it, what does not is refused with the arithmetic."""

from __future__ import annotations

import concurrent.futures
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


# What a value costs beside its text: JSON's own structures, smallest text each, in a field that is parsed and ignored.
WORST_VALUES = {
    "empty objects": "{}",
    "objects of one member": '{"a":{}}',
    "objects of nine members, which no longer fit the smallest table": "{%s}" % ",".join(f'"{i}":0' for i in range(9)),
    "empty arrays": "[]",
    "arrays of nine": "[0,0,0,0,0,0,0,0,0]",
    "strings": '""',
    "numbers": "0.5",
}


def worst_bodies(limits: dict, share: int):
    """Bodies of which each takes that share of what all may claim, in bytes or in values (512 bytes each)."""
    values = limits["max_work_bytes_in_flight"] // 512 // share - 64
    size = limits["max_body_bytes_in_flight"] // share - 256
    size = min(size, limits["max_body_bytes"] - 256)

    def body(documents: str, ignored: str) -> str:
        return f'{{"query":"q","documents":[{documents}],"ignored":[{ignored}]}}'

    def repeated(value: str) -> str:
        claimed = 1 + sum(map(value.count, ",:[{"))
        return ",".join([value] * min(values // claimed, size // (len(value) + 1)))

    for value in WORST_VALUES.values():
        yield body('"a"', repeated(value))
    yield body('"%s"' % ("a" * size), "")
    yield body('"%s"' % ("\\u20ac" * (size // 6)), "")
    documents = min(2000, values // 4)
    yield body(",".join(['{"text":"a"}'] * documents), "")
    # Words too long for any piece of the vocabulary: one token each, whatever they take.
    yield body(",".join(['"%s"' % ("a" * (size // documents - 3))] * documents), "")


def peak_bytes(server) -> int:
    status = open(f"/proc/{server.process.pid}/status").read()
    return 1024 * int(re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)[1])


def test_the_worst_bodies_stay_within_the_arithmetic(start):
    """The plan counts what jansson and libc need for a value as a constant: the peak of a real process says whether that
    is enough."""
    server = start("--memory-limit", "64MiB", "--threads", "1")
    info = server.get("/info")[2]
    if info["sandbox"]["mode"] == "off":
        pytest.skip("this build is instrumented, and its runtime needs memory of its own")
    statuses = set()
    for share in (1, 4):
        for body in worst_bodies(info["limits"], share):
            with concurrent.futures.ThreadPoolExecutor(share) as pool:
                statuses.update(reply[0] for reply in pool.map(lambda _: server.post("/v1/rerank", body), range(share)))
            assert peak_bytes(server) <= info["memory"]["plan"]["total_bytes"] <= 64 * MIB, body[:200]
    assert 200 in statuses and statuses <= {200, 413, 429}
    print(f"memory: {peak_bytes(server) / MIB:.1f} MiB at most, of {info['memory']['plan']['total_bytes'] / MIB:.1f} planned")


def test_working_memory_follows_from_the_tokens_of_a_batch(start, cross_encoder):
    body = {"query": "q", "documents": ["a short one", "word " * 600, *(f"number {i}" for i in range(50))]}
    expected = cross_encoder.post("/v1/rerank", body)[2]["results"]
    sizes = []
    for tokens in (1, 512, 1024, 4096):
        server = start("--threads", "1", "--max-batch-tokens", str(tokens))
        info = server.get("/info")[2]
        assert info["limits"]["max_batch_tokens"] == tokens
        assert info["max_batch_tokens"] == max(tokens, info["max_input_length"])
        sizes.append(info["memory"]["session_bytes"])
        assert info["memory"]["plan"]["sessions_bytes"] == sizes[-1]
        assert server.post("/v1/rerank", body)[2]["results"] == expected
    assert sizes[0] == sizes[1] < sizes[2] < sizes[3]
