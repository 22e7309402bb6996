"""docs/dockerfile.md and its Spanish twin quote the Dockerfile as it is, and all of it."""

from __future__ import annotations

import pathlib
import re

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = ("docs/dockerfile.md", "docs/es/dockerfile.md")


def instructions(text: str) -> list[str]:
    """The instructions, each with its continuation lines; comments and empty lines are none."""
    found, open_instruction = [], False
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        found.append(f"{found.pop()}\n{line}" if open_instruction else line)
        open_instruction = line.endswith("\\")
    return found


def quoted(document: str) -> list[str]:
    blocks = re.findall(r"^```dockerfile\n(.*?)^```$", (REPOSITORY / document).read_text(), re.M | re.S)
    return [instruction for block in blocks for instruction in instructions(block)]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_quotes_every_instruction_in_its_order(document: str) -> None:
    assert quoted(document) == instructions((REPOSITORY / "Dockerfile").read_text())


def test_both_languages_have_the_same_parts() -> None:
    parts = [re.findall(r"^(#+|```\w*)", (REPOSITORY / document).read_text(), re.M) for document in DOCUMENTS]
    assert parts[0] == parts[1]
