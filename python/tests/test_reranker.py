"""rescoldo.Reranker: the shape of CrossEncoder, equal bits however the work is split."""

from __future__ import annotations

import json
import math
import pickle

import pytest

import rescoldo
from texts import PASSAGES, QUERIES

QUERY = QUERIES[0]


def scores(ranked: list[rescoldo.RankedDocument]) -> list[float]:
    by_index = {document["corpus_id"]: document["raw_score"] for document in ranked}
    return [by_index[index] for index in range(len(by_index))]


def test_scores_are_near_the_float_model(reranker, reference):
    for query, expected in zip(QUERIES, reference["float"]):
        found = scores(reranker.rank(query, PASSAGES))
        error = math.sqrt(sum((a - b) ** 2 for a, b in zip(found, expected)) / len(expected))
        spread = max(expected) - min(expected)
        assert error < 0.05 * spread, (found, expected)


def test_documents_come_best_first(reranker):
    ranked = reranker.rank(QUERY, PASSAGES, return_documents=True)
    assert sorted(document["corpus_id"] for document in ranked) == list(range(len(PASSAGES)))
    assert [document["raw_score"] for document in ranked] == sorted((d["raw_score"] for d in ranked), reverse=True)
    for document in ranked:
        assert document["text"] == PASSAGES[document["corpus_id"]]
        assert document["score"] == pytest.approx(1 / (1 + math.exp(-document["raw_score"])), abs=1e-6)
    json.dumps(ranked)


def test_top_n_cuts_and_equal_documents_keep_their_order(reranker):
    ranked = reranker.rank(QUERY, [*PASSAGES, *PASSAGES], 4)
    count = len(PASSAGES)
    assert [d["corpus_id"] for d in ranked] == [ranked[0]["corpus_id"], ranked[0]["corpus_id"] + count,
                                                ranked[2]["corpus_id"], ranked[2]["corpus_id"] + count]
    assert "text" not in ranked[0]
    assert reranker.rank(QUERY, [], 4) == [] == reranker.rank(QUERY, PASSAGES, 0)


def test_predict_gives_the_scores_in_order(reranker):
    pairs = [(query, passage) for query in QUERIES for passage in PASSAGES]
    expected = [score for query in QUERIES for score in scores(reranker.rank(query, PASSAGES))]
    assert reranker.predict(pairs, convert_to_numpy=False, raw=True) == expected
    assert reranker.predict(list(reversed(pairs)), convert_to_numpy=False, raw=True) == expected[::-1]
    assert all(0 < score < 1 for score in reranker.predict(pairs, convert_to_numpy=False))
    assert reranker.predict([], convert_to_numpy=False) == []


def test_a_score_depends_on_nothing_but_its_pair(reranker, reranker_ember):
    expected = scores(reranker.rank(QUERY, PASSAGES))
    assert [reranker.rank(QUERY, [passage])[0]["raw_score"] for passage in PASSAGES] == expected
    many = scores(reranker.rank(QUERY, PASSAGES * 50))
    assert many == expected * 50
    for threads in (2, 3, 100):
        assert scores(rescoldo.Reranker(reranker_ember, threads=threads).rank(QUERY, PASSAGES * 50)) == many
    assert scores(rescoldo.Reranker(reranker_ember, max_batch_tokens=2048).rank(QUERY, PASSAGES)) == expected


def test_long_documents(reranker_ember):
    text = "nothing of interest here and there . " * 200 + "Paris is the capital of France."
    cut = rescoldo.Reranker(reranker_ember, max_length=64).rank(QUERY, [text])[0]
    assert cut["truncated"] and cut["tokens"] == 64 and cut["character_end"] < len(text)
    left = rescoldo.Reranker(reranker_ember, max_length=64, truncation_side="left").rank(QUERY, [text])[0]
    assert left["truncated"] and left["character_end"] == len(text)
    windows = rescoldo.Reranker(reranker_ember, max_length=64, truncation="windows", window_stride=8).rank(QUERY, [text])[0]
    assert not windows["truncated"] and windows["raw_score"] >= cut["raw_score"]
    for threads in (1, 2):
        strict = rescoldo.Reranker(reranker_ember, truncation="none", threads=threads)
        with pytest.raises(rescoldo.LimitExceededError, match="passage 700: "):
            strict.rank(QUERY, ["Paris is far. " * 8] * 700 + [text])


def test_an_embedder_ranks_by_cosine(embedder_ember):
    ranked = rescoldo.Reranker(embedder_ember).rank(QUERY, PASSAGES[:3], 1)
    assert ranked[0]["corpus_id"] == 1
    assert ranked[0]["score"] == pytest.approx((1 + ranked[0]["raw_score"]) / 2, abs=1e-6)


def test_it_is_pickled_by_path(reranker_ember):
    reranker = rescoldo.Reranker(reranker_ember, max_length=20, threads=2, truncation="only_passage")
    reranker.rank(QUERY, PASSAGES)
    data = pickle.dumps(reranker)
    assert len(data) < 1000
    copy = pickle.loads(data)
    assert copy.rank(QUERY, PASSAGES) == reranker.rank(QUERY, PASSAGES)
    assert (copy.path, copy.max_length) == (str(reranker_ember), 20)


def test_it_says_what_it_is(reranker, reranker_ember):
    assert (reranker.kind, reranker.precision, reranker.max_length) == ("cross-encoder", "int8", 512)
    assert reranker.name == "cross-encoder" and reranker.vocabulary_size == 30522
    assert repr(reranker) == f"Reranker({str(reranker_ember)!r})"
    tokens = reranker.tokenize("Paris", "is far")
    assert tokens.ids == [101, 3000, 102, 2003, 2521, 102] and tokens.type_ids == [0, 0, 0, 1, 1, 1]
    assert not tokens.truncated


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((1, ["a"]), TypeError, "query is <class 'int'>, expected a str"),
        ((QUERY, "a text"), TypeError, "documents is one str"),
        ((QUERY, ["a", None]), TypeError, r"documents\[1\] is <class 'NoneType'>"),
        ((QUERY, ["\ud800"]), UnicodeEncodeError, "surrogates"),
        ((QUERY, ["a"], -1), ValueError, "top_n is -1"),
    ],
)
def test_wrong_arguments(reranker, arguments, error, message):
    with pytest.raises(error, match=message):
        reranker.rank(*arguments)


def test_wrong_pairs_and_options(reranker, reranker_ember):
    with pytest.raises(TypeError, match=r"pairs\[0\] is 'ab', expected"):
        reranker.predict(["ab"], convert_to_numpy=False)
    for options, message in (
        ({"truncation": "middle"}, "truncation is 'middle', expected one of longest_first"),
        ({"max_length": 1000}, "max_length is 1000, expected at most 512"),
        ({"max_length": -1}, "max_length is -1"),
        ({"threads": 0}, "threads is 0"),
        ({"window_stride": -1}, "window_stride is -1, expected 0 or more"),
        ({"max_windows": 2**31}, "max_windows is 2147483648"),
        ({"max_passage_tokens": -5}, "max_passage_tokens is -5"),
    ):
        with pytest.raises(ValueError, match=message):
            rescoldo.Reranker(reranker_ember, **options)
    with pytest.raises(rescoldo.NotFoundError, match="other"):
        rescoldo.Reranker(reranker_ember, model="other")
