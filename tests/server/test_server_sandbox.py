"""The sandbox of the real server: what it reports, what it permits, and that the documentation says the same.

tests/sandbox/death.c makes every forbidden call; here it is run, as this user and as another.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import warnings

import pytest
from running_server import RunningServer

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
LAYERS = {
    "user", "capabilities", "no_new_privileges", "landlock_files", "landlock_network", "landlock_scope", "limits",
    "not_dumpable", "no_executable_memory", "seccomp",
}  # fmt: skip
QUERY = {"query": "q", "documents": ["a", "b " * 600]}


@pytest.fixture(scope="module")
def sealed(embedder):
    """A server in the default mode; an instrumented build has no sandbox and says why."""
    sandbox = embedder.start_line["sandbox"]
    if sandbox["mode"] == "off":
        assert any("the sandbox is off: this build is instrumented" in line for line in embedder.lines)
        pytest.skip("this build is instrumented, so that its sandbox is off")
    return embedder


@pytest.fixture(scope="module")
def death(sealed, request) -> str:
    """Not even built where the sandbox is off: it would be without the instrumentation, and all that it links with."""
    return request.getfixturevalue("death_program")


def test_what_is_applied_is_told(sealed):
    sandbox = sealed.start_line["sandbox"]
    assert sandbox == sealed.get("/info")[2]["sandbox"]
    assert set(sandbox) == LAYERS | {"mode", "landlock_abi", "user_id"}
    assert sandbox["mode"] == "on" and sandbox["user_id"] == os.geteuid()
    assert all(sandbox[layer] for layer in LAYERS if not layer.startswith(("landlock", "user", "no_executable")))
    assert sandbox["landlock_files"] == (sandbox["landlock_abi"] > 0)
    metrics = sealed.metrics()
    assert {layer: metrics[f'rescoldo_sandbox_state{{layer="{layer}"}}'] for layer in LAYERS} == {
        layer: float(sandbox[layer]) for layer in LAYERS
    }


def test_the_kernel_says_the_same(sealed):
    status = pathlib.Path(f"/proc/{sealed.process.pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert (fields["Seccomp"], fields["NoNewPrivs"]) == ("2", "1")
    for task in pathlib.Path(f"/proc/{sealed.process.pid}/task").iterdir():
        of_thread = (task / "status").read_text()
        assert "Seccomp:\t2" in of_thread and "NoNewPrivs:\t1" in of_thread
        assert re.search(r"CapPrm:\t0+\nCapEff:\t0+\n", of_thread)


def test_strict_and_off(start, sealed):
    for mode in ("strict", "off"):
        server = start("--sandbox", mode)
        sandbox = server.start_line["sandbox"]
        assert sandbox["mode"] == mode
        assert sandbox["seccomp"] == (mode == "strict")
        assert server.post("/v1/rerank", QUERY)[0] == 200
        server.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_root_becomes_the_named_user(start, sealed):
    server = start("--user", "65532:65533")
    assert server.start_line["sandbox"]["user"] is True and server.start_line["sandbox"]["user_id"] == 65532
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    assert "Uid:\t65532\t65532\t65532\t65532" in status and "Gid:\t65533\t65533\t65533\t65533" in status
    assert re.search(r"Groups:\t *\n", status)
    assert server.post("/v1/rerank", QUERY)[0] == 200


@pytest.mark.parametrize("user", ["", "65532", "nobody:nogroup", "1:2:3", ":1", "1:", "-1:5", "4294967295:1", "1 :2"])
def test_users_that_are_not_numbers_are_refused(rescoldo, cross_encoder_ember, user):
    result = subprocess.run(
        [rescoldo, "serve", "--model", cross_encoder_ember, "--user", user], capture_output=True, timeout=60, check=False
    )
    assert result.returncode == 2 and b"--user" in result.stderr


def test_every_forbidden_call_kills(death):
    result = subprocess.run([death], capture_output=True, text=True, timeout=600, check=False)
    assert result.returncode == 0, "\n".join(line for line in result.stdout.splitlines() if not line.startswith("ok "))


def test_the_documentation_lists_the_same_calls(death):
    listed = subprocess.run([death, "--calls"], capture_output=True, text=True, check=True).stdout.splitlines()
    documented = (REPOSITORY / "docs" / "sandbox.md").read_text().partition("## The permitted calls")[2].splitlines()
    rows = [line for line in documented if re.match(r"\| `[a-z0-9_]+` \| ", line)]
    assert rows == listed


# What another libc, libuv or machine uses instead, or what happens once in a blue moon: on the list, but not to be
# seen in every run.
RARE = {
    "brk", "clock_getres", "clock_gettime", "clock_nanosleep", "epoll_pwait", "epoll_wait", "fcntl", "getpid", "getrandom",
    "gettid", "madvise", "open", "openat", "restart_syscall", "rseq", "rt_sigreturn", "sched_getaffinity", "sched_yield",
    "sendto", "set_robust_list", "shutdown", "sysinfo", "tgkill",
}  # fmt: skip


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_no_call_but_those_on_the_list(rescoldo, all_minilm_ember, death, tmp_path):
    """The kernel would kill it; this also names what is on the list and never used."""
    trace = tmp_path / "trace"
    wrapper = ["strace", "-f", "-qq", "-o", str(trace)]
    with RunningServer(rescoldo, all_minilm_ember, wrapper=wrapper) as server:
        for path in ("/livez", "/readyz", "/health", "/info", "/metrics", "/nowhere"):
            server.get(path)
        for documents in (["a"], ["word " * 100] * 50, ["x"] * 5000):
            assert server.post("/v1/rerank", {"query": "q", "documents": documents})[0] == 200
        assert server.post("/v1/embeddings", {"input": ["a"] * 200})[0] == 200
        server.post("/v1/rerank", b"not JSON")
        # strace passes no signal on: the server is its child.
        children = pathlib.Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        os.kill(int(children[0]), 15)
        assert server.process.wait(60) == 0
    lines = [line.split(None, 1)[1] for line in trace.read_text().splitlines()]
    seal = max(i for i, line in enumerate(lines) if line.startswith("seccomp(SECCOMP_SET_MODE_FILTER"))
    used = {match[1] for line in lines[seal + 1 :] if (match := re.match(r"([a-z0-9_]+)\(", line))}
    listed = subprocess.run([death, "--calls"], capture_output=True, text=True, check=True).stdout
    permitted = set(re.findall(r"^\| `([a-z0-9_]+)`", listed, re.MULTILINE))
    assert used - permitted == set()
    unused = permitted - used - RARE
    if unused:
        warnings.warn(f"permitted system calls that this run did not use: {sorted(unused)}", stacklevel=1)
