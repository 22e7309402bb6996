"""A rescoldo server as a child process on a free port, and plain ways to talk to it."""

from __future__ import annotations

import http.client
import json
import os
import queue
import signal
import socket
import subprocess
import threading
import time

# How long anything may take at most: a build with ThreadSanitizer computes hundreds of times slower.
WAIT_SECONDS = 600


def ask(server, path: str, **body):
    """The reply to what is answered."""
    status, _, reply = server.post(path, body)
    assert status == 200, reply
    return reply


def refused(server, path: str, status: int, **body):
    """The reply to what is refused with this status."""
    answered, _, reply = server.post(path, body)
    assert answered == status, reply
    return reply


class RunningServer:
    def __init__(
        self, rescoldo, ember, *arguments, listen=("127.0.0.1:0",), environment=None, wrapper=(), wait_ready=True,
        **process_options
    ):  # fmt: skip
        flags = [flag for address in listen for flag in ("--listen", address)]
        self.process = subprocess.Popen(
            [*wrapper, rescoldo, "serve", "--model", str(ember), *flags, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            **process_options,
        )
        self.lines: list[str] = []
        self._queue: queue.Queue = queue.Queue()
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        self.start_line = self.wait_for_event("start", WAIT_SECONDS)
        if wait_ready:
            self.wait_for_event("ready", WAIT_SECONDS)
        self.address = self.start_line["addresses"][0]
        if self.address.startswith("unix:"):
            return
        self.url = f"http://{self.address}"
        host, _, port = self.address.rpartition(":")
        self.host, self.port = host, int(port)

    def _read_log(self):
        for line in self.process.stderr:
            text = line.decode(errors="replace").rstrip("\n")
            self.lines.append(text)
            self._queue.put(text)
        self._queue.put(None)

    def wait_for_event(self, event: str, seconds: float = WAIT_SECONDS, **members) -> dict:
        """The next log line of this event whose members have these values."""
        limit = time.monotonic() + seconds
        while True:
            line = self._queue.get(timeout=max(0.01, limit - time.monotonic()))
            assert line is not None, "the server ended:\n" + "\n".join(self.lines)
            entry = json.loads(line)
            if entry["event"] == event and all(entry.get(name) == value for name, value in members.items()):
                return entry

    def connect(self, timeout: float = WAIT_SECONDS) -> socket.socket:
        if self.address.startswith("unix:"):
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(timeout)
            connection.connect(self.address.removeprefix("unix:"))
            return connection
        return socket.create_connection((self.host, self.port), timeout=timeout)

    def request(self, method: str, path: str, body=None, headers=None, timeout: float = WAIT_SECONDS):
        """(status, headers, body) of one request; a dict is sent as JSON, a JSON reply comes back as a value."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            if body is not None and not isinstance(body, (bytes, str)):
                body = json.dumps(body)
            connection.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
            reply = connection.getresponse()
            content = reply.read()
            if reply.getheader("Content-Type") == "application/json" and content:
                return reply.status, reply.headers, json.loads(content)
            return reply.status, reply.headers, content.decode()
        finally:
            connection.close()

    def get(self, path: str):
        return self.request("GET", path)

    def post(self, path: str, body, headers=None, timeout: float = WAIT_SECONDS):
        return self.request("POST", path, body, headers, timeout)

    def metrics(self) -> dict[str, float]:
        _, _, text = self.get("/metrics")
        samples = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in samples}

    def terminate(self, seconds: float = WAIT_SECONDS) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def close(self):
        """Ends the server and insists that it ends well."""
        if self.process.poll() is None:
            assert self.terminate() == 0, "\n".join(self.lines[-50:])
        self._reader.join(10)
        self.process.stdout.close()
        self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
