"""What deploy/ holds, read by the tools it is for."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import subprocess

import pytest

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
UNITS = ("rescoldo.service", "rescoldo.socket")


def tool(name: str, hint: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed: {hint}")
    return path


# ---- systemd


@pytest.fixture
def units(tmp_path: pathlib.Path, rescoldo: str) -> list[str]:
    """The units with this machine's binary: systemd-analyze looks whether it is there."""
    for unit in UNITS:
        text = (DEPLOY / "systemd" / unit).read_text()
        (tmp_path / unit).write_text(text.replace("/usr/local/bin/rescoldo", rescoldo))
    return [str(tmp_path / unit) for unit in UNITS]


def test_systemd_accepts_the_units(units: list[str]) -> None:
    result = subprocess.run(
        [tool("systemd-analyze", "apt-get install systemd"), "verify", "--man=no", *units],
        capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 0 and result.stderr == ""


def test_systemd_finds_the_service_safe(units: list[str]) -> None:
    result = subprocess.run(
        [tool("systemd-analyze", "apt-get install systemd"), "security", "--offline=true", "--threshold=5",
         "--no-pager", units[0]],
        capture_output=True, text=True,
    )  # fmt: skip
    print(result.stdout.strip().splitlines()[-1])
    assert result.returncode == 0, result.stdout


def test_the_service_command_is_understood(rescoldo: str) -> None:
    """Every option of it is one of this binary."""
    command = re.search(r"^ExecStart=\S+ (.*)$", (DEPLOY / "systemd" / "rescoldo.service").read_text(), re.M)[1]
    result = subprocess.run([rescoldo, *command.split(), "--help"], capture_output=True)
    assert result.returncode == 0, result.stderr


# ---- compose


def compose(*files: str) -> dict:
    yaml = pytest.importorskip("yaml", reason="tests/deploy/requirements.txt is not installed")
    command = [tool("docker-compose", "scripts/deps deploy")]
    for file in files:
        command += ["--file", str(DEPLOY / "compose" / file)]
    result = subprocess.run([*command, "config"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return yaml.safe_load(result.stdout)["services"]["rescoldo"]


def gigabytes(text: object) -> float:
    number, unit = re.fullmatch(r"([\d.]+)\s*([kmg]?)b?", str(text).lower()).groups()
    return float(number) * {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}[unit] / 1024**3


def test_compose_takes_every_right_away() -> None:
    service = compose("compose.yaml")
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert float(service["cpus"]) == 1
    assert gigabytes(service["mem_limit"]) == gigabytes(service["memswap_limit"]) == 2


def test_compose_in_64_megabytes(rescoldo: str) -> None:
    service = compose("compose.yaml", "compose.64mb.yaml")
    assert service["read_only"] is True, "what the first file says holds on"
    assert gigabytes(service["mem_limit"]) == gigabytes(service["memswap_limit"]) == 64 / 1024
    result = subprocess.run([rescoldo, *service["command"], "--help"], capture_output=True)
    assert result.returncode == 0, result.stderr


# ---- Kubernetes


def resources() -> list[dict]:
    yaml = pytest.importorskip("yaml", reason="tests/deploy/requirements.txt is not installed")
    return list(yaml.safe_load_all((DEPLOY / "kubernetes" / "rescoldo.yaml").read_text()))


def test_kubernetes_accepts_every_resource() -> None:
    kubernetes_validate = pytest.importorskip(
        "kubernetes_validate", reason="tests/deploy/requirements.txt is not installed"
    )
    for resource in resources():
        kubernetes_validate.validate(resource, kubernetes_validate.latest_version(), strict=True)


def test_the_pod_meets_the_restricted_standard() -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/, level "restricted", and more."""
    (deployment,) = [resource for resource in resources() if resource["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"].keys() == {"cpu", "memory"}
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"


def test_the_pod_ends_after_the_cluster_has_stopped_sending(rescoldo: str) -> None:
    (deployment,) = [resource for resource in resources() if resource["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    arguments = pod["containers"][0]["args"]
    result = subprocess.run([rescoldo, *arguments, "--help"], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    delay = int(re.search(r"--drain-delay-seconds=(\d+)", " ".join(arguments))[1])
    timeout = int(re.search(r"--drain-timeout SECONDS.*?default\s+(\d+)", result.stdout, re.S)[1])
    assert delay > 0 and pod["terminationGracePeriodSeconds"] > delay + timeout


def test_selectors_find_the_pod() -> None:
    (deployment,) = [resource for resource in resources() if resource["kind"] == "Deployment"]
    labels = deployment["spec"]["template"]["metadata"]["labels"].items()
    for resource in resources():
        spec = resource["spec"]
        selector = spec.get("podSelector", spec.get("selector"))
        assert selector.get("matchLabels", selector).items() <= labels, json.dumps(resource["metadata"])


def test_nothing_is_allowed_out() -> None:
    policies = [resource["spec"] for resource in resources() if resource["kind"] == "NetworkPolicy"]
    assert any(set(policy["policyTypes"]) == {"Ingress", "Egress"} and "ingress" not in policy for policy in policies)
    assert all("egress" not in policy for policy in policies)
