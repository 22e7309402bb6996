"""Numbers that a run measures."""

from __future__ import annotations

import json
import os


def measured(name: str, value: float, message: str) -> None:
    """Into the log of a run; and where bench/image asks for it, into its file."""
    if "RESCOLDO_IMAGE_NUMBERS" in os.environ:
        with open(os.environ["RESCOLDO_IMAGE_NUMBERS"], "a") as numbers:
            numbers.write(json.dumps({"name": name, "value": value}) + "\n")
    print(f"image: {message}")
