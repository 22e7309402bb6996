"""The independent computation: PyTorch and transformers from the same weights."""

from __future__ import annotations

import pathlib

import numpy as np
import tokenizers
import torch
import transformers


class Reference:
    """A model directory as transformers computes it. Sequences are run in groups of like length."""

    def __init__(self, directory: pathlib.Path, loader, max_length: int):
        self.model = loader.from_pretrained(directory, attn_implementation="eager").eval()
        self.tokenizer = tokenizers.Tokenizer.from_file(str(directory / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(max_length)  # longest_first, as the library's default

    def run(self, inputs, output: str, group: int = 16):
        """Yields (index, row of `output`, token count) of every input, in an order of its own."""
        encodings = self.tokenizer.encode_batch(inputs)
        order = sorted(range(len(inputs)), key=lambda index: len(encodings[index].ids))
        with torch.inference_mode():
            for start in range(0, len(order), group):
                indexes = order[start : start + group]
                length = max(len(encodings[index].ids) for index in indexes)
                ids = torch.zeros((len(indexes), length), dtype=torch.long)
                segments, mask = torch.zeros_like(ids), torch.zeros_like(ids)
                for row, index in enumerate(indexes):
                    count = len(encodings[index].ids)
                    ids[row, :count] = torch.tensor(encodings[index].ids)
                    segments[row, :count] = torch.tensor(encodings[index].type_ids)
                    mask[row, :count] = 1
                result = self.model(input_ids=ids, token_type_ids=segments, attention_mask=mask)
                for row, index in enumerate(indexes):
                    yield index, result[output][row].double().numpy(), len(encodings[index].ids)


class ReferenceEmbedder(Reference):
    def __init__(self, directory: pathlib.Path, max_length: int = 256, pooling: str = "mean", normalize: bool = True):
        super().__init__(directory, transformers.AutoModel, max_length)
        self.pooling, self.normalize = pooling, normalize

    def embed(self, texts: list[str]) -> np.ndarray:
        embeddings = np.empty((len(texts), self.model.config.hidden_size))
        for index, states, count in self.run(texts, "last_hidden_state"):
            embeddings[index] = states[:count].mean(axis=0) if self.pooling == "mean" else states[0]
        if self.normalize:
            embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
        return embeddings

    def token_counts(self, texts: list[str]) -> list[int]:
        return [len(encoding.ids) for encoding in self.tokenizer.encode_batch(texts)]


class ReferenceCrossEncoder(Reference):
    def __init__(self, directory: pathlib.Path, max_length: int = 512):
        super().__init__(directory, transformers.AutoModelForSequenceClassification, max_length)

    def logits(self, query: str, passages: list[str]) -> np.ndarray:
        logits = np.empty(len(passages))
        for index, row, _ in self.run([(query, passage) for passage in passages], "logits"):
            (logits[index],) = row
        return logits
