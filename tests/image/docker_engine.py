"""Docker with a daemon of its own, that leaves no trace: its store lies in one directory, which close() removes."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from base_image import base_name, make_base
from container_engine import Built, Engine, Failed

# The client of the daemon's own package: another may lie before it in the path and know no builder.
DAEMON = shutil.which("dockerd")
CLIENT = shutil.which("docker", path=f"{pathlib.Path(DAEMON).parent.parent}/bin" if DAEMON else None) or shutil.which("docker")
MISSING = [tool for tool in ("dockerd", "containerd", "docker", "runc") if shutil.which(tool) is None]
UNAVAILABLE = (
    "not root" if os.geteuid() != 0 else f"{', '.join(MISSING)} not installed: scripts/deps image" if MISSING else None
)

# Empties the cache mount of compiled objects and embers; the argument makes it run each time.
FORGET = """\
FROM {base}
ARG NOW
RUN --mount=type=cache,target=/root/.cache find /root/.cache -mindepth 1 -delete
"""


class Docker(Engine):
    name = "docker"
    command = [CLIENT]

    def __init__(self) -> None:
        # A socket's path has room for 107 characters, which a folder of pytest's soon exceeds.
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="rescoldo-docker-"))
        self.environment = {
            **os.environ, "DOCKER_BUILDKIT": "1", "DOCKER_HOST": f"unix://{self.directory / 'socket'}",
            "DOCKER_CONFIG": str(self.directory),
        }  # fmt: skip
        self.log = self.directory / "log"
        with open(self.log, "w") as log:
            # No bridge and no firewall rules: what the machine has stays as it is. Builds use its network.
            self.daemon = subprocess.Popen(
                [DAEMON, "--bridge=none", "--iptables=false", "--ip6tables=false", "--host", self.environment["DOCKER_HOST"],
                 "--data-root", self.directory / "store", "--exec-root", self.directory / "run", "--pidfile", self.directory / "pid"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            self.wait_ready()
        except BaseException:
            self.close()
            raise

    def wait_ready(self) -> None:
        deadline = time.monotonic() + 60
        while subprocess.run([CLIENT, "version"], env=self.environment, capture_output=True).returncode != 0:
            if self.daemon.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"dockerd does not run here:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.1)

    def import_base(self, suite: str) -> None:
        self.base = base_name(suite)
        self.run("import", make_base(suite), self.base)

    def build(self, context: pathlib.Path, tag: str, *options: str) -> Built:
        begin = time.monotonic()
        log = self.run("build", "--progress=plain", "--network=host", f"--tag={tag}", *options, context, errors=True)
        seconds = time.monotonic() - begin
        return Built(self.run("inspect", "--format", "{{.Id}}", tag).strip(), seconds, log)

    def forget_all_but_packages(self, *tags: str) -> None:
        """Removes the images and what of them a build could take again, and keeps the caches of packages."""
        self.run("rmi", "--force", *tags)
        self.run("builder", "prune", "--all", "--force", "--filter", "type=regular")
        self.run(
            "build", "--network=none", f"--build-arg=NOW={time.time_ns()}", "-", input=FORGET.format(base=self.base)
        )

    def close(self) -> None:
        self.daemon.terminate()
        try:
            self.daemon.wait(30)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
        mounts = [line.split()[1] for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
        for mount in sorted((m for m in mounts if m.startswith(f"{self.directory}/")), reverse=True):
            subprocess.run(["umount", "--lazy", mount], check=False)
        shutil.rmtree(self.directory)
