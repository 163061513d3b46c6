"""`positions` of rules, alerts, documents beside a real Kafka: what it does not have is said, and moved when asked."""

import asyncio
import contextlib
import secrets
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence

import psycopg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.topics import ALARMS, FINDINGS, SIGNALS
from services.alerts.__main__ import main as alerts_main
from services.rules.adapters.positions import STATEMENTS, TOPIC_IDS
from services.runtime import positions as positions_module
from services.runtime.kafka import BatchProducer, KafkaUnavailable, Record, TopicSpec, ensure_topics
from services.runtime.positions import Extent, Saved, Whence, goal
from services.runtime.postgres import open_pool
from services.runtime.topic_ids import Place, SavedTopicIds, topic_id, topic_id_statements


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
    assert goal(Saved(saved), Extent(10, 50), whence) == expected


@pytest.mark.parametrize(("whence", "expected"), [(Whence.BEGINNING, 0), (Whence.END, 50)])
def test_a_position_of_a_topic_that_was_made_anew_is_moved_although_kafka_has_its_number(
    whence: Whence, expected: int
) -> None:
    anew = Extent(0, 50, "b")
    assert goal(Saved(20, "a"), anew, whence) == expected
    assert goal(Saved(20, "b"), anew, whence) == 20
    assert goal(Saved(20), anew, whence) == 20, "of which topic it is was never noted"
    assert Saved(0, "a").trouble(anew) == "", "nothing was read of the one before"


def test_rules_positions_are_of_the_signals_and_moved_only_from_where_they_were_seen(migrated_database: str) -> None:
    with psycopg.connect(migrated_database) as connection:
        connection.execute("INSERT INTO rules.partitions (partition, next_offset, owner_epoch) VALUES (3, 70, 1)")
        assert connection.execute(STATEMENTS.read.encode()).fetchall() == [(SIGNALS, 3, 70, None)]
        note = {"topic_id": "a", "partitions": [3], "saved_offsets": [70], "next_offsets": [70]}
        connection.execute(TOPIC_IDS.write.encode(), note)
        assert connection.execute(TOPIC_IDS.read.encode()).fetchall() == [(3, "a")]
        place = {"topic": SIGNALS, "partition": 3, "goal": 50, "topic_id": "b"}
        assert connection.execute(STATEMENTS.move.encode(), {**place, "saved": 71}).rowcount == 0
        assert connection.execute(STATEMENTS.move.encode(), {**place, "saved": 70}).rowcount == 1
        row = connection.execute("SELECT next_offset, owner_epoch, topic_id FROM rules.partitions").fetchone()
        assert row == (50, 2, "b"), "whoever owned it is fenced"


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


async def test_kafka_tells_a_topic_from_one_of_the_same_name_that_was_made_anew(
    migrated_database: str, kafka_broker: str
) -> None:
    topic = f"topic-id-{secrets.token_hex(4)}"
    spec = TopicSpec(topic, 1, compact=False, retention_ms=None, max_message_bytes=1 << 20)
    await ensure_topics(kafka_broker, [spec])
    async with open_pool(migrated_database, "test") as pool:
        ids = SavedTopicIds(kafka_broker, pool, topic_id_statements("alerts"))
        before = await ids.now(topic)
        assert before is not None
        assert await ids.now(topic) == before
        assert await ids.now(f"{topic}-none") is None
        async with pool.connection() as connection:
            insert = "INSERT INTO alerts.partitions (topic, partition, next_offset) VALUES (%s, 0, 2)"
            await connection.execute(insert, [topic])
        assert await ids.saved(topic) == {}
        await ids.note(topic, {0: Place(3, 0)}, before)
        assert await ids.saved(topic) == {}, "another offset is saved by now: another owner has read on"
        await ids.note(topic, {0: Place(2, 2)}, before)
        assert await ids.saved(topic) == {0: before}
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_broker)
    await admin.start()
    await admin.delete_topics([topic])
    await admin.close()
    async with asyncio.timeout(60):
        while await made_again(kafka_broker, spec) in (None, before):  # noqa: ASYNC110 - Kafka tells nobody
            await asyncio.sleep(0.1)
    await say(kafka_broker, topic, 3)  # it has grown past the saved offset
    told = positions(migrated_database, kafka_broker, "alerts")
    assert (told.returncode, told.stdout) == (
        1,
        f"{topic}[0]: saved 2, Kafka has 0 to 3: of a topic that was made anew since\n",
    )
    moved = positions(migrated_database, kafka_broker, "alerts", "--move", "beginning")
    assert moved.stdout.endswith("moved to 0\n")
    assert positions(migrated_database, kafka_broker, "alerts").returncode == 0
    with psycopg.connect(migrated_database) as connection:
        row = connection.execute("SELECT next_offset, topic_id FROM alerts.partitions").fetchone()
    assert row == (0, await topic_id(kafka_broker, topic))


async def test_where_a_gap_was_passed_is_saved_with_the_id_of_the_topic(migrated_database: str) -> None:
    async with open_pool(migrated_database, "test") as pool:
        ids = SavedTopicIds("127.0.0.1:1", pool, topic_id_statements("alerts"))
        async with pool.connection() as connection:
            insert = "INSERT INTO alerts.partitions (topic, partition, next_offset, topic_id) VALUES ('t', %s, %s, 'a')"
            for partition, offset in ((0, 5), (1, 7), (2, 9)):
                await connection.execute(insert, [partition, offset])
        await ids.note("t", {0: Place(5, 0), 1: Place(6, 0)}, "b")
        await ids.note("t", {2: Place(9, 4)}, None)
        async with pool.connection() as connection:
            query = "SELECT partition, next_offset, topic_id FROM alerts.partitions ORDER BY partition"
            rows = await (await connection.execute(query)).fetchall()
    assert rows == [(0, 0, "b"), (1, 7, "a"), (2, 4, "a")], "the second has another owner, who has read on"


def test_positions_of_alarms_are_left_to_the_fire_lane_which_reads_on_meanwhile(
    migrated_database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def extents(_: str, places: Collection[positions_module.Place]) -> Mapping[positions_module.Place, Extent]:
        return dict.fromkeys(places, Extent(0, 3, "b"))

    monkeypatch.setattr(positions_module, "_extents", extents)
    monkeypatch.setenv("FIRENET_DATABASE_DSN", migrated_database)
    monkeypatch.setenv("FIRENET_KAFKA_BOOTSTRAP", "nowhere:1")
    monkeypatch.setattr(sys, "argv", ["alerts", "positions", "--move", "end"])
    with psycopg.connect(migrated_database) as connection:
        for topic in (ALARMS, FINDINGS):
            insert = "INSERT INTO alerts.partitions (topic, partition, next_offset, owner_epoch) VALUES (%s, 0, 70, 1)"
            connection.execute(insert, [topic])
    assert alerts_main() == 0
    assert f"{ALARMS}[0]: saved 70, Kafka has 0 to 3: behind its end, left alone" in capsys.readouterr().out
    with psycopg.connect(migrated_database) as connection:
        rows = connection.execute("SELECT topic, next_offset, owner_epoch, topic_id FROM alerts.partitions ORDER BY 1")
        assert rows.fetchall() == [(ALARMS, 70, 1, None), (FINDINGS, 3, 2, "b")]


async def made_again(kafka: str, spec: TopicSpec) -> str | None:
    """Make a topic that is being deleted again, and return the id of the one that is there."""
    with contextlib.suppress(KafkaError, KafkaUnavailable):
        await ensure_topics(kafka, [spec])
        return await topic_id(kafka, spec.name)
    return None


async def say(kafka: str, topic: str, count: int) -> None:
    producer = BatchProducer(kafka, "positions-of-test")
    await producer.start()
    await producer.send_many([Record(topic, f"k{number}".encode(), b"x") for number in range(count)])
    await producer.stop()
