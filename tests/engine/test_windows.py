"""A passage too long for one sequence is scored window by window; the best window gives the score, to the bit."""

import json

import pytest

from program import run

# One token each, so that a window's text is read as the tokens that the window holds.
WORDS = "cat dog sun moon tree river house stone bread water king queen ship road glass paper music winter gold fire".split()


def rerank_one(rescoldo, ember, query, text, *options):
    request = json.dumps({"query": query, "passages": [{"text": text}]}) + "\n"
    output = run(rescoldo, "rerank", "--model", ember, "--jsonl", "--raw", *options, "-", text=request)
    return json.loads(output, parse_float=str)["passages"][0]


@pytest.mark.parametrize("stride", [0, 5, 1000])
@pytest.mark.parametrize("words", [10, 15, 40, 41, 200])
def test_the_best_window_gives_the_score(rescoldo, all_minilm_ember, stride, words):
    passage = " ".join(WORDS[(7 * i + i * i // 5) % len(WORDS)] for i in range(words))
    limits = ["--max-length", "16"]
    result = rerank_one(
        rescoldo, all_minilm_ember, "a queen", passage, "--truncation", "windows", "--stride", str(stride), *limits
    )
    room = 16 - 2
    step = room - (stride if stride < room else room // 2)
    starts = range(0, max(words - room, 0) + step, step)
    windows = [" ".join(passage.split()[start : start + room]) for start in starts]
    alone = [rerank_one(rescoldo, all_minilm_ember, "a queen", window, *limits) for window in windows]
    best = max(alone, key=lambda score: float(score["cosine"]))
    assert result["windows"] == len(windows)
    assert (result["cosine"], result["relevance_score"]) == (best["cosine"], best["relevance_score"])
    start, end = result["window"]
    assert passage[start:end] == windows[alone.index(best)]
    assert result["characters_used"] == end - start
    assert not result["truncated"]


def test_without_windows_the_reply_says_how_much_was_read(rescoldo, all_minilm_ember):
    passage = " ".join(WORDS * 3)
    result = rerank_one(rescoldo, all_minilm_ember, "a queen", passage, "--max-length", "16")
    assert result["truncated"] and result["tokens"] == 16
    assert result["characters_used"] == len(" ".join(passage.split()[:14]))
    whole = rerank_one(rescoldo, all_minilm_ember, "a queen", "cat dog", "--max-length", "16")
    assert not whole["truncated"] and whole["characters_used"] == len("cat dog")
