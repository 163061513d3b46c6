"""The compose file is valid for the compose that is installed, and opens nothing to the network."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
COMPOSE_FILE = ROOT / "deploy" / "compose.yaml"
RUNBOOK = ROOT / "deploy" / "RUNBOOK.md"
SECRETS_SCRIPT = ROOT / "deploy" / "images" / "secrets.sh"
# Only what this file needs: a developer's own FIRENET_ variables must not change the outcome.
ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}


def compose_command() -> list[str]:
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    if shutil.which("docker"):
        plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if plugin.returncode == 0:
            return ["docker", "compose"]
    pytest.skip("neither docker-compose nor docker compose is installed")


def compose(*arguments: str, project: str = "firenet", **more: str) -> "subprocess.CompletedProcess[str]":
    command = [*compose_command(), "-p", project, "-f", str(COMPOSE_FILE), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT | more)


@pytest.fixture(scope="module")
def resolved() -> dict[str, Any]:
    """The services as compose understands them, all profiles included."""
    result = compose("--profile", "demo", "--profile", "grafana", "--profile", "upgrade", "config")
    assert result.returncode == 0, result.stderr
    services: dict[str, Any] = yaml.safe_load(result.stdout)["services"]
    return services


def test_compose_accepts_the_file_without_a_word() -> None:
    result = compose("config", "-q")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_every_published_port_is_on_loopback(resolved: dict[str, Any]) -> None:
    published = [port for service in resolved.values() for port in service.get("ports", [])]
    assert published
    for port in published:
        address = port.get("host_ip") if isinstance(port, dict) else str(port).split(":")[0]
        assert address == "127.0.0.1", port


def test_nothing_uses_the_hosts_network_or_extra_rights(resolved: dict[str, Any]) -> None:
    for name, service in resolved.items():
        assert "network_mode" not in service, name
        assert not service.get("privileged"), name
        assert service["cap_drop"] == ["ALL"], name


def test_every_service_has_a_memory_limit_and_every_server_a_probe(resolved: dict[str, Any]) -> None:
    for name, service in resolved.items():
        assert service.get("mem_limit"), name
        if name not in {"migrate", "migrate-post", "registry-publish", "mqtt-access", "district", "simulator"}:
            assert service["healthcheck"]["test"][0] == "CMD", name


def test_up_prepares_the_database_and_only_a_person_finishes_it(resolved: dict[str, Any]) -> None:
    before, after = resolved["migrate"], resolved["migrate-post"]
    assert before["command"] == ["python", "-m", "services.runtime.migrate"]
    assert "profiles" not in before
    assert after["command"] == [*before["command"], "--post"]
    assert after["profiles"] == ["upgrade"]
    assert {before["restart"], after["restart"]} == {"no"}
    for each in ("image", "environment", "secrets"):
        assert before[each] == after[each], each
    assert not any("migrate-post" in (service.get("depends_on") or {}) for service in resolved.values())


def test_a_database_is_finished_when_every_new_service_lives(resolved: dict[str, Any]) -> None:
    servers = {
        name
        for name, service in resolved.items()
        if service["image"] == resolved["migrate"]["image"] and service["restart"] != "no" and "profiles" not in service
    }
    assert "alerts-fire" in servers
    awaited = resolved["migrate-post"]["depends_on"]
    assert {name: each["condition"] for name, each in awaited.items()} == dict.fromkeys(servers, "service_healthy")


def test_what_the_runbook_runs_once_is_in_the_file(resolved: dict[str, Any]) -> None:
    named = re.findall(r"`COMPOSE run --rm (?:--no-deps )?(\S+?)[ `]", RUNBOOK.read_text(encoding="utf-8"))
    assert "migrate-post" in named
    assert set(named) <= set(resolved)


def test_no_password_stands_in_the_resolved_file(resolved: dict[str, Any], tmp_path: Path) -> None:
    subprocess.run([SECRETS_SCRIPT, tmp_path], check=True, capture_output=True)
    made = {path.name for path in tmp_path.iterdir() if path.is_file()}
    used = {
        Path(str(secret["source"])).name if isinstance(secret, dict) else secret
        for service in resolved.values()
        for secret in service.get("secrets", [])
    }
    assert used == made
    for service in resolved.values():
        for value in (service.get("environment") or {}).values():
            assert re.search(r"//[^/@]*:[^/@]*@", str(value)) is None, value


def test_what_the_runbook_says_to_set_reaches_a_service() -> None:
    services = yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))["services"]
    handed_in = {
        name.removesuffix("_FILE") for service in services.values() for name in service.get("environment") or {}
    }
    named = set(re.findall(r"`((?:CONSOLE|ALERTS)_[A-Z_]+)[`=]", RUNBOOK.read_text(encoding="utf-8")))
    assert len(named) > 5
    assert {name.removesuffix("_FILE") for name in named} - handed_in == set()


def test_making_secrets_again_keeps_those_that_are_there(tmp_path: Path) -> None:
    subprocess.run([SECRETS_SCRIPT, tmp_path], check=True, capture_output=True)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    subprocess.run([SECRETS_SCRIPT, tmp_path], check=True, capture_output=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == first
    assert all(len(secret) >= 32 for secret in first.values())
