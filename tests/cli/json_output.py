"""Reading what the program prints."""

from __future__ import annotations

import json
from typing import Any


def json_lines(output: bytes) -> list[Any]:
    """The values of JSON lines, each of which is ended by a newline."""
    assert output == b"" or output.endswith(b"\n")
    return [json.loads(line) for line in output.decode().split("\n")[:-1]]
