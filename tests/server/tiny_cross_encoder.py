"""A small BertForSequenceClassification with seeded weights, in a Hugging Face directory."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess

import numpy as np
from safetensors.numpy import save_file

VOCABULARY, POSITIONS = 30522, 512


def _weights(layers: int, hidden: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(7)
    tensors: dict[str, np.ndarray] = {}

    def matrix(name: str, *shape: int, scale: float = 0.08) -> None:
        tensors[name] = random.normal(0, scale, shape).astype(np.float32)

    def norm(name: str) -> None:
        tensors[f"{name}.weight"] = random.normal(1, 0.1, hidden).astype(np.float32)
        tensors[f"{name}.bias"] = random.normal(0, 0.05, hidden).astype(np.float32)

    def linear(name: str, outputs: int, inputs: int, scale: float = 0.08) -> None:
        matrix(f"{name}.weight", outputs, inputs, scale=scale)
        matrix(f"{name}.bias", outputs, scale=0.05)

    matrix("bert.embeddings.word_embeddings.weight", VOCABULARY, hidden)
    matrix("bert.embeddings.position_embeddings.weight", POSITIONS, hidden)
    matrix("bert.embeddings.token_type_embeddings.weight", 2, hidden)
    norm("bert.embeddings.LayerNorm")
    for layer in range(layers):
        prefix = f"bert.encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            linear(f"{prefix}.attention.self.{part}", hidden, hidden)
        linear(f"{prefix}.attention.output.dense", hidden, hidden)
        norm(f"{prefix}.attention.output.LayerNorm")
        linear(f"{prefix}.intermediate.dense", 4 * hidden, hidden)
        linear(f"{prefix}.output.dense", hidden, 4 * hidden)
        norm(f"{prefix}.output.LayerNorm")
    linear("bert.pooler.dense", hidden, hidden)
    linear("classifier", 1, hidden, scale=0.3)
    return tensors


def write_tiny_cross_encoder(
    parent: pathlib.Path, tokenizer_of: pathlib.Path, layers: int = 2, hidden: int = 128
) -> pathlib.Path:
    directory = parent / "tiny-cross-encoder"
    directory.mkdir()
    config = {
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": hidden // 64,
        "intermediate_size": 4 * hidden,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "id2label": {"0": "LABEL_0"},
        "label2id": {"LABEL_0": 0},
    }
    (directory / "config.json").write_text(json.dumps(config))
    save_file(_weights(layers, hidden), directory / "model.safetensors")
    for name in ("tokenizer.json", "vocab.txt"):
        shutil.copy(tokenizer_of / name, directory / name)
    settings = json.loads((tokenizer_of / "tokenizer_config.json").read_text())
    (directory / "tokenizer_config.json").write_text(json.dumps({**settings, "model_max_length": POSITIONS}))
    return directory


def bake_tiny_cross_encoder(
    rescoldo: str, parent: pathlib.Path, tokenizer_of: pathlib.Path, precision: str = "int8", **shape: int
) -> pathlib.Path:
    """Its ember; the directory is beside it, under the same name without a suffix."""
    directory = write_tiny_cross_encoder(parent, tokenizer_of, **shape)
    ember = directory.with_suffix(".ember")
    command = [rescoldo, "bake", "--model", directory, "--output", ember, "--precision", precision]
    subprocess.run(command, check=True, capture_output=True)
    return ember
