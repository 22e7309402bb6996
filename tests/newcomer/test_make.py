"""What everybody expects of a Makefile: help, install, uninstall, and a source archive of what is committed."""

from __future__ import annotations

import pathlib
import re
import subprocess

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def make(*arguments: str) -> str:
    result = subprocess.run(
        ["make", "--no-print-directory", "-s", *arguments], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_help_names_targets_and_variables_that_exist():
    makefile = (REPOSITORY / "Makefile").read_text()
    targets, variables = make("help").split("\nVariables:")
    named = re.findall(r"^make ?([\w.-]*)  ", targets, re.M)
    assert {"", "run", "test", "install", "uninstall", "clean"} <= set(named)
    for target in filter(None, named):
        assert re.search(rf"^{re.escape(target)}:", makefile, re.M), target
    for variable in re.findall(r"\b[A-Z][A-Z_]+\b", variables):
        assert f"$({variable})" in makefile, variable


def test_uninstall_removes_what_install_put_there(tmp_path):
    beside = tmp_path / "opt" / "lib" / "other.so"
    beside.parent.mkdir(parents=True)
    beside.write_text("")
    where = (f"DESTDIR={tmp_path}", "PREFIX=/opt")
    make("install", *where)
    assert (tmp_path / "opt" / "bin" / "rescoldo").is_file()
    make("uninstall", *where)
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == [beside]
    assert not (tmp_path / "opt" / "share" / "doc" / "rescoldo").exists()
    make("uninstall", *where)


def test_one_version_everywhere():
    version = make("print-version").strip()
    for path, pattern in {
        "Dockerfile": r"^ARG VERSION=(.*)$",
        "include/rescoldo.h": r'RESCOLDO_VERSION_STRING "(.*)"',
        "src/server/openapi.json": r'^    "version": "(.*)",$',
        "docs/ember.md": r'"baker": "rescoldo (.*)",',
    }.items():
        assert re.findall(pattern, (REPOSITORY / path).read_text(), re.M) == [version], path
    header = (REPOSITORY / "include" / "rescoldo.h").read_text()
    assert ".".join(re.findall(r"RESCOLDO_VERSION_(?:MAJOR|MINOR|PATCH) +(\d+)", header)) == version
