"""The installed package: small, typed, and nothing but itself."""

from __future__ import annotations

import importlib.metadata
import pathlib
import subprocess
import sys

import pytest

import rescoldo


def test_the_version_is_one():
    assert rescoldo.__version__ == importlib.metadata.version("rescoldo")


def test_it_needs_nothing_and_is_small():
    assert importlib.metadata.requires("rescoldo") == ['numpy; extra == "numpy"']
    files = importlib.metadata.files("rescoldo")
    assert sum(file.size or 0 for file in files) < 2_000_000
    assert {"py.typed", "_native.abi3.so"} <= {file.name for file in files}


def test_importing_it_imports_no_other_package():
    code = (
        "import sys; before = set(sys.modules); import rescoldo, rescoldo.flashrank;"
        "print(*sorted(name for name in set(sys.modules) - before"
        " if name.partition('.')[0] not in sys.stdlib_module_names | {'rescoldo'}))"
    )
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert result.stdout.split() == []


def test_the_extension_exports_its_init_function_alone():
    module = pathlib.Path(rescoldo.__file__).parent / "_native.abi3.so"
    result = subprocess.run(["nm", "--dynamic", "--defined-only", module], check=True, capture_output=True, text=True)
    assert [line.split()[-1] for line in result.stdout.splitlines()] == ["PyInit__native"]
    assert b"RESCOLDO_0.1" not in module.read_bytes()


def test_numpy_is_asked_for_where_it_is_missing(embedder):
    try:
        import numpy  # noqa: F401
    except ImportError:
        with pytest.raises(ImportError, match="pass convert_to_numpy=False"):
            embedder.encode("A text.")
