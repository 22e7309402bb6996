"""Makes what the tests of the Python package run, with PyTorch and ONNX Runtime: make_models.py DIRECTORY.

DIRECTORY/cross-encoder/               a seeded cross-encoder of TinyBERT-L-2's shape, as Hugging Face publishes one
DIRECTORY/flashrank/NAME/              the same as FlashRank unpacks its download: ONNX, int8 by quantize_dynamic
DIRECTORY/reference.json               logits of the pairs of texts.py: of the float model, and of the ONNX file with its
                                       weights dequantized and run in float
Does nothing where they are there and made by this very file.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import shutil
import sys

TESTS = pathlib.Path(__file__).resolve().parent
REPOSITORY = TESTS.parent.parent
sys.path[:0] = [str(TESTS), str(REPOSITORY / "tests" / "engine"), str(REPOSITORY / "bench")]

import texts  # noqa: E402

NAME = "ms-marco-TinyBERT-L-2-v2"
ONNX = "flashrank-TinyBERT-L-2-v2.onnx"
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "tokenizer_config.json", "special_tokens_map.json")


def with_float_arithmetic(path: pathlib.Path) -> bytes:
    """The graph of quantize_dynamic with its weights as they are and everything else in float: nothing is rounded
    (DynamicQuantizeLinear becomes the identity with scale 1), and MatMulInteger becomes MatMul with the integers."""
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(str(path))
    graph = model.graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes, one = [], numpy_helper.from_array(np.float32(1), "one")
    for node in graph.node:
        if node.op_type == "DynamicQuantizeLinear":
            nodes.append(helper.make_node("Identity", [node.input[0]], [node.output[0]]))
            nodes.append(helper.make_node("Identity", ["one"], [node.output[1]]))
        elif node.op_type == "MatMulInteger":
            weights = tensors[node.input[1]].astype(np.float32) - tensors[node.input[3]].astype(np.float32)
            graph.initializer.append(numpy_helper.from_array(weights, f"{node.output[0]}_weights"))
            nodes.append(helper.make_node("MatMul", [node.input[0], f"{node.output[0]}_weights"], node.output))
        else:
            nodes.append(node)
    graph.initializer.append(one)
    del graph.node[:]
    graph.node.extend(nodes)
    return model.SerializeToString()


def logits(model: pathlib.Path | bytes, tokenizer_file: pathlib.Path) -> list[list[float]]:
    import numpy as np
    import onnxruntime
    import tokenizers

    session = onnxruntime.InferenceSession(model if isinstance(model, bytes) else str(model))
    tokenizer = tokenizers.Tokenizer.from_file(str(tokenizer_file))
    tokenizer.no_padding()
    tokenizer.enable_truncation(512)

    def logit(query: str, passage: str) -> float:
        encoding = tokenizer.encode(query, passage)
        inputs = {"input_ids": encoding.ids, "attention_mask": encoding.attention_mask, "token_type_ids": encoding.type_ids}
        return float(session.run(None, {name: np.array([ids], np.int64) for name, ids in inputs.items()})[0].ravel()[0])

    return [[logit(query, passage) for passage in texts.PASSAGES] for query in texts.QUERIES]


def center(weights: pathlib.Path) -> None:
    """Shifts the logits to both sides of 0, where scores tell more."""
    from safetensors import numpy

    tensors = numpy.load_file(weights)
    tensors["classifier.bias"] = tensors["classifier.bias"] + numpy.np.float32(7)
    numpy.save_file(tensors, weights, {"format": "pt"})


def make(directory: pathlib.Path) -> None:
    import model_files
    import models

    published = directory / "cross-encoder"
    unpacked = directory / "flashrank" / NAME
    unpacked.mkdir(parents=True)
    tokenizer_of = directory.parent / "all-MiniLM-L6-v2"
    model_files.write_cross_encoder(published, model_files.TINYBERT_L2, tokenizer_of, seed=5)
    shutil.copy(tokenizer_of / "special_tokens_map.json", published)
    center(published / "model.safetensors")
    models.export_onnx(published, "cross-encoder", directory / "float.onnx")
    models._quantize(directory / "float.onnx", unpacked / ONNX, per_channel=False)
    for name in ("config.json", *TOKENIZER_FILES):
        shutil.copy(published / name, unpacked)
    reference = {
        "float": logits(directory / "float.onnx", published / "tokenizer.json"),
        "dequantized": logits(with_float_arithmetic(unpacked / ONNX), published / "tokenizer.json"),
    }
    (directory / "reference.json").write_text(json.dumps(reference))


def main() -> None:
    directory = pathlib.Path(sys.argv[1])
    stamp = directory / "made-by"
    made_by = hashlib.sha256(b"".join((TESTS / name).read_bytes() for name in ("make_models.py", "texts.py"))).hexdigest()
    if stamp.exists() and stamp.read_text() == made_by:
        return
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    make(directory)
    stamp.write_text(made_by)


if __name__ == "__main__":
    main()
