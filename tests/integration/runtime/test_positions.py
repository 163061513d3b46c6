"""`positions` of rules, alerts, documents beside a real Kafka: what it does not have is said, and moved when asked."""

import secrets
import subprocess
import sys
from collections.abc import Sequence

import psycopg
import pytest

from schemas.topics import SIGNALS
from services.rules.adapters.positions import STATEMENTS
from services.runtime.kafka import BatchProducer, Record, TopicSpec, ensure_topics
from services.runtime.positions import Extent, Whence, goal


@pytest.mark.parametrize(
    ("saved", "whence", "expected"),
    [
        (10, Whence.BEGINNING, 10),
        (50, Whence.BEGINNING, 50),
        (9, Whence.END, 10),
        (51, Whence.END, 50),
        (51, Whence.BEGINNING, 10),
    ],
)
def test_only_what_kafka_has_not_is_moved(saved: int, whence: Whence, expected: int) -> None:
    assert goal(saved, Extent(10, 50), whence) == expected


def test_rules_positions_are_of_the_signals_and_moved_only_from_where_they_were_seen(migrated_database: str) -> None:
    with psycopg.connect(migrated_database) as connection:
        connection.execute("INSERT INTO rules.partitions (partition, next_offset, owner_epoch) VALUES (3, 70, 1)")
        assert connection.execute(STATEMENTS.read.encode()).fetchall() == [(SIGNALS, 3, 70)]
        place = {"topic": SIGNALS, "partition": 3, "goal": 50}
        assert connection.execute(STATEMENTS.move.encode(), {**place, "saved": 71}).rowcount == 0
        assert connection.execute(STATEMENTS.move.encode(), {**place, "saved": 70}).rowcount == 1
        row = connection.execute("SELECT next_offset, owner_epoch FROM rules.partitions").fetchone()
        assert row == (50, 2), "whoever owned it is fenced"


def positions(dsn: str, kafka: str, service: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    env = {"FIRENET_DATABASE_DSN": dsn, "FIRENET_KAFKA_BOOTSTRAP": kafka}
    command = [sys.executable, "-m", f"services.{service}", "positions", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("service", ["alerts", "documents"])
async def test_what_kafka_lost_is_said_and_moved_when_asked(
    migrated_database: str, kafka_broker: str, service: str
) -> None:
    topic = f"positions-{secrets.token_hex(4)}"
    await ensure_topics(
        kafka_broker, [TopicSpec(topic, 3, compact=False, retention_ms=None, max_message_bytes=1 << 20)]
    )
    await say(kafka_broker, topic, 40)
    with psycopg.connect(migrated_database, autocommit=True) as connection:

        def saved() -> Sequence[tuple[int, int]]:
            query = f"SELECT partition, next_offset FROM {service}.partitions ORDER BY partition"
            return connection.execute(query.encode()).fetchall()

        insert = f"INSERT INTO {service}.partitions (topic, partition, next_offset) VALUES (%s, %s, %s)"
        for partition, offset in ((0, 0), (1, 1_000)):
            connection.execute(insert.encode(), (topic, partition, offset))

        told = positions(migrated_database, kafka_broker, service)
        assert told.returncode == 1, told.stderr
        assert [line.rpartition(": ")[2] for line in told.stdout.splitlines()][1] == "behind its end"
        assert saved() == [(0, 0), (1, 1_000)], "nothing is moved unasked"
        moved = positions(migrated_database, kafka_broker, service, "--move", "end")
        assert moved.returncode == 0, moved.stderr
        (_, first), (_, second) = saved()
        assert first == 0, "what Kafka has stays where it was"
        assert f"behind its end, moved to {second}" in moved.stdout
        assert second < 40

        connection.execute(insert.encode(), (f"{topic}-gone", 0, 7))
        none = positions(migrated_database, kafka_broker, service, "--move", "end")
        assert (none.returncode, none.stdout) == (2, "")
        assert f"Kafka has no topic {topic}-gone" in none.stderr


async def say(kafka: str, topic: str, count: int) -> None:
    producer = BatchProducer(kafka, "positions-of-test")
    await producer.start()
    await producer.send_many([Record(topic, f"k{number}".encode(), b"x") for number in range(count)])
    await producer.stop()
