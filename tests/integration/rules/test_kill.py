"""kill -9 and zombies on real parts: what ends up in the database is what the pure engine says of the same log."""

import asyncio
import os
import random
import signal as signals
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deploy.stack.ports import free_ports
from services.rules.adapters.decode import SignalDecoder
from services.rules.adapters.registry_view import CompactedRegistryView
from services.rules.domain.effects import Effects
from services.rules.domain.engine import Engine
from services.runtime.kafka import partition_of
from tests.integration.rules.harness import Harness, at, eventually, registry_records, signal

UNITS = [f"U{number:03}" for number in range(60)]
SEED = int(os.environ.get("FIRENET_SEED", "20260302"))
KILLS = 10


class Story:
    """Writes one second of a district's life after the other: beats, troubles, silences, ticks."""

    def __init__(self, harness: Harness, seed: int) -> None:
        self.harness = harness
        self.random = random.Random(seed)
        self.second = 0
        self.silent_until = dict.fromkeys(UNITS, 0)

    async def write(self, seconds: int) -> None:
        for _ in range(seconds):
            records = [record for unit in UNITS for record in self._of(unit)]
            self.random.shuffle(records)
            await self.harness.send(records)
            self.second += 1
            await self.harness.tick(at(self.second))

    def _of(self, unit: str) -> list[tuple[str, bytes]]:
        if self.second < self.silent_until[unit]:
            return []
        if self.random.random() < 0.001:
            self.silent_until[unit] = self.second + self.random.choice([100, 300, 400])
        records = []
        name = f"{unit}-{self.second}"
        if (self.second + hash_of(unit)) % 20 == 0:
            records.append((unit, signal(unit, "heartbeat", at(self.second), f"h-{name}")))
        if self.random.random() < 0.01:
            kind = self.random.choice(["fire", "fault", "isolation"])
            point = {"address": str(self.random.randint(1, 3))}
            records.append((unit, signal(unit, kind, at(self.second), f"s-{name}", point=point)))
        if self.random.random() < 0.005:
            records.append((unit, signal(unit, "restore", at(self.second), f"r-{name}", restores="all")))
        return records * self.random.choice([1, 1, 1, 2])


def hash_of(unit: str) -> int:
    return sum(unit.encode())


def reference(harness: Harness) -> Effects:
    """Return what the pure engine says of everything that was written."""
    partitions = harness.topics.partitions
    view = CompactedRegistryView(lambda unit: partition_of(unit.encode(), partitions), 1.0)
    for key, value in registry_records(UNITS):
        view.on_record(key, value)
    said, decode = Effects(), SignalDecoder().decode
    for partition, values in harness.written.items():
        engine = Engine()
        engine.registry(*view.rows(partition))
        for offset, value in enumerate(values):
            engine.apply(decode(value, offset))
        effects = engine.take_effects()
        said.transitions += effects.transitions
        said.components += effects.components
        said.findings += effects.findings
        said.signals += effects.signals
        said.hours += effects.hours
    return said


class Process:
    """Rules as a process of its own."""

    def __init__(self, harness: Harness, log: Path, instance: str) -> None:
        self._harness, self._log, self._instance = harness, log, instance
        (self._port,) = free_ports(1)
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        environment = {
            **os.environ,
            "FIRENET_KAFKA_BOOTSTRAP": self._harness.bootstrap,
            "FIRENET_DATABASE_DSN": self._harness.dsn,
            "RULES_INSTANCE": self._instance,
            "RULES_HTTP_PORT": str(self._port),
            "RULES_GROUP": f"g-{self._harness.topics.signals}",
        }
        topics = self._harness.topics
        with self._log.open("ab") as out:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.integration.rules.process",
                topics.signals, topics.registry, topics.findings, str(topics.partitions),
                env=environment, stdout=out, stderr=out,
            )  # fmt: skip

    async def send(self, number: signals.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        if number in (signals.SIGKILL, signals.SIGTERM):
            async with asyncio.timeout(90):
                await self.process.wait()


@asynccontextmanager
async def ended(*processes: Process) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for one in processes:
            if one.process is not None and one.process.returncode is None:
                one.process.kill()
                await one.process.wait()


async def position(harness: Harness) -> int:
    return int((await harness.query("SELECT coalesce(sum(next_offset), 0) FROM rules.partitions"))[0][0])


async def beyond(harness: Harness, before: int) -> None:
    """Wait until something that came after `before` is saved."""
    await eventually(lambda: position(harness), lambda found: found > before, 120)


async def caught_up(harness: Harness, deadline_s: float = 120) -> None:
    end = sum(len(values) for values in harness.written.values())
    await eventually(lambda: position(harness), lambda found: found == end, deadline_s)


async def compare(harness: Harness) -> None:
    """Facts in the database and findings in Kafka are those of the reference, none lost, none doubled."""
    said = reference(harness)
    stored = await harness.query("SELECT transition_id FROM rules.transitions")
    assert sorted(row[0] for row in stored) == sorted(one.transition_id for one in said.transitions)
    components = await harness.query("SELECT transition_id FROM rules.component_transitions")
    assert sorted(row[0] for row in components) == sorted(one.transition_id for one in said.components)
    rows = await harness.query("SELECT signal_id FROM rules.signals")
    assert sorted(row[0] for row in rows) == sorted(one.signal_id for one in said.signals)
    beats = await harness.query("SELECT coalesce(sum(count), 0) FROM rules.heartbeats_hourly")
    assert beats == [(sum(one.beats for one in said.hours),)]
    wanted = {one.event_id for one in said.findings}
    found = await harness.findings(len(wanted))
    extra = [(one.data.unit_id, one.data.kind, one.data.phase, one.data.cause) for one in found if one.id not in wanted]
    assert extra == []
    assert {one.id for one in found} == wanted
    await eventually(lambda: harness.query("SELECT count(*) FROM rules.outbox"), lambda rows: rows == [(0,)])
    order: dict[str, list[str]] = {}
    for one in found:
        seen = order.setdefault(one.data.unit_id, [])
        if one.id not in seen:
            seen.append(one.id)
    told: dict[str, list[str]] = {}
    for each in said.findings:
        told.setdefault(each.unit_id, []).append(each.event_id)
    assert order == told


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_ten_kills_in_the_middle_of_load_lose_and_double_nothing(
    kafka_broker: str, database: str, tmp_path: Path
) -> None:
    harness = await Harness.build(kafka_broker, database, UNITS)
    story, moments = Story(harness, SEED), random.Random(SEED)
    process = Process(harness, tmp_path / "rules.log", "rules-1")
    async with ended(process):
        for _ in range(KILLS):
            await process.start()
            before = await position(harness)
            await story.write(30)
            await beyond(harness, before)
            for _ in range(moments.randint(0, 4)):
                await story.write(moments.randint(1, 15))
            await process.send(signals.SIGKILL)
        await process.start()
        await story.write(300)
        await caught_up(harness)
        await process.send(signals.SIGTERM)
        await process.start()
        await compare(harness)
    await harness.producer.stop()


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_frozen_owner_that_wakes_up_after_another_took_over_writes_nothing(
    kafka_broker: str, database: str, tmp_path: Path
) -> None:
    harness = await Harness.build(kafka_broker, database, UNITS)
    story = Story(harness, SEED + 1)
    first, second = (Process(harness, tmp_path / f"{name}.log", name) for name in ("rules-a", "rules-b"))
    async with ended(first, second):
        await first.start()
        await story.write(30)
        await caught_up(harness)
        await story.write(20)
        await first.send(signals.SIGSTOP)
        await second.start()
        await story.write(300)
        await caught_up(harness)
        await first.send(signals.SIGCONT)
        await story.write(60)
        await caught_up(harness)
        await compare(harness)
    await harness.producer.stop()


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_four_without_given_names_and_one_of_them_killed_say_what_one_says(
    kafka_broker: str, database: str, tmp_path: Path
) -> None:
    """What one says is the pure engine's word on the same log; four share its partitions and name themselves."""
    harness = await Harness.build(kafka_broker, database, UNITS, partitions=8)
    story = Story(harness, SEED)
    four = [Process(harness, tmp_path / f"rules-{number}.log", "") for number in range(4)]
    owners = "SELECT DISTINCT owner FROM rules.partitions"
    async with ended(*four):
        for process in four:
            await process.start()
        await story.write(30)
        await eventually(lambda: harness.query(owners), lambda found: len(found) == 4, 120)
        host = f"rules-{socket.gethostname()}"
        assert {row[0] for row in await harness.query(owners)} == {host, f"{host}-2", f"{host}-3", f"{host}-4"}
        await four[1].send(signals.SIGKILL)
        await story.write(270)
        await caught_up(harness)
        assert len(await harness.query(owners)) == 3
        await compare(harness)
    await harness.producer.stop()
