"""HTTP by the byte."""

from __future__ import annotations

import json
import socket

from running_server import WAIT_SECONDS


class Reply:
    def __init__(self, status: int, headers: dict[str, str], body: bytes):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


class RawConnection:
    def __init__(self, server, timeout: float = WAIT_SECONDS):
        self.socket = server.connect(timeout)
        self.received = b""

    def send(self, data: bytes):
        self.socket.sendall(data)

    def _more(self) -> bool:
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            raise AssertionError(f"connection reset; so far {self.received!r}") from None
        self.received += data
        return bool(data)

    def read_reply(self, head_request: bool = False) -> Reply:
        while b"\r\n\r\n" not in self.received:
            assert self._more(), f"closed before a reply: {self.received!r}"
        head, _, rest = self.received.partition(b"\r\n\r\n")
        lines = head.decode("ascii").split("\r\n")
        version, status, _ = lines[0].split(" ", 2)
        assert version == "HTTP/1.1"
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        if status == "100":
            self.received = rest
            return Reply(100, {}, b"")
        size = 0 if head_request else int(headers["content-length"])
        self.received = rest
        while len(self.received) < size:
            assert self._more(), "closed within a body"
        body, self.received = self.received[:size], self.received[size:]
        return Reply(int(status), headers, body)

    def is_closed(self) -> bool:
        """Waits for the server to close; False when it sends something instead."""
        return not self.received and not self._more()

    def close(self):
        self.socket.close()

    def finish_sending(self):
        self.socket.shutdown(socket.SHUT_WR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def post(path: str, body, *fields: str) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(content)}", *fields]
    return "\r\n".join([*head, "", ""]).encode() + content


def get(path: str, *fields: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *fields, "", ""]).encode()
