"""The same Dockerfile by Docker, as most will build it: how long that takes, and that both engines make the same files."""

from __future__ import annotations

import json
import pathlib
import re
import sys
import time

import pytest
from conftest import SUITE, edited
from container_engine import Built
from docker_engine import UNAVAILABLE, Docker
from measured import measured
from podman import SEALED

IMAGE = "rescoldo"


@pytest.fixture(scope="module")
def docker():
    if UNAVAILABLE:
        print(f"\n*** tests/image/test_docker.py is SKIPPED: {UNAVAILABLE} ***\n", file=sys.stderr)
        pytest.skip(UNAVAILABLE)
    docker = Docker()
    try:
        docker.import_base(SUITE)
        yield docker
    finally:
        docker.close()


@pytest.fixture(scope="module")
def build(docker: Docker, context: pathlib.Path, arguments: tuple[str, ...]):
    return lambda tag: docker.build(context, tag, *arguments)


@pytest.fixture(scope="module")
def built_by_docker(build) -> Built:
    return build(IMAGE)


def steps(log: str) -> dict[str, bool]:
    """Instructions that build, in their order, and whether each was taken from the cache."""
    numbers = re.findall(r"^#(\d+) \[(?:packages|model|builder) +\d+/\d+\] (?!FROM)(.*)", log, re.M)
    return {step: re.search(rf"^#{number} CACHED", log, re.M) is not None for number, step in numbers}


def test_files_are_those_of_podman(docker: Docker, built_by_docker: Built, files: pathlib.Path, tmp_path: pathlib.Path) -> None:
    container = docker.run("create", IMAGE).strip()
    for name in ("rescoldo", "model.ember"):
        docker.run("cp", f"{container}:/{name}", tmp_path / name)
        assert (tmp_path / name).read_bytes() == (files / name).read_bytes(), name
    docker.run("rm", container)


def test_is_healthy_when_everything_is_forbidden(docker: Docker, built_by_docker: Built) -> None:
    container = docker.run("run", "--detach", *(flag for flag in SEALED if "tmpfs" not in flag), "--health-interval=1s", IMAGE).strip()
    deadline = time.monotonic() + 30
    while (state := docker.run("inspect", "--format", "{{.State.Health.Status}}", container).strip()) != "healthy":
        assert state == "starting" and time.monotonic() < deadline, docker.run("logs", container, errors=True)
        time.sleep(0.1)
    docker.run("stop", "--time", "30", container)
    assert json.loads(docker.run("inspect", container))[0]["State"]["ExitCode"] == 0
    docker.run("rm", container)


def test_a_source_edit_rebuilds_neither_packages_nor_model(build, context: pathlib.Path, built_by_docker: Built) -> None:
    measured("cold_build_seconds", built_by_docker.seconds, f"docker: from nothing, downloads included: {built_by_docker.seconds:.1f} s")
    with edited(context / "src" / "server" / "metrics.c", append=b"/* edited */\n"):
        made = build("edited")
    measured("edit_seconds", made.seconds, f"docker: edit of the server to the image: {made.seconds:.1f} s")
    again = [step for step, cached in steps(made.log).items() if not cached]
    assert len(again) == 2 and again[0] == "COPY src/ src/" and "make" in again[1]
    assert "bake-once: the same was baked before" in made.log


def test_an_edit_of_the_engine_keeps_the_model(build, context: pathlib.Path, built_by_docker: Built) -> None:
    with edited(context / "src" / "kernels" / "avx512vnni.c", b"PREFETCH_DISTANCE 8192", b"PREFETCH_DISTANCE 8128"):
        made = build("edited")
    measured("engine_edit_seconds", made.seconds, f"docker: edit of a kernel to the image: {made.seconds:.1f} s")
    assert "bake-once: the same was baked before" in made.log
    assert made.image != built_by_docker.image


def test_from_nothing_but_downloaded_packages(docker: Docker, build, built_by_docker: Built) -> None:
    docker.forget_all_but_packages(IMAGE, "edited")
    made = build(IMAGE)
    measured("clean_build_seconds", made.seconds, f"docker: from nothing, packages downloaded before: {made.seconds:.1f} s")
    assert "rescoldo bake: testing what was written" in made.log
    assert len(steps(made.log)) >= 10 and not any(steps(made.log).values())
