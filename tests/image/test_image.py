"""The image that `docker build .` gives: what it holds, how it runs when everything is forbidden to it, and how it is
rebuilt. One podman store for all; the first build takes the time."""

from __future__ import annotations

import concurrent.futures
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
import time

import pytest
from conftest import IMAGE, MODEL, REPOSITORY, edited
from container_engine import Built, Failed
from measured import measured
from podman import SEALED, Container, Podman

MEGABYTE = 1000 * 1000
QUESTION = {
    "query": "What is the capital of France?",
    "documents": ["Paris is the capital of France.", "Berlin is the capital of Germany.", "Bread is made of flour."],
}


@pytest.fixture(scope="module")
def container(podman: Podman, built: Built):
    podman.forget_pages("model.ember")
    container = podman.start(IMAGE)
    container.wait_ready()
    yield container


def scores(reply: bytes) -> dict[int, float]:
    return {result["index"]: result["relevance_score"] for result in json.loads(reply)["results"]}


# ---- what it holds


def test_two_files_and_nothing_else(files: pathlib.Path, built: Built) -> None:
    found = sorted(path.relative_to(files) for path in files.rglob("*"))
    assert found == [pathlib.Path("model.ember"), pathlib.Path("rescoldo")]
    sizes = {path.name: path.stat().st_size for path in files.iterdir()}
    total = sum(sizes.values())
    for name, size in (("image", total), *sizes.items()):
        measured(f"{name}_bytes", size, f"{name}: {size / MEGABYTE:.2f} MB")
    assert total <= 40 * MEGABYTE and sizes["rescoldo"] <= 2 * MEGABYTE
    binary = subprocess.run(["file", files / "rescoldo"], capture_output=True, text=True).stdout
    assert "static-pie linked" in binary and ", stripped" in binary
    assert all(path.stat().st_mode & 0o022 == 0 for path in files.iterdir()), "others could write"


def test_configuration(podman: Podman, built: Built) -> None:
    (image,) = json.loads(podman.run("inspect", IMAGE))
    config = image["Config"]
    assert re.fullmatch("[1-9][0-9]*:[1-9][0-9]*", config["User"])
    assert config["StopSignal"] == "SIGTERM"
    assert list(config["ExposedPorts"]) == ["8080/tcp"]
    assert config["Entrypoint"] == ["/rescoldo"]
    assert image["Healthcheck"]["Test"] == ["CMD", "/rescoldo", "health"]
    labels = config["Labels"]
    version = re.search(r"^VERSION := (.*)$", (REPOSITORY / "Makefile").read_text(), re.M)[1]
    assert labels["org.opencontainers.image.version"] == version
    assert labels["org.opencontainers.image.revision"] == "0123abcd"
    assert labels["rescoldo.model"] == MODEL
    assert "org.opencontainers.image.source" in labels


def test_licences_are_those_of_the_bill_of_materials(podman: Podman, files: pathlib.Path) -> None:
    """A label can't be computed while an image is built; so it is written, and compared here."""
    bill = json.loads(subprocess.run([files / "rescoldo", "version", "--sbom"], capture_output=True, check=True).stdout)
    expressions = ["Apache-2.0"]
    for component in bill["components"]:
        assert component["version"] and component["purl"], f"of which package is {component['name']}?"
        expressions.extend(component["licenses"][0]["expression"].split(" AND "))
    label = podman.run("inspect", "--format", '{{index .Config.Labels "org.opencontainers.image.licenses"}}', IMAGE)
    assert label.strip() == " AND ".join(sorted(set(expressions)))


def test_the_binary_runs_where_it_is(files: pathlib.Path) -> None:
    """Copied out of the image, on another Debian: static means static."""
    result = subprocess.run([files / "rescoldo", "selftest", "--model", files / "model.ember"], capture_output=True)
    assert result.returncode == 0, result.stderr


# ---- how it runs


def test_answers_what_the_command_line_answers(container: Container, files: pathlib.Path) -> None:
    status, reply = container.request("POST", "/v1/rerank", QUESTION)
    assert status == 200, reply
    expected = subprocess.run(
        [files / "rescoldo", "rerank", "--model", files / "model.ember", "--query", QUESTION["query"], "--json"],
        input="\n".join(QUESTION["documents"]), capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    here = {}
    for line in expected.splitlines():
        row = json.loads(line)
        here[row["index"]] = row.get("score", row.get("relevance_score"))
    assert scores(reply) == pytest.approx(here, abs=1e-6)


def test_is_healthy(container: Container) -> None:
    subprocess.run(
        ["timeout", "20", *container.podman.command, "healthcheck", "run", container.identity],
        env=container.podman.environment, check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_runs_without_rights(container: Container) -> None:
    status = dict(
        line.split(":\t", 1)
        for line in pathlib.Path(f"/proc/{container.process}/status").read_text().splitlines()
        if ":\t" in line
    )
    assert status["Uid"].split() == ["65532"] * 4 and status["Gid"].split() == ["65532"] * 4
    assert all(int(status[f"Cap{kind}"], 16) == 0 for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb"))
    assert status["NoNewPrivs"] == "1"


@pytest.mark.parametrize("program", ["sh", "/bin/sh", "ls", "cat", "/bin/busybox"])
def test_nothing_else_can_be_executed(container: Container, program: str) -> None:
    with pytest.raises(Failed):
        container.podman.run("exec", container.identity, program)


def test_is_sealed(container: Container) -> None:
    """What /info says of the sandbox, and what the kernel says."""
    sandbox = json.loads(container.request("GET", "/info")[1])["sandbox"]
    assert sandbox["mode"] == "on" and sandbox["seccomp"] and sandbox["no_new_privileges"] and sandbox["capabilities"]
    status = pathlib.Path(f"/proc/{container.process}/status").read_text()
    assert re.search(r"^Seccomp:\t2$", status, re.M)


def test_forbidden_calls_die_in_the_container_too(podman: Podman, built: Built, death_program: str) -> None:
    said = podman.run("run", "--rm", *SEALED, f"--volume={death_program}:/death:ro", "--entrypoint=/death", IMAGE, errors=True)
    print(said.strip().splitlines()[-1])


def test_serves_under_load_in_64_megabytes(podman: Podman, container: Container) -> None:
    """Many connections at a time, long documents among them, and the largest request that the limits allow; no swap
    to hide in."""
    document = "The old lighthouse on the northern cape was restored by volunteers over three summers. " * 40
    long = {"query": QUESTION["query"], "documents": [document] * 6}
    expected = scores(container.request("POST", "/v1/rerank", QUESTION)[1])

    def ask(i: int) -> int:
        status, reply = container.request("POST", "/v1/rerank", long if i % 10 == 0 else QUESTION)
        if status == 200 and i % 10 != 0:
            assert scores(reply) == expected
        return status

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(ask, range(80)))
    assert set(statuses) <= {200, 429} and statuses.count(200) >= 16
    (group,) = re.findall(r"^\d+:(?:[^:]*\bmemory\b[^:]*)?:(.*)$", pathlib.Path(f"/proc/{container.process}/cgroup").read_text(), re.M)[:1]
    for root, name in (("/sys/fs/cgroup/memory", "memory.max_usage_in_bytes"), ("/sys/fs/cgroup", "memory.peak")):
        peak = pathlib.Path(root + group) / name
        if peak.exists():
            most = int(peak.read_text())
            measured("memory_bytes", most, f"memory at most {most / MEGABYTE:.0f} MB of the 67 allowed, the model's included")
    assert container.inspect("{{.State.Status}}") == "running"


def test_is_never_cold(podman: Podman, built: Built, files: pathlib.Path) -> None:
    """How long from exec, and from the order to start a container, to the first right score. No bound here: a loaded
    machine would break any."""
    report = json.loads(
        subprocess.run(
            [files / "rescoldo", "bench", "--model", files / "model.ember", "--cold-start", "--runs", "50", "--json"],
            capture_output=True, text=True, check=True,
        ).stdout
    )  # fmt: skip
    for cache in ("warm", "cold"):
        for moment, times in (report[f"page_cache_{cache}"] or {}).items():
            measured(f"{cache}_{moment}", times["p50"], f"{cache} page cache, exec to {moment}: {times}")
    starts = []
    for _ in range(5):
        container = podman.start(IMAGE)
        container.wait_ready()
        assert container.request("POST", "/v1/rerank", QUESTION)[0] == 200
        starts.append(1000 * (time.monotonic() - container.started))
        podman.run("rm", "--force", "--time", "0", container.identity)
    middle = sorted(starts)[2]
    measured("container_ms", middle, f"podman run to first score: {middle:.0f} ms, of which the server's own are "
             f"{report['page_cache_warm']['first_score_ms']['p50']:.1f}")  # fmt: skip


def test_sigterm_ends_it_with_0(podman: Podman, built: Built) -> None:
    container = podman.start(IMAGE)
    container.wait_ready()
    assert container.stop() == 0


# ---- how it is built


@pytest.fixture(scope="module")
def build(podman: Podman, context: pathlib.Path, arguments: tuple[str, ...]):
    return lambda tag, *options: podman.build(context, tag, *arguments, *options)


def steps_run_again(log: str) -> list[str]:
    """What was copied and run, but not taken from the cache. A step that takes files of another stage ends after it."""
    again, open_steps = [], []
    for line in log.splitlines():
        step = re.match(r"\[\d/\d\] STEP \d+/\d+: (.*)", line)
        if step and not step[1].startswith("FROM"):
            open_steps.append(step[1])
        elif line.startswith("--> Using cache"):
            open_steps[-1] = "cached"
        elif line.startswith("--> ") and open_steps:
            again.append(open_steps.pop())
    return [step for step in again if step.split()[0] in ("RUN", "COPY")]


def baked(build: Built) -> bool:
    """Whether the ember was made; else it is the one that the same inputs gave before (scripts/bake-once)."""
    taken = "bake-once: the same was baked before" in build.log
    assert taken != ("rescoldo bake: testing what was written" in build.log)
    return not taken


def test_a_source_edit_rebuilds_neither_packages_nor_model(build, context: pathlib.Path, built: Built) -> None:
    measured("podman_cold_build_seconds", built.seconds, f"build from nothing, downloads included: {built.seconds:.1f} s")
    with edited(context / "src" / "server" / "metrics.c", append=b"/* edited */\n"):
        made = build("localhost/edited")
    measured("podman_edit_seconds", made.seconds, f"build after the edit of a source file: {made.seconds:.1f} s")
    again = steps_run_again(made.log)
    assert again[0] == "COPY src/ src/" and "make" in again[1] and len([step for step in again if step.startswith("RUN")]) == 1
    assert baked(built) and not baked(made)
    assert made.image == built.image, "a comment changes no byte of the image"


def test_an_edit_of_the_engine_keeps_the_model(build, context: pathlib.Path, built: Built) -> None:
    with edited(context / "src" / "kernels" / "avx512vnni.c", b"PREFETCH_DISTANCE 8192", b"PREFETCH_DISTANCE 8128"):
        made = build("localhost/edited")
    measured("podman_engine_edit_seconds", made.seconds, f"build after the edit of a kernel: {made.seconds:.1f} s")
    assert steps_run_again(made.log)[0] == "COPY src/ src/" and not baked(made)
    assert made.image != built.image


def test_an_engine_that_computes_something_else_bakes_again(build, context: pathlib.Path, built: Built) -> None:
    """Though nobody has raised KERNELS_ARITHMETIC: what is kept holds the bits that it computed when it was baked."""
    with edited(context / "src" / "kernels" / "epilogue_template.h", b"0.51945513f", b"0.51945f"):
        made = build("localhost/edited")
    assert "computes something else now; it is baked again" in made.log and baked(made)


def test_two_clean_builds_are_the_same_image(
    podman: Podman, context: pathlib.Path, arguments: tuple[str, ...], tmp_path: pathlib.Path, built: Built
) -> None:
    """Another directory, other file times, once with everything compiled and baked and once from the caches of both.
    podman takes no layer from an image of another form."""
    podman.forget_objects()
    options = ["--no-cache", *arguments]
    first = podman.build(context, "localhost/first", *options, form="oci", jobs=0)
    measured("podman_clean_build_seconds", first.seconds, f"build from nothing, downloads excepted: {first.seconds:.1f} s")
    other = shutil.copytree(context, tmp_path / "other", copy_function=shutil.copy)
    second = podman.build(other, "localhost/second", *options, form="oci", jobs=0)
    assert baked(first) and not baked(second)
    assert first.image == second.image
    digests = {podman.run("inspect", "--format", "{{.Digest}}", tag) for tag in ("localhost/first", "localhost/second")}
    assert len(digests) == 1
    layers = {podman.run("inspect", "--format", "{{.RootFS.Layers}}", tag) for tag in ("localhost/first", IMAGE)}
    assert len(layers) == 1, "the form of the image changes its layers"


def test_two_models_share_an_image(podman: Podman, build, context: pathlib.Path, all_minilm_directory: pathlib.Path) -> None:
    (context / "models" / "embedder").mkdir(exist_ok=True)
    shutil.copytree(all_minilm_directory, context / "models" / "embedder", dirs_exist_ok=True)
    assert baked(build("localhost/two", f"--build-arg=MODEL={MODEL},models/embedder"))
    with pytest.raises(Failed, match="do not fit"):  # both in 64 MB: said at the start, with the arithmetic
        podman.run("run", "--rm", *SEALED, "localhost/two", errors=True)
    container = podman.start("localhost/two", "--memory=128m", "--memory-swap=128m")
    container.wait_ready()
    for path, body in (("/v1/rerank", QUESTION), ("/v1/embeddings", {"input": "Paris"})):
        status, reply = container.request("POST", path, body)
        assert status == 200, reply
    assert container.stop() == 0


class Hub(http.server.BaseHTTPRequestHandler):
    """Answers every file with other bytes than the catalogue pins."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def refused(podman: Podman, context: pathlib.Path, *arguments: str) -> str:
    with pytest.raises(Failed) as failed:
        podman.build(context, "localhost/refused", *(f"--build-arg={argument}" for argument in arguments))
    assert podman.run("images", "--quiet", "localhost/refused") == ""
    return str(failed.value)


def test_a_model_with_another_hash_is_not_built(podman: Podman, context: pathlib.Path, built: Built) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as hub:
        threading.Thread(target=hub.serve_forever, daemon=True).start()
        said = refused(podman, context, f"HF_ENDPOINT=http://127.0.0.1:{hub.server_address[1]}")
        hub.shutdown()
    assert "SHA-256 is" in said and "expected 69a745055b0307584d2903ea5cf4e1899254e511834f358be80d049918b144d8" in said


def test_an_unreachable_model_is_said_in_plain_words(podman: Podman, context: pathlib.Path, built: Built) -> None:
    said = refused(podman, context, "HF_ENDPOINT=http://127.0.0.1:1")
    assert "none of its sources can be reached" in said
    assert "--build-arg MODEL=models/ms-marco-MiniLM-L-12-v2" in said


def test_an_unknown_model_is_answered_with_the_known(podman: Podman, context: pathlib.Path, built: Built) -> None:
    said = refused(podman, context, "MODEL=no-such-model")
    catalogue = json.loads((REPOSITORY / "models" / "catalogue.json").read_text())
    assert all(model["name"] in said for model in catalogue["models"])


@pytest.mark.skipif("RESCOLDO_SLOW_TESTS" not in os.environ, reason="takes a minute: RESCOLDO_SLOW_TESTS=1 runs it")
def test_arm64(podman: Podman, build, files: pathlib.Path, tmp_path: pathlib.Path) -> None:
    built_for = podman.run("version", "--format", "{{.Client.OsArch}}").strip()
    made = build("localhost/arm64", "--platform=linux/arm64", f"--build-arg=BUILDPLATFORM={built_for}")
    measured("arm64_seconds", made.seconds, f"arm64 image, built on {built_for}: {made.seconds:.1f} s")
    assert podman.run("inspect", "--format", "{{.Architecture}}", "localhost/arm64").strip() == "arm64"
    container = podman.run("create", "--platform=linux/arm64", "localhost/arm64").strip()
    for name in ("rescoldo", "model.ember"):
        podman.run("cp", f"{container}:/{name}", tmp_path / name)
    assert (tmp_path / "model.ember").read_bytes() == (files / "model.ember").read_bytes(), "the ember knows no machine"
    command = ["rerank", "--model", files / "model.ember", "--query", QUESTION["query"], "--json"]
    replies = [
        subprocess.run([*runner, *command], input="\n".join(QUESTION["documents"]), capture_output=True, text=True, check=True).stdout
        for runner in ([files / "rescoldo"], ["qemu-aarch64-static", "-cpu", "max", tmp_path / "rescoldo"])
    ]
    assert replies[0] == replies[1], "the same bits on both"
