"""The base image made on the spot: a Debian as the published slim one, from this machine's own mirrors."""

from __future__ import annotations

import hashlib
import os
import pathlib
import platform
import subprocess
import tempfile
import time

# dpkg is told what it is told there: to leave out what nobody reads in a container, and not to wait for the disk.
HOOK = """\
#!/bin/sh
set -e
rm -rf "$1"/usr/share/man/* "$1"/usr/share/locale/* "$1"/usr/share/doc/* "$1"/var/log/*
for folder in doc groff info lintian linda locale man; do
    echo "path-exclude /usr/share/$folder/*"
done >"$1"/etc/dpkg/dpkg.cfg.d/docker
echo "path-include /usr/share/doc/*/copyright" >>"$1"/etc/dpkg/dpkg.cfg.d/docker
echo force-unsafe-io >"$1"/etc/dpkg/dpkg.cfg.d/docker-apt-speedup
"""


def base_name(suite: str) -> str:
    return f"debian:{suite}-slim"


def sources_of(suite: str) -> str:
    """The machine's sources of Debian itself, whatever form they are written in, turned to another release."""
    codename = platform.freedesktop_os_release()["VERSION_CODENAME"]
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    lines = set()
    for target in targets.splitlines():
        address, release, component = target.split()
        if component == "main" and release in (codename, f"{codename}-updates", f"{codename}-security"):
            lines.add(f"deb {address} {release.replace(codename, suite)} main\n")
    return "".join(sorted(lines))


def make_base(suite: str) -> pathlib.Path:
    """A tar file, kept for a month in the user's cache directory."""
    sources = sources_of(suite)
    month = time.strftime("%Y-%m", time.gmtime())
    key = hashlib.sha256(f"{suite}\n{sources}{HOOK}{month}".encode()).hexdigest()[:16]
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "rescoldo" / "base-images"
    base = cache / f"{suite}-{key}.tar"
    if base.exists():
        return base
    cache.mkdir(parents=True, exist_ok=True)
    for stale in cache.glob(f"{suite}-*.tar"):
        stale.unlink()
    with tempfile.TemporaryDirectory(dir=cache) as directory:
        hook = pathlib.Path(directory) / "slim"
        hook.write_text(HOOK)
        hook.chmod(0o755)
        made = pathlib.Path(directory) / "base.tar"
        subprocess.run(
            ["mmdebstrap", "--quiet", "--variant=apt", f"--customize-hook={hook}", suite, made, "-"],
            input=sources, text=True, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": "0"},
        )  # fmt: skip
        made.rename(base)
    return base
