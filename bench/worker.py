"""The peers, each in a process of its own (worker_process.py): worker.py PEER KIND MODELS FORM."""

from __future__ import annotations

import pathlib

import numpy as np
import worker_process

BATCH = 8  # of the length-sorted batches


def onnx_runtime_session(path: pathlib.Path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # With more, taskset does not hold it: its threads set an affinity of their own.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class Peer:
    """Tokenizes with the tokenizers library, runs a model in length-sorted batches."""

    def __init__(self, kind: str, models: pathlib.Path):
        import tokenizers

        self.kind = kind
        self.tokenizer = tokenizers.Tokenizer.from_file(str(models / kind / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(512 if kind == "cross-encoder" else 256)

    def infer(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        raise NotImplementedError

    def outputs(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        raw = self.infer(inputs)
        if self.kind == "cross-encoder":
            return raw[:, 0]
        mask = inputs["attention_mask"][:, :, None].astype(np.float32)
        pooled = (raw * mask).sum(axis=1) / mask.sum(axis=1)
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)

    def batch(self, encodings: list) -> dict[str, np.ndarray]:
        length = max(len(encoding.ids) for encoding in encodings)
        ids = np.zeros((len(encodings), length), dtype=np.int64)
        mask, segments = np.zeros_like(ids), np.zeros_like(ids)
        for row, encoding in enumerate(encodings):
            count = len(encoding.ids)
            ids[row, :count], mask[row, :count], segments[row, :count] = encoding.ids, 1, encoding.type_ids
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": segments}

    def texts(self, texts: list, batch: int = BATCH) -> np.ndarray:
        encodings = self.tokenizer.encode_batch([tuple(text) if isinstance(text, list) else text for text in texts])
        order = sorted(range(len(texts)), key=lambda index: -len(encodings[index].ids))
        results: list = [None] * len(texts)
        for start in range(0, len(order), batch):
            indexes = order[start : start + batch]
            for index, row in zip(indexes, self.outputs(self.batch([encodings[index] for index in indexes]))):
                results[index] = row
        return np.array(results)

    def rerank(self, query: str, passages: list[str]) -> np.ndarray:
        return self.texts([[query, passage] for passage in passages])

    def fixed(self, tokens: int, count: int) -> np.ndarray:
        """`count` sequences of `tokens` ids; nothing to tokenize."""
        generator = np.random.default_rng(tokens)
        ids = generator.integers(1996, 29000, (count, tokens), dtype=np.int64)
        ids[:, 0], ids[:, -1] = 101, 102
        segments = np.zeros_like(ids)
        if self.kind == "cross-encoder":
            segments[:, 10:] = 1
        return self.outputs({"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": segments})


class OnnxRuntime(Peer):
    def __init__(self, kind: str, models: pathlib.Path, form: str):
        super().__init__(kind, models)
        from models import onnx_path

        self.session = onnx_runtime_session(onnx_path(models, kind, form))
        self.names = {entry.name for entry in self.session.get_inputs()}

    def infer(self, inputs):
        return self.session.run(None, {name: inputs[name] for name in self.names})[0]


class OpenVino(Peer):
    def __init__(self, kind: str, models: pathlib.Path, form: str):
        super().__init__(kind, models)
        import openvino

        from models import openvino_path

        settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY"}
        self.model = openvino.Core().compile_model(openvino_path(models, kind), "CPU", settings)

    def infer(self, inputs):
        return self.model(inputs)[0]


class FlashRank(worker_process.FlashRankCalls):
    def __init__(self, kind: str, models: pathlib.Path, form: str):
        import flashrank

        self.module = flashrank
        self.ranker = flashrank.Ranker("ms-marco-MiniLM-L-12-v2", cache_dir=str(models / "flashrank"), log_level="ERROR")
        # FlashRank cannot be told; its session is the same file's with one thread.
        path = models / "flashrank" / "ms-marco-MiniLM-L-12-v2" / "flashrank-MiniLM-L-12-v2_Q.onnx"
        self.ranker.session = onnx_runtime_session(path)


class FastEmbed:
    def __init__(self, kind: str, models: pathlib.Path, form: str):
        import fastembed

        self.model = fastembed.TextEmbedding(
            "sentence-transformers/all-MiniLM-L6-v2", specific_model_path=str(models / "fastembed"), threads=1
        )

    def texts(self, texts: list[str]) -> np.ndarray:
        return np.array(list(self.model.embed(texts)))


PEERS = {"onnxruntime": OnnxRuntime, "openvino": OpenVino, "flashrank": FlashRank, "fastembed": FastEmbed}


if __name__ == "__main__":
    worker_process.run(PEERS)
