"""The bill of materials: valid CycloneDX, and what the linker really read."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import subprocess

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def text(rescoldo) -> str:
    return subprocess.run([rescoldo, "version", "--sbom"], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def components(text) -> dict[str, dict]:
    return {component["name"]: component for component in json.loads(text)["components"]}


def test_it_is_valid_cyclonedx(text):
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_version_and_licences(text, components, rescoldo):
    version = subprocess.run([rescoldo, "version"], capture_output=True, text=True, check=True).stdout
    assert version == subprocess.run([rescoldo, "--version"], capture_output=True, text=True, check=True).stdout
    assert version == f"rescoldo {json.loads(text)['metadata']['component']['version']}\n"
    documented = (REPOSITORY / "docs" / "licences.md").read_text()
    for name, component in components.items():
        assert component["licenses"][0]["expression"] != "LicenseRef-unknown", name
        assert re.search(rf"\b{name.removesuffix('1') if name == 'libuv1' else 'libgcc' if name.startswith('gcc-') else name}\b", documented)
    assert {"glibc", "libseccomp", "libuv1", "jansson"} <= components.keys()


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="packages are asked of dpkg")
def test_it_names_what_the_linker_read(components, rescoldo):
    inputs = pathlib.Path(rescoldo).parent / "rescoldo.inputs"
    if not inputs.exists():
        pytest.skip("this binary lies beside no list of what it was linked from")
    words = inputs.read_text().split("\n\n")[0].replace("\\\n", " ").partition(":")[2].split()
    files = {str(pathlib.Path(word).resolve()) for word in words if word.startswith("/") and not word.startswith(str(REPOSITORY))}
    assert any(file.endswith("/libseccomp.a") or file.endswith(".so") for file in files)
    for file in files:
        found = subprocess.run(["dpkg-query", "-S", file], capture_output=True, text=True, check=False).stdout
        if not found:
            found = subprocess.run(["dpkg-query", "-S", file.removeprefix("/usr")], capture_output=True, text=True, check=True).stdout
        package = found.split(": ")[0]
        source = subprocess.run(
            ["dpkg-query", "-W", "-f=${source:Package} ${source:Version}", package], capture_output=True, text=True, check=True
        ).stdout.split()
        assert components[source[0]]["version"] == source[1], file
