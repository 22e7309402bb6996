"""`rescoldo tokenize` as a command: what it reads, prints and says."""

from __future__ import annotations

import json
import os
import pty
import subprocess

import tokenizer_texts as texts


def run(rescoldo, ember, *options: str, data: str = "") -> subprocess.CompletedProcess:
    return subprocess.run([rescoldo, "tokenize", "--model", ember, *options], input=data.encode(), capture_output=True)


def test_json_lines_equal_the_reference(rescoldo, all_minilm_ember, reference):
    some = [text for text in texts.texts(77, 3000)]
    lines = "".join(json.dumps({"text": text}, ensure_ascii=bool(number % 2)) + "\n" for number, text in enumerate(some))
    done = run(rescoldo, all_minilm_ember, "--jsonl", data=lines)
    assert done.returncode == 0 and done.stderr == b""
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    for text, reply, encoding in zip(some, replies, reference.encode_batch(some), strict=True):
        assert reply["ids"] == encoding.ids and reply["type_ids"] == encoding.type_ids, ascii(text)
        assert reply["tokens"] == encoding.tokens and reply["offsets"] == [list(o) for o in encoding.offsets], ascii(text)
        assert reply["characters_used"] == len(text) and reply["truncated"] is False
        data = text.encode()
        for (start, end), (byte_start, byte_end) in zip(reply["offsets"], reply["byte_offsets"]):
            assert data[byte_start:byte_end].decode() == text[start:end]


def test_bad_lines_are_answered_in_their_place(rescoldo, all_minilm_ember):
    done = run(rescoldo, all_minilm_ember, "--jsonl", data='{"text":"one"}\n{"text":\n[]\n{}\n{"text":"two"}\n')
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["ids" in reply for reply in replies] == [True, False, False, False, True]
    assert all("error" in reply for reply in replies[1:4])
    assert done.returncode == 1 and b"3 of 5 lines" in done.stderr


def test_plain_texts(rescoldo, all_minilm_ember, reference):
    done = run(rescoldo, all_minilm_ember, data="Hello, world!\n\nunaffable\n")
    assert [json.loads(line)["ids"] for line in done.stdout.splitlines()] == [
        reference.encode(text).ids for text in ("Hello, world!", "", "unaffable")]


def test_pairs_with_a_query(rescoldo, all_minilm_ember, reference):
    done = run(rescoldo, all_minilm_ember, "--query", "what is it", data="a thing\n")
    assert json.loads(done.stdout)["ids"] == reference.encode("what is it", "a thing").ids


def test_special_tokens_as_text(rescoldo, all_minilm_ember):
    inside, text = (json.loads(run(rescoldo, all_minilm_ember, *options, data="a[SEP]b\n").stdout)["tokens"]
                    for options in ((), ("--encode-special-tokens",)))
    assert inside == ["[CLS]", "a", "[SEP]", "b", "[SEP]"] and text == ["[CLS]", "a", "[", "sep", "]", "b", "[SEP]"]


def test_a_table_on_a_terminal(rescoldo, all_minilm_ember):
    controller, terminal = pty.openpty()
    subprocess.run([rescoldo, "tokenize", "--model", all_minilm_ember], input="Caf\u00e9 unaffable\n".encode(), stdout=terminal,
                   check=True)
    os.close(terminal)
    shown = os.read(controller, 65536).decode()
    os.close(controller)
    lines = [line.split() for line in shown.splitlines()]
    assert lines[0] == ["token", "id", "type", "characters", "text"]
    assert ["cafe", "7668", "0", "0-4", "Caf\u00e9"] in lines and ["##ffa", "20961", "0", "8-11", "ffa"] in lines


def test_usage(rescoldo, all_minilm_ember, tmp_path):
    assert run(rescoldo, all_minilm_ember, "--help").returncode == 0
    assert run(rescoldo, all_minilm_ember, "--jsonl", "--query", "a").returncode == 2
    assert run(rescoldo, all_minilm_ember, "--jsonl", "--invalid-utf8", "replace").returncode == 2
    assert run(rescoldo, all_minilm_ember, "--truncation", "middle").returncode == 2
    assert run(rescoldo, all_minilm_ember, "--max-length", "1").returncode == 2
    for bad in (tmp_path, tmp_path / "absent"):
        done = run(rescoldo, bad, data="a\n")
        assert done.returncode == 1 and str(bad).encode() in done.stderr
    empty = run(rescoldo, all_minilm_ember, "--jsonl")
    assert empty.returncode == 1 and b"empty" in empty.stderr


def test_a_long_line(rescoldo, all_minilm_ember):
    """10 MB are tokenized; a line beyond the limit is answered in its place."""
    done = run(rescoldo, all_minilm_ember, data="word " * 2_000_000 + "\n" + "x" * (17 << 20) + "\nlast\n")
    long, refused, last = map(json.loads, done.stdout.splitlines())
    assert len(long["ids"]) == 2_000_002 and "error" in refused and len(last["ids"]) == 3
    assert done.returncode == 1
