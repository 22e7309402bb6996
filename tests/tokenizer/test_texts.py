"""No difference from the reference on whole texts: random ones over every kind of character, and real ones."""

from __future__ import annotations

import os
import pathlib

import pytest
import tokenizer_texts as texts
from oracle import Ours, assert_same, differences

NOVELEVAL = pathlib.Path(os.environ.get("NOVELEVAL", pathlib.Path(__file__).parents[3] / "shared" / "data" / "noveleval"))


@pytest.mark.parametrize("seed", range(10))
def test_a_million_random_texts(ours, reference, seed):
    assert_same(ours, reference, texts.texts(seed, 100_000), part=100_000)


def test_random_texts_under_every_setting(visible):
    """The ids spell the normalized text."""
    from test_unicode import SETTINGS

    for seed, settings in enumerate(SETTINGS):
        visible.assert_same(texts.texts(1000 + seed, 4_000), **settings)


def test_the_slow_tokenizer_of_the_fuzz_target(driver, all_minilm_directory, reference):
    """The fuzz target compares with it, so it must be right as well."""
    slow = Ours(driver, all_minilm_directory, "--slow")
    assert_same(slow, reference, texts.texts(2000, 60, longest=8))


def test_special_tokens_as_ordinary_text(driver, all_minilm_directory, reference):
    mine = Ours(driver, all_minilm_directory, "--encode-special-tokens")
    reference.encode_special_tokens = True
    try:
        assert_same(mine, reference, texts.texts(3000, 20_000) + texts.SPECIAL + [f"a{s}b" for s in texts.SPECIAL])
    finally:
        reference.encode_special_tokens = False


def test_long_words(ours, reference):
    alphabet = ["a", "é", "e\u0301", "\u00e9\u0323", "가", "각", "中", "ß", "İ", "\u0130\u0301", "\U0001d160", "1", "か\u3099", "[SEP]"]
    assert_same(ours, reference, [c * n for c in alphabet for n in (*range(1, 8), *range(30, 36), *range(48, 54), *range(97, 105), 1000)])


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_stopping_early_gives_the_first_tokens(driver, all_minilm_directory, ours, limit):
    some = [text.encode() for text in texts.texts(4000 + limit, 20_000)]
    for text, whole, first in zip(some, ours.encode(some),
                                  Ours(driver, all_minilm_directory, "--max-tokens", str(limit)).encode(some)):
        assert first == tuple(part[:limit] for part in whole), text


def test_noveleval(ours, reference):
    if not NOVELEVAL.is_dir():
        pytest.skip(f"NovelEval is not at {NOVELEVAL} (set NOVELEVAL to its directory): its texts are NOT tested")
    lines = [line for name in ("corpus.tsv", "queries.tsv")
             for line in (NOVELEVAL / name).read_text(encoding="utf-8").split("\n")]
    assert len(lines) > 400
    assert differences(ours, reference, lines) == []
