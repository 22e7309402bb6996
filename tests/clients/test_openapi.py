"""The server keeps what openapi.json promises: schemathesis sends what the schemas allow and what they don't, and looks
at status, content type and body of each reply."""

from __future__ import annotations

import json
import pathlib

import pytest

schemathesis = pytest.importorskip("schemathesis", reason="tests/clients/requirements.txt is not installed")
from hypothesis import HealthCheck, Phase, settings  # noqa: E402
from openapi_spec_validator import validate  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "src" / "server" / "openapi.json"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

schema = schemathesis.openapi.from_dict(json.loads(DOCUMENT.read_text()))
# A method that HTTP does not know is 501 (RFC 9110, section 9.1), and tests/server/test_server_http.py sends them.
schema.config.phases.coverage.unexpected_methods = {"PUT", "DELETE"}
# Other names of the same handlers.
schema = schema.exclude(path_regex="^/v1/v|^/(reranking|embeddings|models|ping|invocations)$")


def test_the_document_is_valid(reranker):
    _, _, served = reranker.get("/openapi.json")
    assert served == json.loads(DOCUMENT.read_text())
    validate(served)


@pytest.mark.parametrize("kind", ["reranker", "embedder"])
@schema.parametrize()
@settings(
    max_examples=6, derandomize=True, deadline=None, database=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_the_server_keeps_to_it(case, kind, request):
    server = request.getfixturevalue(kind)
    case.call_and_validate(base_url=server.url, checks=CHECKS)
