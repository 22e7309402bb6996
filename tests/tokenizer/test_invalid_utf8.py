"""Bytes that are not UTF-8: refused with their offset, or replaced as Unicode says (and as Python does)."""

from __future__ import annotations

import itertools
import subprocess

import pytest
from oracle import Ours

# A byte of every kind that a UTF-8 decoder tells apart, at the ends of its range.
BYTES = [0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF,
         0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF]
SEQUENCES = [bytes(sequence) for length in (1, 2, 3, 4) for sequence in itertools.product(BYTES, repeat=length)]


def is_utf8(text: bytes) -> bool:
    try:
        text.decode()
        return True
    except UnicodeDecodeError:
        return False


def test_refused_exactly_when_invalid(ours):
    answers = ours.encode(SEQUENCES)
    assert [answer is not None for answer in answers] == [is_utf8(sequence) for sequence in SEQUENCES]


@pytest.mark.parametrize("form", [b"%s", b"ab%scd [SEP]%s\xe4\xb8\xad", b"%s\xcc\x81 e%s"])
def test_replaced_as_python_replaces(driver, all_minilm_directory, reference, form):
    """Each maximal ill-formed run is one U+FFFD, which clean_text removes: offsets show how many there were."""
    some = [form % ((sequence,) * form.count(b"%s")) for sequence in SEQUENCES[:: 1 if form == b"%s" else 7]]
    answers = Ours(driver, all_minilm_directory, "--replace").encode(some)
    encodings = reference.encode_batch([text.decode(errors="replace") for text in some], add_special_tokens=False)
    for text, answer, encoding in zip(some, answers, encodings):
        assert answer[:2] == (encoding.ids, encoding.offsets), text


@pytest.mark.parametrize("text", [b"\xff", b"abc\xe9", b"\xe4\xb8", b"ok \xed\xa0\x80", "日本".encode() + b"\x80 x", b"a" * 40 + b"\xf5"])
def test_the_message_has_the_offset(rescoldo, all_minilm_ember, text):
    try:
        text.decode()
    except UnicodeDecodeError as failure:
        offset = failure.start
    done = subprocess.run([rescoldo, "tokenize", "--model", all_minilm_ember], input=text + b"\nfine\n", capture_output=True)
    bad, good = done.stdout.decode().splitlines()
    assert f"byte 0x{text[offset]:02X} at offset {offset}" in bad and '"ids"' in good
    assert done.returncode == 1 and "1 of 2 lines" in done.stderr.decode()
    replaced = subprocess.run([rescoldo, "tokenize", "--model", all_minilm_ember, "--invalid-utf8", "replace"],
                              input=text + b"\n", capture_output=True)
    assert replaced.returncode == 0 and b'"replacements":' in replaced.stdout
