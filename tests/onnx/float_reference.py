"""What ONNX Runtime computes: from a file as it is, or from the same file with its weights dequantized, in float."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import tokenizers
from onnx import helper, numpy_helper


class _Floats:
    """A quantized graph made float: products of integers become products of dequantized weights."""

    def __init__(self, model: onnx.ModelProto):
        self.graph = model.graph
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self.maker = {name: node for node in self.graph.node for name in node.output}
        self.readers: dict[str, list] = {}
        for node in self.graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.dropped: set[int] = set()
        self.added: list = []
        self.weights: dict[str, np.ndarray] = {}

    def dequantize(self, values: str, scale: str, zero: str) -> str:
        stored, step = self.constants[values], self.constants[scale]
        offset = self.constants[zero] if zero else np.zeros(1, stored.dtype)
        name = values + "_as_float"
        self.weights[name] = ((stored.astype(np.float32) - offset.astype(np.float32)) * step).astype(np.float32)
        return name

    def integer_product(self, node) -> None:
        """MatMulInteger, Cast, Mul by both scales."""
        cast = self.readers[node.output[0]][0]
        scaled = self.readers[cast.output[0]][0]
        scales = self.maker[next(name for name in scaled.input if name != cast.output[0])]
        weight_scale = next(name for name in scales.input if name in self.constants)
        weight = self.dequantize(node.input[1], weight_scale, node.input[3] if len(node.input) > 3 else "")
        self.added.append(helper.make_node("MatMul", [self.maker[node.input[0]].input[0], weight], scaled.output))
        self.dropped |= {id(node), id(cast), id(scaled), id(scales)}

    def attention(self, node) -> None:
        weight = self.dequantize(node.input[1], node.input[4], node.input[7])
        inputs = [self.maker[node.input[0]].input[0], weight, node.input[2], node.input[5]]
        self.replace(node, "Attention", inputs)

    def embeddings(self, node) -> None:
        names = list(node.input)
        constants = [self.dequantize(names[2 + i], names[8 + i], names[13 + i]) for i in range(5)]
        self.replace(node, "EmbedLayerNormalization", names[:2] + constants + names[7:8])

    def replace(self, node, operator: str, inputs: list[str]) -> None:
        made = helper.make_node(operator, inputs, node.output, domain="com.microsoft")
        made.attribute.extend(node.attribute)
        self.added.append(made)
        self.dropped.add(id(node))

    def rewrite(self) -> None:
        rules = {
            "MatMulInteger": self.integer_product,
            "QAttention": self.attention,
            "QEmbedLayerNormalization": self.embeddings,
        }
        for node in self.graph.node:
            if node.op_type in rules:
                rules[node.op_type](node)
        kept = [n for n in self.graph.node if id(n) not in self.dropped and n.op_type != "DynamicQuantizeLinear"]
        tensors = [numpy_helper.from_array(values, name) for name, values in self.weights.items()]
        nodes = self.in_order(kept + self.added, {tensor.name for tensor in tensors})
        del self.graph.node[:]
        self.graph.node.extend(nodes)
        self.graph.initializer.extend(tensors)

    def in_order(self, nodes: list, weights: set[str]) -> list:
        ready = weights | set(self.constants) | {value.name for value in self.graph.input} | {""}
        ordered: list = []
        while nodes:
            waiting = []
            for node in nodes:
                if ready.issuperset(node.input):
                    ordered.append(node)
                    ready.update(node.output)
                else:
                    waiting.append(node)
            assert len(waiting) < len(nodes), "the rewritten graph has a cycle"
            nodes = waiting
        return ordered


def dequantized(path) -> bytes:
    model = onnx.load(path)
    _Floats(model).rewrite()
    return model.SerializeToString()


class Runtime:
    """A model in ONNX Runtime with a tokenizer."""

    def __init__(self, model, tokenizer_path, max_length: int):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        source = model if isinstance(model, bytes) else str(model)
        self.session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        self.tokenizer = tokenizers.Tokenizer.from_file(str(tokenizer_path))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(max_length)

    def run(self, *text: str) -> np.ndarray:
        encoded = self.tokenizer.encode(*text)
        values = {
            "input_ids": encoded.ids,
            "attention_mask": encoded.attention_mask,
            "token_type_ids": encoded.type_ids,
        }
        inputs = {value.name: np.array([values[value.name]]) for value in self.session.get_inputs()}
        for value in self.session.get_inputs():
            if value.type == "tensor(int32)":
                inputs[value.name] = inputs[value.name].astype(np.int32)
        return self.session.run(None, inputs)[0][0]

    def logits(self, lists) -> np.ndarray:
        return np.array([self.run(query, passage).item() for query, passages in lists for passage in passages])

    def embeddings(self, texts: list[str]) -> np.ndarray:
        """The mean of the tokens' states, or the vector that the graph gives; of length one."""
        rows = [self.run(text) for text in texts]
        vectors = np.array([row.mean(0) if row.ndim == 2 else row for row in rows], dtype=np.float64)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
