"""A load generator on one processor: keep-alive connections, each with one request at a time."""

from __future__ import annotations

import asyncio
import json
import time


def request_bytes(path: str, body: dict) -> bytes:
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def get_bytes(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()


class Connection:
    def __init__(self, port: int):
        self.port = port
        self.writer = None

    async def ask(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        """(status, header fields in lower case, body)."""
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
        self.writer.write(request)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
        if fields.get("transfer-encoding") == "chunked":
            raise SystemExit("bench: a chunked reply")
        body = await self.reader.readexactly(int(fields.get("content-length", "0")))
        if fields.get("connection", "").lower() == "close":
            self.close()
        return int(head[0].split()[1]), fields, body

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.writer = None


async def closed_loop(port: int, requests: list[bytes], clients: int, seconds: float) -> dict:
    """Each client asks again as soon as it is answered; requests begun in time are waited for."""
    latencies: list[float] = []
    begin = time.perf_counter()

    async def client(number: int) -> None:
        connection = Connection(port)
        turn = number
        while time.perf_counter() - begin < seconds:
            sent = time.perf_counter()
            status, _, body = await connection.ask(requests[turn % len(requests)])
            if status != 200:
                raise SystemExit(f"bench: {status} {body[:300]!r}")
            latencies.append(time.perf_counter() - sent)
            turn += clients
        connection.close()

    await asyncio.gather(*(client(number) for number in range(clients)))
    elapsed = time.perf_counter() - begin
    return {"requests_per_second": len(latencies) / elapsed, "requests": len(latencies),
            "p50_seconds": percentile(latencies, 50), "p99_seconds": percentile(latencies, 99)}


async def open_loop(port: int, requests: list[bytes], rate: float, seconds: float) -> dict:
    """A request every 1 / rate seconds whatever becomes of the others."""
    idle: list[Connection] = []
    tasks = set()
    counts = {"completed": 0, "refused": 0, "failed": 0}
    latencies: list[float] = []
    begin = time.perf_counter()

    async def one(request: bytes) -> None:
        connection = idle.pop() if idle else Connection(port)
        sent = time.perf_counter()
        try:
            status, _, _ = await connection.ask(request)
        except (ConnectionError, asyncio.IncompleteReadError):
            connection.close()
            counts["failed"] += 1
            return
        idle.append(connection)
        now = time.perf_counter()
        if status == 200 and now - begin <= seconds:
            counts["completed"] += 1
            latencies.append(now - sent)
        elif status == 429:
            counts["refused"] += 1
        elif status != 200:
            counts["failed"] += 1

    number = 0
    while (now := time.perf_counter() - begin) < seconds:
        while number < rate * now:
            task = asyncio.create_task(one(requests[number % len(requests)]))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
        await asyncio.sleep(0.002)
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for connection in idle:
        connection.close()
    return {**counts, "sent": number, "goodput_per_second": counts["completed"] / seconds,
            "p50_seconds": percentile(latencies, 50), "p99_seconds": percentile(latencies, 99)}


async def probe(port: int, paths: list[str], seconds: float, pause: float = 0.02) -> dict:
    """Asks each path in turn and tells how long the answers took."""
    latencies: dict[str, list[float]] = {path: [] for path in paths}
    connection = Connection(port)
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds:
        for path in paths:
            sent = time.perf_counter()
            status, _, _ = await connection.ask(get_bytes(path))
            latencies[path].append(time.perf_counter() - sent)
            if status != 200:
                raise SystemExit(f"bench: {path} answered {status}")
        await asyncio.sleep(pause)
    connection.close()
    return {path: {"p50_seconds": percentile(values, 50), "p99_seconds": percentile(values, 99),
                   "max_seconds": max(values), "count": len(values)} for path, values in latencies.items()}


def percentile(values: list[float], percent: float) -> float | None:
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
