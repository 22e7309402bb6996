"""bench/worker.py with the Python package rescoldo as two more peers: package_worker.py PEER KIND MODELS EMBER."""

from __future__ import annotations

import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import worker  # noqa: E402


class RescoldoFlashRank:
    """The drop-in, over the ember that it baked itself from FlashRank's folder."""

    def __init__(self, kind: str, models: pathlib.Path, embers: str):
        import rescoldo.flashrank

        self.module = rescoldo.flashrank
        self.ranker = self.module.Ranker(
            "ms-marco-MiniLM-L-12-v2", cache_dir=models / "flashrank", threads=1, ember_dir=embers
        )

    rerank = worker.FlashRank.rerank


class RescoldoEmbedder:
    def __init__(self, kind: str, models: pathlib.Path, ember: str):
        import rescoldo

        self.model = rescoldo.Embedder(ember)

    def texts(self, texts: list[str]) -> np.ndarray:
        return self.model.encode(texts)


worker.PEERS.update({"rescoldo.flashrank": RescoldoFlashRank, "rescoldo.Embedder": RescoldoEmbedder})

if __name__ == "__main__":
    worker.main()
