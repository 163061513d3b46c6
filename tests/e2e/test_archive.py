"""Figures of a live district, computed again from the archive: the bytes that Kafka itself gives, after kill -9 too."""

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.stack.firenet import SAMPLE_PACK
from schemas.topics import LOGGED, all_topics
from services.compliance.adapters.archive_reader import ArchiveReader, BadArchive
from services.runtime.clock import SystemClock
from tests.system import System, broker_options, message, running, wait_for

UNITS = 20
ASK = {"figures": [{"metric": name, "scope": "S1"} for name in ("live_networking_rate", "access_rate")]}
ONLINE = "SELECT count(*) FROM rules.units_now WHERE connection_now IN ('online', 'late')"
FAULT = "SELECT health_now FROM rules.units_now WHERE unit_id = 'U000002'"


async def log_of_kafka(bootstrap: str, end: datetime) -> bytes:
    """Return everything recorded before `end` as one log, straight from Kafka and without a line of the product."""
    many = {topic.name: topic.partitions for topic in all_topics().values()}
    places = [TopicPartition(topic, n) for topic in LOGGED for n in range(many[topic])]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(places)
        consumer.assign(places)
        rows: list[tuple[str, str, int, int, bytes]] = []
        latest = dict.fromkeys(places, 0)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for place, records in (await consumer.getmany(timeout_ms=200)).items():
                for record in records:
                    latest[place] = max(latest[place], record.timestamp)
                    at = datetime.fromtimestamp(latest[place] / 1000, UTC).isoformat(timespec="milliseconds")
                    rows.append((at, place.topic, place.partition, record.offset, record.value))
    finally:
        await consumer.stop()
    wanted = sorted(row for row in rows if datetime.fromisoformat(row[0]) < end)
    return b"".join(
        b'{"recorded_at":"%b","topic":"%b","partition":0,"offset":%d,"event":%b}\n'
        % (at.replace("+00:00", "Z").encode(), topic.encode(), number, value)
        for number, (at, topic, _, _, value) in enumerate(wanted)
    )


def pipe(log: Path, ask: Path) -> dict[str, Any]:
    """Return the answer of the runbook's second and third line."""
    pack = ["--pack", str(SAMPLE_PACK), "--registry", "/dev/null"]
    with log.open("rb") as stream:
        told = subprocess.run(
            [sys.executable, "-m", "services.rules", "facts", *pack, "--log", "-"],
            stdin=stream, capture_output=True, check=True, timeout=120,
        )  # fmt: skip
    argv = [sys.executable, "-m", "services.compliance", "figures", *pack, "--facts", "-", "--ask", str(ask)]
    answer = subprocess.run(argv, input=told.stdout, capture_output=True, check=True, timeout=120)
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def whole_until(root: Path) -> datetime:
    try:
        return datetime.fromisoformat(ArchiveReader(root).whole_until().decode())
    except BadArchive:
        return datetime.min.replace(tzinfo=UTC)


def live(system: System) -> datetime:
    """Have the district live for a while, with compliance killed in between; return an instant after it."""
    system.heartbeat_all()
    wait_for("units online", lambda: system.value(ONLINE) > UNITS // 2)
    system.kill("compliance")
    gateway = system.value("SELECT id FROM registry.in_force WHERE kind = 'gateway' AND body ->> 'unit_id' = 'U000002'")
    system.publish(gateway, message("fault", 1, point={"address": "12"}))
    wait_for("the fault", lambda: system.value(FAULT) == "fault")
    system.restart("compliance")
    system.heartbeat_all()
    return SystemClock().now()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_archive_gives_the_bytes_and_the_figures_that_kafka_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPLIANCE_ARCHIVE_ROLL_S", "1")
    with running(tmp_path / "firenet", broker_options(), UNITS) as system:
        end = live(system) + timedelta(seconds=1)
        root = system.firenet.folder / "archive"
        wait_for("every partition archived beyond the end", lambda: whole_until(root) > end)
        straight = asyncio.run(log_of_kafka(system.firenet.kafka.bootstrap, end))
        window = [(end - timedelta(hours=1)).isoformat(), end.isoformat()]
        argv = [sys.executable, "-m", "services.compliance", "log", *window, "--archive", str(root), "--after-s", "0"]
        archived = subprocess.run(argv, capture_output=True, check=True, timeout=120)
    assert archived.stderr == b""
    assert archived.stdout == straight
    ask, logs = tmp_path / "ask.json", {"kafka": straight, "archive": archived.stdout}
    ask.write_text(json.dumps(ASK))
    answers = []
    for name, lines in logs.items():
        (tmp_path / name).write_bytes(lines)
        answers.append(pipe(tmp_path / name, ask))
    assert answers[0] == answers[1]
    assert all(figure["numerator"] > UNITS // 2 for figure in answers[0]["figures"])
