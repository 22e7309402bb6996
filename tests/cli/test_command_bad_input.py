"""Bad input that a user meets sooner or later: the message says what and where, and nothing hangs."""

from __future__ import annotations

import os
import re
import socket

import pytest

from small_models import write_model

# What beside MODEL_COMMANDS of the contract opens a model; MODEL stands for it, TEXT for a file of text.
COMMANDS = {
    "rerank": ["rerank", "--query", "q", "--model", "MODEL"],
    "embed": ["embed", "--model", "MODEL"],
    "tokenize": ["tokenize", "--model", "MODEL"],
    "inspect": ["inspect", "MODEL"],
    "selftest": ["selftest", "--model", "MODEL"],
    "bench": ["bench", "--model", "MODEL"],
    "bench --cold-start": ["bench", "--cold-start", "--runs", "1", "--model", "MODEL"],
    "serve": ["serve", "--listen", "127.0.0.1:0", "--model", "MODEL"],
    "pack": ["pack", "--output", "OUTPUT", "--model", "MODEL"],
    "eval": ["eval", "--queries", "TEXT", "--corpus", "TEXT", "--qrels", "TEXT", "--model", "MODEL"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_no_ember(refuse, embedder, tmp_path, command):
    text = tmp_path / "text"
    text.write_bytes(b"1\tparis\n")
    names = {"TEXT": text, "OUTPUT": tmp_path / "output"}

    def refused(model: object) -> str:
        message = refuse(*(model if a == "MODEL" else names.get(a, a) for a in COMMANDS[command]), input=b"paris\n")
        assert not names["OUTPUT"].exists()
        return message

    missing, empty, truncated, pipe = (tmp_path / name for name in ("missing", "empty", "truncated", "pipe"))
    empty.write_bytes(b"")
    truncated.write_bytes(embedder.read_bytes()[:100_000])
    os.mkfifo(pipe)
    assert f"cannot open {missing}: No such file" in refused(missing)
    assert f"{tmp_path} is a directory" in refused(tmp_path)
    assert f"{empty} is empty" in refused(empty)
    assert f"{text}: not an ember" in refused(text)
    assert f"{truncated}: truncated" in refused(truncated)
    assert f"{pipe} is not a regular file" in refused(pipe)
    assert "the name of the file to read is empty" in refused("")


@pytest.mark.parametrize("option", ["--name", "--query-prompt", "--passage-prompt"])
def test_bake_refuses_names_and_prompts_that_are_not_utf8_at_once(refuse, embedder_directory, tmp_path, option):
    message = refuse("bake", "--model", embedder_directory, "--output", tmp_path / "o", option, b"caf\xe9".decode(errors="surrogateescape"), status=2)
    assert f"{option} is not UTF-8 at byte 3" in message
    assert "writing" not in message


@pytest.mark.parametrize("file", ["vocab.txt", "tokenizer.json", "tokenizer_config.json"])
def test_bake_says_whose_tokenizer_is_broken(refuse, embedder_directory, tmp_path, file):
    broken = write_model(tmp_path / "broken", cross_encoder=True)
    (broken / file).write_bytes(b'{"a": \xff')
    message = refuse("bake", "--quiet", "--model", embedder_directory, "--model", broken, "--output", tmp_path / "o")
    assert str(broken) in message and file in message


def test_bake_says_that_a_vocabulary_is_shorter_than_its_embeddings(run, tmp_path):
    """As one is whose download broke off; others are published so."""
    directory = write_model(tmp_path / "model", cross_encoder=False)
    vocabulary = (directory / "vocab.txt").read_text().splitlines()
    (directory / "vocab.txt").write_text("\n".join(vocabulary[:-10]) + "\n")
    result = run("bake", "--model", directory, "--output", tmp_path / "o")
    assert f"the vocabulary has {len(vocabulary) - 10} pieces, word embeddings {len(vocabulary)} rows".encode() in result.stdout


def test_options_that_would_be_ignored_are_refused(refuse, embedder, tmp_path):
    for option in ("--tokens", "--pairs", "--threads", "--seconds"):
        message = refuse("bench", "--model", embedder, "--cold-start", option, "16", status=2)
        assert f"{option} is not for --cold-start" in message
    assert "--runs is for --cold-start" in refuse("bench", "--model", embedder, "--runs", "5", status=2)
    assert "--model is given twice" in refuse("serve", "--model", embedder, "--model", embedder, status=2)
    assert "--query is given twice" in refuse("rerank", "--model", embedder, "--query", "a", "--query", "b", status=2)


def test_a_query_that_is_empty(run, refuse, embedder):
    """As over HTTP: more likely a variable that is not set than a question."""
    assert "--query is empty" in refuse("rerank", "--model", embedder, "--query", "", input=b"paris\n", status=2)
    result = run("rerank", "--model", embedder, "--jsonl", input=b'{"query": "", "passages": ["paris"]}\n', status=1)
    assert b'"query\\" is empty' in result.stdout


@pytest.mark.parametrize(
    ("arguments", "good"),
    [(["embed"], b"paris\n"), (["tokenize"], b"paris\n"), (["tokenize", "--jsonl"], b'{"text":"a"}\n'),
     (["rerank", "--jsonl"], b'{"query":"a","passages":["b"]}\n')],
)  # fmt: skip
def test_the_first_bad_line_is_named(run, embedder, arguments, good):
    result = run(*arguments, "--model", embedder, input=good + good + b"\xff\n" + good + b"\xff\n", status=1)
    assert re.search(rb": 2 of 5 lines could not be \w+, line 3 first\n$", result.stderr)


def test_a_query_that_is_not_utf8_is_the_querys_fault(refuse, run, embedder):
    query = b"\xff".decode(errors="surrogateescape")
    assert "query: the text is not UTF-8" in refuse("rerank", "--model", embedder, "--query", query, input=b"paris\n")
    assert b"query: the text is not UTF-8" in run("tokenize", "--model", embedder, "--query", query, input=b"paris\n", status=1).stdout


def test_what_a_message_quotes_cannot_steer_the_terminal(refuse, tmp_path):
    assert "cannot open a?[31m?b: No such file" in refuse("inspect", "a\x1b[31m\nb")
    assert 'unknown command "?[2J"' in refuse("\x1b[2J", status=2)


def test_a_unix_socket_where_something_else_lies(refuse, embedder, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"")
    for path in (file, tmp_path):
        message = refuse("serve", "--model", embedder, "--listen", f"unix:{path}")
        assert f"cannot listen on unix:{path}: what is there is not a socket" in message
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        assert "Address already in use" in refuse("serve", "--model", embedder, "--listen", f"unix:{tmp_path}/socket")


def test_help_is_a_command_too(run, refuse):
    assert run("help").stdout == run("--help").stdout
    assert run("help", "bake").stdout == run("bake", "--help").stdout
    assert 'unknown command "bale"' in refuse("help", "bale", status=2)
    assert 'unexpected argument "x"' in refuse("help", "bake", "x", status=2)
