"""rescoldo embed."""

from __future__ import annotations

import io
import resource
import subprocess

import numpy
import pytest

from json_output import json_lines

TEXTS = ["Paris is the capital of France.", "", "rome", "a banana " * 5, "eggs"]
INPUT = "\n".join(TEXTS).encode() + b"\n"


def test_one_line_for_each_text(run, embedder):
    results = json_lines(run("embed", "--model", embedder, input=INPUT).stdout)
    assert [r["index"] for r in results] == list(range(len(TEXTS)))
    for result in results:
        assert list(result) == ["index", "embedding", "tokens", "truncated", "characters_used"]
        assert len(result["embedding"]) == 64 and result["truncated"] is False
    assert [r["tokens"] for r in results][1:3] == [2, 3]


def test_a_vector_does_not_depend_on_its_neighbours(run, embedder):
    together = json_lines(run("embed", "--model", embedder, input=INPUT).stdout)
    for i, text in enumerate(TEXTS):
        (alone,) = json_lines(run("embed", "--model", embedder, input=text.encode() + b"\n").stdout)
        assert alone["embedding"] == together[i]["embedding"]


def test_npy_holds_the_same_numbers(run, embedder):
    results = json_lines(run("embed", "--model", embedder, input=INPUT).stdout)
    matrix = numpy.load(io.BytesIO(run("embed", "--model", embedder, "--format", "npy", input=INPUT).stdout))
    assert matrix.dtype == numpy.float32 and matrix.shape == (len(TEXTS), 64) and matrix.flags.c_contiguous
    for row, result in zip(matrix, results):
        assert numpy.array_equal(row, numpy.array(result["embedding"], dtype=numpy.float32))


def test_truncation_is_a_choice_and_told(run, embedder):
    text = b"paris " * 50 + b"\nrome\n"
    results = json_lines(run("embed", "--model", embedder, "--max-length", 10, input=text).stdout)
    assert [(r["tokens"], r["truncated"]) for r in results] == [(10, True), (3, False)]
    result = run("embed", "--model", embedder, "--max-length", 10, "--truncation", "none", input=text, status=1)
    first, second = json_lines(result.stdout)
    assert "more than the 8 tokens" in first["error"] and second["tokens"] == 3
    assert b"1 of 2 lines could not be embedded" in result.stderr


def test_bad_lines_are_answered_in_their_place(run, embedder):
    text = b"rome\n\xff\nparis\n" + b"x" * 17_000_000 + b"\nberlin\n"
    result = run("embed", "--model", embedder, input=text, status=1)
    results = json_lines(result.stdout)
    assert [r["index"] for r in results] == [0, 1, 2, 3, 4]
    assert results[1]["error"] == "line 2 of standard input is not UTF-8 at byte 0"
    assert results[3]["error"] == "line 4 of standard input is longer than 16777216 bytes"
    assert all("embedding" in results[i] for i in (0, 2, 4))
    assert b"2 of 5 lines could not be embedded" in result.stderr


def test_texts_that_are_not_utf8_replaced_where_that_is_asked_for(run, embedder):
    replaced = run("embed", "--model", embedder, "--invalid-utf8", "replace", input=b"bad \xff end\n\xe2\x82").stdout
    assert replaced == run("embed", "--model", embedder, input="bad \ufffd end\n\ufffd\n".encode()).stdout


def test_a_matrix_has_no_place_for_a_bad_line(refuse, embedder):
    message = refuse("embed", "--model", embedder, "--format", "npy", input=b"rome\n\xff\n")
    assert "line 2 of standard input is not UTF-8" in message


def test_a_line_of_ten_megabytes(run, embedder):
    (result,) = json_lines(run("embed", "--model", embedder, input=b"word " * 2_000_000 + b"\n").stdout)
    assert result["truncated"] is True and result["tokens"] == 128


def test_a_cross_encoder_is_refused(refuse, cross_encoder):
    assert "is a cross-encoder, embed needs an embedder" in refuse("embed", "--model", cross_encoder, input=b"a\n")


def test_many_texts_in_bounded_memory(rescoldo, embedder):
    """Twenty thousand lines do not make the program grow: it holds a piece of its input at a time."""
    with open(rescoldo, "rb") as binary:
        content = binary.read()
    if b"__asan_init" in content or b"__tsan_init" in content:
        pytest.skip("a sanitizer reserves more memory than the limit of this test")
    limit = 64 << 20
    result = subprocess.run(
        [rescoldo, "embed", "--model", embedder],
        input=b"rome\n" * 20_000,
        capture_output=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count(b"\n") == 20_000
