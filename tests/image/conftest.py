"""The real Dockerfile, built and run by podman: once per run, each test looks at another side of it."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

import pytest
from container_engine import Built
from podman import UNAVAILABLE, Podman

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(REPOSITORY / "tests" / "engine"))

SUITE = "trixie"
IMAGE = "localhost/rescoldo"
MODEL = "seeded"


def pytest_configure(config: pytest.Config) -> None:
    if UNAVAILABLE:
        print(f"\n*** tests/image is SKIPPED, the image is NOT tested here: {UNAVAILABLE} ***\n", file=sys.stderr)


@pytest.fixture(scope="session")
def podman():
    if UNAVAILABLE:
        pytest.skip(UNAVAILABLE)
    # podman takes no folder of a run with more than 50 characters, which those of pytest soon have.
    podman = Podman(pathlib.Path(tempfile.mkdtemp(prefix="rescoldo-")) / "root")
    try:
        podman.import_base(SUITE)
        yield podman
    finally:
        podman.close()


def copy_source(target: pathlib.Path) -> pathlib.Path:
    """What git tracks of the build context, and what is about to be added: never what lies around."""
    parts = ["Dockerfile", ".dockerignore", "Makefile", "include", "models", "scripts", "src"]
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *parts],
        cwd=REPOSITORY, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, names.split("\0")):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, target / name)
    return target


@pytest.fixture(scope="session")
def model_directory(tmp_path_factory, all_minilm_directory) -> pathlib.Path:
    """A model of the default's shape (12 layers, its vocabulary), with seeded weights."""
    from model_files import MINILM_L12, write_cross_encoder

    return write_cross_encoder(tmp_path_factory.mktemp("models") / "seeded", MINILM_L12, all_minilm_directory, 12)


@pytest.fixture(scope="session")
def hub(model_directory, tmp_path_factory):
    """The address of what serves the model as a hub does."""
    root = tmp_path_factory.mktemp("hub")
    (root / "tests" / MODEL / "resolve").mkdir(parents=True)
    (root / "tests" / MODEL / "resolve" / "main").symlink_to(model_directory)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(root))

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="session")
def arguments(hub: str) -> tuple[str, ...]:
    """Of a build: the model by its name in the catalogue, as nearly everybody's."""
    return (f"--build-arg=MODEL={MODEL}", f"--build-arg=HF_ENDPOINT={hub}", "--build-arg=REVISION=0123abcd")


@pytest.fixture(scope="session")
def context(tmp_path_factory, model_directory) -> pathlib.Path:
    """The build context, whose catalogue also has the model, with its hashes."""
    directory = copy_source(tmp_path_factory.mktemp("context"))
    catalogue = directory / "models" / "catalogue.json"
    document = json.loads(catalogue.read_text())
    files = [
        {"path": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in sorted(model_directory.iterdir())
    ]
    document["models"].append(
        {"name": MODEL, "kind": "cross-encoder", "licence": "none", "languages": [], "parameters": 33360385, "files": files,
         "sources": [{"type": "hub", "repository": f"tests/{MODEL}", "revision": "main"}]}
    )  # fmt: skip
    catalogue.write_text(json.dumps(document, indent=2))
    return directory


@contextlib.contextmanager
def edited(source: pathlib.Path, before: bytes = b"", after: bytes = b"", append: bytes = b""):
    """The file with other bytes, until the block ends."""
    original = source.read_bytes()
    assert not before or original.count(before) == 1
    source.write_bytes(original.replace(before, after) + append)
    try:
        yield
    finally:
        source.write_bytes(original)


@pytest.fixture(scope="session")
def built(podman: Podman, context: pathlib.Path, arguments: tuple[str, ...]) -> Built:
    """The image, from nothing: packages are downloaded, everything is compiled."""
    return podman.build(context, IMAGE, *arguments, jobs=0)


@pytest.fixture(scope="session")
def files(podman: Podman, built: Built, tmp_path_factory) -> pathlib.Path:
    """What is in the image: its layers unpacked over each other."""
    import tarfile

    archive = tmp_path_factory.mktemp("image") / "image.tar"
    podman.run("save", "--format", "docker-archive", "--output", archive, IMAGE)
    target = archive.parent / "files"
    with tarfile.open(archive) as outer:
        for member in outer.getmembers():
            if member.isfile() and member.name.endswith(".tar"):
                with tarfile.open(fileobj=outer.extractfile(member)) as layer:
                    # Python before 3.11.4 (Debian 12 has 3.11.2) knows no filters, and newer ones warn without.
                    layer.extraction_filter = getattr(tarfile, "fully_trusted_filter", None)
                    layer.extractall(target)
    return target
