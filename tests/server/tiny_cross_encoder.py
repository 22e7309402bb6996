"""A small BertForSequenceClassification with seeded weights, in a Hugging Face directory."""

from __future__ import annotations

import json
import pathlib
import shutil

import numpy as np
from safetensors.numpy import save_file

HIDDEN, LAYERS, INTERMEDIATE, VOCABULARY, POSITIONS = 128, 2, 512, 30522, 512


def _weights() -> dict[str, np.ndarray]:
    random = np.random.default_rng(7)
    tensors: dict[str, np.ndarray] = {}

    def matrix(name: str, *shape: int, scale: float = 0.08) -> None:
        tensors[name] = random.normal(0, scale, shape).astype(np.float32)

    def norm(name: str) -> None:
        tensors[f"{name}.weight"] = random.normal(1, 0.1, HIDDEN).astype(np.float32)
        tensors[f"{name}.bias"] = random.normal(0, 0.05, HIDDEN).astype(np.float32)

    def linear(name: str, outputs: int, inputs: int, scale: float = 0.08) -> None:
        matrix(f"{name}.weight", outputs, inputs, scale=scale)
        matrix(f"{name}.bias", outputs, scale=0.05)

    matrix("bert.embeddings.word_embeddings.weight", VOCABULARY, HIDDEN)
    matrix("bert.embeddings.position_embeddings.weight", POSITIONS, HIDDEN)
    matrix("bert.embeddings.token_type_embeddings.weight", 2, HIDDEN)
    norm("bert.embeddings.LayerNorm")
    for layer in range(LAYERS):
        prefix = f"bert.encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            linear(f"{prefix}.attention.self.{part}", HIDDEN, HIDDEN)
        linear(f"{prefix}.attention.output.dense", HIDDEN, HIDDEN)
        norm(f"{prefix}.attention.output.LayerNorm")
        linear(f"{prefix}.intermediate.dense", INTERMEDIATE, HIDDEN)
        linear(f"{prefix}.output.dense", HIDDEN, INTERMEDIATE)
        norm(f"{prefix}.output.LayerNorm")
    linear("bert.pooler.dense", HIDDEN, HIDDEN)
    linear("classifier", 1, HIDDEN, scale=0.3)
    return tensors


def write_tiny_cross_encoder(parent: pathlib.Path, tokenizer_of: pathlib.Path) -> pathlib.Path:
    directory = parent / "tiny-cross-encoder"
    directory.mkdir()
    config = {
        "architectures": ["BertForSequenceClassification"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 2,
        "intermediate_size": INTERMEDIATE,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2,
        "layer_norm_eps": 1e-12,
        "id2label": {"0": "LABEL_0"},
        "label2id": {"LABEL_0": 0},
    }
    (directory / "config.json").write_text(json.dumps(config))
    save_file(_weights(), directory / "model.safetensors")
    for name in ("tokenizer.json", "vocab.txt"):
        shutil.copy(tokenizer_of / name, directory / name)
    settings = json.loads((tokenizer_of / "tokenizer_config.json").read_text())
    (directory / "tokenizer_config.json").write_text(json.dumps({**settings, "model_max_length": POSITIONS}))
    return directory
