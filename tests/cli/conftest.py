"""What the tests of the command line share: running the binary, and small embers of both kinds."""

from __future__ import annotations

import pathlib
import subprocess
from typing import Any, Callable

import pytest

from small_models import write_model

Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture(scope="session")
def run(rescoldo: str) -> Run:
    """run(*arguments, input=b"", status=0, **Popen's options): checks the exit status, and that the program
    ended by itself and did not speak through a sanitizer."""

    def run(*arguments: Any, input: bytes = b"", status: int = 0, **options: Any) -> subprocess.CompletedProcess[bytes]:
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        if "stdin" not in options:
            options["input"] = input
        result = subprocess.run([rescoldo, *map(str, arguments)], timeout=120, **options)
        messages = result.stderr or b""
        assert b"Sanitizer" not in messages and b"runtime error: " not in messages, messages.decode(errors="replace")
        assert result.returncode == status, (result.returncode, result.stderr)
        return result

    return run


@pytest.fixture(scope="session")
def refuse(run: Run) -> Callable[..., str]:
    """refuse(*arguments, status=1, ...): the command fails with a message and no result; gives the message."""

    def refuse(*arguments: Any, status: int = 1, **options: Any) -> str:
        result = run(*arguments, status=status, **options)
        message = result.stderr.decode(errors="replace")
        assert message.startswith("rescoldo"), message
        assert not result.stdout, result.stdout[:200]
        return message

    return refuse


@pytest.fixture(scope="session")
def cross_encoder_directory(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return write_model(tmp_path_factory.mktemp("models") / "small-cross-encoder", cross_encoder=True)


@pytest.fixture(scope="session")
def embedder_directory(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return write_model(tmp_path_factory.mktemp("models") / "small-embedder", cross_encoder=False)


def _bake(run: Run, directory: pathlib.Path) -> pathlib.Path:
    ember = directory.with_suffix(".ember")
    run("bake", "--model", directory, "--output", ember, "--precision", "f32")
    return ember


@pytest.fixture(scope="session")
def cross_encoder(run: Run, cross_encoder_directory: pathlib.Path) -> pathlib.Path:
    """An ember of a small cross-encoder."""
    return _bake(run, cross_encoder_directory)


@pytest.fixture(scope="session")
def embedder(run: Run, embedder_directory: pathlib.Path) -> pathlib.Path:
    """An ember of a small embedder."""
    return _bake(run, embedder_directory)
