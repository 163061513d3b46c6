"""The embedded real parts as fixtures: one of each per test session, started when the first test asks for it.

Every test takes what it needs for itself alone from a shared server: a topic and a group of its own name, a fresh
database, client ids and topic prefixes of its own.
"""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import psycopg
import pytest
from psycopg import sql

from deploy.stack.kafka import Kafka
from deploy.stack.mosquitto import Mosquitto
from deploy.stack.mqtt import Iotcore
from deploy.stack.part import Part
from deploy.stack.ports import free_ports
from deploy.stack.postgres import Postgres
from services.runtime.migrate import migrate

P = TypeVar("P", bound=Part)


def run_part(part: P) -> Iterator[P]:
    """The body of a fixture: the part runs from the first test that asks until the session ends."""
    part.start()
    try:
        yield part
    finally:
        part.stop()


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """Apache Kafka on a free port. It makes no topic by itself: a test creates its own, with a fresh name."""
    port, controller_port = free_ports(2)
    yield from run_part(Kafka(tmp_path_factory.mktemp("kafka"), port=port, controller_port=controller_port))


@pytest.fixture(scope="session")
def kafka_broker(kafka_server: Kafka) -> str:
    """The bootstrap address of the session's Kafka."""
    return kafka_server.bootstrap


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """PostgreSQL 18 on a free port, shared: use `database` unless the test breaks the server itself.

    It does not wait for the disk: a database for each test is ten megabytes that nobody will want after a power cut.
    """
    (port,) = free_ports(1)
    folder = tmp_path_factory.mktemp("postgres")
    yield from run_part(Postgres(folder, port=port, max_connections=200, survives_power_cut=False))


@contextmanager
def fresh_database(server: Postgres, template: str = "template1") -> Iterator[str]:
    """Yield the name of a new database, a copy of `template`; dropped afterwards, open sessions included."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield name
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database(postgres_server: Postgres) -> Iterator[str]:
    """The address of an empty database of this test alone."""
    with fresh_database(postgres_server) as name:
        yield postgres_server.dsn(name)


@pytest.fixture(scope="session")
def migrated_template(postgres_server: Postgres) -> Iterator[str]:
    """The name of a database with every migration applied, to copy: that takes an eighth of migrating anew."""
    with fresh_database(postgres_server) as name:
        migrate(postgres_server.dsn(name))
        yield name


@pytest.fixture
def migrated_database(postgres_server: Postgres, migrated_template: str) -> Iterator[str]:
    """The address of a database of this test alone, with every migration applied and nothing in it."""
    with fresh_database(postgres_server, migrated_template) as name:
        yield postgres_server.dsn(name)


@pytest.fixture(scope="session")
def mosquitto_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A real Mosquitto on a free port, open to everyone; skips with one line where none is installed."""
    if shutil.which("mosquitto") is None:
        pytest.skip("no mosquitto on PATH")
    (port,) = free_ports(1)
    yield from run_part(Mosquitto(tmp_path_factory.mktemp("mosquitto"), port=port))


@pytest.fixture(scope="session")
def iotcore_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iotcore]:
    """The embedded MQTT broker on two free ports (3.1.1 and 5); it knows no share groups."""
    port, port_v5 = free_ports(2)
    yield from run_part(Iotcore(tmp_path_factory.mktemp("iotcore"), port=port, port_v5=port_v5))
