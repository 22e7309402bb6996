"""The installed package: small, typed, and nothing but itself."""

from __future__ import annotations

import email
import importlib.metadata
import os
import pathlib
import subprocess
import sys
import tarfile

import pytest

import rescoldo
from conftest import REPOSITORY


def test_the_version_is_one():
    assert rescoldo.__version__ == importlib.metadata.version("rescoldo")


def test_it_needs_nothing_and_is_small():
    assert importlib.metadata.requires("rescoldo") == ['numpy; extra == "numpy"']
    files = importlib.metadata.files("rescoldo")
    assert sum(file.size or 0 for file in files) < 2_000_000
    assert {"py.typed", "_native.abi3.so"} <= {file.name for file in files}


def test_it_carries_the_notices_of_what_it_carries():
    """PEP 639: every licence file is named in the metadata; Debian's copyright files begin alike, and name a holder."""
    files = [pathlib.PurePath(file) for file in importlib.metadata.files("rescoldo")]
    information = importlib.metadata.metadata("rescoldo")
    notices = {str(file).split("/licenses/")[1]: file for file in files if "/licenses/" in str(file)}
    assert sorted(notices) == sorted(information.get_all("License-File"))
    root = pathlib.Path(rescoldo.__file__).parent.parent
    texts = {name: (root / file).read_text() for name, file in notices.items()}
    assert "Apache License" in texts.pop("LICENSE")
    assert all("Copyright" in text for text in texts.values())
    libraries = [file.name.rpartition("-")[0] for file in files if file.parts[0] == "rescoldo.libs"]
    assert len(libraries) >= 4
    for library in [*libraries, "libonnx"]:
        assert any(name.startswith(library) for name in texts), (library, sorted(texts))


def test_the_source_distribution_is_whole(tmp_path):
    """The wheel that is tested was built from it (build-wheel), with objects that may have been compiled before: so that
    none of its sources is missing has to be looked at."""
    if "RESCOLDO_SDIST" not in os.environ:
        pytest.skip("RESCOLDO_SDIST is not set to the source distribution (`make wheel-test` sets it)")
    with tarfile.open(os.environ["RESCOLDO_SDIST"]) as archive:
        members = {member.name.partition("/")[2]: member for member in archive.getmembers()}
        information = archive.extractfile(members["PKG-INFO"]).read().decode()
    parsed = email.message_from_string(information)
    assert (parsed["Name"], parsed["Version"]) == ("rescoldo", rescoldo.__version__)
    assert parsed["License-Expression"] == "Apache-2.0" and parsed.get_payload().startswith("# rescoldo for Python")
    assert all(member.isfile() and member.uid == 0 for member in members.values())
    for folder, prefix in (("src", "library/src"), ("include", "library/include"), ("scripts", "library/scripts"),
                           ("python/src", "src")):  # fmt: skip
        here = {f"{prefix}/{path.relative_to(REPOSITORY / folder)}" for path in (REPOSITORY / folder).rglob("*")
                if path.is_file() and path.suffix != ".pyc"}  # fmt: skip
        assert here and here <= members.keys()


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
