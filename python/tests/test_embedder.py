"""rescoldo.Embedder without numpy: lists of floats. With numpy: peers/test_numpy.py."""

from __future__ import annotations

import math
import pickle

import pytest

import rescoldo
from texts import PASSAGES


def encode(embedder: rescoldo.Embedder, texts: list[str]) -> list[list[float]]:
    return embedder.encode(texts, convert_to_numpy=False)


def test_vectors_have_the_models_size_and_length_one(embedder):
    vectors = encode(embedder, PASSAGES)
    assert len(vectors) == len(PASSAGES) and embedder.hidden_size == 384
    for vector in vectors:
        assert len(vector) == 384 and math.sqrt(sum(x * x for x in vector)) == pytest.approx(1, abs=1e-5)
    assert embedder.encode([], convert_to_numpy=False) == []


def test_a_vector_depends_on_nothing_but_its_text(embedder, embedder_ember):
    vectors = encode(embedder, PASSAGES)
    assert [embedder.encode(text, convert_to_numpy=False) for text in PASSAGES] == vectors
    assert encode(embedder, PASSAGES * 20) == vectors * 20
    assert encode(rescoldo.Embedder(embedder_ember, threads=3), PASSAGES * 20) == vectors * 20
    assert encode(pickle.loads(pickle.dumps(embedder)), PASSAGES) == vectors


def test_a_prompt_comes_before_each_text(embedder):
    texts = ["query: " + text for text in PASSAGES]
    assert embedder.encode(PASSAGES, prompt="query: ", convert_to_numpy=False) == encode(embedder, texts)


def test_a_prompt_that_the_model_does_not_have_is_nothing(embedder):
    expected = encode(embedder, PASSAGES)
    for name in ("query", "passage"):
        assert embedder.encode(PASSAGES, prompt_name=name, convert_to_numpy=False) == expected
    with pytest.raises(ValueError, match="prompt_name is 'document', expected one of query, passage"):
        embedder.encode(PASSAGES, prompt_name="document", convert_to_numpy=False)


def test_a_cross_encoder_does_not_embed(reranker_ember):
    with pytest.raises(rescoldo.UnsupportedError, match="a cross-encoder: it reranks"):
        rescoldo.Embedder(reranker_ember)


def test_wrong_arguments(embedder, embedder_ember):
    with pytest.raises(TypeError, match=r"sentences\[1\] is <class 'int'>"):
        embedder.encode(["a", 3], convert_to_numpy=False)
    with pytest.raises(TypeError, match="sentences is one bytes"):
        embedder.encode(b"abc", convert_to_numpy=False)
    strict = rescoldo.Embedder(embedder_ember, truncation="none")
    with pytest.raises(rescoldo.LimitExceededError, match="text 1: "):
        strict.encode(["short", "long " * 1000], convert_to_numpy=False)
