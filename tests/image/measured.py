"""Numbers that a run measures."""

from __future__ import annotations

import json
import os


def measured(name: str, value: float, message: str) -> None:
    """Into the log of a run; and where bench/image or .ci/run asks for it, into a file, a line of JSON each: pytest shows
    the log of a failed test alone."""
    if "RESCOLDO_IMAGE_NUMBERS" in os.environ:
        with open(os.environ["RESCOLDO_IMAGE_NUMBERS"], "a") as numbers:
            numbers.write(json.dumps({"name": name, "value": value, "message": message}) + "\n")
    print(f"image: {message}")
