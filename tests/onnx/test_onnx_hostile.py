"""Damaged and hostile ONNX files and ZIP archives: an error that says what and where, nothing written, bounded memory."""

from __future__ import annotations

import pathlib
import re
import resource
import struct
import subprocess
import zipfile

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

MEMORY = 512 << 20  # bytes of address space: far less than what the hostile files ask for


@pytest.fixture(scope="module")
def refuse(rescoldo, tmp_path_factory):
    """Bakes a file under a memory limit, expects a refusal, and returns its message."""
    directory = tmp_path_factory.mktemp("hostile")

    def limit_memory():
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    sanitized = b"__asan_init" in pathlib.Path(rescoldo).read_bytes()

    def bake(content: bytes, name: str = "model.onnx") -> str:
        (directory / name).write_bytes(content)
        command = [rescoldo, "bake", "--model", directory / name, "--output", directory / "x.ember", "--quiet"]
        result = subprocess.run(
            command, capture_output=True, check=False, timeout=60, preexec_fn=None if sanitized else limit_memory
        )
        message = result.stderr.decode()
        assert result.returncode == 1, (result.returncode, message)
        assert [path.name for path in directory.iterdir()] == [name], "nothing may be written"
        (directory / name).unlink()
        assert name in message, message
        return message

    return bake


@pytest.fixture(scope="module")
def good(classifier) -> bytes:
    return classifier("eager", 17).read_bytes()


@pytest.fixture
def model(good) -> onnx.ModelProto:
    return onnx.load_from_string(good)


def test_truncated(refuse, good):
    for size in (1, 2, 100, 1000, len(good) // 3, len(good) // 2, len(good) - 1):
        assert re.search(r"at byte \d+|no graph", refuse(good[:size])), size
    assert "is empty" in refuse(b"")
    assert re.search("at byte 0|no graph", refuse(b"not an ONNX file at all, but some text"))
    assert "no graph" in refuse(onnx.ModelProto(ir_version=8).SerializeToString())


def test_flipped_bytes(refuse, good):
    """In the nodes and the names, which come before the first weights."""
    generator = np.random.default_rng(3)
    for place in generator.integers(0, 14_000, 25):
        content = bytearray(good)
        content[place] ^= 0xFF
        try:
            refuse(bytes(content))
        except AssertionError as whole:
            # A changed name may leave a model that is whole, and is refused for the tokenizer that it lacks.
            assert "holds neither tokenizer.json" in str(whole), whole


@pytest.mark.parametrize(
    ("dimensions", "message"),
    [
        ([1 << 40, 1 << 40], "its shape overflows"),
        ([1 << 32, 64], r"holds \d+ bytes, its shape and type \(float\) need \d+"),
        ([-1, 64], "dimension 0 is negative"),
        ([1] * 20, "has 20 dimensions"),
    ],
)
def test_shapes(refuse, model, dimensions, message):
    tensor = model.graph.initializer[0]
    tensor.dims[:] = dimensions
    told = refuse(model.SerializeToString())
    assert re.search(message, told) and re.search(r'tensor "[^"]+" \(at byte \d+\)', told), told


def test_a_list_of_numbers_that_is_too_short(refuse, model):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_type = onnx.TensorProto.INT32
    tensor.dims[:] = [1 << 30]
    tensor.int32_data.extend([1, 2, 3])
    assert "holds 3 bytes" in refuse(model.SerializeToString())


def test_a_cycle(refuse, model):
    nodes = [node for node in model.graph.node if node.op_type == "Add"]
    nodes[0].input[0] = nodes[-1].output[0]
    assert re.search(r"the node \w+ \"[^\"]*\" \(number \d+, at byte \d+\) lies on a cycle", refuse(model.SerializeToString()))


def test_a_value_made_twice(refuse, model):
    model.graph.node.append(model.graph.node[-1])
    assert "is made twice" in refuse(model.SerializeToString())


def test_nesting(refuse):
    def field(number: int, content: bytes) -> bytes:
        size, length = b"", len(content)
        while length > 127:
            size, length = size + bytes([length & 127 | 128]), length >> 7
        return bytes([number << 3 | 2]) + size + bytes([length]) + content

    content = b""
    for _ in range(20_000):  # a node in a graph in an attribute in a node
        content = field(1, field(5, field(6, content)))
    assert "messages are nested too deeply" in refuse(field(7, content))


def test_many_nodes(refuse):
    assert "nodes" in refuse(b"\x3a" + b"\x80\x89\x7a" + b"\x0a\x00" * 1_000_000)
    graph = b"\x0a\x00" * 200_000
    size = struct.pack("BBB", len(graph) & 127 | 128, len(graph) >> 7 & 127 | 128, len(graph) >> 14)
    assert "200000 nodes" in refuse(b"\x3a" + size + graph)


def test_a_weight_that_is_no_number(refuse, model, all_minilm_directory, rescoldo, tmp_path):
    tensor = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    values = numpy_helper.to_array(tensor).copy()
    values[7, 3] = np.nan
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    (tmp_path / "tokenizer.json").write_bytes((all_minilm_directory / "tokenizer.json").read_bytes())
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    command = [rescoldo, "bake", "--model", tmp_path, "--output", tmp_path / "x.ember", "--quiet"]
    result = subprocess.run(command, capture_output=True, check=False)
    assert result.returncode == 1 and re.search(r"\(at byte \d+\) has the value -?nan at row 7, column 3", result.stderr.decode())


@pytest.mark.parametrize("location", ["../x.bin", "/etc/passwd", "a/../../x.bin", "", "..", "a\\x.bin"])
def test_external_data_outside(refuse, model, location):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    assert "is not a file inside the model's folder" in refuse(model.SerializeToString())


def test_an_operator_in_the_way(refuse, model):
    node = next(node for node in model.graph.node if node.op_type == "Erf")
    node.op_type = "Cos"
    told = refuse(model.SerializeToString())
    assert re.search(r"node \d+ \(at byte \d+\), Cos \"[^\"]+\", is not understood as a part of BERT", told), told


# ---- ZIP archives ----


def archive_of(entries: dict[str, bytes], tmp_path, method: int = zipfile.ZIP_DEFLATED) -> bytearray:
    with zipfile.ZipFile(tmp_path / "made.zip", "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return bytearray((tmp_path / "made.zip").read_bytes())


def test_truncated_archives(refuse, good, tmp_path):
    content = archive_of({"model/model.onnx": good[:5000], "model/tokenizer.json": b"{}"}, tmp_path)
    for size in (1, 21, 100, len(content) // 2, len(content) - 1):
        refuse(bytes(content[:size]), "m.zip")


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "a\\..\\x", "C:x", "x" * 300])
def test_names_that_lead_out(refuse, tmp_path, name):
    told = refuse(bytes(archive_of({name: b"x", "config.json": b"{}"}, tmp_path)), "m.zip")
    assert "name" in told and "entry" in told


def test_a_bomb(refuse, tmp_path):
    told = refuse(bytes(archive_of({"model.onnx": bytes(200 << 20)}, tmp_path)), "m.zip")
    assert 'entry "model.onnx" expands more than a hundredfold' in told


def test_many_entries(refuse, tmp_path):
    told = refuse(bytes(archive_of({f"file-{i}": b"" for i in range(1500)}, tmp_path)), "m.zip")
    assert "more than 1000 entries" in told


def test_entries_that_share_bytes(refuse, tmp_path):
    """Fifield 2019, A better zip bomb: the directory names one piece of compressed bytes twice."""
    content = archive_of({"a.json": b"x" * 1000, "b.json": b"x" * 1000}, tmp_path)
    first, second = [match.start() for match in re.finditer(b"PK\x01\x02", content)]
    content[second + 42 : second + 46] = content[first + 42 : first + 46]
    told = refuse(bytes(content), "m.zip")
    assert "begins inside" in told or "does not lie where the directory says" in told


def test_flags_methods_and_checksums(refuse, good, tmp_path):
    for offset, value, message in ((8, 1, "is encrypted"), (10, 12, "another method than deflate")):
        content = archive_of({"model.onnx": good[:5000]}, tmp_path)
        content[content.rindex(b"PK\x01\x02") + offset] = value
        assert message in refuse(bytes(content), "m.zip")
    content = archive_of({"model.onnx": good[:5000]}, tmp_path, zipfile.ZIP_STORED)
    content[1000] ^= 1
    assert re.search(r'entry "model.onnx" \(at byte \d+\): its CRC differs', refuse(bytes(content), "m.zip"))


def test_sizes_that_lie(refuse, good, tmp_path):
    content = archive_of({"model.onnx": good[:50_000]}, tmp_path)
    for place in (content.index(b"PK\x03\x04") + 22, content.rindex(b"PK\x01\x02") + 24):
        content[place : place + 4] = struct.pack("<I", 60_000)
    assert re.search(r'entry "model.onnx".*', refuse(bytes(content), "m.zip"))


