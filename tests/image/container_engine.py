"""What podman and Docker have in common."""

from __future__ import annotations

import dataclasses
import subprocess
from typing import Any


class Failed(Exception):
    pass


@dataclasses.dataclass
class Built:
    image: str
    seconds: float
    log: str


class Engine:
    name: str
    command: list[str]
    environment: dict[str, str]

    def run(self, *arguments: Any, errors: bool = False, timeout: float = 600, input: str = "") -> str:
        """Standard output (with errors=True also standard error), once it has succeeded."""
        result = subprocess.run(
            [*self.command, *map(str, arguments)], env=self.environment, text=True, timeout=timeout,
            input=input, stdout=subprocess.PIPE, stderr=subprocess.STDOUT if errors else subprocess.PIPE,
        )  # fmt: skip
        if result.returncode != 0:
            said = f"{result.stdout}{result.stderr or ''}"
            raise Failed(f"{self.name} {arguments[0]} ended with {result.returncode}:\n{said[-4000:]}")
        return result.stdout
