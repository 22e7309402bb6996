"""The library as `make install` leaves it: another program compiles, links and runs against it, and computes what
the command line does."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
QUERY = "What is the capital of France?"
PASSAGES = [
    "Berlin is the capital of Germany.",
    "Paris is the capital and largest city of France.",
    "",
    "Eggs are boiled for seven to ten minutes. " * 40,
    "Émile lives in Paris, 東京 is far away.",
]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The PREFIX of an installation below a DESTDIR."""
    root = tmp_path_factory.mktemp("root")
    subprocess.run(["make", "-s", "install", f"DESTDIR={root}", "PREFIX=/opt/rescoldo"], cwd=REPOSITORY, check=True)
    return root / "opt" / "rescoldo"


def pkg_config(prefix: pathlib.Path, *arguments: str) -> str:
    environment = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib" / "pkgconfig")}
    result = subprocess.run(["pkg-config", *arguments], env=environment, check=True, capture_output=True, text=True)
    return result.stdout


def compile_program(
    prefix: pathlib.Path, source: pathlib.Path, program: pathlib.Path, *compiler: str, static: bool = True
) -> pathlib.Path:
    """A program that holds the library (static), or finds it in the prefix when it runs."""
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"{compiler[0]} is not installed")
    flags = pkg_config(prefix, "--cflags", "--libs", *(["--static"] if static else []), "rescoldo").split()
    if static:
        flags = [str(prefix / "lib" / "librescoldo.a") if flag == "-lrescoldo" else flag for flag in flags]
    else:
        flags.append(f"-Wl,-rpath,{prefix / 'lib'}")
    subprocess.run([*compiler, *WARNINGS, source, "-o", program, *flags], check=True)
    return program


@pytest.fixture(scope="module", params=["gcc-static", "clang-static", "gcc-shared"])
def example(request, prefix, tmp_path_factory):
    """example(NAME, *arguments) compiles examples/c/NAME.c and gives the lines it prints."""
    directory = tmp_path_factory.mktemp(request.param)
    compiler, link = request.param.split("-")

    def example(name: str, *arguments: object) -> list[str]:
        source = REPOSITORY / "examples" / "c" / f"{name}.c"
        program = compile_program(prefix, source, directory / name, compiler, "-std=c99", static=link == "static")
        result = subprocess.run([program, *map(str, arguments)], check=True, capture_output=True, text=True)
        assert result.stderr == ""
        return result.stdout.splitlines()

    return example


def command_line(rescoldo: str, command: str, ember: pathlib.Path, texts: list[str], *arguments: str) -> list[dict]:
    """What the command prints, its numbers as the very characters."""
    result = subprocess.run(
        [rescoldo, command, "--model", ember, *arguments],
        input="".join(text + "\n" for text in texts).encode(), check=True, capture_output=True,
    )
    return [json.loads(line, parse_float=str) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("precision", ["int8", "f32"])
def test_scores_are_those_of_the_command_line(example, rescoldo, request, precision):
    ember = request.getfixturevalue("all_minilm_ember" if precision == "int8" else "all_minilm_f32_ember")
    expected = command_line(rescoldo, "rerank", ember, PASSAGES, "--query", QUERY)
    lines = [line.split("\t") for line in example("rerank", ember, QUERY, *PASSAGES)]
    assert [(score, int(index)) for score, index, _ in lines] == [
        (str(result["relevance_score"]), result["index"]) for result in expected
    ]
    assert lines[0][2] == PASSAGES[1]


def test_embeddings_are_those_of_the_command_line(example, rescoldo, all_minilm_ember):
    expected = command_line(rescoldo, "embed", all_minilm_ember, PASSAGES)
    lines = example("embed", all_minilm_ember, *PASSAGES)
    assert [line.split(" ") for line in lines] == [[str(number) for number in result["embedding"]] for result in expected]


def symbols(library: pathlib.Path, *options: str) -> set[str]:
    result = subprocess.run(["nm", *options, library], check=True, capture_output=True, text=True)
    return {line.split()[-1] for line in result.stdout.splitlines() if len(line.split()) in (2, 3)}


def declared(prefix: pathlib.Path) -> set[str]:
    header = (prefix / "include" / "rescoldo.h").read_text()
    return set(re.findall(r"^[a-z][^*/;]*?\*?\b(rescoldo_\w+)\(", header, re.MULTILINE))


def test_only_names_of_rescoldo_are_global(prefix):
    defined = symbols(prefix / "lib" / "librescoldo.a", "--extern-only", "--defined-only")
    assert defined == declared(prefix) and "rescoldo_rerank" in defined


def test_the_shared_library_exports_its_symbols_file(prefix):
    """A line that goes from the file, or changes its version, breaks programs that are linked already: it needs another
    soname. A new function adds a line."""
    library = prefix / "lib" / "librescoldo.so"
    defined = symbols(library, "--dynamic", "--defined-only", "--with-symbol-versions")
    expected = (pathlib.Path(__file__).parent / "librescoldo.symbols").read_text().split()
    functions = {name.replace("@@", "@") for name in defined if "@@" in name}
    assert sorted(functions) == sorted(expected)
    assert {name.split("@")[0] for name in functions} == declared(prefix)
    dynamic = subprocess.run(["readelf", "--dynamic", library], check=True, capture_output=True, text=True).stdout
    assert "soname: [librescoldo.so.0]" in dynamic and "TEXTREL" not in dynamic
    assert library.readlink() == pathlib.Path("librescoldo.so.0")


@pytest.mark.parametrize("name", ["librescoldo.a", "librescoldo.so"])
def test_the_library_neither_prints_nor_exits_nor_catches_signals(prefix, name):
    options = ["--undefined-only", *(["--dynamic"] if name.endswith("so") else [])]
    needed = {symbol.split("@")[0] for symbol in symbols(prefix / "lib" / name, *options)}
    forbidden = "printf fprintf puts fputs putchar write fwrite stdout stderr exit abort _exit signal sigaction pthread_create"
    assert "malloc" in needed and not needed & set(forbidden.split())


@pytest.mark.parametrize("compiler", [("gcc", "-std=c99"), ("gcc", "-std=c17"), ("clang", "-std=c99"), ("g++", "-std=c++11")])
def test_the_header_stands_alone(prefix, tmp_path, compiler):
    source = tmp_path / ("alone.cc" if "++" in compiler[0] else "alone.c")
    source.write_text("#include <rescoldo.h>\nint main(void) { return rescoldo_version()[0] == '0' ? 0 : 1; }\n")
    subprocess.run([compile_program(prefix, source, tmp_path / "alone", *compiler)], check=True)


def test_pkg_config_knows_the_version(prefix, rescoldo):
    version = subprocess.run([rescoldo, "--version"], check=True, capture_output=True, text=True).stdout.split()
    assert pkg_config(prefix, "--modversion", "rescoldo").strip() in version
