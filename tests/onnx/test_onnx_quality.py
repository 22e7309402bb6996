"""int8 embers of ONNX files against ONNX Runtime in float over the same, dequantized weights: closer to it than ONNX
Runtime's own int8 run of the file."""

from __future__ import annotations

import os

import numpy as np
import onnx
import pytest
from exported_models import export_classifier, fuse, quantize
from float_reference import Runtime, dequantized
from model_files import MINILM_L12, TINYBERT_L2
from program import bake, embed_npy, rerank
from texts import pairs, varied_texts

LISTS = pairs(8, 15)
TEXTS = [text for text in varied_texts(120) if "\n" not in text and text.strip()][:24]
slow = pytest.mark.skipif(
    "RESCOLDO_SLOW_TESTS" not in os.environ, reason="takes minutes; run with RESCOLDO_SLOW_TESTS=1 (CONTRIBUTING.md)"
)


def spearman(left: np.ndarray, right: np.ndarray) -> float:
    ranks = [np.argsort(np.argsort(values)) for values in (left, right)]
    return float(np.corrcoef(*ranks)[0, 1])


def test_published_embedders(rescoldo, published, tmp_path):
    model = published / "model.onnx"
    reference = Runtime(dequantized(model), published / "tokenizer.json", 512).embeddings(TEXTS)
    theirs = Runtime(model, published / "tokenizer.json", 512).embeddings(TEXTS)

    def ours(precision: str) -> np.ndarray:
        link = tmp_path / published.name
        link.unlink(missing_ok=True)
        link.symlink_to(published)
        vectors = embed_npy(rescoldo, bake(rescoldo, link, precision), TEXTS).astype(np.float64)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    cosines = {"int8": (ours("int8") * reference).sum(1).mean(), "ONNX Runtime": (theirs * reference).sum(1).mean()}
    print(published.name, cosines)
    np.testing.assert_allclose(ours("f32"), reference, atol=1e-4, rtol=0)
    assert cosines["int8"] >= 0.999
    # A file whose weights alone are int8 is computed in float by ONNX Runtime: nothing can be closer.
    if any(node.op_type == "MatMulInteger" for node in onnx.load(model).graph.node):
        assert cosines["int8"] > cosines["ONNX Runtime"]


@pytest.mark.parametrize(
    ("shape", "fused", "options"),
    [
        pytest.param(TINYBERT_L2, False, dict(weight_type="QUInt8"), id="tinybert"),
        pytest.param(TINYBERT_L2, True, dict(weight_type="QInt8", per_channel=True), id="tinybert-fused"),
        pytest.param(MINILM_L12, False, dict(weight_type="QInt8"), id="minilm-l12", marks=slow),
        pytest.param(MINILM_L12, False, dict(weight_type="QUInt8", per_channel=True), id="minilm-l12-per-channel", marks=slow),
        pytest.param(MINILM_L12, True, dict(weight_type="QInt8"), id="minilm-l12-fused", marks=slow),
    ],
)
def test_cross_encoders_of_the_published_shapes(rescoldo, beside, tmp_path, shape, fused, options):
    path = tmp_path / "exported.onnx"
    export_classifier(path, "eager", 14, shape)
    if fused:
        fuse(path, tmp_path / "fused.onnx", shape["num_attention_heads"], shape["hidden_size"])
        path = tmp_path / "fused.onnx"
    model = tmp_path / "quantized.onnx"
    quantize(path, model, **options)
    directory = beside(model)
    tokenizer = directory / "tokenizer.json"
    reference = Runtime(dequantized(model), tokenizer, 512).logits(LISTS)
    theirs = Runtime(model, tokenizer, 512).logits(LISTS)
    ours = np.concatenate(rerank(rescoldo, bake(rescoldo, directory, "int8"), LISTS, "logit")).astype(np.float64)
    ranks = {"int8": spearman(ours, reference), "ONNX Runtime": spearman(theirs, reference)}
    errors = {"int8": np.abs(ours - reference).mean(), "ONNX Runtime": np.abs(theirs - reference).mean()}
    print(ranks, errors)
    assert ranks["int8"] >= 0.995
    assert errors["int8"] < errors["ONNX Runtime"]
