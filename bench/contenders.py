"""What is measured: rescoldo's own program, and each peer in a worker process, all pinned to one processor."""

from __future__ import annotations

import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass

from environment import REPOSITORY, pinned


@dataclass
class Sample:
    """One run of one case: seconds by the clock and of processor time."""

    wall: float
    processor: float


class Process:
    """A process that answers each line by a line."""

    def __init__(self, arguments: list, processor: int, environment: dict | None = None):
        options = pinned(processor)
        options["env"] = {**options["env"], **(environment or {})}
        self.messages = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [str(argument) for argument in arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.messages, text=True, **options,
        )

    def ask(self, line: str) -> str:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.read()

    def read(self) -> str:
        reply = self.process.stdout.readline()
        if not reply:
            self.messages.seek(0)
            raise SystemExit(f"bench: {self.process.args[:3]} ended: {self.messages.read()[-2000:]}")
        return reply

    def processor_seconds(self) -> float:
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_memory(self) -> int:
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
        return 0

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


class Peer:
    """A worker process (worker.py)."""

    command: tuple = (sys.executable, REPOSITORY / "bench" / "worker.py")
    environment: dict | None = None

    def __init__(self, name: str, library: str, kind: str, models: pathlib.Path, processor: int, form: str = ""):
        self.name = name
        self.process = Process([*self.command, library, kind, models, form], processor, self.environment)
        self.process.read()

    def _ask(self, operation: str, **arguments) -> dict:
        return json.loads(self.process.ask(json.dumps({"operation": operation, **arguments})))

    def _sample(self, operation: str, **arguments) -> Sample:
        reply = self._ask(operation, **arguments)
        return Sample(reply["wall"], reply["processor"])

    def fixed(self, tokens: int, count: int) -> Sample:
        return self._sample("fixed", tokens=tokens, count=count)

    def rerank(self, query: str, passages: list[str]) -> Sample:
        return self._sample("rerank", query=query, passages=passages)

    def texts(self, texts: list[str]) -> Sample:
        return self._sample("texts", texts=texts)

    def scores(self, query: str, passages: list[str]) -> list:
        return self._ask("rerank", query=query, passages=passages, results=True)["results"]

    def embeddings(self, texts: list[str], **arguments) -> list:
        return self._ask("texts", texts=texts, results=True, **arguments)["results"]

    def peak_memory(self) -> int:
        return self._ask("memory")["bytes"]

    def close(self) -> None:
        self.process.close()


class RescoldoPackage(Peer):
    """The Python package, timed as the peers are: inside its process."""

    def __init__(self, python: pathlib.Path, ember: pathlib.Path, models: pathlib.Path, processor: int, isa: str = ""):
        self.command = (python, REPOSITORY / "bench" / "python" / "package_worker.py")
        self.environment = {"RESCOLDO_DISABLE_ISA": isa}
        super().__init__("rescoldo", "rescoldo.Embedder", "embedder", models, processor, str(ember))


class Rescoldo:
    """Lists through one lasting process, JSON in and out counted; equal lengths through `rescoldo bench`."""

    name = "rescoldo"

    def __init__(self, binary: pathlib.Path, ember: pathlib.Path, kind: str, processor: int, isa: str = ""):
        self.binary, self.ember, self.processor = binary, ember, processor
        self.environment = {"RESCOLDO_DISABLE_ISA": isa}
        command = ["rerank", "--jsonl", "--raw"] if kind == "cross-encoder" else ["embed"]
        self.lists = Process([binary, *command, "--model", ember, "-"], processor, self.environment)
        self.reports: list[dict] = []  # of `rescoldo bench`, for the peak of the run

    def _timed(self, action) -> Sample:
        wall, processor = time.perf_counter(), self.lists.processor_seconds()
        action()
        return Sample(time.perf_counter() - wall, self.lists.processor_seconds() - processor)

    def fixed(self, tokens: int, count: int) -> Sample:
        command = [self.binary, "bench", "--model", self.ember, "--tokens", tokens, "--pairs", count, "--seconds", 1]
        options = pinned(self.processor)
        options["env"] = {**options["env"], **self.environment}
        wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        output = subprocess.run([*map(str, command), "--json"], check=True, capture_output=True, text=True, **options)
        wall, after = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_CHILDREN)
        processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        report = json.loads(output.stdout)
        self.reports.append(report)
        seconds = count / report["pairs_per_second"]["median"]
        return Sample(seconds, seconds * processor / wall)

    def _rerank(self, query: str, passages: list[str]) -> dict:
        request = {"query": query, "passages": [{"id": index, "text": text} for index, text in enumerate(passages)]}
        return json.loads(self.lists.ask(json.dumps(request)))

    def rerank(self, query: str, passages: list[str]) -> Sample:
        return self._timed(lambda: self._rerank(query, passages))

    def scores(self, query: str, passages: list[str]) -> list[float]:
        by_index = {passage["id"]: passage["logit"] for passage in self._rerank(query, passages)["passages"]}
        return [by_index[index] for index in range(len(passages))]

    def _embed(self, texts: list[str]) -> list[str]:
        # The program answers while it reads: written and read at once, else both pipes fill up.
        def write() -> None:
            self.lists.process.stdin.write("".join(text + "\n" for text in texts))
            self.lists.process.stdin.flush()

        writer = threading.Thread(target=write)
        writer.start()
        replies = [self.lists.read() for _ in texts]
        writer.join()
        return replies

    def embeddings(self, texts: list[str]) -> list[list[float]]:
        return [json.loads(reply)["embedding"] for reply in self._embed(texts)]

    def peak_memory(self) -> int:
        return self.lists.peak_memory()

    def close(self) -> None:
        self.lists.close()
