"""More work than there is compute, clients that leave, and clients that are slow. Nothing here measures time: a test
waits for what must happen, however long this machine takes."""

from __future__ import annotations

import concurrent.futures
import json
import os
import re
import signal
import socket
import subprocess
import time

import openai
import pytest
from raw_http import RawConnection, get, post
from running_server import WAIT_SECONDS, RunningServer

SHORT = {"query": "q", "documents": ["a"]}
# Never waited for. What shall wait behind it must have as much to do: the scheduler begins with the shortest.
ENDLESS = {"query": "q", "documents": ["a " * 500] * 1000}
LONG = {"query": "q", "documents": ["word " * 300] * 200}
# Long enough to be found running between two looks of a test on a busy machine, and waited for.
LONGER = {"query": "q", "documents": ["word " * 300] * 2000}
# A queue that is never too long, on machines and in builds however slow.
PATIENT = ("--threads", "1", "--max-queue-seconds", "86400")


def wait_until(condition, seconds=WAIT_SECONDS):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not come to that"
        time.sleep(0.01)


def running(server):
    return server.metrics()["rescoldo_running_requests"]


def in_work(server):
    """Waiting or running."""
    metrics = server.metrics()
    return metrics["rescoldo_queue_requests"] + metrics["rescoldo_running_requests"]


def begin_endless(server, *fields) -> RawConnection:
    """A request over the slow ember that will not end in a test's time."""
    connection = RawConnection(server)
    connection.send(post("/v1/rerank", ENDLESS, *fields))
    wait_until(lambda: running(server) == 1)
    return connection


def test_full_queue_is_429_at_once_with_a_time_to_retry(start, slow_ember):
    server = start("--max-queued-requests", "2", *PATIENT, ember=slow_ember)
    with begin_endless(server), RawConnection(server) as second, RawConnection(server) as third:
        for queued in (second, third):
            queued.send(post("/v1/rerank", ENDLESS))
        wait_until(lambda: in_work(server) == 3)
        with RawConnection(server) as refused:
            # The large body is not sent, and not waited for.
            refused.send(b"POST /v1/rerank HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
            reply = refused.read_reply()
            assert reply.status == 429
            assert reply.json["error"]["type"] == "overloaded_error"
            milliseconds = int(reply.headers["retry-after-ms"])
            assert milliseconds > 0
            assert int(reply.headers["retry-after"]) == -(-milliseconds // 1000)
            assert refused.is_closed()
        with RawConnection(server) as refused:
            # A small one is read, and the connection stays.
            for _ in range(3):
                refused.send(post("/v1/rerank", SHORT))
                assert refused.read_reply().status == 429
            for path in ("/livez", "/readyz", "/health", "/info", "/v1/models", "/metrics"):
                refused.send(get(path))
                assert refused.read_reply().status == 200
        assert server.metrics()['rescoldo_shed_total{reason="queue"}'] == 4


def test_the_predicted_wait_is_bounded(start, slow_ember):
    server = start("--max-queue-seconds", "1", "--threads", "1", ember=slow_ember)
    with begin_endless(server), RawConnection(server) as refused:
        # Clearly larger, so that the endless one goes first, whose tokens are counted while these are estimated.
        larger = 2 * len(json.dumps(ENDLESS))
        refused.send(f"POST /v1/rerank HTTP/1.1\r\nHost: a\r\nContent-Length: {larger}\r\n\r\n".encode())
        reply = refused.read_reply()
        assert reply.status == 429
        assert int(reply.headers["retry-after"]) >= 1
        # One that the endless one does not hold up has nothing to wait for.
        assert server.post("/v1/rerank", SHORT)[0] == 200
        assert running(server) == 1


def test_a_long_queue_refuses_too(start, slow_ember):
    server = start("--max-queued-requests", "80", *PATIENT, ember=slow_ember)
    waiting = []
    while server.metrics()['rescoldo_shed_total{reason="queue"}'] == 0:
        waiting.append(RawConnection(server))
        waiting[-1].send(post("/v1/rerank", LONG))
    assert len(waiting) > 80
    for connection in waiting:
        connection.close()
    wait_until(lambda: in_work(server) == 0)
    assert server.post("/v1/rerank", SHORT)[0] == 200


def test_what_is_left_of_a_request_is_judged_by_what_it_has_had(start, slow_ember):
    """Two bytes a token: twice as many tokens as a server expects that has read nothing yet."""
    server = start(*PATIENT, ember=slow_ember)
    with begin_endless(server):
        texts, tokens = len(ENDLESS["documents"]), 500
        assert server.metrics()["rescoldo_queue_tokens"] == pytest.approx(texts * tokens, rel=0.05)


def test_memory_that_a_long_request_holds_is_not_promised_sooner(start, slow_ember):
    server = start("--max-work-bytes-in-flight", "700000", *PATIENT, ember=slow_ember)
    half = {"query": "q", "documents": ["a"] * 500}
    assert server.post("/v1/rerank", half)[0] == 200
    with begin_endless(server):
        status, headers, _ = server.post("/v1/rerank", half)
        seconds = server.metrics()["rescoldo_predicted_wait_seconds"]
    assert status == 429
    assert int(headers["retry-after-ms"]) > 1000 * seconds / 2


def test_the_slice_of_a_small_request_is_not_filled_up_with_a_large_one(start, slow_ember):
    server = start(*PATIENT, ember=slow_ember)
    small = 10
    with RawConnection(server) as large:
        large.send(post("/v1/rerank", {"query": "q", "documents": ["a " * 40] * 5000}))
        wait_until(lambda: running(server) == 1)
        before = server.metrics()
        for _ in range(small):
            assert server.post("/v1/rerank", SHORT)[0] == 200
        after = server.metrics()
        assert after["rescoldo_running_requests"] == 1
    small_slices = 'rescoldo_slice_tokens_bucket{le="128"}'
    assert after[small_slices] - before[small_slices] >= small


def test_queued_tokens_are_bounded(start, slow_ember):
    server = start("--max-queued-tokens", "1000", ember=slow_ember)
    with begin_endless(server):  # one alone is always taken
        assert server.post("/v1/rerank", SHORT)[0] == 429
    wait_until(lambda: in_work(server) == 0)
    assert server.post("/v1/rerank", SHORT)[0] == 200


def test_small_requests_overtake_a_large_one(start, slow_ember):
    server = start("--threads", "1", ember=slow_ember)
    alone = server.post("/v1/rerank", SHORT)[2]["results"]
    with begin_endless(server):
        for _ in range(20):
            status, _, reply = server.post("/v1/rerank", SHORT)
            assert (status, reply["results"]) == (200, alone)
        assert running(server) == 1
        assert server.metrics()["rescoldo_queue_tokens"] > 0


def test_who_obeys_gets_in(start, all_minilm_ember):
    server = start("--max-queued-requests", "1", ember=all_minilm_ember)
    client = openai.OpenAI(api_key="no-key", base_url=server.url + "/v1", max_retries=50)
    texts = ["word " * 300] * 5
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda _: client.embeddings.create(model="any", input=texts), range(6)))
    assert all(len(reply.data) == 5 for reply in replies)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_client_that_leaves_ends_its_work(start, slow_ember, threads):
    server = start("--threads", str(threads), ember=slow_ember)
    connection = begin_endless(server, "X-Request-Id: leaver")
    before = server.metrics()
    connection.close()
    wait_until(lambda: running(server) == 0)
    used = server.metrics()["process_cpu_seconds_total"] - before["process_cpu_seconds_total"]
    assert used < before["rescoldo_predicted_wait_seconds"] / 4
    assert server.wait_for_event("request", request_id="leaver")["status"] == 499
    metrics = server.metrics()
    assert metrics["rescoldo_cancelled_total"] == 1
    assert metrics["rescoldo_input_texts_total"] == 0
    assert metrics["rescoldo_bodies_in_flight_bytes"] == 0
    assert server.post("/v1/rerank", SHORT)[0] == 200


def test_a_client_that_leaves_the_queue_is_never_computed(start, slow_ember):
    server = start(*PATIENT, ember=slow_ember)
    with begin_endless(server):
        leaving = [RawConnection(server) for _ in range(5)]
        for connection in leaving:
            connection.send(post("/v1/rerank", ENDLESS))
        wait_until(lambda: in_work(server) == 6)
        leaving[2].close()
        leaving[0].close()
        leaving[4].close()
        wait_until(lambda: in_work(server) == 3)
        for connection in leaving:
            connection.close()
        wait_until(lambda: in_work(server) == 1)
        assert running(server) == 1
    wait_until(lambda: in_work(server) == 0)
    assert server.metrics()["rescoldo_input_texts_total"] == 0


def test_deadline_of_the_server(start, slow_ember):
    server = start("--request-timeout", "1", ember=slow_ember)
    status, _, reply = server.post("/v1/rerank", ENDLESS)
    assert (status, reply["error"]["code"]) == (504, "deadline_exceeded")
    wait_until(lambda: running(server) == 0)
    assert server.metrics()["rescoldo_deadline_exceeded_total"] == 1


def test_deadline_of_the_client_also_in_the_queue(start, slow_ember):
    server = start(*PATIENT, ember=slow_ember)
    with begin_endless(server):
        status, _, reply = server.post("/v1/rerank", ENDLESS, {"X-Request-Timeout": "0.2"})
        assert (status, reply["error"]["code"]) == (504, "deadline_exceeded")
        wait_until(lambda: in_work(server) == 1)
        assert running(server) == 1
    for wrong in ("soon", "-1", "0", "nan", "1s", "1" * 40):
        status, _, reply = server.post("/v1/rerank", SHORT, {"X-Request-Timeout": wrong})
        assert (status, reply["error"]["code"]) == (400, "bad_header")


def test_bodies_in_flight_are_bounded(start):
    server = start("--max-body-bytes-in-flight", "5000")
    large = {"query": "q", "documents": ["word " * 2000]}
    assert server.post("/v1/rerank", large)[0] == 429
    chunks = b"".join(b"400\r\n" + b" " * 0x400 + b"\r\n" for _ in range(10))
    with RawConnection(server) as connection:
        connection.send(b"POST /v1/rerank HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
        assert connection.read_reply().status == 429
        assert connection.is_closed()
    metrics = server.metrics()
    assert metrics['rescoldo_shed_total{reason="body_memory"}'] == 2
    assert metrics["rescoldo_bodies_in_flight_bytes"] == 0
    assert server.post("/v1/rerank", SHORT)[0] == 200


def drip(server, data: bytes, begin: bytes = b"") -> RawConnection:
    """Sends a byte at a time until the server has had enough; the connection then holds its last words."""
    connection = RawConnection(server)
    connection.send(begin)
    for byte in data:
        try:
            connection.send(bytes([byte]))
        except (BrokenPipeError, ConnectionResetError):
            break
        connection.socket.settimeout(0.1)
        try:
            if not connection._more():
                break
        except TimeoutError:
            continue
        finally:
            connection.socket.settimeout(WAIT_SECONDS)
        break
    return connection


def test_slow_drip_of_a_head(start):
    server = start("--head-timeout", "1")
    with drip(server, b"GET /livez HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 1000) as connection:
        reply = connection.read_reply()
        assert (reply.status, reply.json["error"]["code"]) == (408, "request_timeout")
        assert connection.is_closed()


def test_slow_drip_of_a_body(start):
    server = start("--body-timeout", "1")
    head = b"POST /v1/rerank HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n"
    with RawConnection(server) as whole:
        whole.send(head)
        assert whole.read_reply().status == 408
    with drip(server, b" " * 1000, head) as connection:
        assert connection.read_reply().status == 408
        assert connection.is_closed()


def test_what_was_refused_at_its_head_is_told_so_without_its_body(start):
    server = start("--body-timeout", "1")
    with RawConnection(server) as connection:
        connection.send(b"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
        assert connection.read_reply().status == 404
        assert connection.is_closed()


def test_idle_connections_are_closed_without_a_word(start):
    server = start("--idle-timeout", "1")
    with RawConnection(server) as connection:
        connection.send(get("/livez"))
        assert connection.read_reply().status == 200
        assert connection.is_closed()


def test_a_reader_that_does_not_read_is_left(start, all_minilm_ember):
    server = start("--write-timeout", "1", "--min-bytes-per-second", "1000000000", ember=all_minilm_ember)
    with RawConnection(server) as connection:
        connection.send(post("/v1/embeddings", {"input": ["a"] * 2000}))
        wait_until(lambda: server.metrics()["rescoldo_cancelled_total"] == 1)
    assert server.post("/v1/rerank", SHORT)[0] == 200


def test_newcomers_take_the_place_of_idle_connections(start):
    server = start("--max-connections", "3")
    idle = [RawConnection(server) for _ in range(3)]
    for connection in idle:
        connection.send(get("/livez"))
        assert connection.read_reply().status == 200
    newcomers = [RawConnection(server) for _ in range(2)]
    for connection in newcomers:
        connection.send(get("/livez"))
        assert connection.read_reply().status == 200
    assert idle[0].is_closed() and idle[1].is_closed()
    idle[2].send(get("/livez"))
    assert idle[2].read_reply().status == 200
    for connection in idle + newcomers:
        connection.close()


def test_newcomers_wait_while_all_connections_are_busy(start):
    server = start("--max-connections", "1")
    busy = RawConnection(server)
    busy.send(b"POST /v1/rerank HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n")
    assert busy.read_reply().status == 100
    waiting = RawConnection(server)
    waiting.send(get("/livez"))
    waiting.socket.settimeout(0.5)
    try:
        waiting.read_reply()
        raise AssertionError("answered beyond the limit of connections")
    except TimeoutError:
        pass
    busy.close()
    waiting.socket.settimeout(WAIT_SECONDS)
    assert waiting.read_reply().status == 200
    waiting.close()


def test_a_newcomer_takes_the_place_of_a_connection_that_becomes_idle(start):
    """Nobody has to leave: it is enough that a connection has nothing to do any more."""
    server = start("--max-connections", "2", "--idle-timeout", "86400")
    next_request = get("/livez")
    busy, other = RawConnection(server), RawConnection(server)
    for connection in (busy, other):
        connection.send(next_request + next_request[:1])  # neither is idle, since the next request has begun
        assert connection.read_reply().status == 200
    newcomer = RawConnection(server)
    newcomer.send(get("/readyz"))
    for _ in range(3):  # by now the server has seen that it waits
        other.send(next_request[1:] + next_request[:1])
        assert other.read_reply().status == 200
    busy.send(next_request[1:])
    assert busy.read_reply().status == 200
    assert newcomer.read_reply().status == 200
    assert busy.is_closed()
    for connection in (busy, other, newcomer):
        connection.close()


def test_more_connections_than_descriptors(rescoldo, cross_encoder_ember):
    with RunningServer(rescoldo, cross_encoder_ember, wrapper=["prlimit", "--nofile=24:24"]) as server:
        assert any('"fewer_connections"' in line for line in server.lines)
        assert server.get("/info")[2]["limits"]["max_connections"] == 7
        crowd = [server.connect() for _ in range(60)]
        with RawConnection(server) as last:
            last.send(post("/v1/rerank", SHORT))
            assert last.read_reply().status == 200
        for connection in crowd:
            connection.close()
        assert server.get("/livez")[0] == 200
    result = subprocess.run(
        ["prlimit", "--nofile=17:17", rescoldo, "serve", "--model", cross_encoder_ember, "--listen", "127.0.0.1:0"],
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert b"open files" in result.stderr


@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "nonblocking"])
def test_a_log_that_nobody_reads_holds_up_nothing(rescoldo, cross_encoder_ember, blocking):
    process = subprocess.Popen(
        [rescoldo, "serve", "--model", cross_encoder_ember, "--listen", "127.0.0.1:0"],
        stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        preexec_fn=lambda: os.set_blocking(2, blocking),
    )  # fmt: skip
    address = json.loads(process.stderr.readline())["addresses"][0]
    host, _, port = address.rpartition(":")

    class Silent:
        def connect(self, timeout):
            return socket.create_connection((host, int(port)), timeout)

    with RawConnection(Silent()) as connection:
        for _ in range(40):
            connection.send(get("/nowhere") * 100)
            for _ in range(100):
                assert connection.read_reply().status == 404
        connection.send(get("/metrics"))
        text = connection.read_reply().body.decode()
    dropped = [line for line in text.splitlines() if line.startswith("rescoldo_log_dropped_lines_total ")]
    assert float(dropped[0].split()[1]) > 0
    process.terminate()
    # What was not dropped is whole, and all of it.
    events = [json.loads(line)["event"] for line in process.stderr]
    assert events.count("request") == 4000 - float(dropped[0].split()[1])
    assert process.wait(WAIT_SECONDS) == 0
    process.stderr.close()


def test_pipelined_requests_take_turns_with_those_of_others(start):
    server = start()
    count = 1500
    with RawConnection(server) as greedy, RawConnection(server) as other:
        server.process.send_signal(signal.SIGSTOP)  # so that it finds both requests at once
        greedy.send(get("/livez") * count)
        other.send(get("/metrics"))
        server.process.send_signal(signal.SIGCONT)
        answered = re.search(r'_http_requests_total{route="/livez",code="200"} (\d+)', other.read_reply().body.decode())
        assert answered is None or int(answered[1]) < count / 10
        for _ in range(count):
            assert greedy.read_reply().status == 200
        greedy.send(get("/readyz"))
        assert greedy.read_reply().status == 200


def test_many_clients_at_once(start):
    server = start()
    expected = server.post("/v1/rerank", {"query": "q", "documents": ["a", "b", "c"]})[2]["results"]

    def client(number):
        with RawConnection(server) as connection:
            for _ in range(20):
                connection.send(post("/v1/rerank", {"query": "q", "documents": ["a", "b", "c"]}))
                reply = connection.read_reply()
                if reply.status != 429:
                    assert reply.json["results"] == expected
        return number

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert sorted(pool.map(client, range(16))) == list(range(16))
    assert server.metrics()["rescoldo_bodies_in_flight_bytes"] == 0
