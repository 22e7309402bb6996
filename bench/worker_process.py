"""A peer in a process of its own, driven by JSON lines. Needs no package, so that a process takes what its peer takes.

A request {"operation": ..., ...} is answered by one line with wall and processor seconds, measured here around what a
user of the peer's library would call: tokenize, run, and the scores or vectors. Reading the request and writing the reply
are not counted.
"""

from __future__ import annotations

import json
import pathlib
import sys
import time


class FlashRankCalls:
    """What FlashRank and its drop-in have in common: `module` has RerankRequest, `ranker` is a Ranker."""

    def rerank(self, query: str, passages: list[str]) -> list[float]:
        request = self.module.RerankRequest(
            query=query, passages=[{"id": index, "text": text} for index, text in enumerate(passages)]
        )
        scores = [0.0] * len(passages)
        for passage in self.ranker.rerank(request):
            scores[passage["id"]] = float(passage["score"])
        return scores


def peak_memory() -> int:
    """Bytes, of this process's whole life."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    return 0


def answer(peer, request: dict) -> dict:
    operation = request.pop("operation")
    if operation == "memory":
        return {"bytes": peak_memory()}
    want_results = request.pop("results", False)
    wall, processor = time.perf_counter(), time.process_time()
    results = getattr(peer, operation)(**request)
    reply = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
    if want_results:
        reply["results"] = results if isinstance(results, list) else results.tolist()
    return reply


def run(peers: dict) -> None:
    """The process: PEER KIND MODELS FORM, where PEER is a name of `peers`."""
    name, kind, models, form = sys.argv[1:5]
    # Libraries print to standard output; the replies have it to themselves.
    replies = sys.stdout
    sys.stdout = sys.stderr
    peer = peers[name](kind, pathlib.Path(models), form)
    print(json.dumps({"ready": True}), file=replies, flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(peer, json.loads(line))), file=replies, flush=True)

