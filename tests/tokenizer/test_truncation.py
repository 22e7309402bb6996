"""Pairs, truncation and windows of `rescoldo tokenize` against the reference, at every length that could matter."""

from __future__ import annotations

import itertools
import json
import subprocess

import pytest
from tokenizers import Tokenizer

WORDS = "one two three four five six seven eight nine ten eleven twelve thirteen".split()


def text_of(count: int) -> str:
    """That many tokens, one a word."""
    return " ".join(itertools.islice(itertools.cycle(WORDS), count))


def run(rescoldo: str, ember, requests: list[dict], *options: str) -> list[dict]:
    done = subprocess.run([rescoldo, "tokenize", "--model", ember, "--jsonl", *options], text=True, capture_output=True,
                          input="".join(json.dumps(request) + "\n" for request in requests))
    replies = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(replies) == len(requests), done.stderr
    assert done.returncode == (1 if any("error" in reply for reply in replies) else 0), done.stderr
    return replies


def with_truncation(reference: Tokenizer, max_length: int, strategy: str, texts: tuple, stride: int = 0):
    """The reference's encoding; None where it refuses."""
    reference.enable_truncation(max_length, strategy=strategy, stride=stride)
    try:
        return reference.encode(*texts)
    except Exception as failure:
        assert "too short" in str(failure)
        return None
    finally:
        reference.no_truncation()


def check(reply: dict, encoding, what) -> None:
    if encoding is None:
        assert "error" in reply, what
        return
    got = {key: reply.get(key) for key in ("ids", "type_ids", "tokens", "offsets")}
    assert got == {"ids": encoding.ids, "type_ids": encoding.type_ids, "tokens": encoding.tokens,
                   "offsets": [list(offset) for offset in encoding.offsets]}, what


@pytest.mark.parametrize("strategy", ["longest_first", "only_first", "only_second"])
def test_pairs(rescoldo, all_minilm_ember, reference, strategy):
    cases = list(itertools.product(range(10), range(10), range(3, 20)))
    requests = [{"text": text_of(a), "pair": text_of(b), "max_length": most, "truncation": strategy} for a, b, most in cases]
    for (a, b, most), request, reply in zip(cases, requests, run(rescoldo, all_minilm_ember, requests)):
        check(reply, with_truncation(reference, most, strategy, (request["text"], request["pair"])), (a, b, most))
        if "error" not in reply:
            assert reply["truncated"] == (a + b + 3 > most)
            for count, key, used in ((a, "text", "characters_used"), (b, "pair", "pair_characters_used")):
                kept = reply["type_ids"].count(0) - 2 if key == "text" else reply["type_ids"].count(1) - 1
                assert reply[used] == len(text_of(kept)), (a, b, most)


def test_pairs_of_long_texts(rescoldo, all_minilm_ember, reference):
    lengths = (0, 1, 254, 255, 256, 300, 508, 509, 510, 511, 512, 1000)
    cases = list(itertools.product(lengths, lengths))
    requests = [{"text": text_of(a), "pair": text_of(b), "max_length": 512} for a, b in cases]
    for case, request, reply in zip(cases, requests, run(rescoldo, all_minilm_ember, requests)):
        check(reply, with_truncation(reference, 512, "longest_first", (request["text"], request["pair"])), case)


def test_single_texts(rescoldo, all_minilm_ember, reference):
    cases = list(itertools.product(range(10), range(2, 14)))
    requests = [{"text": text_of(a), "max_length": most} for a, most in cases]
    for (a, most), request, reply in zip(cases, requests, run(rescoldo, all_minilm_ember, requests)):
        check(reply, with_truncation(reference, most, "longest_first", (request["text"],)), (a, most))
        assert reply["truncated"] == (a + 2 > most)


def test_no_limit_unless_asked_for(rescoldo, all_minilm_ember, reference):
    requests = [{"text": text_of(2000)}, {"text": text_of(900), "pair": text_of(700)}, {"text": "", "pair": ""},
                {"text": "", "pair": "a"}, {"text": "a", "pair": ""}, {"text": " \0 ", "pair": "\u200b"}, {"text": ""}]
    for request, reply in zip(requests, run(rescoldo, all_minilm_ember, requests)):
        check(reply, reference.encode(*request.values()), request)
        assert reply["truncated"] is False


def test_windows(rescoldo, all_minilm_ember, reference):
    """Those of the reference's only_second with overflowing tokens, where it has an answer."""
    cases = [(a, b, most, stride) for a, b, most, stride in
             itertools.product((0, 1, 3), range(12), range(4, 12), range(5)) if stride < most - 3 - a]
    requests = [{"text": text_of(a), "pair": text_of(b), "max_length": most, "truncation": "windows", "stride": stride}
                for a, b, most, stride in cases]
    for case, request, reply in zip(cases, requests, run(rescoldo, all_minilm_ember, requests)):
        encoding = with_truncation(reference, case[2], "only_second", (request["text"], request["pair"]), case[3])
        expected = [encoding, *encoding.overflowing]
        assert len(reply["windows"]) == len(expected), case
        for window, one in zip(reply["windows"], expected):
            check(window, one, case)
            own = [offset for offset, segment, special in zip(one.offsets, one.type_ids, one.special_tokens_mask)
                   if segment == 1 and not special]
            assert window["characters"] == ([own[0][0], own[-1][1]] if own else [0, 0])
        assert reply["truncated"] is False and reply["stride"] == case[3]


@pytest.mark.parametrize("query,most", [(a, most) for a in range(0, 14) for most in range(4, 14)])
def test_windows_cover_the_passage_whatever_the_query(rescoldo_windows, query, most):
    for passage, stride, reply in rescoldo_windows[query, most]:
        kept = reply["windows"][0]["type_ids"].count(0) - 2
        room = most - 3
        assert kept == (query if query < room else room // 2)
        assert reply["truncated"] == (kept < query)
        seen = []
        for number, window in enumerate(reply["windows"]):
            own = [tuple(o) for o, segment in zip(window["offsets"], window["type_ids"]) if segment == 1][:-1]
            assert len(window["ids"]) <= most and (own or passage == 0)
            if number:
                assert seen[len(seen) - reply["stride"]:] == own[:reply["stride"]]
            seen += own[reply["stride"] if number else 0:]
        assert len(seen) == passage


@pytest.fixture(scope="module")
def rescoldo_windows(rescoldo, all_minilm_ember):
    cases = list(itertools.product(range(0, 14), range(4, 14), (0, 1, 2, 7), (0, 1, 3, 100)))
    requests = [{"text": text_of(a), "pair": text_of(b), "max_length": most, "truncation": "windows", "stride": stride}
                for a, most, b, stride in cases]
    results: dict = {}
    for (a, most, b, stride), reply in zip(cases, run(rescoldo, all_minilm_ember, requests)):
        results.setdefault((a, most), []).append((b, stride, reply))
    return results


@pytest.mark.parametrize("request_,expected", [
    ({"text": "a b c", "max_length": 0}, "max_length"), ({"text": "a b c", "max_length": 1}, "max_length"),
    ({"text": "a", "pair": "b", "max_length": 2}, "at least 3"),
    ({"text": "a b c", "max_length": 4, "truncation": "none"}, "3 tokens"),
    ({"text": "a b", "pair": "c", "max_length": 5, "truncation": "none"}, "2 and 1 tokens"),
    ({"text": "a", "max_length": 5, "truncation": "windows"}, "windows need a pair"),
    ({"text": "a", "pair": "b", "truncation": "windows"}, "windows need a pair and a max_length"),
    ({"text": "a", "pair": "b", "max_length": 3, "truncation": "windows"}, "at least 4"),
    ({"text": "a", "truncation": "middle"}, "truncation"), ({"text": "a", "stride": -1}, "stride"),
    ({"text": "a", "max_length": 2.5}, "max_length"), ({"text": None}, "text"), ({"pair": "a"}, "text"),
    ({"text": "a", "pair": 1}, "pair"),
])
def test_refused(rescoldo, all_minilm_ember, request_, expected):
    bad, good = run(rescoldo, all_minilm_ember, [request_, {"text": "a"}])
    assert expected in bad["error"] and "ids" in good
