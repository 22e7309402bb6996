"""Podman without a daemon, a registry or a trace: its store lies in one directory, which close() removes."""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import shutil
import subprocess
import threading
import time
from typing import Any

from base_image import base_name, make_base
from container_engine import Built, Engine, Failed
from network_namespace import connect

# runc and cgroupfs also work where the control groups are mixed from both versions; podman's default limit of open
# files is above what such a machine may allow.
CONFIGURATION = """\
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=1024:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""

# What issue trackers of hardened clusters ask for, all at once: the image must live with it.
SEALED = [
    "--network=none", "--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL", "--security-opt=no-new-privileges",
    "--memory=64m", "--memory-swap=64m", "--cpus=1", "--pids-limit=16",
]  # fmt: skip

MISSING = [tool for tool in ("podman", "runc", "mmdebstrap") if shutil.which(tool) is None]
UNAVAILABLE = (
    "not root" if os.geteuid() != 0 else f"{', '.join(MISSING)} not installed: scripts/deps image" if MISSING else None
)


class Container:
    """A running container. Requests go to its port 8080 from inside its network namespace."""

    def __init__(self, podman: Podman, identity: str, started: float) -> None:
        self.podman, self.identity, self.started = podman, identity, started
        self.process = int(self.inspect("{{.State.Pid}}"))

    def inspect(self, format: str) -> str:
        return self.podman.run("inspect", "--format", format, self.identity).strip()

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=60)
        connection.sock = connect(self.process, 8080)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def wait_ready(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                if self.request("GET", "/readyz")[0] == 200:
                    return
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise Failed(f"not ready: {self.log()}")
            time.sleep(0.001)

    def log(self) -> str:
        return self.podman.run("logs", self.identity, errors=True)

    def stop(self) -> int:
        """SIGTERM, then its exit status."""
        self.podman.run("stop", "--time", "30", self.identity)
        return int(self.inspect("{{.State.ExitCode}}"))


class Podman(Engine):
    name = "podman"

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True)
        self.caches = directory / "caches"
        self.caches.mkdir()
        configuration = directory / "containers.conf"
        configuration.write_text(CONFIGURATION)
        self.environment = {**os.environ, "CONTAINERS_CONF": str(configuration), "TMPDIR": str(self.caches)}
        self.command = ["podman", "--storage-driver", "overlay"] + [
            part
            for option, name in (("--root", "store"), ("--runroot", "run"), ("--tmpdir", "state"))
            for part in (option, str(directory / name))
        ]

    def import_base(self, suite: str) -> None:
        name = f"docker.io/library/{base_name(suite)}"
        self.run("import", "--quiet", "--change", 'CMD ["bash"]', make_base(suite), name)

    def build(self, context: pathlib.Path, tag: str, *options: str, form: str = "docker", jobs: int = 1) -> Built:
        """jobs=0 builds stages beside one another, which mixes their lines in the log."""
        begin = time.monotonic()
        # A chroot with the machine's network: a bridge would leave interfaces and firewall chains behind. The form
        # "docker" is the one that keeps HEALTHCHECK, "oci" the one without random fields.
        log = self.run(
            "build", "--isolation=chroot", "--pull=never", "--timestamp=0", f"--jobs={jobs}", f"--format={form}", f"--tag={tag}",
            *options, context, errors=True,
        )  # fmt: skip
        seconds = time.monotonic() - begin
        return Built(self.run("inspect", "--format", "{{.Id}}", tag).strip(), seconds, log)

    def start(self, image: str, *options: str) -> Container:
        started = time.monotonic()
        return Container(self, self.run("run", "--detach", *SEALED, *options, image).strip(), started)

    def forget_pages(self, name: str) -> None:
        """Drops a file of the images from the page cache, so that a container that reads it is charged for it."""
        for path in (self.directory / "store" / "overlay").glob(f"*/diff/{name}"):
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)

    def forget_objects(self) -> None:
        """Empties the caches of compiled objects and of embers, and keeps that of packages."""
        for name in ("ccache", "embers"):
            for cache in self.caches.glob(f"buildah-cache*/**/{name}"):
                shutil.rmtree(cache)

    def close(self) -> None:
        try:
            self.run("rm", "--all", "--force", "--time", "0")
        except (Failed, subprocess.TimeoutExpired) as error:
            print(f"image: {error}")
        # What podman leaves running for a moment may mount anew.
        for _ in range(50):
            mounts = [line.split()[1] for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
            for mount in sorted((m for m in mounts if m.startswith(f"{self.directory}/")), reverse=True):
                subprocess.run(["umount", "--lazy", mount], check=False)
            try:
                shutil.rmtree(self.directory.parent)
                return
            except OSError as error:
                print(f"image: {error}")
                time.sleep(0.2)
        shutil.rmtree(self.directory.parent)
