"""Logits of cross-encoders with seeded weights, of the shapes of the published models, against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
from program import rerank
from reference import ReferenceCrossEncoder
from texts import pairs


def ranks(values: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(values))


def spearman(left: np.ndarray, right: np.ndarray) -> float:
    return float(np.corrcoef(ranks(left), ranks(right))[0, 1])


class Scored:
    """One cross-encoder's logits over lists of pairs up to and beyond 512 tokens."""

    def __init__(self, rescoldo, directory, ember, f32_ember, lists):
        reference = ReferenceCrossEncoder(directory)
        self.expected = np.concatenate([reference.logits(query, passages) for query, passages in lists])
        self.int8 = np.concatenate(rerank(rescoldo, ember, lists, "logit")).astype(np.float64)
        self.f32 = np.concatenate(rerank(rescoldo, f32_ember, lists, "logit")).astype(np.float64)


@pytest.fixture(scope="module", params=["minilm_l12", "tinybert"])
def scored(request, rescoldo) -> Scored:
    names = ("directory", "ember", "f32_ember")
    lists = pairs(queries=5, passages=16) if request.param == "minilm_l12" else pairs(queries=10, passages=40)
    return Scored(rescoldo, *(request.getfixturevalue(f"{request.param}_{name}") for name in names), lists)


def test_the_logits_vary(scored):
    """Else the comparisons below would hold for any engine."""
    print(f"logits from {scored.expected.min():.2f} to {scored.expected.max():.2f}")
    assert scored.expected.std() > 0.5


def test_f32_logits_are_pytorchs(scored):
    worst = np.abs(scored.f32 - scored.expected).max()
    print(f"f32: largest difference {worst:.2e}")
    assert worst <= 1e-4


def test_int8_ranks_as_pytorch(scored):
    correlation = spearman(scored.int8, scored.expected)
    print(f"int8: Spearman {correlation:.5f}, largest difference {np.abs(scored.int8 - scored.expected).max():.3f}")
    assert correlation >= 0.99
