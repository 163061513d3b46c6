"""The sentence about a part that died names what it died of: the real parts, and what really ends them."""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from deploy.stack import kafka, mosquitto, mqtt, postgres, process
from deploy.stack.causes import Cause
from deploy.stack.kafka import Kafka
from deploy.stack.part import ChildPart, PartError
from deploy.stack.ports import free_ports
from deploy.stack.postgres import Postgres
from deploy.stack.service import Service
from tests.full_disk import needs_mount, small_disk
from tests.integration.stack.test_survival import EVERY_PART, Make, kill
from tests.integration.stack.waiting import soon

TOO_MUCH = b"x" * 500_000


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


async def write_until_it_dies(broker: Kafka) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("much", num_partitions=1, replication_factor=1)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks="all", request_timeout_ms=2000)
    await producer.start()
    with contextlib.suppress(KafkaError, TimeoutError):
        while broker.alive():
            async with asyncio.timeout(5):
                await producer.send_and_wait("much", TOO_MUCH)
    with contextlib.suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(5):
            await producer.stop()


@needs_mount
async def test_kafka_on_a_full_disk(tmp_path: Path) -> None:
    port, controller_port = free_ports(2)
    with small_disk(tmp_path / "disk", 40):
        broker = Kafka(tmp_path / "disk" / "kafka", port=port, controller_port=controller_port, space_floor_mb=1)
        await asyncio.to_thread(broker.start)
        try:
            await write_until_it_dies(broker)
            soon(lambda: not broker.alive(), "it died of it")
            death = broker.obituary()
            assert death.cause is Cause.DISK_FULL
            assert death.sentence.startswith(f"Kafka ended with code 1: the disk that holds {broker.folder} is full")
            with pytest.raises(PartError, match="the disk that holds") as again:
                broker.start()
            assert again.value.cause is Cause.DISK_FULL
        finally:
            broker.stop()


@needs_mount
def test_postgres_on_a_full_disk(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with small_disk(tmp_path / "disk", 90):
        server = Postgres(tmp_path / "disk" / "postgres", port=free_ports(1)[0], space_floor_mb=1)
        server.start()
        try:
            with contextlib.suppress(psycopg.Error), psycopg.connect(server.dsn(), autocommit=True) as session:
                session.execute("CREATE TABLE much AS SELECT repeat('x', 2000) || n FROM generate_series(1, 100000) n")
            soon(lambda: not server.alive(), "it died of it")
            death = server.obituary()
            assert death.cause is Cause.DISK_FULL
            assert f"the disk that holds {server.folder} is full" in death.sentence
        finally:
            server.stop()


@pytest.mark.parametrize(("make", "_setting"), EVERY_PART)
def test_a_port_that_is_taken_in_the_last_moment(
    tmp_path: Path, taken_port: int, make: Make, _setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (kafka, mosquitto, mqtt, postgres):  # it was free when it was looked at
        monkeypatch.setattr(module, "require_port", lambda *_: None)
    part = make(tmp_path, taken_port)
    with pytest.raises(PartError) as caught:
        part.start()
    assert caught.value.cause is Cause.PORT_TAKEN, caught.value.sentence
    assert str(taken_port) in caught.value.sentence


def service(folder: Path, name: str, **settings: str) -> Service:
    env = {
        **os.environ,
        "FIRENET_DATABASE_DSN": "postgresql://nobody@127.0.0.1:1/none",
        "FIRENET_KAFKA_BOOTSTRAP": "127.0.0.1:2",
        **settings,
    }
    argv = [sys.executable, "-m", f"services.{name}"]
    return Service(folder / name, name=name, argv=argv, env=env, ready=lambda: False, start_limit_s=90)


@pytest.mark.parametrize(
    ("name", "setting"),
    [("console", "CONSOLE_HTTP_PORT"), ("console", "CONSOLE_STATUS_PORT"), ("ingest", "INGEST_HTTP_PORT")],
)
def test_a_service_whose_port_is_taken(tmp_path: Path, taken_port: int, name: str, setting: str) -> None:
    """While Kafka and the database, which its log complains of, are away as well."""
    others = ("CONSOLE_HTTP_PORT", "CONSOLE_STATUS_PORT", "INGEST_HTTP_PORT")
    ports = {other: str(port) for other, port in zip(others, free_ports(3), strict=True)}
    one = service(tmp_path, name, **(ports | {setting: str(taken_port)}))
    with pytest.raises(PartError) as caught:
        one.start()
    assert caught.value.cause is Cause.PORT_TAKEN
    assert f"cannot listen on 127.0.0.1:{taken_port}: the port is taken (log: " in caught.value.sentence


def test_a_service_with_a_setting_that_is_none(tmp_path: Path) -> None:
    one = service(tmp_path, "alerts", ALERTS_HTTP_PORT="many", ALERTS_API_TOKEN="x" * 40)
    with pytest.raises(PartError, match="ALERTS_HTTP_PORT: Input should be a valid integer") as caught:
        one.start()
    assert caught.value.cause is Cause.BAD_SETTING


def test_postgres_whose_data_lost_a_file(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "postgres", port=free_ports(1)[0])
    server.start()
    server.stop()
    (server.data / "global" / "pg_control").unlink()
    with pytest.raises(PartError, match="could not find the database system") as caught:
        server.start()
    assert caught.value.cause is Cause.DATA_DAMAGED


def test_kafka_without_memory(tmp_path: Path) -> None:
    port, controller_port = free_ports(2)
    broker = Kafka(tmp_path / "kafka", port=port, controller_port=controller_port, heap_mb=8)
    with pytest.raises(PartError, match="OutOfMemoryError: Java heap space") as caught:
        broker.start()
    assert caught.value.cause is Cause.NO_MEMORY


def test_who_was_killed_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        process, "killed_for_memory", lambda: 0
    )  # of the machine: another test may have a container end
    part: ChildPart = mqtt.Iotcore(tmp_path, port=free_ports(1)[0])
    part.start()
    kill(part)
    assert part.obituary().cause is Cause.KILLED
    part.stop()
