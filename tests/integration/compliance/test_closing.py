"""Periods closed on a real Kafka and a real PostgreSQL: kill -9, late data, each revision once on its topic, replay."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.topics import FIGURES, SIGNALS, all_topics
from services.compliance.ports import Trouble
from tests.contract.compliance.archived import Sent
from tests.contract.compliance.closings import sent
from tests.contract.compliance.scenario import T0
from tests.contract.compliance.test_closing import FIRST_HALF_MS, PUBLISHING, district, late
from tests.integration.compliance.harness import TOPICS, Process, compliance, kafka, send

STEP_S = 14_400
SETTINGS = {"COMPLIANCE_STEP_S": str(STEP_S), "COMPLIANCE_POLL_S": "0.2", "COMPLIANCE_ARCHIVE_ROLL_S": "0.3"}
HELD = f"waits, {Trouble.HELD}"
NEWEST = "SELECT known_at, published_at FROM compliance.log_position"


async def put(bootstrap: str, records: list[Sent]) -> None:
    """Write to the real topics: what stands for all partitions in the scenario does so here, then the time after it."""
    wide = [each for each in records if not (each.topic == SIGNALS and b"tick" in each.value and each.partition)]
    found = []
    for each in wide:
        everywhere = each.topic == SIGNALS and b"cn.firenet.tick" in each.value
        numbers = range(TOPICS[SIGNALS]) if everywhere else [each.partition]
        found += [(each.topic, number, each.value, each.timestamp_ms) for number in numbers]
    # A day of the log lasts some milliseconds here: what signals are read by is written before them, as in a real day.
    await send(bootstrap, [each for each in found if each[0] != SIGNALS])
    await send(bootstrap, [each for each in found if each[0] == SIGNALS])


def rows(dsn: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query.encode()).fetchall()


async def on_topic(bootstrap: str) -> list[dict[str, Any]]:
    """Return all figures that were published."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [TopicPartition(FIGURES, number) for number in range(all_topics()["figures"].partitions)]
        ends = await consumer.end_offsets(places)
        consumer.assign(places)
        found: list[dict[str, Any]] = []
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [json.loads(record.value or b"") for record in records]
        return found
    finally:
        await consumer.stop()


async def published_until(process: Process, dsn: str, at_ms: int) -> None:
    """Wait until the step before the last record is published, and everything is sent."""
    wanted = at_ms // (STEP_S * 1000) * STEP_S * 1_000_000 - 1000

    def done() -> bool:
        here = rows(dsn, NEWEST)
        return bool(here) and here[0][1] >= wanted and not rows(dsn, "SELECT 1 FROM compliance.outbox LIMIT 1")

    await process.wait_for("everything is published", done)


def has_taken(dsn: str, steps: int) -> bool:
    """Whether so many steps since the beginning of the log are taken."""
    here = rows(dsn, NEWEST)
    return bool(here) and here[0][0] >= int(T0.timestamp() * 1_000_000) + (steps * STEP_S - 1) * 1_000_000


async def test_what_is_killed_in_between_and_comes_late_is_published_once_and_proven(
    migrated_database: str, tmp_path: Path
) -> None:
    told = district(tmp_path)
    first = sent(told, PUBLISHING)
    second = [each for each in sent(late(told), PUBLISHING) if each.timestamp_ms > FIRST_HALF_MS]
    dsn = migrated_database
    async with (
        kafka(tmp_path / "kafka") as bootstrap,
        compliance(bootstrap, tmp_path, FIRENET_DATABASE_DSN=dsn, **SETTINGS) as process,
        beside(process, dsn) as other,
    ):
        await put(bootstrap, first)
        process.start()
        for steps in (1, 3):
            await process.wait_for("a further step", partial(has_taken, dsn, steps))
            await asyncio.to_thread(process.end, signal.SIGKILL)
            process.start()
        await process.wait_for("the first writes the archive", lambda: process.ready()[0] == 200)
        other.start()  # both close periods now; the archive has one writer, and the other waits for it
        await other.wait_for("the other at work beside the first", lambda: HELD in other.ready()[1])
        await process.wait_for("a further step", partial(has_taken, dsn, 5))
        await asyncio.to_thread(process.end, signal.SIGKILL)
        await published_until(other, dsn, FIRST_HALF_MS)
        await asyncio.to_thread(other.end)
        process.start()
        await put(bootstrap, second)
        await asyncio.to_thread(process.end, signal.SIGKILL)
        process.start()
        await published_until(process, dsn, second[-1].timestamp_ms)

        events = await on_topic(bootstrap)
        stored = rows(dsn, "SELECT metric, slice_id, period_kind, period_from, revision FROM compliance.figures")
        assert len({event["id"] for event in events}) == len(stored) > 100
        assert any(row[4] > 1 for row in stored)
        for source in (["--kafka"], ["--archive", str(process.root)]):
            done = await asyncio.to_thread(replay, bootstrap, dsn, source)
            assert (done.returncode, done.stdout) == (0, ""), done.stderr


def beside(process: Process, dsn: str) -> AbstractAsyncContextManager[Process]:
    """Return a second process over the same archive and tables, not started yet."""
    folder = process.folder / "second"
    folder.mkdir()
    settings = {**SETTINGS, "COMPLIANCE_ARCHIVE_ROOT": str(process.root), "FIRENET_DATABASE_DSN": dsn}
    return compliance(process.bootstrap, folder, **settings)


def replay(bootstrap: str, dsn: str, source: list[str]) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", "services.compliance", "replay", "2026-03-10", "2026-03-12", *source]
    environment = {**os.environ, "FIRENET_DATABASE_DSN": dsn, "FIRENET_KAFKA_BOOTSTRAP": bootstrap}
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=60)
