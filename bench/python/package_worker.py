"""The Python package rescoldo as two peers more (bench/worker_process.py): package_worker.py PEER KIND MODELS EMBER."""

from __future__ import annotations

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import worker_process  # noqa: E402


class RescoldoFlashRank(worker_process.FlashRankCalls):
    """The drop-in, over the ember that it baked itself from FlashRank's folder."""

    def __init__(self, kind: str, models: pathlib.Path, embers: str):
        import rescoldo.flashrank

        self.module = rescoldo.flashrank
        self.ranker = self.module.Ranker(
            "ms-marco-MiniLM-L-12-v2", cache_dir=models / "flashrank", threads=1, ember_dir=embers
        )


class RescoldoEmbedder:
    def __init__(self, kind: str, models: pathlib.Path, ember: str):
        import rescoldo

        self.model = rescoldo.Embedder(ember)

    def texts(self, texts: list[str]):
        return self.model.encode(texts)


if __name__ == "__main__":
    worker_process.run({"rescoldo.flashrank": RescoldoFlashRank, "rescoldo.Embedder": RescoldoEmbedder})
