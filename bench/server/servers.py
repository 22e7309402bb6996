"""The servers that are compared, each pinned to one processor, and what they use."""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import environment


class Server:
    """A server as a child process; `peak` holds the largest resident memory of its process tree."""

    def __init__(self, command: list, port: int, path: str, processor: int, **options):
        self.port, self.path = port, path
        self.process = subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            **{**environment.pinned(processor), **options},
        )  # fmt: skip
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        limit = time.monotonic() + 120
        body = json.dumps({"query": "q", "documents": ["a"]})
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            try:
                connection.request("POST", self.path, body, {"Content-Type": "application/json"})
                if connection.getresponse().status == 200:
                    return
            except (ConnectionError, http.client.HTTPException):
                pass
            finally:
                connection.close()
            if self.process.poll() is not None or time.monotonic() > limit:
                raise SystemExit(f"bench: {self.process.args} does not answer")
            time.sleep(0.02)

    def tree(self) -> list[int]:
        found, waiting = [], [self.process.pid]
        while waiting:
            process = waiting.pop()
            found.append(process)
            for thread in pathlib.Path(f"/proc/{process}/task").iterdir():
                waiting += [int(child) for child in (thread / "children").read_text().split()]
        return found

    def memory(self, field: str = "VmHWM") -> int:
        """Bytes: VmHWM is the peak of resident memory so far, VmRSS what is resident now."""
        total = 0
        for process in self.tree():
            for line in pathlib.Path(f"/proc/{process}/status").read_text().splitlines():
                if line.startswith(field + ":"):
                    total += 1024 * int(line.split()[1])
        return total

    def processor_nanoseconds(self) -> int:
        """Time on the processor, of all its threads."""
        return sum(
            int((thread / "schedstat").read_text().split()[0])
            for process in self.tree()
            for thread in pathlib.Path(f"/proc/{process}/task").iterdir()
        )

    def turns(self) -> dict[float, float]:
        """Turns of our event loop so far, by the upper bounds in seconds of what they took."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        buckets = re.findall(r'rescoldo_io_turn_seconds_bucket{le="([^"]+)"} (\d+)', text)
        counts = [int(count) for _, count in buckets]
        return {float(bound): count - before for (bound, _), count, before in zip(buckets, counts, [0, *counts], strict=False)}

    def close(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def rescoldo(binary: pathlib.Path, ember: pathlib.Path, processor: int, port: int, *flags: str) -> Server:
    command = [binary.resolve(), "serve", "--model", ember, "--listen", f"127.0.0.1:{port}", *flags]
    return Server(command, port, "/v1/rerank", processor)


def python_stack(models: pathlib.Path, processor: int, port: int) -> Server:
    """FastAPI and FlashRank under Granian with one worker; bench/stack/app.py holds ONNX Runtime to one thread."""
    folder = environment.REPOSITORY / "bench" / "stack"
    python = environment.install(folder / "requirements.txt", environment.BUILD / "stack")
    command = [python.parent / "granian", "--interface", "asgi", "--workers", "1", "--host", "127.0.0.1",
               "--port", port, "--backlog", "1024", "app:app"]  # fmt: skip
    pinned = environment.pinned(processor)["env"]
    return Server(command, port, "/rerank", processor, cwd=folder,
                  env={**os.environ, **pinned, "RERANKER_MODELS": str((models / "flashrank").resolve())})
