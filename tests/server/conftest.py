"""Servers to talk to: the real binary over real embers."""

from __future__ import annotations

import pathlib

import pytest
from running_server import RunningServer
from tiny_cross_encoder import bake_tiny_cross_encoder


@pytest.fixture(scope="session")
def bake_cross_encoder(rescoldo, all_minilm_directory, tmp_path_factory):
    def bake(**shape) -> pathlib.Path:
        return bake_tiny_cross_encoder(rescoldo, tmp_path_factory.mktemp("cross-encoder"), all_minilm_directory, **shape)

    return bake


@pytest.fixture(scope="session")
def cross_encoder_ember(bake_cross_encoder) -> pathlib.Path:
    """A two-layer cross-encoder with seeded weights."""
    return bake_cross_encoder()


@pytest.fixture(scope="session")
def slow_ember(bake_cross_encoder) -> pathlib.Path:
    """The same with thirty times the work for a token: a body of a megabyte is computed for far longer than it is
    parsed, whichever parts of the build are instrumented."""
    return bake_cross_encoder(layers=12, hidden=256)


@pytest.fixture(scope="module")
def embedder(rescoldo, all_minilm_ember):
    with RunningServer(rescoldo, all_minilm_ember) as server:
        yield server


@pytest.fixture(scope="module")
def cross_encoder(rescoldo, cross_encoder_ember):
    with RunningServer(rescoldo, cross_encoder_ember) as server:
        yield server


@pytest.fixture
def start(rescoldo, cross_encoder_ember):
    """Starts a server with flags of the test's own, over the model that is cheapest to compute."""
    servers = []

    def start_with(*arguments: str, **options) -> RunningServer:
        server = RunningServer(rescoldo, options.pop("ember", cross_encoder_ember), *arguments, **options)
        servers.append(server)
        return server

    yield start_with
    for server in servers:
        server.close()
