"""models/fetch against a real HTTP server on loopback: pins, resuming, and what is said when nothing answers."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import pathlib
import socket
import subprocess
import threading

import pytest

FETCH = pathlib.Path(__file__).resolve().parents[2] / "models" / "fetch"
CONTENT = bytes(range(256)) * 4096
CONFIG = b'{"model_type": "bert"}'
REVISION = "0123456789abcdef"


class Hub(http.server.ThreadingHTTPServer):
    """Serves files with ranges, and breaks off the connection `breaks` times in the middle of one."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), HubRequest)
        self.files = {"model.safetensors": CONTENT, "config.json": CONFIG}
        self.breaks = 0
        self.ranges_supported = True
        self.requests: list[tuple[str, str | None]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class HubRequest(http.server.BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        wanted_range = self.headers.get("Range")
        self.server.requests.append((self.path, wanted_range))
        if name not in self.server.files:
            self.send_error(404)
            return
        content = self.server.files[name]
        start = 0
        if wanted_range and self.server.ranges_supported:
            start = int(wanted_range.removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if self.server.breaks > 0 and len(content) > 1024:
            self.server.breaks -= 1
            self.wfile.write(content[start : start + len(content) // 3])
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.wfile.write(content[start:])

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def hub():
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def fetch(hub: Hub, tmp_path: pathlib.Path):
    """Runs models/fetch for the model `tiny` of a catalogue of its own; returns the finished process."""

    def run(name: str = "tiny", endpoint: str = "", sha256: str = "", pinned: bool = True) -> subprocess.CompletedProcess[str]:
        catalogue = tmp_path / "catalogue.json"
        files = [
            {"path": "config.json", "sha256": hashlib.sha256(CONFIG).hexdigest()},
            {"path": "model.safetensors", "sha256": sha256 or hashlib.sha256(CONTENT).hexdigest()},
        ]
        if not pinned:
            del files[1]["sha256"]
        sources = [{"type": "hub", "repository": "someone/tiny", "revision": REVISION}]
        catalogue.write_text(json.dumps({"models": [{"name": "tiny", "files": files, "sources": sources}]}))
        environment = os.environ | {"CATALOGUE": str(catalogue), "HF_ENDPOINT": endpoint or hub.address}
        return subprocess.run(
            [FETCH, name, tmp_path / "tiny"], env=environment, capture_output=True, text=True, timeout=60
        )

    return run


def test_every_file_arrives_from_the_pinned_revision(fetch, hub, tmp_path):
    finished = fetch()
    assert finished.returncode == 0, finished.stderr
    assert (tmp_path / "tiny" / "config.json").read_bytes() == CONFIG
    assert (tmp_path / "tiny" / "model.safetensors").read_bytes() == CONTENT
    assert [path for path, _ in hub.requests] == [
        f"/someone/tiny/resolve/{REVISION}/config.json",
        f"/someone/tiny/resolve/{REVISION}/model.safetensors",
    ]


def test_a_second_run_downloads_nothing(fetch, hub):
    assert fetch().returncode == 0
    hub.requests.clear()
    assert fetch().returncode == 0
    assert hub.requests == []


def test_a_file_changed_since_is_fetched_again_alone(fetch, hub, tmp_path):
    assert fetch().returncode == 0
    hub.requests.clear()
    (tmp_path / "tiny" / "config.json").write_bytes(b"{}")
    assert fetch().returncode == 0
    assert [path.rpartition("/")[2] for path, _ in hub.requests] == ["config.json"]
    assert (tmp_path / "tiny" / "config.json").read_bytes() == CONFIG


def test_a_wrong_sha256_is_refused_and_the_file_removed(fetch, tmp_path):
    finished = fetch(sha256="0" * 64)
    assert finished.returncode == 1
    assert f"SHA-256 is {hashlib.sha256(CONTENT).hexdigest()}, expected {'0' * 64}" in finished.stderr
    assert sorted(path.name for path in (tmp_path / "tiny").iterdir()) == ["config.json"]


def test_a_broken_download_is_resumed_where_it_broke(fetch, hub, tmp_path):
    hub.breaks = 2
    finished = fetch()
    assert finished.returncode == 0, finished.stderr
    assert (tmp_path / "tiny" / "model.safetensors").read_bytes() == CONTENT
    third = len(CONTENT) // 3
    ranges = [asked for path, asked in hub.requests if path.endswith("model.safetensors")]
    assert ranges == [None, f"bytes={third}-", f"bytes={2 * third}-"]


def test_a_download_is_resumed_by_a_later_run(fetch, hub, tmp_path):
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "model.safetensors.partial").write_bytes(CONTENT[:1000])
    assert fetch().returncode == 0
    assert hub.requests[-1][1] == "bytes=1000-"
    assert (tmp_path / "tiny" / "model.safetensors").read_bytes() == CONTENT


def test_a_partial_file_of_something_else_is_started_again(fetch, tmp_path):
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "model.safetensors.partial").write_bytes(b"something else")
    finished = fetch()
    assert finished.returncode == 0, finished.stderr
    assert (tmp_path / "tiny" / "model.safetensors").read_bytes() == CONTENT


def test_a_server_without_ranges_is_asked_from_the_start(fetch, hub, tmp_path):
    hub.ranges_supported = False
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "model.safetensors.partial").write_bytes(CONTENT[:1000])
    finished = fetch()
    assert finished.returncode == 0, finished.stderr
    assert (tmp_path / "tiny" / "model.safetensors").read_bytes() == CONTENT


def test_a_missing_file_fails_and_names_its_address(fetch, hub):
    del hub.files["model.safetensors"]
    finished = fetch()
    assert finished.returncode == 1
    assert "404" in finished.stderr
    assert f"someone/tiny/resolve/{REVISION}" in finished.stderr


def test_an_unreachable_hub_has_an_exit_status_of_its_own(fetch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        finished = fetch(endpoint=address)
    assert finished.returncode == 3
    assert f"tried: {address}/someone/tiny (not reachable)" in finished.stderr


def test_an_unknown_name_is_answered_with_the_known_ones(fetch):
    finished = fetch(name="huge")
    assert finished.returncode == 1
    assert "there are: tiny" in finished.stderr


def test_a_file_without_a_pin_is_trusted_once_and_then_held_to_its_sha256(fetch, hub, tmp_path):
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    finished = fetch(pinned=False)
    assert finished.returncode == 0, finished.stderr
    assert "trusted on first use" in finished.stderr and sha256 in finished.stderr
    assert (tmp_path / "models.lock").read_text() == f"{sha256} tiny model.safetensors\n"
    (tmp_path / "tiny" / "model.safetensors").unlink()
    hub.files["model.safetensors"] = CONTENT[::-1]
    finished = fetch(pinned=False)
    assert finished.returncode == 1
    assert f"expected {sha256}" in finished.stderr
    assert not (tmp_path / "tiny" / "model.safetensors").exists()
    hub.files["model.safetensors"] = CONTENT
    assert fetch(pinned=False).returncode == 0
    assert (tmp_path / "models.lock").read_text().count("\n") == 1


def test_an_unpinned_file_changed_on_disk_is_fetched_again(fetch, tmp_path):
    assert fetch(pinned=False).returncode == 0
    (tmp_path / "tiny" / "model.safetensors").write_bytes(b"else")
    assert fetch(pinned=False).returncode == 0
    assert (tmp_path / "tiny" / "model.safetensors").read_bytes() == CONTENT
