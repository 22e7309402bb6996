"""How a model of the catalogue is baked, by `make run` and in the image alike: which of its files, with which prompts."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
import zipfile

import numpy as np
import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
FLASHRANK = "flashrank-ms-marco-TinyBERT-L-2-v2"


def arguments(*paths: pathlib.Path | str) -> list[str]:
    command = [REPOSITORY / "models" / "bake-arguments", *paths]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def test_prompts_are_the_catalogues(tmp_path):
    assert arguments("/m/e5-small-v2")[2:] == ["--query-prompt", "query: ", "--passage-prompt", "passage: "]
    catalogue = json.loads((REPOSITORY / "models" / "catalogue.json").read_text())["models"]
    for model in [model for model in catalogue if model["kind"] == "embedder"][:4]:
        said = arguments(tmp_path / model["name"])
        assert said[:2] == ["--model", str(tmp_path / model["name"])]
        prompts = model.get("prompts")
        expected = ["--query-prompt", prompts["query"], "--passage-prompt", prompts["passage"]] if prompts else []
        assert said[2:] == expected, model["name"]


def test_a_file_and_an_unknown_directory_are_baked_as_they_are():
    assert arguments("/m/model.onnx") == ["--model", "/m/model.onnx"]
    assert arguments("/m/mine", "/m/ms-marco-MiniLM-L-12-v2") == ["--model", "/m/mine", "--model", "/m/ms-marco-MiniLM-L-12-v2"]


def test_embedders_of_different_prompts_do_not_share_an_ember():
    command = [REPOSITORY / "models" / "bake-arguments", "/m/e5-small-v2", "/m/gte-small"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1 and "gte-small reads other prompts" in result.stderr


def write_cross_encoder(directory: pathlib.Path, tokenizer: pathlib.Path, vocabulary: int, hidden: int = 64) -> pathlib.Path:
    """One layer of random weights, written without the libraries that take seconds to load."""
    directory.mkdir()
    config = {"hidden_size": hidden, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": hidden}
    config |= {"vocab_size": vocabulary, "max_position_embeddings": 512, "type_vocab_size": 2}
    config |= {"architectures": ["BertForSequenceClassification"], "num_labels": 1}
    (directory / "config.json").write_text(json.dumps(config))
    shutil.copy(tokenizer, directory)
    layer = "bert.encoder.layer.0."
    linear = [f"{layer}attention.self.{part}" for part in ("query", "key", "value")]
    linear += [f"{layer}attention.output.dense", f"{layer}intermediate.dense", f"{layer}output.dense", "bert.pooler.dense"]
    norms = ["bert.embeddings.LayerNorm", f"{layer}attention.output.LayerNorm", f"{layer}output.LayerNorm"]
    tables = {"word": vocabulary, "position": 512, "token_type": 2}
    shapes = {f"bert.embeddings.{name}_embeddings.weight": [rows, hidden] for name, rows in tables.items()}
    shapes |= {f"{name}.weight": [hidden, hidden] for name in linear} | {f"{name}.bias": [hidden] for name in linear + norms}
    shapes |= {f"{name}.weight": [hidden] for name in norms} | {"classifier.weight": [1, hidden], "classifier.bias": [1]}
    generator, header, content = np.random.default_rng(3), {}, b""
    for name, shape in shapes.items():
        values = generator.normal(0, 0.1, shape).astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(content), len(content) + len(values)]}
        content += values
    text = json.dumps(header).encode()
    (directory / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + content)
    return directory


@pytest.fixture(scope="module")
def models(tmp_path_factory, all_minilm_directory) -> pathlib.Path:
    """A copy of models/ in which FlashRank's download lies already: an archive of a small model."""
    target = tmp_path_factory.mktemp("context") / "models"
    shutil.copytree(REPOSITORY / "models", target, ignore=shutil.ignore_patterns("cache"))
    small = write_cross_encoder(target.parent / "small", all_minilm_directory / "tokenizer.json", 30522)
    archive = target / FLASHRANK / "ms-marco-TinyBERT-L-2-v2.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as content:
        for path in small.iterdir():
            content.write(path, f"ms-marco-TinyBERT-L-2-v2/{path.name}")
    return target


def test_the_image_bakes_what_make_run_bakes(models, rescoldo, tmp_path):
    """The Dockerfile's own two commands, on FlashRank's archive."""
    subprocess.run([models / "collect", f"models/{FLASHRANK}", "sources"], check=True, cwd=tmp_path)
    assert (tmp_path / "sources" / "arguments").read_text().splitlines() == [
        "--model", f"sources/1/{FLASHRANK}/ms-marco-TinyBERT-L-2-v2.zip",
    ]  # fmt: skip
    (bake,) = re.findall(r"&& (scripts/bake-once .*) \\", (REPOSITORY / "Dockerfile").read_text())
    bake = bake.replace("/root/.cache/embers", "kept").replace("/image/", "").replace("/model/sources", "sources")
    (tmp_path / "build").symlink_to(pathlib.Path(rescoldo).parent)
    (tmp_path / "scripts").symlink_to(REPOSITORY / "scripts")

    def baked(precision: str) -> tuple[bool, bytes]:
        """Whether the ember was taken from those kept, and what it holds."""
        environment = {**os.environ, "PRECISION": precision}
        command = {"cwd": tmp_path, "env": environment, "check": True, "capture_output": True, "text": True}
        said = subprocess.run(bake, shell=True, **command).stdout
        return "its ember is taken" in said, (tmp_path / "model.ember").read_bytes()

    taken, first = baked("int8")
    assert not taken and baked("int8") == (True, first)
    taken, other = baked("f32")
    assert not taken and other != first
    assert baked("int8") == (False, first), "one is kept, the last"
    described = subprocess.run([rescoldo, "inspect", tmp_path / "model.ember", "--json"], capture_output=True, text=True)
    assert '"ms-marco-TinyBERT-L-2-v2"' in described.stdout, described
    assert 'models/bake-arguments "$1"' in (REPOSITORY / "scripts" / "run").read_text()


def test_what_is_no_model_is_refused(models, tmp_path):
    (models / "empty").mkdir()
    for name in ("models/empty", "models/../models", "no-such-model"):
        result = subprocess.run([models / "collect", name, "sources"], cwd=tmp_path, capture_output=True, text=True)
        assert result.returncode == 1 and "expected a name of models/catalogue.json" in result.stderr
