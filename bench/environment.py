"""The benchmarks' own Python environment and the pinning of processes to one processor."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
BUILD = REPOSITORY / "build" / "bench"
ENVIRONMENTS = BUILD / "python"


def install(requirements: pathlib.Path, directory: pathlib.Path) -> pathlib.Path:
    """The Python of a virtual environment that holds exactly `requirements`, made anew when they change."""
    python = directory / "bin" / "python"
    stamp = directory / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != requirements.read_text():
        print(f"bench: installing {requirements.name} into {directory} (once)", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", directory], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements], check=True
        )
        stamp.write_text(requirements.read_text())
    return python


def wheel(directory: pathlib.Path) -> pathlib.Path:
    """The Python package that `make wheel` has made."""
    wheels = list(directory.resolve().glob("*.whl"))
    if len(wheels) != 1:
        raise SystemExit(f"bench: {directory} has {len(wheels)} wheels, expected one; `make wheel` makes it")
    return wheels[0]


def pinned_requirement(package: str) -> str:
    lines = (REPOSITORY / "bench" / "requirements.txt").read_text().splitlines()
    return next(line for line in lines if line.startswith(f"{package}=="))


def install_packages(name: str, *requirements: str | pathlib.Path) -> pathlib.Path:
    """The Python of an environment with these packages alone; made anew for our wheel, which may have changed."""
    directory = ENVIRONMENTS / name
    stamp = directory / "requirements"
    wanted = "\n".join(map(str, requirements))
    if name.startswith("rescoldo") or not stamp.exists() or stamp.read_text() != wanted:
        print(f"bench: installing {wanted} into {directory}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", directory], check=True)
        subprocess.run(
            [sys.executable, "-m", "pip", "--python", directory / "bin" / "python", "install", "--quiet",
             "--disable-pip-version-check", *requirements], check=True,
        )
        stamp.write_text(wanted)
    return directory / "bin" / "python"


def enter() -> None:
    """Continues this very program under the environment of requirements.txt. BENCH_PYTHON names another Python."""
    chosen = os.environ.get("BENCH_PYTHON")
    python = pathlib.Path(chosen) if chosen else install(REPOSITORY / "bench" / "requirements.txt", BUILD / "venv")
    if sys.prefix != str(python.parent.parent):
        os.execv(python, [str(python), *sys.argv])


def pinned(processor: int) -> dict:
    """Arguments for subprocess.Popen: one processor, and no library that starts a thread for each it counts."""
    one = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    return {
        "preexec_fn": lambda: os.sched_setaffinity(0, {processor}),
        "env": {**os.environ, **one, "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"},
    }


def processor_name() -> str:
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def processor_kind() -> str:
    """What /proc/cpuinfo says that tells kinds of processors with one name apart."""
    fields = dict(
        (line.split(":", 1)[0].strip(), line.split(":", 1)[1].strip())
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        if ":" in line
    )
    interesting = ("avx2", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "asimddp", "i8mm")
    flags = set(fields.get("flags", fields.get("Features", "")).split())
    return (
        f"{processor_name()}, family {fields.get('cpu family', '?')} model {fields.get('model', '?')}; "
        + " ".join(name for name in interesting if name in flags)
    )
