"""The same pair gives the same digits, whatever else is in its list and on every instruction set."""

from __future__ import annotations

import json
import random

import pytest
from program import embed, rerank, run
from texts import pairs, varied_texts

QUERY, PASSAGES = pairs(queries=1, passages=100)[0]


def isa_levels(rescoldo: str, ember) -> list[tuple[str, str]]:
    """(level, what to disable so that it is used), the best first, by disabling each level in turn."""
    levels: list[tuple[str, str]] = []
    while not levels or levels[-1][0] != "reference":
        disable = ",".join(level for level, _ in levels)
        report = json.loads(
            run(rescoldo, "bench", "--model", ember, "--tokens", 16, "--pairs", 1, "--seconds", 1, "--json",
                disable_isa=disable)
        )  # fmt: skip
        assert report["isa"] not in [level for level, _ in levels], f"{disable} did not disable {report['isa']}"
        levels.append((report["isa"], disable))
    return levels


@pytest.fixture(scope="module", params=["tinybert_ember", "tinybert_f32_ember"])
def small_cross_encoder(request):
    return request.getfixturevalue(request.param)


def test_lists_of_every_length(rescoldo, small_cross_encoder):
    alone = [scores[0] for scores in rerank(rescoldo, small_cross_encoder, [(QUERY, [p]) for p in PASSAGES], "logit")]
    assert len(set(alone)) > 50
    prefixes = rerank(
        rescoldo, small_cross_encoder, [(QUERY, PASSAGES[:count]) for count in range(1, 101)], "logit"
    )
    for count, scores in enumerate(prefixes, start=1):
        assert scores == alone[:count], f"in a list of {count}"


def test_any_order_and_any_mates(rescoldo, small_cross_encoder):
    alone = [scores[0] for scores in rerank(rescoldo, small_cross_encoder, [(QUERY, [p]) for p in PASSAGES], "logit")]
    generator = random.Random(11)
    samples = [generator.sample(range(100), generator.randrange(1, 60)) for _ in range(200)]
    lists = [(QUERY, [PASSAGES[index] for index in sample]) for sample in samples]
    for sample, scores in zip(samples, rerank(rescoldo, small_cross_encoder, lists, "logit")):
        assert scores == [alone[index] for index in sample]


def test_twelve_layers_backwards_and_alone(rescoldo, minilm_l12_ember):
    passages = PASSAGES[:40]
    forwards, backwards = rerank(rescoldo, minilm_l12_ember, [(QUERY, passages), (QUERY, passages[::-1])], "logit")
    assert forwards == backwards[::-1]
    alone = rerank(rescoldo, minilm_l12_ember, [(QUERY, [passage]) for passage in passages[:12]], "logit")
    assert [scores[0] for scores in alone] == forwards[:12]


@pytest.mark.parametrize("ember", ["all_minilm_ember", "all_minilm_f32_ember"])
def test_embeddings_of_texts_alone_and_together(request, rescoldo, ember):
    model = request.getfixturevalue(ember)
    texts = varied_texts(1000)[:60]
    together = [reply["embedding"] for reply in embed(rescoldo, model, texts)]
    shuffled = list(range(60))
    random.Random(2).shuffle(shuffled)
    mixed = embed(rescoldo, model, [texts[index] for index in shuffled])
    assert [reply["embedding"] for reply in mixed] == [together[index] for index in shuffled]
    for index in range(0, 60, 10):
        assert embed(rescoldo, model, [texts[index]])[0]["embedding"] == together[index]


@pytest.mark.parametrize("precision", ["", "f32_"], ids=["int8", "f32"])
def test_every_instruction_set_gives_the_same_digits(request, rescoldo, tinybert_ember, precision):
    levels = isa_levels(rescoldo, tinybert_ember)
    print("levels:", ", ".join(level for level, _ in levels))
    embedder = request.getfixturevalue(f"all_minilm_{precision}ember")
    cross_encoder = request.getfixturevalue(f"tinybert_{precision}ember")
    # Every length of the last partial block of rows and of keys, and the longest. The portable float32 kernels take
    # a second for a long text.
    some = 60 if precision == "" else 15
    texts = [" ".join(["ember"] * count) for count in range(1, 50)] + varied_texts(1000)[:some]
    lists = [(QUERY, PASSAGES[:some])]
    expected = None
    for level, disable in levels:
        digits = (
            [reply["embedding"] for reply in embed(rescoldo, embedder, texts, disable_isa=disable)],
            rerank(rescoldo, cross_encoder, lists, "logit", disable_isa=disable),
        )
        if expected is None:
            expected = digits
        assert digits == expected, f"{level} differs from {levels[0][0]}"
