"""Fixtures shared by all Python tests: the binary, and all-MiniLM-L6-v2 as published and as baked.

RESCOLDO_BINARY names another binary (a sanitized one, say) than build/rescoldo. Embers are baked once for each
binary, source and precision and kept in build/test-models, so that a second run of the tests starts at once.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pathlib
import subprocess

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
MODELS = REPOSITORY / "build" / "test-models"


# The tests of a folder that share models which are slow to make run in one process, and before the others.
TOGETHER = ("engine", "onnx", "image")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: (*TOGETHER, item.path.parent.name).index(item.path.parent.name))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    """What pytest-xdist hands out as a whole is a file, or a folder of TOGETHER."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFolder(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = pathlib.PurePath(nodeid.split("::")[0])
            return path.parent.name if path.parent.name in TOGETHER else str(path)

    return ByFolder(config, log)


@contextlib.contextmanager
def _alone():
    """Of the processes that run tests beside each other, one at a time fetches and bakes."""
    MODELS.mkdir(parents=True, exist_ok=True)
    with open(MODELS / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def rescoldo() -> str:
    """The path of the binary under test."""
    binary = pathlib.Path(os.environ.get("RESCOLDO_BINARY", REPOSITORY / "build" / "rescoldo")).resolve()
    assert binary.is_file(), f"{binary} does not exist; `make` builds it"
    return str(binary)


@pytest.fixture(scope="session")
def death_program(rescoldo) -> str:
    """tests/sandbox/death.c as it is built with the program; made here when the tests run without make."""
    build = os.path.relpath(pathlib.Path(rescoldo).parent, REPOSITORY)  # as make was told: else it builds all
    program = REPOSITORY / build / "tests" / "sandbox" / "death"
    if not program.exists():
        subprocess.run(["make", "-s", "-C", REPOSITORY, f"BUILD={build}", program.relative_to(REPOSITORY)], check=True)
    return str(program)


@pytest.fixture(scope="session")
def all_minilm_directory() -> pathlib.Path:
    """The Hugging Face directory of sentence-transformers/all-MiniLM-L6-v2, checked by SHA-256."""
    directory = MODELS / "all-MiniLM-L6-v2"
    with _alone():
        subprocess.run([REPOSITORY / "models" / "fetch", "all-MiniLM-L6-v2", directory], check=True)
    return directory


def _bake(rescoldo: str, directory: pathlib.Path, precision: str) -> pathlib.Path:
    with open(rescoldo, "rb") as binary:
        version = hashlib.file_digest(binary, "sha256").hexdigest()[:16]
    ember = MODELS / f"{directory.name}-{precision}-{version}.ember"
    with _alone():
        if not ember.exists():
            for stale in MODELS.glob(f"{directory.name}-{precision}-*.ember"):
                stale.unlink()
            subprocess.run(
                [rescoldo, "bake", "--model", directory, "--output", ember, "--precision", precision], check=True
            )
    return ember


@pytest.fixture(scope="session")
def all_minilm_ember(rescoldo: str, all_minilm_directory: pathlib.Path) -> pathlib.Path:
    """all-MiniLM-L6-v2 baked in int8."""
    return _bake(rescoldo, all_minilm_directory, "int8")


@pytest.fixture(scope="session")
def all_minilm_f32_ember(rescoldo: str, all_minilm_directory: pathlib.Path) -> pathlib.Path:
    """all-MiniLM-L6-v2 baked in float32."""
    return _bake(rescoldo, all_minilm_directory, "f32")
