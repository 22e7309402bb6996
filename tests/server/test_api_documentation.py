"""docs/api.md, src/server/openapi.json and the router tell of the same paths, and every example in docs/api.md is what the
server answers, to the last digit."""

from __future__ import annotations

import json
import pathlib
import re

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = (REPOSITORY / "docs" / "api.md").read_text()
EXAMPLE = re.compile(r"```sh\ncurl -s http://127\.0\.0\.1:8080(\S+) -d '([^']*)'\n```\n\n```json\n(.*?)\n```", re.DOTALL)
EXAMPLES = EXAMPLE.findall(DOCUMENT)


def routes() -> set[str]:
    """The paths of src/server/router.c."""
    source = (REPOSITORY / "src" / "server" / "router.c").read_text()
    return set(re.findall(r'^    \{"(/[^"]*)",', source, re.MULTILINE))


def assert_matches(documented, answered, where):
    """"..." in the documentation stands for anything, or for the rest of an array."""
    if documented == "...":
        return
    if isinstance(documented, dict):
        assert isinstance(answered, dict) and list(documented) == list(answered), where
        for name, value in documented.items():
            assert_matches(value, answered[name], f"{where}.{name}")
    elif isinstance(documented, list):
        more = documented[-1:] == ["..."]
        documented = documented[:-1] if more else documented
        assert len(answered) > len(documented) if more else len(answered) == len(documented), where
        for index, (value, other) in enumerate(zip(documented, answered)):
            assert_matches(value, other, f"{where}[{index}]")
    else:
        assert documented == answered, where


@pytest.mark.parametrize(("path", "body", "reply"), EXAMPLES, ids=[f"{i}-{path}" for i, (path, _, _) in enumerate(EXAMPLES)])
def test_every_example_is_answered_so(embedder, path, body, reply):
    _, _, answered = embedder.post(path, json.loads(body))
    assert_matches(json.loads(reply), answered, path)


def subset(documented, answered):
    """What is left of the answer when only the fields of the documentation count."""
    if isinstance(documented, dict):
        return {name: subset(value, answered[name]) for name, value in documented.items()}
    if isinstance(documented, list):
        return [subset(value, other) for value, other in zip(documented, answered, strict=True)]
    return answered


def test_the_readme_is_true(embedder):
    readme = (REPOSITORY / "README.md").read_text()
    path, body = re.search(r"^curl http://127\.0\.0\.1:8080(\S+) .*-d '(.*)'$", readme, re.MULTILINE).groups()
    documented = json.loads(re.search(r"```json\n(.*?)\n```", readme, re.DOTALL)[1])
    _, _, answered = embedder.post(path, json.loads(body))
    assert subset(documented, answered) == documented


def test_no_example_is_left_out():
    assert len(EXAMPLES) == DOCUMENT.count("curl -s") >= 16


def test_every_path_is_documented_and_nothing_else():
    described = json.loads((REPOSITORY / "src" / "server" / "openapi.json").read_text())["paths"]
    assert {re.sub(r"\{.*\}$", "*", path) for path in described} == routes()
    written = set(re.findall(r"`(/[^`]*)`", DOCUMENT))
    for path in routes():
        beside = path.replace("/v1/v1/", "/v1/").replace("/v1/v2/", "/v2/").replace("*", "NAME")
        assert beside in written, path


def test_the_methods_are_those_of_the_document(embedder):
    _, _, described = embedder.get("/openapi.json")
    for path, item in described["paths"].items():
        path = path.replace("{id}", "any")
        status, headers, _ = embedder.request("DELETE", path)
        allowed = set(headers["Allow"].split(", ")) - {"HEAD"}
        assert status == 405 and allowed == {method.upper() for method in item if method in ("get", "post")}
