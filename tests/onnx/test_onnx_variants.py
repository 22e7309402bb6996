"""Every form in which the tools write a BERT computes what ONNX Runtime computes from it in float."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import subprocess
import zipfile

import numpy as np
import onnx
import pytest
from exported_models import SMALL, export_classifier, export_embedder, fuse, optimize, quantize
from float_reference import Runtime, dequantized
from program import bake, embed_npy, rerank
from texts import pairs, varied_texts

TOLERANCE = 1e-4
LISTS = pairs(2, 6)
TEXTS = [text for text in varied_texts(60) if "\n" not in text and text.strip()][:12]
MAX_LENGTH = 512

QUANTIZATIONS = {
    "qint8": dict(weight_type="QInt8"),
    "quint8": dict(weight_type="QUInt8"),
    "qint8-per-channel": dict(weight_type="QInt8", per_channel=True),
    "quint8-per-channel-reduced": dict(weight_type="QUInt8", per_channel=True, reduce_range=True),
}


def assert_same_logits(rescoldo: str, directory: pathlib.Path, reference) -> None:
    expected = Runtime(reference, directory / "tokenizer.json", MAX_LENGTH).logits(LISTS)
    ember = bake(rescoldo, directory, "f32")
    actual = np.concatenate(rerank(rescoldo, ember, LISTS, "logit")).astype(np.float64)
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(actual, expected, atol=TOLERANCE, rtol=0)


def notes(rescoldo: str, directory: pathlib.Path) -> str:
    command = [rescoldo, "bake", "--model", directory, "--output", directory / "x.ember", "--json", "--quiet"]
    result = subprocess.run(command, capture_output=True, check=True)
    return "\n".join(json.loads(result.stdout)["notes"])


def refusal(rescoldo: str, model: pathlib.Path) -> str:
    command = [rescoldo, "bake", "--model", model, "--output", model.parent / "refused.ember", "--quiet"]
    result = subprocess.run(command, capture_output=True, check=False)
    assert result.returncode == 1, result
    assert not (model.parent / "refused.ember").exists()
    return result.stderr.decode()


@pytest.mark.parametrize(("attention", "operator_set"), [("eager", 11), ("eager", 17), ("sdpa", 14), ("eager", 20)])
def test_float_graphs(rescoldo, beside, classifier, attention, operator_set):
    model = classifier(attention, operator_set)
    operators = {node.op_type for node in onnx.load(model).graph.node}
    assert ("LayerNormalization" in operators) == (operator_set >= 17)
    assert ("Gelu" in operators) == (operator_set >= 20)
    assert_same_logits(rescoldo, beside(model), model)


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_quantize_dynamic(rescoldo, beside, classifier, tmp_path, quantization):
    model = tmp_path / "quantized.onnx"
    quantize(classifier("eager", 17), model, **QUANTIZATIONS[quantization])
    directory = beside(model)
    assert_same_logits(rescoldo, directory, dequantized(model))
    told = notes(rescoldo, directory)
    assert "2 layers, hidden size 64, 2 heads" in told and "17 matrices quantized" in told
    assert ("(0 per channel)" in told) == ("per-channel" not in quantization)


@pytest.mark.parametrize(("attention", "multi_head"), [("eager", False), ("sdpa", False), ("eager", True)])
def test_fused_graphs(rescoldo, beside, classifier, tmp_path, attention, multi_head):
    model = tmp_path / "fused.onnx"
    operators = fuse(classifier(attention, 14), model, 2, SMALL["hidden_size"], multi_head)
    assert "SkipLayerNormalization" in operators and "BiasGelu" in operators
    if attention == "eager":
        assert ("MultiHeadAttention" if multi_head else "Attention") in operators
    assert_same_logits(rescoldo, beside(model), model)


@pytest.mark.parametrize("quantization", ["qint8", "quint8-per-channel-reduced"])
def test_fused_then_quantized(rescoldo, beside, classifier, tmp_path, quantization):
    fused, model = tmp_path / "fused.onnx", tmp_path / "quantized.onnx"
    fuse(classifier("eager", 14), fused, 2, SMALL["hidden_size"])
    quantize(fused, model, **QUANTIZATIONS[quantization])
    assert {"QAttention", "QEmbedLayerNormalization"} <= {node.op_type for node in onnx.load(model).graph.node}
    assert_same_logits(rescoldo, beside(model), dequantized(model))


def test_graphs_saved_by_a_session(rescoldo, beside, classifier, tmp_path):
    """ONNX Runtime's optimizations at load, float and quantized."""
    model = tmp_path / "optimized.onnx"
    assert {"FusedMatMul", "FusedGemm", "BiasGelu"} <= set(optimize(classifier("eager", 17), model))
    assert_same_logits(rescoldo, beside(model), classifier("eager", 17))
    quantized = tmp_path / "quantized.onnx"
    quantize(classifier("eager", 17), quantized, "QUInt8", per_channel=True)
    assert {"MatMulIntegerToFloat", "DynamicQuantizeMatMul", "Gelu"} <= set(optimize(quantized, model))
    assert_same_logits(rescoldo, beside(model), dequantized(quantized))


@pytest.mark.parametrize("pooling", ["none", "cls", "mean"])
def test_embedders(rescoldo, beside, tmp_path, pooling):
    model = tmp_path / "embedder.onnx"
    export_embedder(model, pooling)
    directory = beside(model)
    told = notes(rescoldo, directory)
    assert "there is no config.json" in told
    expected_note = {"none": "mean pooling is assumed", "cls": "pooling (cls) is", "mean": "pooling (mean, normalized) is"}
    assert expected_note[pooling] in told
    expected = Runtime(model, directory / "tokenizer.json", MAX_LENGTH).embeddings(TEXTS)
    actual = embed_npy(rescoldo, bake(rescoldo, directory, "f32"), TEXTS).astype(np.float64)
    actual /= np.linalg.norm(actual, axis=1, keepdims=True)
    np.testing.assert_allclose(actual, expected, atol=TOLERANCE, rtol=0)


def test_names_do_not_matter(rescoldo, beside, classifier, tmp_path):
    """Every value renamed, the nodes reversed: what is recognised is the same."""
    model = onnx.load(classifier("eager", 17))
    graph = model.graph
    interface = {value.name for value in [*graph.input, *graph.output]}
    names: dict[str, str] = {name: name for name in interface | {""}}
    renamed = lambda name: names.setdefault(name, f"v{len(names)}")  # noqa: E731
    for tensor in graph.initializer:
        tensor.name = renamed(tensor.name)
    for node in graph.node:
        node.name = ""
        node.input[:] = [renamed(name) for name in node.input]
        node.output[:] = [renamed(name) for name in node.output]
    del graph.value_info[:]
    nodes = list(graph.node)[::-1]
    del graph.node[:]
    graph.node.extend(nodes)
    path = tmp_path / "renamed.onnx"
    onnx.save(model, path)
    assert_same_logits(rescoldo, beside(path), classifier("eager", 17))


def test_external_data(rescoldo, beside, classifier):
    source = classifier("eager", 17)
    directory = beside(source)
    model = onnx.load(source)
    onnx.save(model, directory / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (directory / "model.onnx").stat().st_size < 100_000
    assert_same_logits(rescoldo, directory, source)
    # Outside of the folder nothing is read.
    (directory.parent / "outside.bin").write_bytes((directory / "weights.bin").read_bytes())
    content = (directory / "model.onnx").read_bytes().replace(b"weights.bin", b"../outs.bin")
    (directory / "model.onnx").write_bytes(content)
    assert "not a file inside the model's folder" in refusal(rescoldo, directory / "model.onnx")
    onnx.save(model, directory / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    with open(directory / "weights.bin", "r+b") as weights:
        weights.truncate(4096)
    assert re.search(r'tensor "[^"]+" \(at byte \d+\)', refusal(rescoldo, directory / "model.onnx"))


def test_where_the_files_lie(rescoldo, beside, classifier, tmp_path):
    """onnx/model.onnx below its companions, a named file, and a folder in a ZIP archive: one model."""
    source = classifier("eager", 17)
    flat = beside(source)
    expected = bake(rescoldo, flat, "f32").read_bytes()
    below = tmp_path / "below"
    (below / "onnx").mkdir(parents=True)
    shutil.copy(flat / "model.onnx", below / "onnx" / "model.onnx")
    shutil.copy(flat / "tokenizer.json", below)
    archive = tmp_path / "archived.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as content:
        content.write(flat / "model.onnx", "archived/flashrank_Q.onnx")
        content.write(flat / "tokenizer.json", "archived/tokenizer.json")
    before = sorted(tmp_path.rglob("*"))
    for path in (below, below / "onnx" / "model.onnx", archive):
        ember = bake(rescoldo, path, "f32")
        logits = rerank(rescoldo, ember, LISTS, "logit")
        assert logits == rerank(rescoldo, flat.with_name(f"{flat.name}-f32.ember"), LISTS, "logit")
        ember.unlink()
    assert sorted(tmp_path.rglob("*")) == before, "an archive is never unpacked"
    assert expected


def test_configuration_must_agree(rescoldo, beside, classifier):
    directory = beside(classifier("eager", 17))
    config = {"architectures": ["BertForSequenceClassification"], "num_labels": 1, "vocab_size": 30522, **SMALL}
    config |= {"max_position_embeddings": 512, "type_vocab_size": 2}
    (directory / "config.json").write_text(json.dumps(config))
    bake(rescoldo, directory, "f32")
    (directory / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    assert "num_hidden_layers of 2, config.json says 3" in refusal(rescoldo, directory)
    (directory / "config.json").write_text(json.dumps({**config, "architectures": ["BertModel"]}))
    assert "the graph is that of a cross-encoder" in refusal(rescoldo, directory)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_act": "relu"}, r"Relu \"[^\"]+\", is not understood.*this activation is not supported"),
        ({"hidden_act": "gelu_new"}, r"node \d+ \(at byte \d+\).*GELU approximated by tanh is not supported"),
        ({"hidden_act": "gelu_pytorch_tanh"}, r"node \d+ \(at byte \d+\).*GELU approximated by tanh is not supported"),
        ({"num_labels": 3}, r"a classifier with 3 labels is not supported"),
        ({"is_decoder": True}, r"node \d+ \(at byte \d+\), \w+ \"[^\"]+\", is not understood"),
    ],
)
def test_what_is_not_supported_is_named(rescoldo, beside, tmp_path, settings, message):
    model = tmp_path / "model.onnx"
    export_classifier(model, "eager", 17, **settings)
    told = refusal(rescoldo, beside(model))
    assert re.search(message, told), told
