"""Where a server listens: Unix sockets, inherited sockets, a port shared with its successor; what it tells a service
manager; and what happens without free descriptors."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
import threading

import pytest
from raw_http import RawConnection, get, post
from running_server import WAIT_SECONDS, RunningServer
from test_server_overload import LONGER, running, wait_until

SHORT = {"query": "q", "documents": ["a", "b"]}


def ask(server, data: bytes):
    with RawConnection(server) as connection:
        connection.send(data)
        return connection.read_reply()


# --- Unix sockets ---


@pytest.fixture
def socket_path(tmp_path_factory):
    return tmp_path_factory.mktemp("s") / "rescoldo.sock"


def test_unix_socket(start, rescoldo, socket_path):
    server = start(listen=(f"unix:{socket_path}",))
    assert server.address == f"unix:{socket_path}"
    mode = socket_path.lstat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o660
    assert ask(server, get("/livez")).status == 200
    assert len(ask(server, post("/v1/rerank", SHORT)).json["results"]) == 2
    with RawConnection(server) as connection:  # a large reply, in pieces; and several requests
        for _ in range(3):
            connection.send(post("/v1/rerank", {"query": "q", "documents": ["word"] * 5000}))
            assert len(connection.read_reply().json["results"]) == 5000
    for path, status in (("", 0), (":/livez", 0), (":/nowhere", 1)):
        command = [rescoldo, "health", "--url", f"unix:{socket_path}{path}"]
        assert subprocess.run(command, capture_output=True, timeout=WAIT_SECONDS, check=False).returncode == status
    sealed = ask(server, get("/info")).json["sandbox"]["seccomp"]
    server.close()
    assert socket_path.exists() == sealed  # who is sealed can't remove a file; the next start replaces it
    start("--sandbox", "off", listen=(f"unix:{socket_path}",)).close()
    assert not socket_path.exists()


def test_mode_of_a_unix_socket(start, socket_path):
    start("--socket-mode", "0600", listen=(f"unix:{socket_path}",))
    assert stat.S_IMODE(socket_path.lstat().st_mode) == 0o600


def refusal(rescoldo, ember, *arguments):
    result = subprocess.run(
        [rescoldo, "serve", "--model", ember, *arguments], capture_output=True, timeout=WAIT_SECONDS, check=False
    )
    return result.returncode, result.stderr.decode()


def test_a_socket_left_by_the_dead_is_replaced(start, socket_path):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(socket_path))
    server = start(listen=(f"unix:{socket_path}",))
    assert ask(server, get("/livez")).status == 200


def test_what_is_in_use_or_no_socket_is_left_alone(start, rescoldo, cross_encoder_ember, socket_path):
    server = start(listen=(f"unix:{socket_path}",))
    status, message = refusal(rescoldo, cross_encoder_ember, "--listen", f"unix:{socket_path}")
    assert status == 1 and str(socket_path) in message and "in use" in message
    assert ask(server, get("/livez")).status == 200
    file = socket_path.with_suffix(".txt")
    file.write_text("precious")
    status, message = refusal(rescoldo, cross_encoder_ember, "--listen", f"unix:{file}")
    assert status == 1 and str(file) in message
    assert file.read_text() == "precious"


def test_the_socket_of_another_is_not_removed(start, socket_path):
    server = start("--sandbox", "off", listen=(f"unix:{socket_path}",))
    socket_path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(socket_path))
        server.close()
        assert socket_path.exists()


@pytest.mark.parametrize("arguments", [
    ("--listen", "unix:"), ("--listen", "unix:" + "a" * 108), ("--socket-mode", "rw"), ("--socket-mode", "1777"),
    ("--socket-mode", ""), ("--socket-mode", "0968"),
])  # fmt: skip
def test_arguments_that_are_refused(rescoldo, cross_encoder_ember, arguments):
    status, message = refusal(rescoldo, cross_encoder_ember, *arguments)
    assert status == 2 and arguments[0] in message


def test_a_directory_that_is_not_there(rescoldo, cross_encoder_ember):
    status, message = refusal(rescoldo, cross_encoder_ember, "--listen", "unix:/nonexistent/socket")
    assert status == 1 and "No such file" in message


# --- inherited sockets ---


def start_with_sockets(start, *sockets, environment=None, **options):
    """As systemd does it: the sockets from descriptor 3 on, and their number in the environment of the process that
    they are meant for."""
    descriptors = [inherited.fileno() for inherited in sockets]
    moves = " ".join(f"{descriptor}<&{descriptor}" for descriptor in descriptors)  # keep them open in the shell
    places = " ".join(f"{3 + i}<&{descriptor}" for i, descriptor in enumerate(descriptors))
    script = f'exec {moves} {places}; LISTEN_PID=$$ LISTEN_FDS={len(sockets)} exec "$@"'
    return start(
        listen=(), wrapper=["bash", "-c", script, "bash"], pass_fds=descriptors, environment=environment, **options
    )


@contextlib.contextmanager
def listening_sockets(*addresses):
    """With descriptors far from those that they will have."""
    with contextlib.ExitStack() as stack:
        sockets = []
        for address in addresses:
            made = stack.enter_context(socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET))
            made.bind(address)
            made.listen(100)
            descriptor = os.dup2(made.fileno(), 200 + len(sockets), inheritable=True)
            sockets.append(stack.enter_context(socket.socket(fileno=descriptor)))
        yield sockets


def test_inherited_sockets(start, socket_path):
    with listening_sockets(("127.0.0.1", 0), str(socket_path)) as sockets:
        server = start_with_sockets(start, *sockets)
        address = "%s:%d" % sockets[0].getsockname()
        assert server.start_line["addresses"] == [address, f"unix:{socket_path}"]
        assert server.get("/livez")[0] == 200
        server.address = f"unix:{socket_path}"
        assert ask(server, get("/livez")).status == 200
        server.close()
        assert socket_path.exists()  # it is its maker's


def test_connections_that_wait_in_an_inherited_socket_are_the_successors(start):
    with listening_sockets(("127.0.0.1", 0)) as sockets:
        first = start_with_sockets(start, *sockets)
        with RawConnection(first) as working:
            working.send(post("/v1/rerank", LONGER))
            wait_until(lambda: running(first) == 1)
            first.process.send_signal(signal.SIGTERM)
            first.wait_for_event("drain")
            waiting = RawConnection(first)  # accepted by nobody yet
            waiting.send(post("/v1/rerank", SHORT))
            assert working.read_reply().status == 200
        assert first.process.wait(WAIT_SECONDS) == 0
        start_with_sockets(start, *sockets)
        assert waiting.read_reply().status == 200
        waiting.close()


def test_variables_meant_for_another_process(start):
    server = start(environment={"LISTEN_PID": "1", "LISTEN_FDS": "1"})
    assert server.get("/livez")[0] == 200


@pytest.mark.parametrize(("count", "message"), [("1", "descriptor 3"), ("x", "LISTEN_FDS"), ("99", "LISTEN_FDS")])
def test_inherited_descriptors_that_are_no_sockets(rescoldo, cross_encoder_ember, count, message):
    script = f'LISTEN_PID=$$ LISTEN_FDS={count} exec "$@" 3</dev/null'
    result = subprocess.run(
        ["bash", "-c", script, "bash", rescoldo, "serve", "--model", cross_encoder_ember],
        capture_output=True, timeout=WAIT_SECONDS, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert message in result.stderr.decode()


@pytest.mark.skipif(shutil.which("systemd-socket-activate") is None, reason="systemd-socket-activate is not here")
def test_activated_by_systemd(rescoldo, cross_encoder_ember, socket_path):
    """Its own tool listens, and starts the server at the first connection."""
    command = ["systemd-socket-activate", f"--listen={socket_path}", rescoldo, "serve", "--model", cross_encoder_ember]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        wait_until(socket_path.exists)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(WAIT_SECONDS)
            connection.connect(str(socket_path))
            connection.sendall(get("/livez", "Connection: close"))
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
        process.terminate()
        assert process.wait(WAIT_SECONDS) == 0


# --- telling a service manager ---


@pytest.mark.parametrize("abstract", [False, True])
def test_notifications(start, socket_path, abstract):
    name = f"@rescoldo-test-{os.getpid()}" if abstract else str(socket_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name.replace("@", "\0"))
        manager.settimeout(WAIT_SECONDS)
        server = start(environment={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "40000"})
        ready = manager.recv(1000).decode().split("\n")
        assert ready[0] == "READY=1" and server.address in ready[1]
        assert [manager.recv(1000) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        server.close()
        rest = iter(lambda: manager.recv(1000), b"WATCHDOG=1")
        assert next(message for message in rest if message != b"WATCHDOG=1").startswith(b"STOPPING=1\nSTATUS=")


def test_no_signs_of_life_for_another_process(start, socket_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(socket_path))
        manager.settimeout(WAIT_SECONDS)
        environment = {"NOTIFY_SOCKET": str(socket_path), "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"}
        server = start(environment=environment)
        assert manager.recv(1000).startswith(b"READY=1")
        server.close()
        assert manager.recv(1000).startswith(b"STOPPING=1")


@pytest.mark.parametrize("name", ["relative", "/nonexistent/socket", "@"])
def test_a_service_manager_that_is_not_there(rescoldo, cross_encoder_ember, name):
    result = subprocess.run(
        [rescoldo, "serve", "--model", cross_encoder_ember, "--listen", "127.0.0.1:0"],
        capture_output=True, timeout=WAIT_SECONDS, check=False, env={**os.environ, "NOTIFY_SOCKET": name},
    )  # fmt: skip
    assert result.returncode == 1
    assert "NOTIFY_SOCKET" in result.stderr.decode()


# --- a restart under load ---


class Clients:
    """Threads that send requests one after another, keep their connections as long as they may, and count what they
    lose: a request of which a byte went out and to which no whole reply came."""

    def __init__(self, connect, count=4):
        self.connect, self.lost, self.answered = connect, [], 0
        self._ending, self._lock = threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._work) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _work(self):
        connection = None
        while not self._ending.is_set():
            try:
                connection = connection or RawConnection(self)
                connection.send(post("/v1/rerank", SHORT))
                reply = connection.read_reply()
            except (OSError, AssertionError) as reason:
                self.lost.append(repr(reason))
                connection = None
                continue
            with self._lock:
                self.answered += 1
            if reply.status != 200:
                self.lost.append(reply.status)
            if reply.headers["connection"] == "close":
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def wait_for(self, more: int):
        target = self.answered + more
        wait_until(lambda: self.answered >= target or self.lost)

    def stop(self):
        self._ending.set()
        for thread in self._threads:
            thread.join()


def restart_under_load(begin, rounds=3):
    server = begin()
    clients = Clients(server.connect)
    try:
        for _ in range(rounds):
            clients.wait_for(20)
            successor = begin()
            assert server.terminate() == 0
            server = successor
        clients.wait_for(20)
    finally:
        clients.stop()
    assert clients.lost == []
    assert clients.answered >= 20 * rounds


def test_restart_on_an_inherited_socket_loses_nothing(start):
    with listening_sockets(("127.0.0.1", 0)) as sockets:
        restart_under_load(lambda: start_with_sockets(start, *sockets))


def test_restart_on_a_shared_port_loses_nothing(start):
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(("127.0.0.1", 0))
        address = "%s:%d" % reserved.getsockname()
        restart_under_load(lambda: start("--reuse-port", listen=(address,)))


def test_a_port_is_shared_only_when_asked(start, rescoldo, cross_encoder_ember):
    server = start("--reuse-port")
    status, message = refusal(rescoldo, cross_encoder_ember, "--listen", server.address)
    assert status == 1 and "in use" in message


def test_the_delay_before_draining(start):
    server = start("--drain-delay-seconds", "2")
    with RawConnection(server) as connection:
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_event("drain")
        connection.send(get("/readyz"))
        reply = connection.read_reply()
        assert (reply.status, reply.json["status"], reply.headers["connection"]) == (503, "draining", "close")
        assert server.post("/v1/rerank", SHORT)[0] == 200
    assert server.process.wait(WAIT_SECONDS) == 0


# --- no free descriptors ---


def test_without_free_descriptors_connections_are_turned_away(rescoldo, cross_encoder_ember):
    with RunningServer(rescoldo, cross_encoder_ember) as server:
        process = server.process.pid
        used = pathlib.Path(f"/proc/{process}/fd")
        with RawConnection(server) as held:
            held.send(get("/livez"))
            assert held.read_reply().status == 200
            highest = max(int(entry.name) for entry in used.iterdir())
            free = set(range(highest + 1)) - {int(entry.name) for entry in used.iterdir()}
            limits = ["prlimit", f"--pid={process}"]
            subprocess.run([*limits, f"--nofile={highest + 1}:1024"], check=True)
            fillers = [RawConnection(server) for _ in free]
            for _ in range(5):
                with RawConnection(server) as refused:
                    assert refused.is_closed()
            held.send(get("/metrics"))
            assert b"rescoldo_connections_refused_total 5\n" in held.read_reply().body
            for filler in fillers:
                filler.close()
            subprocess.run([*limits, "--nofile=1024:1024"], check=True)
            assert server.post("/v1/rerank", SHORT)[0] == 200
