"""No large body and no large reply keeps the I/O thread from the other connections: each is moved on by a piece in every
turn of the event loop. How long turns take is measured by bench/server; here only that there are enough of them."""

from __future__ import annotations

import pathlib
import re

import pytest
from raw_http import RawConnection, get, post

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "src" / "server" / "turn.h"
PIECES = {name: int(size) for name, size in re.findall(r"#define TURN_(READ|WRITE)_BYTES .*?(\d+)\)", SOURCE.read_text())}


def turns(server) -> int:
    return server.metrics()["rescoldo_io_turn_seconds_count"]


@pytest.mark.parametrize("clients", [1, 8])
def test_a_large_body_comes_in_pieces(cross_encoder, clients):
    data = post("/v1/rerank", {"query": "q", "documents": ["a " * 2_000_000]})
    before = turns(cross_encoder)
    connections = [RawConnection(cross_encoder) for _ in range(clients)]
    for connection in connections:
        connection.send(data)
    for connection in connections:
        assert connection.read_reply().json["results"][0]["truncated"] is True
        connection.close()
    assert turns(cross_encoder) - before >= clients * len(data) // PIECES["READ"]


def test_a_large_reply_goes_out_in_pieces(embedder):
    data = post("/v1/embeddings", {"input": ["a"] * 1000})
    before = turns(embedder)
    with RawConnection(embedder) as connection:
        connection.send(data)
        reply = connection.read_reply()
        vectors = [entry["embedding"] for entry in reply.json["data"]]
        assert len(reply.body) > 20 * PIECES["WRITE"]
        assert len(vectors) == 1000 and all(vector == vectors[0] for vector in vectors)
        # The connection goes on.
        connection.send(get("/livez"))
        assert connection.read_reply().status == 200
    assert turns(embedder) - before >= len(reply.body) // PIECES["WRITE"]


def test_head_of_what_would_be_large_has_no_body(embedder):
    with RawConnection(embedder) as connection:
        connection.send(get("/openapi.json").replace(b"GET", b"HEAD", 1))
        assert int(connection.read_reply(head_request=True).headers["content-length"]) > 10000
        connection.send(get("/livez"))
        assert connection.read_reply().json == {"status": "live"}
