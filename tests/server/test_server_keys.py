"""API keys: who gets in, what is open, and what a wrong file or flag says."""

from __future__ import annotations

import subprocess

import pytest
from raw_http import RawConnection, get, post
from running_server import WAIT_SECONDS, RunningServer

SMALL = {"query": "q", "documents": ["a"]}
FIRST, SECOND = "sk-first-0123456789", "sk-second+/=_.~"
FILE = f"# who may ask\n\n{FIRST}\n  {SECOND} \t search-team\r\n"


@pytest.fixture(scope="module")
def server(rescoldo, cross_encoder_ember, tmp_path_factory):
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text(FILE)
    with RunningServer(rescoldo, cross_encoder_ember, "--api-key-file", file) as running:
        yield running


def ask(server, *fields, path="/v1/rerank"):
    return server.post(path, SMALL, dict(fields))


@pytest.mark.parametrize(
    "field",
    [
        ("Authorization", f"Bearer {FIRST}"),
        ("Authorization", f"Bearer {SECOND}"),
        ("Authorization", f"bearer   {FIRST}  "),
        ("AUTHORIZATION", f"BEARER {FIRST}"),
        ("Authorization", FIRST),
        ("Api-Key", FIRST),
        ("api-key", SECOND),
    ],
)
def test_a_key_lets_in(server, field):
    assert ask(server, field)[0] == 200


@pytest.mark.parametrize(
    "fields",
    [
        (),
        (("Authorization", ""),),
        (("Authorization", "Bearer"),),
        (("Authorization", "Bearer "),),
        (("Authorization", "Bearer None"),),
        (("Authorization", f"Basic {FIRST}"),),
        (("Authorization", f"Bearer {FIRST}x"),),
        (("Authorization", f"Bearer {FIRST[:-1]}"),),
        (("Authorization", f"Bearer {FIRST.upper()}"),),
        (("Authorization", f"Bearer{FIRST}"),),
        (("Authorization", f"Bearer {FIRST} {SECOND}"),),
        (("Authorization", "Bearer search-team"),),
        (("Authorization", "Bearer # who may ask"),),
        (("Authorization", "Bearer " + "a" * 5000),),
        (("Api-Key", f"Bearer {FIRST}"),),
        (("Api-Key", ""),),
        (("X-Api-Key", FIRST),),
    ],
)
def test_no_key_no_answer(server, fields):
    status, headers, reply = ask(server, *fields)
    assert status == 401
    assert headers["WWW-Authenticate"].startswith("Bearer ")
    assert reply["error"]["code"] == "invalid_api_key"
    assert reply["error"]["type"] == "authentication_error"
    assert FIRST not in str(reply)


def test_the_refusal_has_the_form_of_the_path(server):
    status, headers, reply = server.post("/embed", {"inputs": "a"})
    assert (status, type(reply["error"])) == (401, str)
    assert reply["error_type"]
    assert headers["WWW-Authenticate"]


def test_one_of_two_fields_suffices(server):
    """A client that sends "Bearer None" of itself may still send its key."""
    assert ask(server, ("Authorization", "Bearer None"), ("Api-Key", FIRST))[0] == 200


def test_a_field_given_twice_counts_for_nothing(server):
    with RawConnection(server) as connection:
        connection.send(post("/v1/rerank", SMALL, f"Authorization: {FIRST}", f"Authorization: {FIRST}"))
        assert connection.read_reply().status == 401


def test_who_has_no_key_learns_nothing(server):
    for path in ("/v1/rerank", "/nowhere", "/info", "/v1/models"):
        assert server.get(path)[0] == 401
    with RawConnection(server) as connection:
        # Not even the body is asked for.
        connection.send(b"POST /v1/rerank HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n")
        assert connection.read_reply().status == 401
        assert connection.is_closed()
    with RawConnection(server) as connection:  # a small one is read, and the connection stays
        for _ in range(3):
            connection.send(post("/v1/rerank", SMALL))
            assert connection.read_reply().status == 401
        connection.send(post("/v1/rerank", SMALL, f"Api-Key: {FIRST}"))
        assert connection.read_reply().status == 200


def test_open_paths(server):
    for path in ("/livez", "/readyz", "/health", "/metrics"):
        assert server.get(path)[0] == 200
    assert server.metrics()["rescoldo_unauthorized_total"] > 0
    assert server.metrics()['rescoldo_http_requests_total{route="/v1/rerank",code="401"}'] > 0


def test_the_log_has_the_keys_name_and_no_key(server):
    ask(server, ("Authorization", f"Bearer {SECOND}"), ("X-Request-Id", "named"))
    assert server.wait_for_event("request", request_id="named")["api_key"] == "search-team"
    ask(server, ("Authorization", f"Bearer {FIRST}"), ("X-Request-Id", "unnamed"))
    assert "api_key" not in server.wait_for_event("request", request_id="unnamed")
    assert not any(FIRST in line or SECOND in line for line in server.lines)


def test_open_paths_of_ones_own(start, tmp_path):
    (tmp_path / "keys").write_text(FIRST)
    keys = ("--api-key-file", str(tmp_path / "keys"))
    server = start(*keys, "--open-path", "/info", "--open-path", "/readyz")
    assert [server.get(path)[0] for path in ("/info", "/readyz", "/livez", "/metrics")] == [200, 200, 401, 401]
    server = start(*keys, "--open-path", "none")
    assert server.get("/livez")[0] == 401
    with RawConnection(server) as connection:
        connection.send(get("/livez", f"Authorization: {FIRST}"))
        assert connection.read_reply().status == 200


def test_without_keys_any_authorization_is_accepted(cross_encoder):
    for value in ("", "Bearer None", "Bearer x", "Basic eDp5"):
        assert ask(cross_encoder, ("Authorization", value))[0] == 200


def refusal(rescoldo, ember, *arguments):
    result = subprocess.run(
        [rescoldo, "serve", "--model", ember, "--listen", "127.0.0.1:0", *map(str, arguments)],
        capture_output=True, timeout=WAIT_SECONDS, check=False,
    )  # fmt: skip
    return result.returncode, result.stderr.decode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "no key"),
        (b"# only a comment\n\n", "no key"),
        (b"good\nbad name more\n", "line 2"),
        (b"good\n\xc3\xa9\n", "line 2"),
        (b"good\nb\0d\n", "line 2"),
        (b"good name\ngood other\n", "line 2"),
        (b"a" * 513, "line 1"),
        (b"good " + b"n" * 65, "line 1"),
        (b"".join(b"%d\n" % number for number in range(1001)), "line 1001"),
    ],
)
def test_files_that_are_refused(rescoldo, cross_encoder_ember, tmp_path, text, message):
    file = tmp_path / "keys"
    file.write_bytes(text)
    status, output = refusal(rescoldo, cross_encoder_ember, "--api-key-file", file)
    assert status == 1
    assert str(file) in output and message in output
    assert "good" not in output


def test_arguments_that_are_refused(rescoldo, cross_encoder_ember):
    status, output = refusal(rescoldo, cross_encoder_ember, "--api-key-file", "/nonexistent")
    assert status == 1 and "/nonexistent" in output
    status, output = refusal(rescoldo, cross_encoder_ember, "--open-path", "/nowhere")
    assert status == 2 and "/nowhere" in output
