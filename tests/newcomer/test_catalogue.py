"""models/catalogue.json is whole, and says the same as the table that `bake` recognises models by."""

from __future__ import annotations

import json
import pathlib
import re

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
MODELS = json.loads((REPOSITORY / "models" / "catalogue.json").read_text())["models"]
KNOWN_MODELS = (REPOSITORY / "src" / "bake" / "known_models.c").read_text()


def test_every_file_is_pinned_and_every_model_has_a_source_and_a_licence():
    assert len({model["name"] for model in MODELS}) == len(MODELS)
    for model in MODELS:
        assert model["kind"] in ("cross-encoder", "embedder"), model["name"]
        assert model["licence"] and model["sources"], model["name"]
        assert {"config.json", "model.safetensors"} <= {file["path"] for file in model["files"]}, model["name"]
        for file in model["files"]:
            assert re.fullmatch("[0-9a-f]{64}", file["sha256"]), (model["name"], file["path"])


def test_bake_knows_the_models_of_the_catalogue():
    known = dict(re.findall(r'\{"([0-9a-f]{64})",\s*"([^"]+)"', KNOWN_MODELS))
    for model in MODELS:
        [weights] = [file["sha256"] for file in model["files"] if file["path"] == "model.safetensors"]
        assert known[weights] == model["name"]
        for passage in model.get("golden", {"passages": []})["passages"]:
            assert f"{passage['logit']}}}" in KNOWN_MODELS, (model["name"], passage)
