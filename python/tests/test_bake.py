"""rescoldo.bake: the file, progress, and every way to end it."""

from __future__ import annotations

import os

import pytest

import rescoldo
from texts import PASSAGES, QUERIES


def test_both_precisions(made_models, tmp_path):
    embers = {precision: tmp_path / f"{precision}.ember" for precision in ("int8", "f32")}
    for precision, ember in embers.items():
        rescoldo.bake(made_models / "cross-encoder", ember, name="a-name", precision=precision)
        reranker = rescoldo.Reranker(ember, verify=True)
        assert (reranker.name, reranker.precision) == ("a-name", precision)
        assert len(reranker.rank(QUERIES[0], PASSAGES)) == len(PASSAGES)
    assert embers["int8"].stat().st_size < embers["f32"].stat().st_size


def test_several_models_and_prompts_in_one_ember(made_models, embedder_directory, embedder, tmp_path):
    ember = tmp_path / "both.ember"
    rescoldo.bake(
        [made_models / "cross-encoder", os.fspath(embedder_directory)], ember, name=["reranker", None], query_prompt="query: ",
        passage_prompt="",
    )  # fmt: skip
    reranker, both = rescoldo.Reranker(ember), rescoldo.Embedder(ember)
    assert (reranker.name, reranker.kind, both.name) == ("reranker", "cross-encoder", "all-MiniLM-L6-v2")
    for prompt_name, written in (("query", "query: A text."), ("passage", "A text."), (None, "A text.")):
        vector = both.encode("A text.", prompt_name=prompt_name, convert_to_numpy=False)
        assert vector == embedder.encode(written, convert_to_numpy=False), prompt_name
    # By cosine each is read after its prompt.
    by_cosine = rescoldo.Reranker(ember, model="all-MiniLM-L6-v2")
    expected = rescoldo.Reranker(embedder.path).predict([("query: a", "b")], convert_to_numpy=False)
    assert by_cosine.predict([("a", "b")], convert_to_numpy=False) == expected


def test_progress_is_told(made_models, tmp_path):
    steps: list[tuple[str, int, int]] = []
    rescoldo.bake(os.fspath(made_models / "cross-encoder"), tmp_path / "a.ember", progress=lambda *step: steps.append(step))
    assert len({step for step, _, _ in steps}) > 1 and all(done <= total for _, done, total in steps)


def test_an_ended_bake_leaves_nothing(made_models, tmp_path):
    source, ember = made_models / "cross-encoder", tmp_path / "a.ember"
    flag = rescoldo.CancelFlag()

    def fail(*step: object) -> None:
        raise KeyError("from the caller")

    with pytest.raises(KeyError, match="from the caller"):
        rescoldo.bake(source, ember, progress=fail)
    with pytest.raises(rescoldo.CancelledError):
        rescoldo.bake(source, ember, progress=lambda *step: flag.set(), cancel=flag)
    with pytest.raises(TimeoutError):
        rescoldo.bake(source, ember, timeout=0)
    assert list(tmp_path.iterdir()) == []


def test_errors(made_models, tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        rescoldo.bake(tmp_path / "absent", tmp_path / "a.ember")
    with pytest.raises(ValueError, match="precision is 'int4', expected one of int8, f32"):
        rescoldo.bake(made_models / "cross-encoder", tmp_path / "a.ember", precision="int4")
    source = made_models / "cross-encoder"
    for arguments, message in (
        ({"source": []}, "0 models and 1 names"),
        ({"source": source, "name": ["a", "b"]}, "1 models and 2 names"),
        ({"source": [source, source]}, "would both be named"),
        ({"source": source, "query_prompt": "query: "}, "only an embedder reads a prompt"),
        ({"source": [source] * 9}, "an ember holds 8 models"),
        ({"source": "a\0b"}, "null byte"),
    ):
        with pytest.raises(ValueError, match=message):
            rescoldo.bake(output=tmp_path / "a.ember", **arguments)
    with pytest.raises(TypeError):
        rescoldo.bake([b"bytes", 3], tmp_path / "a.ember")
    assert list(tmp_path.iterdir()) == []
