"""Parts keep their data through a `kill -9`, say in one sentence why they cannot start, and leave nothing behind."""

import queue
import secrets
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.stack.kafka import Kafka
from deploy.stack.mosquitto import Mosquitto
from deploy.stack.mqtt import Iotcore
from deploy.stack.part import ChildPart, PartError
from deploy.stack.ports import free_ports, is_free
from deploy.stack.postgres import Postgres
from tests.integration.stack.clients import cut, mqtt_client, publish, subscribe
from tests.integration.stack.waiting import gone, soon

NO_MOSQUITTO = pytest.mark.skipif(shutil.which("mosquitto") is None, reason="no mosquitto on PATH")


def make_kafka(folder: Path, port: int) -> ChildPart:
    return Kafka(folder, port=port, controller_port=free_ports(1)[0])


def make_postgres(folder: Path, port: int) -> ChildPart:
    return Postgres(folder, port=port)


def make_mosquitto(folder: Path, port: int) -> ChildPart:
    return Mosquitto(folder, port=port)


def make_iotcore(folder: Path, port: int) -> ChildPart:
    return Iotcore(folder, port=port)


EVERY_PART = [
    pytest.param(make_kafka, "KAFKA_PORT", id="kafka"),
    pytest.param(make_postgres, "POSTGRES_PORT", id="postgres"),
    pytest.param(make_mosquitto, "MQTT_PORT", id="mosquitto", marks=NO_MOSQUITTO),
    pytest.param(make_iotcore, "MQTT_PORT", id="iotcore"),
]
Make = Callable[[Path, int], ChildPart]


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


def kill(part: ChildPart) -> None:
    (pid,) = part.pids
    psutil.Process(pid).kill()
    soon(lambda: not part.alive(), f"{part.name} is dead")


async def test_kafka_has_every_acknowledged_record_after_kill_9(tmp_path: Path) -> None:
    port, controller_port = free_ports(2)
    kafka = Kafka(tmp_path / "kafka", port=port, controller_port=controller_port)
    kafka.start()
    try:
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        await admin.create_topics([NewTopic("kept", num_partitions=1, replication_factor=1)])
        await admin.close()
        producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")
        await producer.start()
        sent = [str(number).encode() for number in range(500)]
        for future in [await producer.send("kept", value) for value in sent]:
            await future
        kill(kafka)
        assert kafka.epitaph().startswith("Kafka ended by SIGKILL")
        kafka.start()
        await producer.stop()
        consumer = AIOKafkaConsumer("kept", bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
        await consumer.start()
        assert [(await consumer.getone()).value for _ in sent] == sent
        await consumer.stop()
    finally:
        kafka.stop()


def test_postgres_has_every_committed_row_after_kill_9_with_a_session_open(tmp_path: Path) -> None:
    postgres = Postgres(tmp_path / "postgres", port=free_ports(1)[0])
    postgres.start()
    try:
        password = postgres.password
        with psycopg.connect(postgres.dsn(), autocommit=True) as session:
            session.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number")
            kill(postgres)
            postgres.start()
        with psycopg.connect(postgres.dsn()) as session:
            assert session.execute("SELECT count(*) FROM kept").fetchone() == (1000,)
            assert session.execute("SHOW fsync").fetchone() == ("on",), "whatever the shared server of the tests does"
        assert postgres.password == password
        assert (postgres.folder / "password").stat().st_mode & 0o077 == 0
    finally:
        postgres.stop()


def test_postgres_whose_first_start_was_cut_off_starts_from_nothing(tmp_path: Path) -> None:
    postgres = Postgres(tmp_path / "postgres", port=free_ports(1)[0])
    half_made = postgres.folder / "data.new"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    postgres.start()
    try:
        with psycopg.connect(postgres.dsn()) as session:
            assert session.execute("SELECT 1").fetchone() == (1,)
    finally:
        postgres.stop()


@NO_MOSQUITTO
def test_mosquitto_keeps_a_session_and_its_queue_through_a_clean_restart(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path / "mosquitto", port=free_ports(1)[0])
    broker.start()
    try:
        name, got = f"member-{secrets.token_hex(4)}", queue.SimpleQueue[bytes]()
        with mqtt_client(broker.port, session=name) as member:
            subscribe(member, "kept/#", queue.SimpleQueue())
        with mqtt_client(broker.port) as writer:
            for number in range(1500):  # more than the thousand that Mosquitto keeps by default
                publish(writer, "kept/x", str(number).encode())
        broker.stop()
        broker.start()
        with mqtt_client(broker.port, session=name, got=got):
            assert [int(got.get(timeout=60)) for _ in range(1500)] == list(range(1500))
    finally:
        broker.stop()


MEMBERS = 6
"""Each alone in its group: when the last of a group goes in the middle of its messages, the router panics."""


def test_embedded_broker_that_lost_its_router_ends_and_can_start_again(tmp_path: Path) -> None:
    broker = Iotcore(tmp_path / "iotcore", port=free_ports(1)[0])
    broker.start()
    try:
        with ExitStack() as clients:
            writer = clients.enter_context(mqtt_client(broker.port))
            members = [clients.enter_context(mqtt_client(broker.port, session=f"member-{n}")) for n in range(MEMBERS)]
            for number, member in enumerate(members):
                subscribe(member, f"$share/group-{number}/s/#", queue.SimpleQueue())

            def died_under_load() -> bool:
                for _ in range(200):
                    writer.publish("s/x", b"x" * 300, qos=1)
                if members:
                    cut(members.pop())
                return not broker.alive()

            soon(died_under_load, "its router panicked")
        assert "panicked" in broker.epitaph()
        broker.start()
        assert broker.ready()
    finally:
        broker.stop()


@pytest.mark.parametrize(("make", "setting"), EVERY_PART)
def test_taken_port_is_named_with_its_holder_and_its_setting(
    tmp_path: Path, taken_port: int, make: Make, setting: str
) -> None:
    part = make(tmp_path, taken_port)
    with pytest.raises(PartError) as caught:
        part.start()
    sentence = str(caught.value)
    assert sentence.startswith(f"{part.name} did not start: port {taken_port} on 127.0.0.1 is taken by ")
    assert sentence.endswith(f"; stop that or set {setting} to another port.")
    assert part.pids == []


@pytest.mark.parametrize(("make", "setting"), EVERY_PART)
def test_full_disk_stops_the_start_with_one_sentence(tmp_path: Path, make: Make, setting: str) -> None:
    part = make(tmp_path, free_ports(1)[0])
    vars(part)["space_floor_mb"] = 1 << 40  # each of them has it
    with pytest.raises(PartError, match=r"the disk that holds .* is full, \d+ MB are free"):
        part.start()
    assert part.pids == []


@pytest.mark.parametrize(("make", "setting"), EVERY_PART[1:])
def test_after_stop_no_process_runs_and_the_port_is_free(tmp_path: Path, make: Make, setting: str) -> None:
    (port,) = free_ports(1)
    part = make(tmp_path, port)
    part.start()
    processes = [psutil.Process(pid) for pid in part.pids]
    processes += [child for process in processes for child in process.children(recursive=True)]
    assert processes
    part.stop()
    part.stop()
    assert all(gone(process) for process in processes)
    assert is_free(port)
    assert not part.alive()
    assert not part.ready()
    assert not part.pid_file.exists()
