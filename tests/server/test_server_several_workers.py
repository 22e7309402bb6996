"""Two and more compute workers on requests that come, leave and fail in every phase: what stays is answered with the
same bits, what has gone leaves nothing behind."""

from __future__ import annotations

import concurrent.futures
import json
import random

import pytest
from raw_http import RawConnection, post
from test_server_overload import wait_until

# One for each way of a job: small, of several slices, of a large body, refused before or while others of its texts
# are computed, without compute.
BODIES = [
    ("/v1/rerank", {"query": "what is it", "documents": ["it is a word"]}),
    ("/v1/rerank", {"query": "what is it", "documents": [f"{i} word " * (1 + i % 90) for i in range(60)]}),
    ("/v1/rerank", {"query": "word " * 20, "documents": [f"{i} word " * 30 for i in range(500)], "top_n": 3}),
    ("/v1/rerank", {"query": "what is it", "documents": ["words", 3]}),
    ("/rerank", {"query": "what is it", "texts": ["short", "word " * 900], "truncate": False}),
    ("/rerank", {"query": "what is it", "texts": ["word " * 20] * 400 + ["word " * 900], "truncate": False}),
    ("/tokenize", {"inputs": ["a few words " * 50] * 100}),
]
EMBEDDINGS = ("/v1/embeddings", {"input": [f"{i} word " * (1 + i % 50) for i in range(40)]})


def check_nothing_is_left(server):
    def is_empty():
        metrics = server.metrics()
        names = ("rescoldo_queue_requests", "rescoldo_running_requests", "rescoldo_queue_tokens",
                 "rescoldo_bodies_in_flight_bytes")  # fmt: skip
        memory = server.get("/info")[2]["memory"]
        return not any(metrics[name] for name in names) and memory["work_in_flight_bytes"] == 0

    wait_until(is_empty)


def numbers(reply: dict | list):
    return [reply.get(part) for part in ("results", "data", "error")] if isinstance(reply, dict) else reply


def come_and_leave(server, bodies, clients=12, requests=8):
    """Of the clients' requests some are left while they are sent, prepared, computed or answered, some are too late."""
    expected = [numbers(server.post(path, body)[2]) for path, body in bodies]

    def client(number: int) -> int:
        chance = random.Random(number)
        for _ in range(requests):
            chosen = chance.randrange(len(bodies))
            timeout = chance.choice((None, None, 0.00001, 0.003, 0.01, 0.03))
            data = post(*bodies[chosen], *([f"X-Request-Timeout: {timeout}"] if timeout else []))
            connection = RawConnection(server)
            if chance.random() < 0.5:
                connection.send(data[: chance.choice((10, len(data) // 2, len(data)))])
                connection.socket.settimeout(chance.choice((0.001, 0.005, 0.02, 0.1)))
                try:
                    connection.socket.recv(chance.choice((1, 65536)))
                except TimeoutError:
                    pass
            else:
                connection.send(data)
                reply = connection.read_reply()
                if timeout is None or reply.status != 504:
                    assert numbers(reply.json) == expected[chosen], bodies[chosen][0]
            connection.close()
        return number

    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        assert list(pool.map(client, range(clients))) == list(range(clients))
    check_nothing_is_left(server)


@pytest.mark.parametrize("flags", [(), ("--cache-bytes", "300000")], ids=["uncached", "cached"])
def test_who_leaves_changes_nothing_for_who_stays(start, flags):
    come_and_leave(start("--threads", "3", "--max-queue-seconds", "86400", *flags), BODIES)


def test_an_embedder_that_ranks_too(start, all_minilm_ember):
    server = start("--threads", "3", "--max-queue-seconds", "86400", ember=all_minilm_ember)
    come_and_leave(server, [*BODIES[:2], EMBEDDINGS], clients=8, requests=6)
