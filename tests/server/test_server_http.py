"""HTTP/1.1 by the byte: what must be understood, what must be refused and how, and how connections live."""

from __future__ import annotations

import json

import pytest
from raw_http import RawConnection, get, post

SMALL = {"query": "q", "documents": ["a"]}
BODY = json.dumps(SMALL).encode()
HEAD = b"POST /v1/rerank HTTP/1.1\r\nHost: a\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    return b"%x%s\r\n%s\r\n" % (len(data), extension, data)


LAST = b"0\r\n\r\n"

ACCEPTED = {
    "content length": HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "leading zeros": HEAD + b"Content-Length: 000%d\r\n\r\n" % len(BODY) + BODY,
    "chunked": CHUNKED + chunk(BODY) + LAST,
    "chunked, many": CHUNKED + b"".join(chunk(BODY[i : i + 1]) for i in range(len(BODY))) + LAST,
    "chunk size in capitals": CHUNKED + b"%X\r\n%s\r\n" % (len(BODY), BODY) + LAST,
    "chunk extension": CHUNKED + chunk(BODY, b";a=b") + LAST,
    "trailer": CHUNKED + chunk(BODY) + b"0\r\nX-Sum: 1\r\n\r\n",
    "field names in any case": b"POST /v1/rerank HTTP/1.1\r\nHOST: a\r\ncOnTeNt-lEnGtH: %d\r\n\r\n" % len(BODY) + BODY,
    "white space around values": HEAD + b"Content-Length:   %d  \r\nX:\t y \t\r\n\r\n" % len(BODY) + BODY,
    "no content type": HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "form content type": HEAD
    + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(BODY)
    + BODY,
    "empty authorization": HEAD + b"Authorization:\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "identity encoding": HEAD + b"Content-Encoding: identity\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "absolute target": b"POST http://a/v1/rerank HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "query string": b"POST /v1/rerank?x=y HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "trailing slash": b"POST /v1/rerank/ HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "HTTP/1.0": b"POST /v1/rerank HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "empty line first": b"\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n",
    "empty host": b"GET /livez HTTP/1.1\r\nHost:\r\n\r\n",
    "upgrade ignored": b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "GET with a body": b"GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    "GET with a chunked body": b"GET /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    + chunk(b"abc")
    + LAST,
    "latin-1 in a value": b"GET /livez HTTP/1.1\r\nHost: a\r\nX: \xe9\r\n\r\n",
}

# Everything here ends the connection.
REFUSED = {
    # Framing that two readers could understand differently.
    "length and chunked": (400, HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST),
    "chunked and length": (400, HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + LAST),
    "two lengths, equal": (400, HEAD + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"),
    "two lengths": (400, HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    "list of lengths": (400, HEAD + b"Content-Length: 2, 2\r\n\r\n{}"),
    "signed length": (400, HEAD + b"Content-Length: +2\r\n\r\n{}"),
    "negative length": (400, HEAD + b"Content-Length: -2\r\n\r\n{}"),
    "hexadecimal length": (400, HEAD + b"Content-Length: 0x2\r\n\r\n{}"),
    "fractional length": (400, HEAD + b"Content-Length: 2.0\r\n\r\n{}"),
    "length of letters": (400, HEAD + b"Content-Length: two\r\n\r\n{}"),
    "empty length": (400, HEAD + b"Content-Length:\r\n\r\n{}"),
    "length with a gap": (400, HEAD + b"Content-Length: 2 2\r\n\r\n{}"),
    "length beyond 64 bits": (413, HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n"),
    "length beyond the limit": (413, HEAD + b"Content-Length: 8388609\r\n\r\n"),
    "gzip, chunked": (501, HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + LAST),
    "chunked, gzip": (501, HEAD + b"Transfer-Encoding: chunked, gzip\r\n\r\n" + LAST),
    "chunked twice": (501, HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + LAST),
    "two transfer encodings": (400, HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST),
    "xchunked": (501, HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + LAST),
    "identity": (501, HEAD + b"Transfer-Encoding: identity\r\n\r\n"),
    "empty transfer encoding": (501, HEAD + b"Transfer-Encoding:\r\n\r\n" + LAST),
    "chunked and a comma": (501, HEAD + b"Transfer-Encoding: chunked,\r\n\r\n" + LAST),
    "a comma and chunked": (501, HEAD + b"Transfer-Encoding: ,chunked\r\n\r\n" + LAST),
    "length and a folded encoding": (501, HEAD + b"Content-Length: 2\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n{}"),
    "quoted chunked": (501, HEAD + b'Transfer-Encoding: "chunked"\r\n\r\n' + LAST),
    "chunked with a parameter": (501, HEAD + b"Transfer-Encoding: chunked;q=1\r\n\r\n" + LAST),
    "chunked in HTTP/1.0": (400, b"POST /v1/rerank HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST),
    "space before the colon of a length": (400, HEAD + b"Content-Length : 2\r\n\r\n{}"),
    "space before the colon of an encoding": (400, HEAD + b"Transfer-Encoding : chunked\r\n\r\n" + LAST),
    "folded transfer encoding": (501, HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + LAST),
    "folded length": (400, HEAD + b"Content-Length: 2\r\n 0\r\n\r\n{}"),
    "vertical tab in an encoding": (400, HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + LAST),
    # Chunks.
    "chunk size 0x": (400, CHUNKED + b"0x2\r\n{}\r\n" + LAST),
    "chunk size +": (400, CHUNKED + b"+2\r\n{}\r\n" + LAST),
    "chunk size -": (400, CHUNKED + b"-2\r\n{}\r\n" + LAST),
    "chunk size after a space": (400, CHUNKED + b" 2\r\n{}\r\n" + LAST),
    "chunk size after a tab": (400, CHUNKED + b"\t2\r\n{}\r\n" + LAST),
    "chunk size of letters": (400, CHUNKED + b"two\r\n{}\r\n" + LAST),
    "empty chunk size": (400, CHUNKED + b"\r\n{}\r\n" + LAST),
    "chunk size beyond 64 bits": (400, CHUNKED + b"fffffffffffffffff\r\n{}\r\n" + LAST),
    "chunk size ends in LF": (400, CHUNKED + b"2\n{}\r\n" + LAST),
    "chunk size ends in CR": (400, CHUNKED + b"2\r{}\r\n" + LAST),
    "chunk ends in LF": (400, CHUNKED + b"2\r\n{}\n" + LAST),
    "chunk longer than its size": (400, CHUNKED + b"2\r\n{}x\r\n" + LAST),
    "chunk without an end": (400, CHUNKED + b"2\r\n{}0\r\n\r\n"),
    "last line ends in LF": (400, CHUNKED + chunk(b"{}") + b"0\r\n\n"),
    "trailer ends in LF": (400, CHUNKED + chunk(b"{}") + b"0\r\nX: y\n\r\n"),
    "folded trailer": (400, CHUNKED + chunk(b"{}") + b"0\r\nX: y\r\n z\r\n\r\n"),
    "trailer without colon": (400, CHUNKED + chunk(b"{}") + b"0\r\nX y\r\n\r\n"),
    "NUL in a chunk extension": (400, CHUNKED + b"2;\0\r\n{}\r\n" + LAST),
    "endless chunk extension": (413, CHUNKED + b"2;" + b"a" * 100000 + b"\r\n{}\r\n" + LAST),
    "chunked beyond the limit": (413, CHUNKED + b"800001\r\n" + b" " * 0x800001 + b"\r\n" + LAST),
    # Lines.
    "LF alone": (400, b"GET /livez HTTP/1.1\nHost: a\n\n"),
    "LF after a field": (400, b"GET /livez HTTP/1.1\r\nHost: a\n\r\n"),
    "LF as the empty line": (400, b"GET /livez HTTP/1.1\r\nHost: a\r\n\n"),
    "CR alone": (400, b"GET /livez HTTP/1.1\rHost: a\r\r"),
    "CR hides a length": (400, b"GET /livez HTTP/1.1\r\nHost: a\r\nX: y\rContent-Length: 5\r\n\r\nhello"),
    "CR CR LF": (400, b"GET /livez HTTP/1.1\r\r\nHost: a\r\n\r\n"),
    "folded field": (400, b"GET /livez HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n"),
    "space before the first field": (400, b"GET /livez HTTP/1.1\r\n Host: a\r\n\r\n"),
    "field without colon": (400, b"GET /livez HTTP/1.1\r\nHost: a\r\nX\r\n\r\n"),
    "field without name": (400, b"GET /livez HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n"),
    "space in a field name": (400, b"GET /livez HTTP/1.1\r\nHost: a\r\nX Y: z\r\n\r\n"),
    "bracket in a field name": (400, b"GET /livez HTTP/1.1\r\nHost: a\r\nX(Y): z\r\n\r\n"),
    "UTF-8 in a field name": (400, b"GET /livez HTTP/1.1\r\nHost: a\r\nX\xc3\xa9: z\r\n\r\n"),
    "NUL in a value": (400, b"GET /livez HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n"),
    "NUL in a name": (400, b"GET /livez HTTP/1.1\r\nHost: a\r\nX\0: y\r\n\r\n"),
    "control character in a value": (400, b"GET /livez HTTP/1.1\r\nHost: a\r\nX: \x1b[0m\r\n\r\n"),
    "DEL in a value": (400, b"GET /livez HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n"),
    # The request line.
    "two spaces after the method": (400, b"GET  /livez HTTP/1.1\r\nHost: a\r\n\r\n"),
    "two spaces before the version": (400, b"GET /livez  HTTP/1.1\r\nHost: a\r\n\r\n"),
    "space in the target": (400, b"GET /li vez HTTP/1.1\r\nHost: a\r\n\r\n"),
    "tabs": (400, b"GET\t/livez\tHTTP/1.1\r\nHost: a\r\n\r\n"),
    "leading space": (400, b" GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"),
    "trailing space": (400, b"GET /livez HTTP/1.1 \r\nHost: a\r\n\r\n"),
    "no version": (400, b"GET /livez\r\n\r\n"),
    "method alone": (400, b"GET\r\n\r\n"),
    "no target": (400, b"GET  HTTP/1.1\r\nHost: a\r\n\r\n"),
    "fragment": (400, b"GET /livez#x HTTP/1.1\r\nHost: a\r\n\r\n"),
    "UTF-8 in the target": (400, b"GET /liv\xc3\xa9z HTTP/1.1\r\nHost: a\r\n\r\n"),
    "target without slash": (400, b"GET livez HTTP/1.1\r\nHost: a\r\n\r\n"),
    "http in small letters": (400, b"GET /livez http/1.1\r\nHost: a\r\n\r\n"),
    "version of two digits": (400, b"GET /livez HTTP/1.10\r\nHost: a\r\n\r\n"),
    "version of letters": (400, b"GET /livez HTTP/x.y\r\nHost: a\r\n\r\n"),
    "another protocol": (400, b"GET /livez FTP/1.1\r\nHost: a\r\n\r\n"),
    "HTTP/0.9": (505, b"GET /livez HTTP/0.9\r\nHost: a\r\n\r\n"),
    "HTTP/1.2": (505, b"GET /livez HTTP/1.2\r\nHost: a\r\n\r\n"),
    "HTTP/2.0": (505, b"GET /livez HTTP/2.0\r\nHost: a\r\n\r\n"),
    "HTTP/2 preface": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "unknown method": (501, b"BREW /livez HTTP/1.1\r\nHost: a\r\n\r\n"),
    "method in small letters": (501, b"get /livez HTTP/1.1\r\nHost: a\r\n\r\n"),
    "method of symbols": (400, b"G@T /livez HTTP/1.1\r\nHost: a\r\n\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "NUL bytes": (400, b"\0\0\0\0"),
    # Fields that must be there once, or be understood.
    "no host": (400, b"GET /livez HTTP/1.1\r\n\r\n"),
    "two hosts": (400, b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    "two hosts, equal": (400, b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    "host with a space": (400, b"GET /livez HTTP/1.1\r\nHost: a b\r\n\r\n"),
    "host with a path": (400, b"GET /livez HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    "host with a user": (400, b"GET /livez HTTP/1.1\r\nHost: a@b\r\n\r\n"),
    "list of hosts": (400, b"GET /livez HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    "unknown expectation": (417, HEAD + b"Expect: magic\r\nContent-Length: 2\r\n\r\n{}"),
    "gzip body": (415, HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"),
    # Limits.
    "long target": (414, b"GET /" + b"a" * 2048 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    "large head": (431, b"GET /livez HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 16384 + b"\r\n\r\n"),
    "endless request line": (431, b"GET /" + b"a" * 100000),
    "endless empty lines": (431, b"\r\n" * 20000),
    "65 fields": (431, b"GET /livez HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 64 + b"\r\n"),
}


@pytest.fixture(scope="module")
def server(cross_encoder):
    """Which model it is does not matter here."""
    return cross_encoder


@pytest.mark.parametrize("name", ACCEPTED)
def test_understood(server, name):
    with RawConnection(server) as connection:
        connection.send(ACCEPTED[name])
        assert connection.read_reply().status == 200


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_body_before_the_close(server, name):
    status, data = REFUSED[name]
    with RawConnection(server) as connection:
        connection.send(data)
        reply = connection.read_reply()
        assert reply.status == status
        assert reply.headers["connection"] == "close"
        error = reply.json
        assert error["error"]["message"] == error["message"] == error["detail"] != ""
        assert error["error"]["code"]
        assert connection.is_closed()


@pytest.mark.parametrize("name", ["chunked", "content length", "trailer", "empty line first"])
def test_every_split_gives_the_same_answer(server, name):
    data = ACCEPTED[name]
    for position in range(1, len(data)):
        with RawConnection(server) as connection:
            connection.send(data[:position])
            connection.send(data[position:])
            assert connection.read_reply().status == 200


def test_byte_by_byte(server):
    with RawConnection(server) as connection:
        for byte in ACCEPTED["chunked"]:
            connection.send(bytes([byte]))
        assert connection.read_reply().status == 200


def test_what_is_not_there(server):
    with RawConnection(server) as connection:
        for path in ("/x", "/v1", "/v1/reran", "/v1/rerankk", "/V1/RERANK", "/livez/x", "/%6civez", "//livez", "*"):
            connection.send(get(path) if path != "*" else get("*", method="OPTIONS"))
            assert connection.read_reply().status == 404
        connection.send(post("/nowhere", SMALL))
        assert connection.read_reply().status == 404
        connection.send(get("/livez"))
        assert connection.read_reply().status == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_wrong_method_for_work(server, method):
    with RawConnection(server) as connection:
        connection.send(get("/v1/rerank", method=method))
        reply = connection.read_reply(head_request=method == "HEAD")
        assert (reply.status, reply.headers["allow"]) == (405, "POST")
        connection.send(get("/livez"))
        assert connection.read_reply().status == 200


def test_wrong_method_for_a_page(server):
    with RawConnection(server) as connection:
        connection.send(post("/livez", SMALL))
        reply = connection.read_reply()
        assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")


def test_connect_is_refused(server):
    with RawConnection(server) as connection:
        connection.send(b"CONNECT example.org:443 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.read_reply().status in (400, 404, 405)


def test_head_has_the_length_and_no_body(server):
    with RawConnection(server) as connection:
        connection.send(get("/livez", method="HEAD") + get("/livez"))
        head = connection.read_reply(head_request=True)
        body = connection.read_reply()
        assert head.headers["content-length"] == body.headers["content-length"] == str(len(body.body))


def test_keep_alive_and_close(server):
    with RawConnection(server) as connection:
        for _ in range(5):
            connection.send(post("/v1/rerank", SMALL))
            reply = connection.read_reply()
            assert (reply.status, reply.headers["connection"]) == (200, "keep-alive")
        connection.send(get("/livez", "Connection: close"))
        assert connection.read_reply().headers["connection"] == "close"
        assert connection.is_closed()


def test_http_1_0_closes_unless_asked(server):
    with RawConnection(server) as connection:
        connection.send(b"GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert connection.read_reply().headers["connection"] == "keep-alive"
        connection.send(b"GET /livez HTTP/1.0\r\n\r\n")
        assert connection.read_reply().headers["connection"] == "close"
        assert connection.is_closed()


def test_pipelined_requests_are_answered_in_order(server):
    requests = []
    for number in range(20):
        requests.append(post("/v1/rerank", {"query": "q", "documents": ["a"] * (number + 1)}))
        requests.append(get("/livez", f"X-Request-Id: page-{number}"))
    with RawConnection(server) as connection:
        connection.send(b"".join(requests))
        for number in range(20):
            assert len(connection.read_reply().json["results"]) == number + 1
            assert connection.read_reply().headers["x-request-id"] == f"page-{number}"


def test_a_flood_of_pipelined_requests(server):
    count = 3000  # more than is kept beside a request being computed
    with RawConnection(server) as connection:
        connection.send(post("/v1/rerank", {"query": "q", "documents": ["word " * 200] * 10}))
        connection.send(get("/livez") * count)
        assert len(connection.read_reply().json["results"]) == 10
        for _ in range(count):
            assert connection.read_reply().status == 200


def test_expect_continue(server):
    with RawConnection(server) as connection:
        connection.send(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY))
        assert connection.read_reply().status == 100
        connection.send(BODY)
        assert connection.read_reply().status == 200


def test_no_invitation_for_what_will_be_refused(server):
    with RawConnection(server) as connection:
        connection.send(b"POST /nowhere HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n")
        assert connection.read_reply().status == 404
        assert connection.is_closed()
    with RawConnection(server) as connection:
        connection.send(HEAD + b"Expect: 100-continue\r\nContent-Length: 9999999\r\n\r\n")
        assert connection.read_reply().status == 413


def test_the_error_arrives_though_the_client_is_still_sending(server):
    with RawConnection(server) as connection:
        connection.send(b"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n" + b" " * 3000000)
        assert connection.read_reply().status == 404
        assert connection.is_closed()


def test_request_ids(server):
    def id_for(*fields):
        with RawConnection(server) as connection:
            connection.send(post("/v1/rerank", SMALL, *fields))
            reply = connection.read_reply()
            assert reply.json["id"] == reply.headers["x-request-id"]
            return reply.headers["x-request-id"]

    assert id_for("X-Request-Id: abc-123") == "abc-123"
    assert id_for() != id_for()
    assert len(id_for("X-Request-Id: " + "a" * 129)) == 32
    assert len(id_for("X-Request-Id: a b")) == 32


def times_of(server, path, body):
    with RawConnection(server) as connection:
        connection.send(post(path, body))
        headers = connection.read_reply().headers
    parts = [part.split(";dur=") for part in headers["server-timing"].split(", ")]
    assert [name for name, _ in parts] == ["queue", "tokenize", "compute", "total"]
    return headers, {name: float(duration) for name, duration in parts}


def test_tokenizing_is_no_waiting(server):
    _, times = times_of(server, "/tokenize", {"inputs": ["word " * 300] * 20})
    assert times["tokenize"] > 0 and times["compute"] == 0
    assert times["queue"] + times["tokenize"] <= times["total"]


def test_times_in_the_headers(server):
    headers, times = times_of(server, "/v1/rerank", {"query": "q", "documents": ["word " * 300] * 20})
    assert times["queue"] <= times["total"]  # so is the rest only on one thread: they are sums over all
    for header, name in (("queue", "queue"), ("tokenization", "tokenize"), ("inference", "compute"), ("total", "total")):
        assert int(headers[f"x-{header}-time"]) == int(times[name])


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("value", "echo"),
    [
        (f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01"),
        (f"  00-{TRACE}-{PARENT}-00  ", f"00-{TRACE}-{PARENT}-00"),
        (f"01-{TRACE}-{PARENT}-01-what-comes-later", f"00-{TRACE}-{PARENT}-01"),
        (f"fe-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01"),
        (f"00-{TRACE}-{PARENT}-01-more", None),
        (f"01-{TRACE}-{PARENT}-01more", None),
        (f"ff-{TRACE}-{PARENT}-01", None),
        (f"00-{TRACE.upper()}-{PARENT}-01", None),
        (f"00-{'0' * 32}-{PARENT}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE}-{PARENT}-0", None),
        (f"00-{TRACE}-{PARENT}-0g", None),
        (f"00-{TRACE[:-1]}-{PARENT}-011", None),
        (f"00_{TRACE}_{PARENT}_01", None),
        (f"0-{TRACE}-{PARENT}-01", None),
        ("", None),
        ("00", None),
    ],
)
def test_trace_contexts(server, value, echo):
    with RawConnection(server) as connection:
        connection.send(post("/v1/rerank", SMALL, f"traceparent: {value}"))
        reply = connection.read_reply()
        assert reply.status == 200
        assert reply.headers.get("traceparent") == echo
        entry = server.wait_for_event("request", request_id=reply.headers["x-request-id"])
        assert entry.get("trace_id") == (TRACE if echo else None)
        assert entry.get("span_id") == (PARENT if echo else None)


def test_a_reply_larger_than_the_socket_takes_at_once(embedder):
    body = {"input": [f"text {number}" for number in range(600)]}
    with RawConnection(embedder) as connection:
        connection.send(post("/v1/embeddings", body) + get("/livez"))
        assert len(connection.read_reply().json["data"]) == 600
        assert connection.read_reply().status == 200
