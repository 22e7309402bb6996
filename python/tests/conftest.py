"""The models that are tested: all-MiniLM-L6-v2 and a seeded cross-encoder, and their embers."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
from collections.abc import Callable

import pytest

import rescoldo

TESTS = pathlib.Path(__file__).resolve().parent
REPOSITORY = TESTS.parent.parent
MODELS = pathlib.Path(os.environ.get("RESCOLDO_TEST_MODELS", REPOSITORY / "build" / "test-models"))
FLASHRANK_NAME = "ms-marco-TinyBERT-L-2-v2"


@pytest.fixture(scope="session")
def embedder_directory() -> pathlib.Path:
    """The Hugging Face directory of all-MiniLM-L6-v2, checked by SHA-256."""
    directory = MODELS / "all-MiniLM-L6-v2"
    subprocess.run([REPOSITORY / "models" / "fetch", "all-MiniLM-L6-v2", directory], check=True)
    return directory


@pytest.fixture(scope="session")
def made_models(embedder_directory: pathlib.Path) -> pathlib.Path:
    """What make_models.py makes; its docstring says what."""
    directory = MODELS / "python"
    python = os.environ.get("RESCOLDO_MODEL_PYTHON")
    if python is None and not (directory / "made-by").exists():
        pytest.skip("RESCOLDO_MODEL_PYTHON is not set to a Python with PyTorch that could make the models (`make wheel-test` sets it)")
    if python is not None:
        subprocess.run([python, TESTS / "make_models.py", directory], check=True, capture_output=True)
    return directory


@pytest.fixture(scope="session")
def reference(made_models: pathlib.Path) -> dict[str, list[list[float]]]:
    """ "float" and "dequantized": logits of [query][passage] of texts.py."""
    return json.loads((made_models / "reference.json").read_text())


@pytest.fixture(scope="session")
def embedder_ember(embedder_directory: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    ember = tmp_path_factory.mktemp("embedder") / "all-MiniLM-L6-v2.ember"
    rescoldo.bake(embedder_directory, ember)
    return ember


@pytest.fixture(scope="session")
def reranker_ember(made_models: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    ember = tmp_path_factory.mktemp("reranker") / "cross-encoder.ember"
    rescoldo.bake(made_models / "cross-encoder", ember)
    return ember


@pytest.fixture(scope="session")
def reranker(reranker_ember: pathlib.Path) -> rescoldo.Reranker:
    return rescoldo.Reranker(reranker_ember)


@pytest.fixture(scope="session")
def embedder(embedder_ember: pathlib.Path) -> rescoldo.Embedder:
    return rescoldo.Embedder(embedder_ember)


@pytest.fixture
def cache_dir(made_models: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A cache_dir of FlashRank of its own, with one model downloaded."""
    shutil.copytree(made_models / "flashrank", tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def endless() -> list[str]:
    """More than any test waits for: hours of work on one core, a few MB of memory."""
    return ["A passage of some dozen words that the model has to read again and again and again. " * 20] * 1_000_000


Serialize = Callable[[object], str]
