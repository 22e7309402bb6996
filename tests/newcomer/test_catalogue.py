"""models/catalogue.json is whole, and says the same as the table that `bake` recognises models by."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
MODELS = json.loads((REPOSITORY / "models" / "catalogue.json").read_text())["models"]
KNOWN_MODELS = (REPOSITORY / "src" / "bake" / "known_models.c").read_text()


def test_every_model_is_described_and_has_a_source_and_a_licence():
    assert len({model["name"] for model in MODELS}) == len(MODELS)
    for model in MODELS:
        name = model["name"]
        assert model["kind"] in ("cross-encoder", "embedder"), name
        assert model["licence"] and model["sources"] and model["languages"] and model["parameters"] > 0, name
        assert isinstance(model["run_here"], bool), name
        assert set(model.get("prompts", {})) <= {"query", "passage"}, name
        assert (model["kind"] == "embedder") == ("pooling" in model), name
        paths = {file["path"] for file in model["files"]}
        assert {"config.json", "model.safetensors"} <= paths or {model["bake"]} == paths, name
        for file in model["files"]:
            assert re.fullmatch("[0-9a-f]{64}", file.get("sha256", "0" * 64)), (name, file["path"])


def test_what_was_run_here_is_pinned_whole():
    for model in MODELS:
        if model["run_here"]:
            assert all("sha256" in file for file in model["files"]), model["name"]


def test_bake_knows_the_models_of_the_catalogue():
    known = dict(re.findall(r'\{"([0-9a-f]{64})",\s*"([^"]+)"', KNOWN_MODELS))
    for model in MODELS:
        for file in model["files"]:
            if file["path"] == "model.safetensors" and "sha256" in file:
                assert known[file["sha256"]] == model["name"]
        for passage in model.get("golden", {"passages": []})["passages"]:
            assert f"{passage['logit']}}}" in KNOWN_MODELS, (model["name"], passage)


def test_the_list_shows_every_model():
    listed = subprocess.run([REPOSITORY / "models" / "fetch", "--list"], check=True, capture_output=True, text=True).stdout
    lines = listed.splitlines()[1:]
    assert [line.split()[0] for line in lines] == [model["name"] for model in MODELS]
    for line, model in zip(lines, MODELS):
        assert ("not run here" in line) == (not model["run_here"]), line
        assert model["licence"] in line and model["sources"][-1]["repository"] in line
