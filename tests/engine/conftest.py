"""Models with seeded weights, written and baked once per run."""

from __future__ import annotations

import os
import pathlib

import pytest
import torch
from model_files import MINILM_L12, TINYBERT_L2, write_cross_encoder
from program import bake

# Idle threads of PyTorch spin: more of them than processors makes everything several times slower.
torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))))


@pytest.fixture(scope="session")
def minilm_l12_directory(tmp_path_factory, all_minilm_directory) -> pathlib.Path:
    """A cross-encoder of the shape of ms-marco-MiniLM-L-12-v2."""
    return write_cross_encoder(tmp_path_factory.mktemp("models") / "minilm-l12", MINILM_L12, all_minilm_directory, 12)


@pytest.fixture(scope="session")
def minilm_l12_ember(rescoldo, minilm_l12_directory) -> pathlib.Path:
    return bake(rescoldo, minilm_l12_directory, "int8")


@pytest.fixture(scope="session")
def minilm_l12_f32_ember(rescoldo, minilm_l12_directory) -> pathlib.Path:
    return bake(rescoldo, minilm_l12_directory, "f32")


@pytest.fixture(scope="session")
def tinybert_directory(tmp_path_factory, all_minilm_directory) -> pathlib.Path:
    """A cross-encoder of the shape of ms-marco-TinyBERT-L-2-v2: attention heads of 64."""
    return write_cross_encoder(tmp_path_factory.mktemp("models") / "tinybert-l2", TINYBERT_L2, all_minilm_directory, 2)


@pytest.fixture(scope="session")
def tinybert_ember(rescoldo, tinybert_directory) -> pathlib.Path:
    return bake(rescoldo, tinybert_directory, "int8")


@pytest.fixture(scope="session")
def tinybert_f32_ember(rescoldo, tinybert_directory) -> pathlib.Path:
    return bake(rescoldo, tinybert_directory, "f32")
