"""`make up` without `make`: every service of the compose file comes up, on ports of the test's own."""

import os
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from typing import Any

import docker
import psutil
import pytest
import yaml

from deploy.stack.ports import HOST, free_ports
from tests.integration.containers.test_compose import COMPOSE_FILE, SECRETS_SCRIPT, compose
from tests.system import wait_for

pytestmark = [pytest.mark.container, pytest.mark.slow]

PROJECT = "firenet-test-"
OF_PROJECT = "com.docker.compose.project"
LIMIT_S = 400.0
PORT_VARIABLE = re.compile(r"\$\{(FIRENET_\w*PORT\w*):-")


def always_on() -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))["services"]
    return {name: service for name, service in services.items() if "profiles" not in service}


@pytest.fixture
def project(docker_engine: docker.DockerClient) -> Iterator[str]:
    """The name of a project of this test alone, gone with its volumes afterwards; a killed session's goes now."""
    for image in sorted({service["image"] for service in always_on().values()}):
        if not docker_engine.images.list(image):
            pytest.skip(f"no image {image}: run `make images` once")
    for container in docker_engine.containers.list(all=True, filters={"label": OF_PROJECT}):
        left_over = container.labels[OF_PROJECT]
        if left_over.startswith(PROJECT) and not psutil.pid_exists(int(left_over.removeprefix(PROJECT))):
            compose("down", "-v", project=left_over)
    name = f"{PROJECT}{os.getpid()}"
    try:
        yield name
    finally:
        compose("down", "-v", project=name)


@pytest.mark.timeout(900)
def test_every_service_is_healthy_or_has_done_its_work(docker_engine: docker.DockerClient, project: str) -> None:
    subprocess.run([SECRETS_SCRIPT], check=True, capture_output=True)
    names = sorted(set(PORT_VARIABLE.findall(COMPOSE_FILE.read_text(encoding="utf-8"))))
    ports = dict(zip(names, map(str, free_ports(len(names))), strict=True))
    up = compose("up", "-d", project=project, **ports)
    assert up.returncode == 0, up.stderr[-3000:]

    def states() -> dict[str, str]:
        found = docker_engine.containers.list(all=True, filters={"label": f"{OF_PROJECT}={project}"})
        return {one.labels["com.docker.compose.service"]: state_of(one.attrs["State"]) for one in found}

    wanted = {name: "healthy" if "healthcheck" in service else "done" for name, service in always_on().items()}
    wait_for("every service up", lambda: states() == wanted or "failed" in states().values(), LIMIT_S)
    assert states() == wanted, compose("logs", "--tail=20", "--no-color", project=project).stdout[-6000:]
    with urllib.request.urlopen(f"http://{HOST}:{ports['FIRENET_CONSOLE_PORT']}/login", timeout=60) as page:
        assert page.status == 200


def state_of(container: dict[str, Any]) -> str:
    """Return healthy, starting, unhealthy; done or failed for what has ended; else the engine's own word."""
    if container["Status"] in ("exited", "dead"):
        return "failed" if container["ExitCode"] else "done"
    found: str = container.get("Health", {}).get("Status", container["Status"])
    return found
