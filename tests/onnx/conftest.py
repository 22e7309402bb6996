"""ONNX files as the real tools write them, and as packages ship them."""

from __future__ import annotations

import os
import pathlib
import shutil
import sys

import pytest

# Seeded models, texts and the binary's replies are those of the engine's tests.
sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "engine"))

import torch  # noqa: E402
from exported_models import export_classifier  # noqa: E402
from published_onnx import PUBLISHED, fetch  # noqa: E402

# Idle threads of PyTorch spin: more of them than processors makes everything several times slower.
torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))))


@pytest.fixture(scope="session")
def beside(tmp_path_factory, all_minilm_directory):
    """Puts an ONNX file into a folder of its own, with a tokenizer beside it."""

    def place(model: pathlib.Path, folder: str | None = None) -> pathlib.Path:
        directory = tmp_path_factory.mktemp(folder or model.stem)
        shutil.copy(model, directory / "model.onnx")
        shutil.copy(all_minilm_directory / "tokenizer.json", directory)
        return directory

    return place


@pytest.fixture(scope="session")
def classifier(tmp_path_factory):
    """An exported cross-encoder of two small layers: attention ("eager" or "sdpa") and operator set."""
    directory = tmp_path_factory.mktemp("exported")

    def export(attention: str, operator_set: int) -> pathlib.Path:
        path = directory / f"{attention}-{operator_set}.onnx"
        if not path.exists():
            export_classifier(path, attention, operator_set)
        return path

    return export


@pytest.fixture(scope="session", params=PUBLISHED, ids=[file.name for file in PUBLISHED])
def published(request) -> pathlib.Path:
    """The folder of a published ONNX file, tokenizer beside it. Fetched once for this machine."""
    directory, problem = fetch(request.param)
    if directory is None:
        pytest.skip(f"NOT TESTED: {request.param.name} could not be fetched: {problem}")
    return directory
