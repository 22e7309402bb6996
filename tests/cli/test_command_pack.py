"""rescoldo pack: one file that is the program and a model, and that refuses to be damaged."""

from __future__ import annotations

import os
import pathlib
import shutil
import stat
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "server"))
from running_server import RunningServer  # noqa: E402

QUERY = ["--query", "What is the capital of France?", "--json"]
PASSAGES = "Berlin is the capital of Germany.\nParis is the capital of France.\n"


def run(*command, text=PASSAGES, **options):
    return subprocess.run(
        [str(part) for part in command], input=text, capture_output=True, text=True, timeout=600, check=False, **options
    )


@pytest.fixture(scope="module")
def packed(rescoldo, all_minilm_ember, tmp_path_factory) -> pathlib.Path:
    program = tmp_path_factory.mktemp("packed") / "rescoldo-minilm"
    result = run(rescoldo, "pack", "--model", all_minilm_ember, "--output", program)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    return program


def test_it_is_a_program_that_needs_no_model(packed, rescoldo, all_minilm_ember):
    assert stat.S_IMODE(packed.stat().st_mode) == 0o755
    expected = run(rescoldo, "rerank", "--model", all_minilm_ember, *QUERY)
    assert expected.returncode == 0
    assert run(packed, "rerank", *QUERY).stdout == expected.stdout
    assert run(packed, "--version").stdout == run(rescoldo, "--version").stdout
    selftest = run(packed, "selftest")
    assert selftest.returncode == 0, selftest.stderr


def test_it_serves(packed, all_minilm_ember):
    with RunningServer(str(packed), all_minilm_ember) as server:
        assert server.get("/info")[2]["memory"]["model_bytes"] == all_minilm_ember.stat().st_size
    process = subprocess.Popen(
        [packed, "serve", "--listen", "127.0.0.1:0"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert '"all-MiniLM-L6-v2"' in process.stderr.readline()
    process.terminate()
    assert process.wait(60) == 0
    process.stderr.close()


def test_inspect(packed, rescoldo, all_minilm_ember):
    plain = run(rescoldo, "inspect", "--json", all_minilm_ember).stdout.replace(str(all_minilm_ember), "FILE")
    assert run(rescoldo, "inspect", "--json", packed).stdout.replace(str(packed), "FILE") == plain
    assert run(packed, "inspect", "--json", "--verify").stdout.replace('"verified":true', '"verified":false').replace(
        "/proc/self/exe", "FILE"
    ) == plain


def test_a_model_that_is_given_counts(packed, rescoldo, all_minilm_f32_ember):
    expected = run(rescoldo, "rerank", "--model", all_minilm_f32_ember, *QUERY).stdout
    assert run(packed, "rerank", "--model", all_minilm_f32_ember, *QUERY).stdout == expected
    assert expected != run(packed, "rerank", *QUERY).stdout


def test_another_model_replaces_it(packed, all_minilm_ember, all_minilm_f32_ember, tmp_path):
    other, again = tmp_path / "other", tmp_path / "again"
    assert run(packed, "pack", "--model", all_minilm_f32_ember, "--output", other).returncode == 0
    assert other.stat().st_size - packed.stat().st_size == (
        all_minilm_f32_ember.stat().st_size - all_minilm_ember.stat().st_size
    )
    assert run(other, "pack", "--model", packed, "--output", again).returncode == 0  # the model of a packed program
    assert again.read_bytes() == packed.read_bytes()
    assert run(again, "pack", "--model", all_minilm_f32_ember, "--output", again).returncode == 0  # while it runs
    assert again.read_bytes() == other.read_bytes()


def test_without_proc(packed, tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    shutil.copy(packed, root / "rescoldo")
    chroot = ["chroot", root] if os.geteuid() == 0 else ["unshare", "--map-root-user", "chroot", root]
    result = run(*chroot, "/rescoldo", "inspect", "--json")
    if "unshare" in result.stderr:
        pytest.skip("no user namespaces here")
    if result.returncode == 127:
        pytest.skip("an instrumented build is not static, and needs more than itself")
    assert result.returncode == 0 and '"file":"/rescoldo"' in result.stdout, result.stderr


def test_damage_is_refused(packed, rescoldo, all_minilm_ember, tmp_path):
    whole = packed.read_bytes()
    program = len(pathlib.Path(rescoldo).read_bytes())
    start = (program + 4095) // 4096 * 4096
    damaged = tmp_path / "damaged"

    def message(content: bytes, command) -> str:
        damaged.write_bytes(content)
        damaged.chmod(0o755)
        result = run(*command)
        assert result.returncode == 1 and result.stdout == "", result
        return result.stderr

    own, foreign = [damaged, "rerank", *QUERY], [rescoldo, "inspect", "--json", damaged]
    for command in (own, foreign):
        assert "truncated" in message(whole[: program + 1], command)
        assert "truncated" in message(whole[: start + 40], command)
        assert "truncated" in message(whole[: len(whole) // 2], command)
        assert "trailer" in message(whole[:-1], command)
        assert "trailer" in message(whole + b"\0", command)
        assert "trailer" in message(whole[:-20] + b"\1" + whole[-19:], command)
        assert "magic" in message(whole[:start] + b"X" + whole[start + 1 :], command)
        assert "table" in message(whole[: start + 70] + b"X" + whole[start + 71 :], command)
    assert "without a model" in message(whole[:program], foreign)
    weights = whole[: start + (8 << 20)] + bytes([whole[start + (8 << 20)] ^ 1]) + whole[start + (8 << 20) + 1 :]
    assert '"weights"' in message(weights, [damaged, "inspect", "--verify"])
    assert '"weights"' in message(weights, [rescoldo, "pack", "--model", damaged, "--output", tmp_path / "x"])
    assert not (tmp_path / "x").exists()


def test_what_is_no_ember_is_not_packed(rescoldo, all_minilm_ember, tmp_path):
    output = tmp_path / "output"
    for model in (rescoldo, __file__, tmp_path / "nothing"):
        result = run(rescoldo, "pack", "--model", model, "--output", output)
        assert result.returncode == 1 and str(model) in result.stderr
    assert not output.exists()
    assert run(rescoldo, "pack", "--model", all_minilm_ember).returncode == 2
    assert run(rescoldo, "pack", "--model", all_minilm_ember, "--output", tmp_path / "a/b").returncode == 1
