"""Containers of our own images as fixtures: one of each per session, on loopback, on ports that were free at run time.

Where no engine can be had, or `make images` has not been run, every test that asks skips with the same one line.
A test that uses one is marked `@pytest.mark.container`. Isolation is as with `tests.parts`: a topic, a group, a
client id of the test's own; `timescaledb_database` is a database of the test's own.
"""

import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import docker
import docker.errors
import psutil
import psycopg
import pytest
from psycopg import sql
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import ExecWaitStrategy

from deploy.stack.ports import HOST, free_ports
from services.runtime.migrate import migrate

ROOT = Path(__file__).resolve().parents[1]
ENGINE = ROOT / "deploy" / "images" / "docker-engine.sh"
MOSQUITTO_CONF = ROOT / "deploy" / "mosquitto" / "mosquitto.conf"
LABEL = "org.firenet.test-pid"
READY_WITHIN = timedelta(seconds=120)
PASSWORD = secrets.token_urlsafe(16)


@dataclass(frozen=True, slots=True)
class KafkaContainer:
    """`container` is for tests that break the server: use one of their own then, from `running`."""

    bootstrap: str
    container: DockerContainer


@dataclass(frozen=True, slots=True)
class TimescaleContainer:
    port: int
    container: DockerContainer

    def dsn(self, database: str = "firenet") -> str:
        """Return the address of a database, as its owner: no superuser, but one who may create databases."""
        return f"postgresql://firenet:{PASSWORD}@{HOST}:{self.port}/{database}"


@dataclass(frozen=True, slots=True)
class MosquittoContainer:
    host: str
    port: int
    container: DockerContainer


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[docker.DockerClient]:
    """A Docker engine that answers. One that had to be started is stopped again, unless others began to use it."""
    start = subprocess.run([ENGINE, "start"], capture_output=True, text=True, check=False)
    if start.returncode != 0:
        pytest.skip((start.stderr or start.stdout).strip().splitlines()[-1])
    # No image registry, so no reaper container to clean up after a killed session: `_remove_left_over` does it.
    os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"
    client = docker.from_env()
    try:
        _remove_left_over(client)
        yield client
        idle = not client.containers.list()
    finally:
        client.close()
    if "started" in start.stdout and idle:
        subprocess.run([ENGINE, "stop"], capture_output=True, check=True)


def _remove_left_over(client: docker.DockerClient) -> None:
    for container in client.containers.list(all=True, filters={"label": LABEL}):
        if not psutil.pid_exists(int(container.labels[LABEL])):
            container.remove(force=True, v=True)


def _own(engine: docker.DockerClient, name: str, probe: list[str]) -> DockerContainer:
    """Return a container of our image, not started: on the host's network, ready when the probe inside succeeds."""
    image = f"firenet/{name}:local"
    try:
        engine.images.get(image)
    except docker.errors.ImageNotFound:
        pytest.skip(f"no image {image}: run `make images` once")
    wait = ExecWaitStrategy(probe).with_startup_timeout(READY_WITHIN).with_poll_interval(0.2)
    container = DockerContainer(image).with_kwargs(network_mode="host", labels={LABEL: str(os.getpid())})
    return container.waiting_for(wait)


@contextmanager
def running_kafka(engine: docker.DockerClient) -> Iterator[KafkaContainer]:
    """A Kafka broker of the caller's own; it makes no topic by itself."""
    port, controller_port = free_ports(2)
    container = _own(engine, "kafka", ["kafka-answers"]).with_envs(
        KAFKA_BIND=HOST,
        KAFKA_ADVERTISED_HOST=HOST,
        KAFKA_PORT=str(port),
        KAFKA_CONTROLLER_PORT=str(controller_port),
        KAFKA_HEAP="384m",
    )
    with container:
        yield KafkaContainer(f"{HOST}:{port}", container)


@contextmanager
def running_timescaledb(
    engine: docker.DockerClient, volumes: Mapping[str, str] | None = None, **settings: str
) -> Iterator[TimescaleContainer]:
    """A TimescaleDB server of the caller's own, its background workers off: they hold databases open.

    `volumes` are names of volumes and where they are seen inside.
    """
    (port,) = free_ports(1)
    secret = "/run/postgresql/password"
    container = (
        _own(engine, "timescaledb", ["pg_isready", "-q", "-h", HOST, "-p", str(port)])
        .with_envs(
            DATABASE_BIND=HOST,
            DATABASE_PORT=str(port),
            DATABASE_PASSWORD_FILE=secret,
            TIMESCALEDB_MAX_BACKGROUND_WORKERS="0",
            **settings,
        )
        .with_copy_into_container(PASSWORD.encode(), secret, 0o444)
    )
    for name, folder in (volumes or {}).items():
        container.with_volume_mapping(name, folder, "rw")
    with container:
        yield TimescaleContainer(port, container)


@contextmanager
def running_mosquitto(engine: docker.DockerClient) -> Iterator[MosquittoContainer]:
    """A Mosquitto of the caller's own with the deployed settings; only the listeners are another."""
    (port,) = free_ports(1)
    listener = f"listener {port} {HOST}\nallow_anonymous true\n"
    probe = ["mosquitto_sub", "-h", HOST, "-p", str(port), "-t", "$SYS/broker/uptime", "-C", "1", "-W", "4"]
    container = (
        _own(engine, "mosquitto", probe)
        .with_copy_into_container(MOSQUITTO_CONF.read_bytes(), "/etc/mosquitto/firenet/mosquitto.conf", 0o444)
        .with_copy_into_container(listener.encode(), "/etc/mosquitto/firenet/listeners/open.conf", 0o444)
    )
    with container:
        yield MosquittoContainer(HOST, port, container)


@pytest.fixture(scope="session")
def kafka_container(docker_engine: docker.DockerClient) -> Iterator[KafkaContainer]:
    with running_kafka(docker_engine) as kafka:
        yield kafka


@pytest.fixture(scope="session")
def timescaledb_container(docker_engine: docker.DockerClient) -> Iterator[TimescaleContainer]:
    with running_timescaledb(docker_engine) as timescaledb:
        yield timescaledb


@pytest.fixture(scope="session")
def mosquitto_container(docker_engine: docker.DockerClient) -> Iterator[MosquittoContainer]:
    with running_mosquitto(docker_engine) as mosquitto:
        yield mosquitto


@contextmanager
def _fresh_database(server: TimescaleContainer, template: str = "template1") -> Iterator[str]:
    """Yield the name of a new database of our user, a copy of `template`; dropped afterwards."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield name
    finally:
        with psycopg.connect(server.dsn(), autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def timescaledb_database(timescaledb_container: TimescaleContainer) -> Iterator[str]:
    """The address of an empty database of this test alone, owned by its user; dropped afterwards."""
    with _fresh_database(timescaledb_container) as name:
        yield timescaledb_container.dsn(name)


@pytest.fixture(scope="session")
def migrated_timescaledb_template(timescaledb_container: TimescaleContainer) -> Iterator[str]:
    """The name of a database with every migration applied, to copy."""
    with _fresh_database(timescaledb_container) as name:
        migrate(timescaledb_container.dsn(name))
        yield name


@pytest.fixture
def migrated_timescaledb_database(
    timescaledb_container: TimescaleContainer, migrated_timescaledb_template: str
) -> Iterator[str]:
    """The address of a database of this test alone, with every migration applied and nothing in it."""
    with _fresh_database(timescaledb_container, migrated_timescaledb_template) as name:
        yield timescaledb_container.dsn(name)
