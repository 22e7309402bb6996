"""Between listening and the first answer: the self-test and the first slice of every model."""

from __future__ import annotations

import concurrent.futures
import signal
import subprocess

import pytest
from raw_http import RawConnection, post
from running_server import WAIT_SECONDS, RunningServer
from test_server_overload import wait_until

PAIR = {"query": "q", "documents": ["a", "b"]}
# Portable float32 kernels are a thousand times slower than what the CPU has.
SLOWLY = {"RESCOLDO_DISABLE_ISA": "all"}


@pytest.fixture(scope="module")
def heavy_ember(bake_cross_encoder, cross_encoder):
    """Loading it takes a good part of a second, when done SLOWLY; an instrumented build, which has no sandbox, takes longer
    for fewer layers."""
    instrumented = cross_encoder.start_line["sandbox"]["mode"] == "off"
    return bake_cross_encoder(layers=8 if instrumented else 24, hidden=256, precision="f32")


@pytest.fixture
def loading(rescoldo, heavy_ember):
    with RunningServer(rescoldo, heavy_ember, environment=SLOWLY, wait_ready=False) as server:
        yield server


def test_what_is_told_and_done_while_loading(loading):
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        early = pool.submit(loading.post, "/v1/rerank", PAIR)
        assert loading.get("/readyz")[::2] == (503, {"status": "loading"})
        assert loading.get("/health")[2]["status"] == "loading"
        assert loading.get("/livez")[::2] == (200, {"status": "live"})
        assert loading.metrics()["rescoldo_ready"] == 0
        assert loading.get("/v1/models")[0] == 200
        assert not early.done()
        loading.wait_for_event("ready")
        assert loading.get("/readyz")[::2] == (200, {"status": "ready"})
        assert loading.metrics()["rescoldo_ready"] == 1
        # Who came too early has waited, and is answered as everybody else is.
        status, _, reply = early.result()
        later = loading.post("/v1/rerank", PAIR)[2]
    assert status == 200
    assert [result["relevance_score"] for result in reply["results"]] == [
        result["relevance_score"] for result in later["results"]
    ]


def test_sigterm_while_loading(loading):
    with RawConnection(loading) as connection:
        connection.send(post("/v1/rerank", PAIR))
        loading.get("/livez")  # by now it is read
        loading.process.send_signal(signal.SIGTERM)
        loading.wait_for_event("drain")
        assert connection.read_reply().status == 200
        assert connection.is_closed()
    assert loading.process.wait(WAIT_SECONDS) == 0


def test_a_client_that_leaves_while_loading(loading):
    with RawConnection(loading) as connection:
        connection.send(post("/v1/rerank", PAIR))
    wait_until(lambda: loading.metrics()["rescoldo_cancelled_total"] == 1)
    loading.wait_for_event("ready")
    assert loading.metrics()["rescoldo_queue_requests"] == 0


def test_a_deadline_while_loading(loading):
    status, _, reply = loading.post("/v1/rerank", PAIR, {"X-Request-Timeout": "0.01"})
    assert status == 504, reply


@pytest.fixture(scope="module")
def wrong_ember(rescoldo, heavy_ember, tmp_path_factory):
    """Its golden outputs are not those that this processor computes."""
    inspected = subprocess.run([rescoldo, "inspect", heavy_ember], capture_output=True, check=True).stdout.decode()
    content = heavy_ember.read_bytes()
    for digest in (part.split('"')[0].encode() for part in inspected.split('"bits":"')[1:]):
        content = content.replace(digest, digest[::-1])
    wrong = tmp_path_factory.mktemp("wrong") / "wrong.ember"
    wrong.write_bytes(content)
    return wrong


@pytest.mark.parametrize("flags", [(), ("--drain-delay-seconds", "600")], ids=["drains at once", "goes on listening"])
@pytest.mark.parametrize("terminated", [False, True], ids=["serves", "told to end"])
def test_what_computes_wrong_hangs_up_and_ends(rescoldo, wrong_ember, terminated, flags):
    server = RunningServer(rescoldo, wrong_ember, *flags, environment=SLOWLY, wait_ready=False)
    with RawConnection(server) as connection:
        connection.send(post("/v1/rerank", PAIR))
        server.get("/livez")  # by now it is read
        if terminated:
            server.process.send_signal(signal.SIGTERM)
        assert connection.is_closed()
    assert server.process.wait(WAIT_SECONDS) == 1
    server.close()
    assert "computes wrong here" in server.lines[-1]


def test_several_workers_wait_for_the_first(rescoldo, heavy_ember):
    with RunningServer(rescoldo, heavy_ember, "--threads", "3", environment=SLOWLY, wait_ready=False) as server:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            replies = [pool.submit(server.post, "/v1/rerank", PAIR) for _ in range(4)]
            assert server.get("/readyz")[0] == 503
            results = [reply.result()[2]["results"] for reply in replies]
        assert all(result == results[0] for result in results)
