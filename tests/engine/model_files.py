"""Model directories with seeded weights, written by transformers, as a user would have them from a hub."""

from __future__ import annotations

import json
import pathlib
import shutil

import torch
import transformers

MINILM_L12 = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 1536}
TINYBERT_L2 = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 512}


def _seed_weights(model: torch.nn.Module, seed: int) -> None:
    """Weights at the scale of trained ones: attention that prefers some tokens, outputs that depend on the words.
    The deviations are those for a hidden size of 384; a sum over fewer inputs needs larger ones.

    With the 0.02 of BERT's initializer every token attends to all others alike, and all pairs score the same; much
    larger ones make a layer's output drown its input, and twelve of them a chaos that no trained model is.
    """
    generator = torch.Generator().manual_seed(seed)
    fan_in = (384 / model.config.hidden_size) ** 0.5

    def deviation(name: str) -> float:
        if name.endswith("bias"):
            return 0.05
        for part, value in (
            ("query", 0.05), ("key", 0.05), ("attention", 0.04), ("embeddings", 0.05), ("pooler", 0.08), ("classifier", 0.5),
        ):  # fmt: skip
            if part in name:
                return value
        return 0.02

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("LayerNorm.weight"):
                parameter.normal_(1.0, 0.2, generator=generator)
            else:
                parameter.normal_(0.0, fan_in * deviation(name), generator=generator)


def _write(model: transformers.PreTrainedModel, directory: pathlib.Path, tokenizer_of: pathlib.Path) -> pathlib.Path:
    model.save_pretrained(directory)
    for name in ("tokenizer.json", "vocab.txt"):
        shutil.copy(tokenizer_of / name, directory / name)
    settings = json.loads((tokenizer_of / "tokenizer_config.json").read_text())
    (directory / "tokenizer_config.json").write_text(json.dumps({**settings, "model_max_length": 512}))
    return directory


def write_cross_encoder(directory: pathlib.Path, shape: dict, tokenizer_of: pathlib.Path, seed: int) -> pathlib.Path:
    """A BertForSequenceClassification with one label and the vocabulary of BERT uncased."""
    model = transformers.BertForSequenceClassification(transformers.BertConfig(**shape, num_labels=1))
    _seed_weights(model, seed)
    return _write(model, directory, tokenizer_of)


def write_embedder(
    directory: pathlib.Path, shape: dict, tokenizer_of: pathlib.Path, seed: int, pooling: str, normalize: bool
) -> pathlib.Path:
    """A BertModel in a sentence-transformers directory: modules.json names pooling and, if asked, the L2 norm."""
    model = transformers.BertModel(transformers.BertConfig(**shape))
    _seed_weights(model, seed)
    _write(model, directory, tokenizer_of)
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")] + [("2_Normalize", "Normalize")] * normalize
    (directory / "modules.json").write_text(
        json.dumps(
            [
                {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
                for index, (path, kind) in enumerate(modules)
            ]
        )
    )
    (directory / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 512, "do_lower_case": False}))
    (directory / "1_Pooling").mkdir()
    (directory / "1_Pooling" / "config.json").write_text(
        json.dumps(
            {
                "word_embedding_dimension": shape["hidden_size"],
                "pooling_mode_cls_token": pooling == "cls",
                "pooling_mode_mean_tokens": pooling == "mean",
                "pooling_mode_max_tokens": False,
                "pooling_mode_mean_sqrt_len_tokens": False,
            }
        )
    )
    return directory
