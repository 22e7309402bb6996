"""On a terminal results are tables for a person."""

from __future__ import annotations

import os
import pty
import struct
import subprocess
import fcntl
import termios


def on_terminal(rescoldo: str, arguments: list, text: bytes = b"", columns: int = 80) -> str:
    """What a person sees: standard output is a terminal of that width."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [rescoldo, *map(str, arguments)], stdin=subprocess.PIPE, stdout=slave, stderr=subprocess.PIPE
    )
    os.close(slave)
    assert process.stdin and process.stderr
    process.stdin.write(text)
    process.stdin.close()
    shown = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(master)
    assert process.wait(timeout=60) == 0, process.stderr.read()
    process.stderr.close()
    return shown.decode().replace("\r\n", "\n")


def test_rerank_is_a_table_cut_to_the_window(rescoldo, cross_encoder):
    text = "東京 is long ".encode() * 20 + b"\nshort\n"
    shown = on_terminal(rescoldo, ["rerank", "--model", cross_encoder, "--query", "a", "--raw"], text, columns=60)
    lines = shown.splitlines()
    assert lines[0].split() == ["index", "relevance_score", "logit", "text"]
    (cut,) = [line for line in lines if "東京" in line]
    assert cut.endswith("…") and len(cut) + cut.count("東") + cut.count("京") <= 60
    assert any(line.endswith("short") for line in lines)


def test_a_text_cannot_drive_the_terminal(rescoldo, cross_encoder):
    text = "\x1b[31mred\x1b[0m\x07\ttab\u202e\u2028end\n".encode()
    shown = on_terminal(rescoldo, ["rerank", "--model", cross_encoder, "--query", "a"], text)
    assert not any(c in shown for c in "\x1b\x07\t\u202e\u2028")


def test_json_is_for_terminals_too_when_asked(rescoldo, cross_encoder):
    shown = on_terminal(rescoldo, ["rerank", "--model", cross_encoder, "--query", "a", "--json"], b"rome\n")
    assert shown.startswith('{"index":0,')


def test_embed_shows_the_beginning_of_each_vector(rescoldo, embedder):
    lines = on_terminal(rescoldo, ["embed", "--model", embedder], b"rome\nparis\n").splitlines()
    assert lines[0].split() == ["index", "tokens", "truncated", "embedding"]
    assert len(lines) == 3 and lines[1].endswith("(64)")


def test_a_numpy_file_is_not_for_a_terminal(rescoldo, embedder):
    master, slave = pty.openpty()
    result = subprocess.run(
        [rescoldo, "embed", "--model", embedder, "--format", "npy"], input=b"a\n", stdout=slave, stderr=subprocess.PIPE
    )
    os.close(slave)
    os.close(master)
    assert result.returncode == 2 and b"redirect it" in result.stderr


def test_inspect_selftest_and_bench(rescoldo, embedder):
    shown = on_terminal(rescoldo, ["inspect", embedder], columns=40)
    assert "small-embedder" in shown and "XXH3-64" in shown and "shape.hidden_size" in shown
    assert "…" not in shown  # hashes are there to be read whole
    assert "list them with --tensors" in shown
    assert "layers.0.output.bias" in on_terminal(rescoldo, ["inspect", embedder, "--tensors"])
    assert on_terminal(rescoldo, ["selftest", "--model", embedder]).startswith("self-test of small-embedder passed")
    assert "share of the peak" in on_terminal(rescoldo, ["bench", "--model", embedder, "--seconds", 1])
