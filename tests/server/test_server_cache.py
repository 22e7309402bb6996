"""The cache changes nothing but the work: replies are those of a server without it."""

from __future__ import annotations

import concurrent.futures

import pytest

PASSAGES = ["word " * count for count in (1, 5, 40, 700)] + ["", "Paris is the capital of France.", "a", "a"]
VARIANTS = [
    {},
    {"top_n": 3, "return_documents": True},
    {"max_tokens_per_doc": 4},
    {"query": "another query", "raw_scores": True},
    {"query": "word " * 600},
]


def requests():
    return [{"query": "What is the capital?", "documents": PASSAGES, **variant} for variant in VARIANTS]


def without_id(reply):
    return {name: value for name, value in reply.items() if name != "id"}


def look_ups(server, kind):
    metrics = server.metrics()
    return tuple(
        metrics[f'rescoldo_cache_requests_total{{kind="{kind}",result="{result}"}}'] for result in ("hit", "miss")
    )


@pytest.fixture(params=["cross_encoder_ember", "all_minilm_ember"])
def ember(request):
    return request.getfixturevalue(request.param)


def test_replies_are_those_without_a_cache(start, ember):
    plain, caching = start(ember=ember), start("--cache-bytes", "1000000", ember=ember)
    expected = [without_id(plain.post("/rerank", body)[2]) for body in requests()]
    for _ in range(2):
        assert [without_id(caching.post("/rerank", body)[2]) for body in requests()] == expected
    hits, misses = look_ups(caching, "scores")
    # The second time everything is known, and of two equal passages in a request neither the first time.
    assert hits >= len(VARIANTS) * len(PASSAGES)
    assert misses <= len(VARIANTS) * len(PASSAGES)
    hits, misses = look_ups(caching, "tokens")
    assert hits > 0
    metrics = caching.metrics()
    assert 0 < metrics["rescoldo_cache_bytes"] <= 1000000
    assert metrics["rescoldo_input_tokens_total"] < plain.metrics()["rescoldo_input_tokens_total"] * 1.5


def test_embeddings_with_a_cache(start, all_minilm_ember):
    plain, caching = (start(*flags, ember=all_minilm_ember) for flags in ([], ["--cache-bytes", "1000000"]))
    body = {"input": PASSAGES[1:4]}
    expected = without_id(plain.post("/v1/embeddings", body)[2])
    for _ in range(2):
        assert without_id(caching.post("/v1/embeddings", body)[2]) == expected
    assert look_ups(caching, "tokens") == (3, 3)


def test_a_small_cache_forgets(start):
    server = start("--cache-bytes", "20000")
    bodies = [{"query": f"query {number}", "documents": PASSAGES[:3]} for number in range(100)]
    expected = [without_id(server.post("/rerank", body)[2]) for body in bodies]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda body: without_id(server.post("/rerank", body)[2]), bodies))
    assert replies == expected
    metrics = server.metrics()
    assert metrics["rescoldo_cache_evictions_total"] > 0
    assert metrics["rescoldo_cache_bytes"] <= 20000
