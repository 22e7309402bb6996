from __future__ import annotations

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import oracle  # noqa: E402


@pytest.fixture(scope="session")
def driver(rescoldo: str) -> pathlib.Path:
    """Our tokenizer as a program for volume, built beside the binary under test."""
    program = pathlib.Path(rescoldo).parent / "tests" / "tokenizer" / "driver"
    assert program.is_file(), f"{program} does not exist; `make unit` builds it"
    return program


@pytest.fixture(scope="session")
def reference(all_minilm_directory: pathlib.Path) -> oracle.Tokenizer:
    return oracle.load(all_minilm_directory)


@pytest.fixture(scope="session")
def ours(driver: pathlib.Path, all_minilm_directory: pathlib.Path) -> oracle.Ours:
    return oracle.Ours(driver, all_minilm_directory)


@pytest.fixture(scope="session")
def visible(driver: pathlib.Path, tmp_path_factory) -> oracle.Visible:
    return oracle.Visible(driver, tmp_path_factory.mktemp("visible"))
