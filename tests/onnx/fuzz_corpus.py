"""python fuzz_corpus.py DIRECTORY: seeds for fuzz_onnx and fuzz_zip, in DIRECTORY/onnx and DIRECTORY/zip: the smallest
model that is accepted in every form that the tools write, and archives of it."""

from __future__ import annotations

import pathlib
import sys
import zipfile

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "engine"))

import onnx  # noqa: E402
from exported_models import SMALL, export_classifier, fuse, quantize  # noqa: E402

SMALLEST = {**SMALL, "num_hidden_layers": 1, "intermediate_size": 64}


def write_models(directory: pathlib.Path) -> list[pathlib.Path]:
    directory.mkdir(parents=True, exist_ok=True)
    settings = {"vocab_size": 24, "max_position_embeddings": 16}
    for attention, operator_set in (("eager", 11), ("sdpa", 17)):
        path = directory / f"{attention}-{operator_set}.onnx"
        export_classifier(path, attention, operator_set, SMALLEST, **settings)
        quantize(path, path.with_name(f"{path.stem}-quantized.onnx"), "QUInt8", per_channel=True)
    fused = directory / "fused.onnx"
    fuse(directory / "eager-11.onnx", fused, 2, SMALLEST["hidden_size"])
    quantize(fused, directory / "fused-quantized.onnx", "QInt8")
    # Weights outside of the file leave the fuzzer the nodes to change; one file keeps them.
    for path in sorted(directory.glob("*.onnx"))[1:]:
        model = onnx.load(path)
        path.unlink()
        onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=64)
        (directory / "weights.bin").unlink()
    return sorted(directory.glob("*.onnx"))


def write_archives(directory: pathlib.Path, models: list[pathlib.Path]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for method, name in ((zipfile.ZIP_DEFLATED, "deflated.zip"), (zipfile.ZIP_STORED, "stored.zip")):
        with zipfile.ZipFile(directory / name, "w", method) as archive:
            archive.writestr("model/", b"")
            archive.writestr("model/config.json", b'{"architectures": ["BertModel"]}' * 20)
            archive.writestr("model/model.onnx", models[0].read_bytes()[:2000])
    with zipfile.ZipFile(directory / "empty.zip", "w"):
        pass


if __name__ == "__main__":
    target = pathlib.Path(sys.argv[1])
    write_archives(target / "zip", write_models(target / "onnx"))
