"""Connections from inside another process's network namespace, without leaving one's own."""

from __future__ import annotations

import ctypes
import os
import socket
import threading

CLONE_NEWNET = 0x40000000


def connect(process: int, port: int) -> socket.socket:
    """A connection to 127.0.0.1:port there. A namespace is a thread's: a thread of its own enters it, and the socket
    that it makes stays in it."""
    made: list[socket.socket | OSError] = []

    def enter_and_connect() -> None:
        try:
            descriptor = os.open(f"/proc/{process}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            finally:
                os.close(descriptor)
            made.append(socket.create_connection(("127.0.0.1", port), timeout=60))
        except OSError as error:
            made.append(error)

    thread = threading.Thread(target=enter_and_connect)
    thread.start()
    thread.join()
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]
