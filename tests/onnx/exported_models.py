"""Small models with seeded weights, exported, quantized and fused by the tools that people use."""

from __future__ import annotations

import contextlib
import io
import logging
import pathlib
import warnings

import onnx
import torch
import transformers
from model_files import _seed_weights as seed_weights

SMALL = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
INPUTS = ["input_ids", "attention_mask", "token_type_ids"]


def export(model: torch.nn.Module, path: pathlib.Path, operator_set: int, output: str, output_axes: dict) -> None:
    """torch's exporter that traces, as optimum uses it."""
    ids = torch.ones(2, 7, dtype=torch.long)
    axes = {name: {0: "batch", 1: "sequence"} for name in INPUTS} | {output: output_axes}
    arguments = dict(input_names=INPUTS, output_names=[output], dynamic_axes=axes, opset_version=operator_set)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(model.eval(), (ids, ids, ids), str(path), dynamo=False, **arguments)


def new_classifier(shape: dict, attention: str = "eager", **settings) -> torch.nn.Module:
    config = transformers.BertConfig(**shape, **{"num_labels": 1, **settings})
    config._attn_implementation = attention
    model = transformers.BertForSequenceClassification(config)
    seed_weights(model, 11)
    return model


def export_classifier(path: pathlib.Path, attention: str, operator_set: int, shape: dict = SMALL, **settings) -> None:
    model = new_classifier(shape, attention, **settings)
    export(model, path, operator_set, "logits", {0: "batch"})


class Embedder(torch.nn.Module):
    """A BERT with its pooling in the graph: "none", "cls" or "mean", the last with the L2 norm."""

    def __init__(self, pooling: str):
        super().__init__()
        self.bert = transformers.BertModel(transformers.BertConfig(**SMALL, attn_implementation="eager"))
        self.pooling = pooling
        seed_weights(self.bert, 5)

    def forward(self, input_ids, attention_mask, token_type_ids):
        states = self.bert(input_ids, attention_mask, token_type_ids).last_hidden_state
        if self.pooling == "none":
            return states
        if self.pooling == "cls":
            return states[:, 0]
        mask = attention_mask.unsqueeze(-1).expand(states.size()).float()
        mean = (states * mask).sum(1) / torch.clamp(mask.sum(1), min=1e-9)
        return torch.nn.functional.normalize(mean, p=2, dim=1)


def export_embedder(path: pathlib.Path, pooling: str) -> None:
    axes = {0: "batch", 1: "sequence"} if pooling == "none" else {0: "batch"}
    export(Embedder(pooling), path, 14, "output", axes)


def quantize(source: pathlib.Path, target: pathlib.Path, weight_type: str, **options) -> None:
    """ONNX Runtime's quantize_dynamic; weight_type: QInt8 or QUInt8."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    options.setdefault("extra_options", {"DefaultTensorType": onnx.TensorProto.FLOAT})
    logging.disable(logging.WARNING)
    quantize_dynamic(source, target, weight_type=QuantType[weight_type], **options)
    logging.disable(logging.NOTSET)


def fuse(source: pathlib.Path, target: pathlib.Path, heads: int, hidden_size: int, multi_head: bool = False) -> list[str]:
    """ONNX Runtime's transformers optimizer; returns the operators that it made."""
    from onnxruntime.transformers.fusion_options import FusionOptions
    from onnxruntime.transformers.optimizer import optimize_model

    options = FusionOptions("bert")
    options.use_multi_head_attention = multi_head
    logging.disable(logging.WARNING)
    model = optimize_model(
        str(source), "bert", heads, hidden_size, optimization_options=options, opt_level=0, only_onnxruntime=False
    )
    model.save_model_to_file(str(target))
    logging.disable(logging.NOTSET)
    return sorted({node.op_type for node in model.model.graph.node if node.domain == "com.microsoft"})


def optimize(source: pathlib.Path, target: pathlib.Path) -> list[str]:
    """What ONNX Runtime saves of a session with its extended optimizations; returns the operators that it made."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(target)
    onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    return sorted({node.op_type for node in onnx.load(target).graph.node if node.domain == "com.microsoft"})
