"""What holds for every command: help, exit status, streams, and models that cannot be opened."""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from json_output import json_lines

# The arguments, MODEL standing for the ember, with which each command that opens a model does something.
MODEL_COMMANDS = {
    "rerank": ["--model", "MODEL", "--query", "capital"],
    "rerank --jsonl": ["--model", "MODEL", "--jsonl"],
    "embed": ["--model", "MODEL"],
    "tokenize": ["--model", "MODEL"],
    "tokenize --jsonl": ["--model", "MODEL", "--jsonl"],
    "inspect": ["MODEL"],
    "selftest": ["--model", "MODEL"],
    "bench": ["--model", "MODEL", "--seconds", "1"],
}


def arguments(command: str, model) -> list[str]:
    return [command.split()[0], *(str(model) if a == "MODEL" else a for a in MODEL_COMMANDS[command])]


def commands(run) -> list[str]:
    listing = run("--help").stdout.decode().split("Commands:\n")[1].split("\n\n")[0]
    return [line.split()[0] for line in listing.splitlines()]


def test_every_command_is_there_and_explains_itself(run):
    found = commands(run)
    assert set(found) >= {"bake", "serve", "rerank", "embed", "tokenize", "inspect", "selftest", "bench", "eval", "health"}
    for command in found:
        result = run(command, "--help")
        assert result.stdout.startswith(f"Usage: rescoldo {command}".encode())
        assert result.stderr == b""


def test_help_comes_before_what_is_missing_or_wrong_behind_it(run):
    assert run("rerank", "--help", "--nonsense").stdout.startswith(b"Usage: ")


def test_help_fits_eighty_columns_and_names_every_option_once(run):
    for command in commands(run):
        text = run(command, "--help").stdout.decode()
        assert all(len(line) <= 80 for line in text.split("Options:")[1].splitlines()), command
        options = re.findall(r"^  --([a-z0-9-]+)", text, re.MULTILINE)
        assert len(options) == len(set(options)) and "help" in options, command


def test_version(run):
    assert re.fullmatch(rb"rescoldo \d+\.\d+\.\d+\n", run("--version").stdout)


def test_usage_errors(refuse):
    assert "a command is required" in refuse(status=2)
    assert 'did you mean "rerank"?' in refuse("rernak", status=2)
    assert "did you mean --model?" in refuse("rerank", "--modle", "x", status=2)
    assert "--model FILE.ember is required" in refuse("rerank", "--query", "q", status=2)
    assert "--query TEXT is required" in refuse("rerank", "--model", "x", status=2)
    assert "exclude each other" in refuse("rerank", "--model", "x", "--query", "q", "--jsonl", status=2)
    assert "needs a value" in refuse("embed", "--model", status=2)
    assert 'unexpected argument "two"' in refuse("embed", "--model", "x", "one", "two", status=2)
    assert "expected json or npy" in refuse("embed", "--model", "x", "--format", "csv", status=2)
    assert "whole number from 1" in refuse("rerank", "--model", "x", "--query", "q", "--top-n", "0", status=2)
    assert "FILE is required" in refuse("inspect", status=2)
    assert "options are written --name" in refuse("inspect", "-j", status=2)
    for command in ("bake", "selftest", "bench", "eval"):
        assert "is required" in refuse(command, status=2)


@pytest.mark.parametrize("command", MODEL_COMMANDS)
def test_a_model_that_cannot_be_opened(refuse, embedder, tmp_path, command):
    missing = tmp_path / "missing.ember"
    assert f"cannot open {missing}: No such file" in refuse(*arguments(command, missing))
    assert f"{tmp_path} is a directory" in refuse(*arguments(command, tmp_path))
    empty = tmp_path / "empty.ember"
    empty.write_bytes(b"")
    assert f"{empty} is empty" in refuse(*arguments(command, empty))
    text = tmp_path / "text.ember"
    text.write_bytes(b"this is not an ember at all\n" * 100)
    assert str(text) in refuse(*arguments(command, text))


def test_an_ember_truncated_anywhere(refuse, embedder, tmp_path):
    whole = embedder.read_bytes()
    truncated = tmp_path / "truncated.ember"
    sizes = {1, 7, 8, 63, 64, 65, 4095, 4096, len(whole) - 1} | {len(whole) * i // 40 for i in range(1, 40)}
    for size in sorted(sizes):
        truncated.write_bytes(whole[:size])
        assert str(truncated) in refuse("embed", "--model", truncated, input=b"a\n")


def test_an_ember_with_any_part_altered_is_refused_or_found_by_verify(rescoldo, embedder, tmp_path):
    whole = bytearray(embedder.read_bytes())
    altered = tmp_path / "altered.ember"
    for position in range(0, len(whole), len(whole) // 60):
        whole[position] ^= 0x20
        altered.write_bytes(whole)
        whole[position] ^= 0x20
        result = subprocess.run([rescoldo, "inspect", "--verify", altered], capture_output=True)
        assert result.returncode in (0, 1), (position, result.stderr)
        # What lies between sections belongs to none of them, and no checksum covers it.
        if result.returncode == 0:
            assert whole[position] == 0, position



@pytest.mark.parametrize("command", MODEL_COMMANDS)
def test_output_that_cannot_be_written(run, cross_encoder, embedder, command):
    model = cross_encoder if command.startswith("rerank") else embedder
    text = b'{"query":"a","passages":["b"],"text":"c"}\n' if "jsonl" in command else b"paris\n"
    with open("/dev/full", "wb") as full:
        result = run(*arguments(command, model), input=text, stdout=full, status=1)
    assert b"cannot write to standard output: No space left on device" in result.stderr
    result = run(*arguments(command, model), input=text, stdout=None, preexec_fn=lambda: os.close(1), status=1)
    assert b"cannot write to standard output" in result.stderr
    assert result.stderr.count(b"cannot write") == 1


def test_a_reader_that_leaves(rescoldo, embedder):
    process = subprocess.Popen(
        [rescoldo, "embed", "--model", embedder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin and process.stdout and process.stderr
    process.stdin.write(b"paris\n")
    process.stdin.flush()
    assert process.stdout.readline().startswith(b'{"index":0')
    process.stdout.close()
    process.stdin.write(b"rome\n")
    process.stdin.close()
    assert process.wait(timeout=60) == 1
    assert b"cannot write to standard output: Broken pipe" in process.stderr.read()
    process.stderr.close()


def test_a_closed_standard_input(refuse, embedder):
    message = refuse("embed", "--model", embedder, stdin=None, preexec_fn=lambda: os.close(0))
    assert "cannot read standard input" in message


def test_a_closed_standard_stream_never_becomes_the_file_written(run, embedder_directory, tmp_path):
    ember = tmp_path / "closed.ember"
    arguments = ["bake", "--model", embedder_directory, "--output", ember]
    run(*arguments, stderr=None, preexec_fn=lambda: os.close(2))
    whole = ember.read_bytes()
    run(*arguments, stdout=None, preexec_fn=lambda: os.close(1), status=1)
    assert ember.read_bytes() == whole
    run("inspect", "--verify", ember)


@pytest.mark.parametrize("command", ["rerank", "rerank --jsonl", "embed", "tokenize", "tokenize --jsonl"])
def test_inputs_that_cannot_be_read(refuse, embedder, tmp_path, command):
    assert f"cannot open {tmp_path}/none: No such file" in refuse(*arguments(command, embedder), tmp_path / "none")
    assert f"{tmp_path} is a directory" in refuse(*arguments(command, embedder), tmp_path)
    assert "standard input is empty, expected one" in refuse(*arguments(command, embedder), input=b"")
    assert "standard input is empty, expected one" in refuse(*arguments(command, embedder), "-", input=b"")


@pytest.mark.parametrize("command", ["rerank --jsonl", "tokenize --jsonl", "embed", "tokenize"])
def test_every_line_is_answered_and_the_bad_ones_counted(run, embedder, command):
    good = b'{"query":"a","passages":["b"],"text":"c"}\n' if "jsonl" in command else b"paris\n"
    text = good + b"\xff\n" + b"x" * 17_000_000 + b"\n" + good
    result = run(*arguments(command, embedder), input=text, status=1)
    answers = json_lines(result.stdout)
    assert ["error" in answer for answer in answers] == [False, True, True, False]
    assert b"2 of 4 lines could not be " in result.stderr
