"""From start to end: addresses, what goes wrong at the start, readiness, SIGTERM, the second signal."""

from __future__ import annotations

import json
import signal
import socket
import subprocess

import pytest
from raw_http import RawConnection, get, post
from running_server import WAIT_SECONDS
from test_server_overload import ENDLESS, LONGER, begin_endless, in_work, running, wait_until


def serve(rescoldo, *arguments):
    result = subprocess.run([rescoldo, "serve", *map(str, arguments)], capture_output=True, timeout=WAIT_SECONDS, check=False)
    assert result.stdout == b""
    return result.returncode, result.stderr.decode()


@pytest.mark.parametrize(
    "listen", ["", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:http",
               "::1:8080", "[::1]", "[::1:8080", "[127.0.0.1]:80", "1.2.3:80", "example.org:80", "127.0.0.1:80:80"],
)  # fmt: skip
def test_what_is_no_address(rescoldo, cross_encoder_ember, listen):
    status, message = serve(rescoldo, "--model", cross_encoder_ember, f"--listen={listen}")
    assert status == 2
    assert "--listen" in message and "HOST:PORT" in message


def test_an_address_in_use(rescoldo, cross_encoder_ember, cross_encoder):
    status, message = serve(rescoldo, "--model", cross_encoder_ember, "--listen", cross_encoder.address)
    assert status == 1
    assert cross_encoder.address in message and "Address already in use" in message


def test_an_ember_of_other_arithmetic_is_served(rescoldo, start, cross_encoder_ember, tmp_path):
    """What another version computes may differ in the last digits: it is held to the deviation, not to its bits."""
    inspected = subprocess.run([rescoldo, "inspect", cross_encoder_ember], capture_output=True, check=True).stdout
    golden = json.loads(inspected)["metadata"]["models"][0]["golden"]
    content = cross_encoder_ember.read_bytes()
    for item in golden["items"]:
        content = content.replace(item["bits"].encode(), item["bits"][::-1].encode())
    altered = tmp_path / "altered.ember"
    altered.write_bytes(content)
    assert "computes wrong here" in serve(rescoldo, "--model", altered, "--listen", "127.0.0.1:0")[1]
    stated = f'"arithmetic":{golden["arithmetic"]}'.encode()
    assert content.count(stated) == 1 and golden["arithmetic"] < 9
    altered.write_bytes(content.replace(stated, b'"arithmetic":9'))
    assert start(ember=altered).post("/v1/rerank", {"query": "q", "documents": ["a"]})[0] == 200


def test_an_address_of_another_machine(rescoldo, cross_encoder_ember):
    status, message = serve(rescoldo, "--model", cross_encoder_ember, "--listen", "192.0.2.1:8080")
    assert status == 1
    assert "192.0.2.1:8080" in message


@pytest.mark.parametrize("model", ["/nonexistent.ember", "/"])
def test_no_model(rescoldo, model):
    status, message = serve(rescoldo, "--model", model, "--listen", "127.0.0.1:0")
    assert status == 1
    assert model in message


def test_a_truncated_model(rescoldo, cross_encoder_ember, tmp_path):
    broken = tmp_path / "broken.ember"
    broken.write_bytes(cross_encoder_ember.read_bytes()[:100000])
    status, message = serve(rescoldo, "--model", broken, "--listen", "127.0.0.1:0")
    assert status == 1
    assert "broken.ember" in message


@pytest.mark.parametrize("flag", ["--max-body-bytes=0", "--max-head-bytes=1", "--idle-timeout=x", "--nonsense"])
def test_bad_flags(rescoldo, cross_encoder_ember, flag):
    status, message = serve(rescoldo, "--model", cross_encoder_ember, flag)
    assert status == 2
    assert flag.split("=")[0] in message


def test_several_addresses(start):
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    server = start(listen=("127.0.0.1:0", "localhost:0", "[::1]:0"))
    addresses = server.start_line["addresses"]
    assert len(set(addresses)) == 3 and addresses[2].startswith("[::1]:")
    for address in addresses:
        host, _, port = address.rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port)), timeout=WAIT_SECONDS) as connection:
            connection.sendall(get("/livez", "Connection: close"))
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_start_line(cross_encoder):
    line = cross_encoder.start_line
    assert line["level"] == "info"
    assert {"version", "model", "kind", "precision", "isa", "sandbox"} <= line.keys()


def test_health_command(rescoldo, start):
    server = start()

    def health(url):
        result = subprocess.run([rescoldo, "health", "--url", url], capture_output=True, timeout=WAIT_SECONDS, check=False)
        return result.returncode, result.stdout.decode(), result.stderr.decode()

    assert health(server.url)[:2] == (0, '{"status":"ready"}\n')
    assert health(server.url + "/livez")[0] == 0
    status, _, message = health(server.url + "/nowhere")
    assert status == 1 and "404" in message
    for wrong in ("", "localhost:80", "https://127.0.0.1:80", "http://127.0.0.1", "http://example.org:80/", "unix:",
                  "unix:" + "a" * 200, "http://127.0.0.1:80/a b"):  # fmt: skip
        assert health(wrong)[0] == 2
    server.close()
    status, _, message = health(server.url)
    assert status == 1 and server.address in message


def test_sigterm_finishes_what_is_in_flight(start):
    server = start()
    with RawConnection(server) as working, RawConnection(server) as queued, RawConnection(server) as idle:
        idle.send(get("/livez"))
        assert idle.read_reply().status == 200
        for connection in (working, queued):
            connection.send(post("/v1/rerank", LONGER))
        wait_until(lambda: in_work(server) == 2)
        server.process.send_signal(signal.SIGTERM)
        assert idle.is_closed()
        with pytest.raises(OSError):
            server.connect()
        for connection in (working, queued):
            reply = connection.read_reply()
            assert (reply.status, reply.headers["connection"]) == (200, "close")
            assert len(reply.json["results"]) == len(LONGER["documents"])
            assert connection.is_closed()
    assert server.process.wait(WAIT_SECONDS) == 0


def test_a_request_half_sent_at_sigterm_is_answered(start):
    server = start()
    data = post("/v1/rerank", {"query": "q", "documents": ["a"]})
    with RawConnection(server) as connection, RawConnection(server) as probe:
        connection.send(data[:30])
        probe.send(get("/readyz")[:20])
        server.get("/livez")  # by now both are read
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_event("drain")
        probe.send(get("/readyz")[20:])
        reply = probe.read_reply()
        assert (reply.status, reply.json["status"]) == (503, "draining")
        connection.send(data[30:])
        reply = connection.read_reply()
        assert (reply.status, reply.headers["connection"]) == (200, "close")
    assert server.process.wait(WAIT_SECONDS) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(start, slow_ember, number):
    server = start(ember=slow_ember)
    with begin_endless(server):
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_event("drain")
        server.process.send_signal(number)
        assert server.process.wait(WAIT_SECONDS) == 128 + number


def test_drain_timeout(start, slow_ember):
    server = start("--drain-timeout", "1", ember=slow_ember)
    with begin_endless(server):
        assert server.terminate() == 1
    assert any('"drain_timeout"' in line for line in server.lines)


def test_sigint_when_idle(start):
    server = start()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(WAIT_SECONDS) == 0


def test_clients_that_left_do_not_hold_up_the_end(start, slow_ember):
    server = start(ember=slow_ember)
    connection = RawConnection(server)
    connection.send(post("/v1/rerank", ENDLESS))
    wait_until(lambda: running(server) == 1)
    connection.close()
    assert server.terminate() == 0
