"""Metrics by Prometheus' own judgment, and the dashboard and the documentation against what the server really has."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from raw_http import RawConnection, get

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
DASHBOARD = json.loads((REPOSITORY / "deploy" / "grafana" / "rescoldo.json").read_text())


@pytest.fixture(scope="module")
def promtool() -> str:
    cached = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "rescoldo" / "promtool"
    program = shutil.which("promtool") or (str(cached) if cached.is_file() else None)
    if program is None:
        pytest.skip("promtool is not here; scripts/promtool fetches it")
    return program


@pytest.fixture(scope="module")
def page(embedder) -> str:
    """After requests that everything has counted."""
    embedder.post("/v1/rerank", {"query": "q", "documents": ["a", "b " * 600]})
    embedder.get("/nowhere")
    with RawConnection(embedder) as connection:
        connection.send(b"GET / HTTP/1.1\r\n\r\n")
        assert connection.read_reply().status == 400
    return embedder.get("/metrics")[2]


def samples(page):
    """Name and labels of every sample."""
    for line in page.splitlines():
        match = re.match(r'([a-z_]+)(?:\{(.*)\})? ', line)
        if match and not line.startswith("#"):
            yield match[1], dict(re.findall(r'([a-z_]+)="((?:[^"\\]|\\.)*)"', match[2] or ""))


@pytest.fixture(scope="module")
def labels(page) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, its_labels in samples(page):
        found.setdefault(name, set()).update(its_labels)
    return found


def test_promtool_has_nothing_to_say(promtool, page):
    result = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_page_is_small(page):
    assert len(page) < 40_000


def test_connections_by_state(embedder):
    metrics = embedder.metrics()
    states = {name: count for name, count in metrics.items() if name.startswith("rescoldo_connections{")}
    assert states['rescoldo_connections{state="body"}'] == 1  # this one: it is being answered
    assert len(states) == 7


def test_slices_are_counted_by_their_tokens(embedder):
    """Eight texts of 100 tokens, 102 with their special ones, fill slices of at most 512: five fit, and the rest."""
    before = embedder.metrics()
    assert embedder.post("/v1/embeddings", {"input": ["word " * 100] * 8})[0] == 200
    after = embedder.metrics()
    grown = {name: after[name] - before.get(name, 0) for name in after if name.startswith("rescoldo_slice_")}
    assert grown["rescoldo_slice_tokens_sum"] == 8 * 102
    slices = grown["rescoldo_slice_tokens_count"]
    assert slices == grown["rescoldo_slice_requests_count"] == grown["rescoldo_slice_seconds_count"] >= 2
    assert grown["rescoldo_slice_requests_sum"] == slices
    assert grown['rescoldo_slice_tokens_bucket{le="512"}'] == grown['rescoldo_slice_tokens_bucket{le="+Inf"}'] == slices
    assert grown['rescoldo_slice_tokens_bucket{le="96"}'] == 0
    assert grown["rescoldo_slice_seconds_sum"] > 0


def test_parse_errors_have_their_kind(embedder):
    """tests/unit says which requests are refused as what; here, that each kind is counted under its own name."""
    kinds = {
        "bad_host": b"GET / HTTP/1.1\r\n\r\n",
        "bad_framing": b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
        "bad_line_end": b"GET / HTTP/1.1\nHost: a\n\n",
        "bad_chunk": b"POST /v1/rerank HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "bad_head_byte": b"\0",
        "bad_header": b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
        "bad_request": b"GET x HTTP/1.1\r\nHost: a\r\n\r\n",
        "bad_request_line": b"GET\r\n",
        "body_too_large": b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n",
        "content_encoding_not_supported": b"GET / HTTP/1.1\r\nHost: a\r\nContent-Encoding: br\r\n\r\n",
        "expectation_failed": b"GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n",
        "head_too_large": b"GET /" + b"a" * 20000,
        "http_version_not_supported": b"GET / HTTP/3.0\r\n",
        "method_not_implemented": b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
        "too_many_header_fields": b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 65,
        "transfer_encoding_not_supported": b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        "uri_too_long": b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\n",
    }
    before = embedder.metrics()
    for kind, data in kinds.items():
        with RawConnection(embedder) as connection:
            connection.send(data)
            assert connection.read_reply().json["error"]["code"] == kind
    after = embedder.metrics()
    counted = {name for name in after if name.startswith("rescoldo_parse_errors_total") and after[name] > before[name]}
    assert counted == {f'rescoldo_parse_errors_total{{kind="{kind}"}}' for kind in kinds}
    never_asked_for = {"out_of_memory", "other"}
    assert len([name for name in after if name.startswith("rescoldo_parse_errors_total")]) == len(kinds) + len(never_asked_for)


# --- the dashboard ---


def queries(dashboard=DASHBOARD):
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], re.sub(r"^label_values\((.*), \w+\)$", r"\1", variable["query"]["query"])


def test_the_dashboard_asks_for_what_there_is(labels):
    """Every metric exists, and has the labels by which it is chosen; job and instance are Prometheus'."""
    asked = 0
    for where, query in queries():
        for name, selector in re.findall(r"((?:rescoldo|process)_\w+)(\{[^}]*\})?", query):
            assert name in labels, f"{where}: {name}"
            chosen = set(re.findall(r'(\w+)(?:=|!=|=~|!~)"', selector)) - {"job", "instance"}
            assert chosen <= labels[name], f"{where}: {name} has no label {chosen - labels[name]}"
            asked += 1
        for group in re.findall(r"by \(([^)]*)\)", query):
            wanted = {label.strip() for label in group.split(",")}
            name = re.search(r"(?:rescoldo|process)_\w+", query)[0]
            assert wanted <= labels[name], f"{where}: {name} has no label {wanted - labels[name]}"
    assert asked > 30


def test_the_dashboards_queries_are_promql(promtool, tmp_path):
    rules = [
        {"record": f"query:{number}", "expr": re.sub(r"\$__rate_interval", "1m", query)}
        for number, (_, query) in enumerate(queries())
    ]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    result = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_dashboard_is_whole():
    identifiers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(identifiers)) == len(identifiers)
    places = set()
    for panel in DASHBOARD["panels"]:
        where = panel["gridPos"]
        assert where["x"] + where["w"] <= 24
        cells = {(x, y) for x in range(where["x"], where["x"] + where["w"]) for y in range(where["y"], where["y"] + where["h"])}
        assert not cells & places, panel["title"]
        places |= cells


def test_the_documented_metrics_exist(labels):
    text = (REPOSITORY / "docs" / "operations.md").read_text()
    names = set(re.findall(r"`((?:rescoldo|process)_[a-z_]+)", text))
    families = set(labels) | {re.sub("_(bucket|sum|count)$", "", name) for name in labels}
    assert names and names <= families, names - families


def test_head_of_the_page(embedder):
    with RawConnection(embedder) as connection:
        connection.send(get("/metrics", method="HEAD"))
        assert connection.read_reply(head_request=True).status == 200
