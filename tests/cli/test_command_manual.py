"""The manual page says what the program says of itself."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess

import pytest

MANUAL = pathlib.Path(__file__).resolve().parents[2] / "docs" / "rescoldo.1"


def test_every_command_and_option_is_in_the_manual(run):
    manual = MANUAL.read_text()
    usage = manual.split(".Sh SYNOPSIS\n")[1].split(".Sh DESCRIPTION")[0]
    listing = run("--help").stdout.decode().split("Commands:\n")[1].split("\n\n")[0]
    for command in (line.split()[0] for line in listing.splitlines()):
        section = re.search(rf"^\.It Cm {command}\n(.*?)(?=^\.It Cm |^\.El)", manual, re.MULTILINE | re.DOTALL)
        synopsis = "\n".join(re.findall(rf"^\.Cm {command}\n(.*?)(?=^\.Nm)", usage, re.MULTILINE | re.DOTALL))
        assert section and synopsis, command
        options = set(re.findall(r"^  --([a-z0-9-]+)", run(command, "--help").stdout.decode(), re.MULTILINE))
        if command == "serve":  # its many limits are listed by --help alone
            options = {option for option in options if not re.match(r"(max|min|drain)-|.*-timeout$", option)}
        for option in options - {"help"}:
            assert re.search(rf"Fl -{option}\b", synopsis), (command, option)
        stated = set(re.findall(r"Fl -([a-z0-9-]+)", synopsis))
        assert stated <= options | {"help"}, (command, stated - options)


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="NOT LINTED: mandoc is not installed")
def test_the_manual_is_clean():
    result = subprocess.run(["mandoc", "-Tlint", "-Wwarning", MANUAL], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
