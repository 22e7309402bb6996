"""Arrays, where numpy is installed."""

from __future__ import annotations

import numpy as np
from texts import PASSAGES, QUERIES


def test_embeddings_are_arrays(embedder):
    vectors = embedder.encode(PASSAGES)
    assert vectors.dtype == np.float32 and vectors.shape == (len(PASSAGES), embedder.hidden_size)
    assert vectors.flags.c_contiguous and vectors.flags.writeable
    assert vectors.tolist() == embedder.encode(PASSAGES, convert_to_numpy=False)
    one = embedder.encode(PASSAGES[1])
    assert one.shape == (embedder.hidden_size,) and np.array_equal(one, vectors[1])
    assert embedder.encode([]).shape == (0, embedder.hidden_size)
    assert np.array_equal(embedder.encode(np.array(PASSAGES)), vectors)


def test_predictions_are_arrays(reranker):
    pairs = [(QUERIES[0], passage) for passage in PASSAGES]
    scores = reranker.predict(pairs)
    assert scores.dtype == np.float32 and scores.shape == (len(PASSAGES),)
    assert scores.tolist() == reranker.predict(pairs, convert_to_numpy=False)
    assert reranker.predict([]).shape == (0,)
