"""Small BERT models with seeded weights, written as Hugging Face directories: real files for the real binary."""

from __future__ import annotations

import json
import pathlib

import numpy
from safetensors.numpy import save_file

HIDDEN, LAYERS, HEADS, INTERMEDIATE, POSITIONS = 64, 2, 2, 128, 128
WORDS = (
    "the of and a to in is was for on that by with from are this be or at as it an which paris berlin rome "
    "capital france germany italy city river eggs boil minutes water banana yellow fruit moon earth sun planet"
).split()
VOCABULARY = (
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    + [chr(c) for c in range(ord("!"), ord("~") + 1) if not chr(c).isupper()]
    + ["##" + chr(c) for c in range(ord("a"), ord("z") + 1)]
    + [word for word in WORDS if len(word) > 1]
)


def _tensors(cross_encoder: bool, seed: int) -> dict[str, numpy.ndarray]:
    random = numpy.random.default_rng(seed)
    tensors: dict[str, numpy.ndarray] = {}

    def weight(name: str, *shape: int, scale: float = 0.08) -> None:
        tensors[name] = random.normal(0, scale, shape).astype(numpy.float32)

    def norm(name: str) -> None:
        tensors[f"{name}.weight"] = random.normal(1, 0.1, HIDDEN).astype(numpy.float32)
        weight(f"{name}.bias", HIDDEN)

    def linear(name: str, outputs: int, inputs: int) -> None:
        weight(f"{name}.weight", outputs, inputs, scale=1.5 / inputs**0.5)
        weight(f"{name}.bias", outputs)

    prefix = "bert." if cross_encoder else ""
    for table, rows in (("word", len(VOCABULARY)), ("position", POSITIONS), ("token_type", 2)):
        weight(f"{prefix}embeddings.{table}_embeddings.weight", rows, HIDDEN, scale=0.5)
    norm(f"{prefix}embeddings.LayerNorm")
    for i in range(LAYERS):
        layer = f"{prefix}encoder.layer.{i}."
        for part in ("query", "key", "value"):
            linear(f"{layer}attention.self.{part}", HIDDEN, HIDDEN)
        linear(f"{layer}attention.output.dense", HIDDEN, HIDDEN)
        norm(f"{layer}attention.output.LayerNorm")
        linear(f"{layer}intermediate.dense", INTERMEDIATE, HIDDEN)
        linear(f"{layer}output.dense", HIDDEN, INTERMEDIATE)
        norm(f"{layer}output.LayerNorm")
    linear(f"{prefix}pooler.dense", HIDDEN, HIDDEN)
    if cross_encoder:
        linear("classifier", 1, HIDDEN)
    return tensors


def write_model(directory: pathlib.Path, cross_encoder: bool, seed: int = 7) -> pathlib.Path:
    """Writes config.json, vocab.txt, tokenizer_config.json and model.safetensors; returns the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["BertForSequenceClassification" if cross_encoder else "BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": INTERMEDIATE,
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2,
        "vocab_size": len(VOCABULARY),
        "layer_norm_eps": 1e-12,
        "id2label": {"0": "LABEL_0"},
        "label2id": {"LABEL_0": 0},
    }
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    (directory / "tokenizer_config.json").write_text(
        json.dumps({"do_lower_case": True, "model_max_length": POSITIONS, "tokenizer_class": "BertTokenizer"})
    )
    save_file(_tensors(cross_encoder, seed), directory / "model.safetensors", metadata={"format": "pt"})
    return directory
