"""The loop that archives: it begins where the archive ends, waits for what is missing, and says so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from services.compliance.adapters.file_archive import FileArchive
from services.compliance.app import readiness
from services.compliance.metrics import ArchiveMetrics
from services.compliance.worker import archiving
from services.compliance.worker.archiving import Archiving
from services.kernel.retention import whole_years_from
from services.runtime.lifecycle import Stop
from tests.fakes.clock import ManualClock
from tests.fakes.compliance import NOW, MemoryLog
from tests.unit.compliance.archive import NOON_MS, REGISTRY, SIGNALS, archive, eventually, kept


@dataclass
class Scenario:
    root: Path
    log: MemoryLog = field(default_factory=MemoryLog)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    said: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.metrics = ArchiveMetrics(self.registry, [SIGNALS.topic, REGISTRY.topic])
        self.log.records = {SIGNALS: [], REGISTRY: []}

    def put(self, count: int) -> None:
        for _ in range(count):
            self.log.put(SIGNALS, b"{}", NOON_MS)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"firenet_archive_{name}", labels)

    @asynccontextmanager
    async def running(self, held: FileArchive | None = None) -> AsyncIterator[Archiving]:
        stop = Stop()
        work = Archiving(
            source=self.log,
            archive=held or archive(self.root, self.clock),
            metrics=self.metrics,
            clock=self.clock,
            kept_from=lambda now: whole_years_from(now, 400),
            dropped_topics=frozenset({SIGNALS.topic}),
            context_topics=frozenset({REGISTRY.topic}),
            log=lambda event, **fields: self.said.append((event, fields)),
        )
        task = asyncio.create_task(work.run(stop))
        try:
            yield work
        finally:
            stop.set()
            await task


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scenario:
    monkeypatch.setattr(archiving, "WAIT_S", 0.001)
    monkeypatch.setattr(archiving, "MAX_WAIT_S", 0.01)
    return Scenario(tmp_path / "archive")


def caught_up(scenario: Scenario, count: int) -> Any:
    return lambda: scenario.value("records_total", topic=SIGNALS.topic) == count


async def test_a_stop_finishes_everything_and_a_start_reads_on(scenario: Scenario) -> None:
    for total in (5, 9):
        scenario.put(total - len(scenario.log.records[SIGNALS]))
        async with scenario.running():
            await eventually(caught_up(scenario, total))
        assert scenario.log.noted == {SIGNALS: total}
    assert [line["offset"] for line in kept(scenario.root)] == list(range(9))


async def test_what_kafka_has_dropped_is_counted_and_the_rest_goes_on(scenario: Scenario) -> None:
    scenario.put(4)
    async with scenario.running():
        await eventually(caught_up(scenario, 4))
    scenario.log.records[SIGNALS], scenario.log.first[SIGNALS] = [], 10
    scenario.put(2)
    async with scenario.running():
        await eventually(caught_up(scenario, 6))
    assert scenario.value("lost_total", topic=SIGNALS.topic) == 6
    assert ("archive_gap", {"topic": SIGNALS.topic, "partition": 0, "first": 4, "next": 10}) in scenario.said
    assert [line["offset"] for line in kept(scenario.root)] == [0, 1, 2, 3, 10, 11]


async def test_a_topic_that_was_made_anew_is_waited_for(scenario: Scenario) -> None:
    scenario.put(4)
    async with scenario.running():
        await eventually(caught_up(scenario, 4))
    scenario.log.records[SIGNALS] = []
    scenario.put(1)
    async with scenario.running():
        await eventually(lambda: scenario.value("waiting", reason="ahead") == 1)
    assert len(kept(scenario.root)) == 4


async def test_a_topic_that_was_made_anew_and_has_grown_past_the_archive_is_waited_for_too(scenario: Scenario) -> None:
    scenario.log.topic_id = "a"
    for total in (4, 5):
        scenario.put(total - len(scenario.log.records.get(SIGNALS, [])))
        async with scenario.running():
            await eventually(caught_up(scenario, total))
    scenario.log.topic_id = "b"
    scenario.log.records[SIGNALS], scenario.log.noted = [], {}
    scenario.put(9)
    async with scenario.running():
        await eventually(lambda: scenario.value("waiting", reason="ahead") == 1)
    assert len(kept(scenario.root)) == 5, "two logs are not mixed"


async def test_kafka_that_is_away_is_waited_for_said_once_and_goes_on(scenario: Scenario) -> None:
    scenario.put(2)
    async with scenario.running() as work:
        await eventually(caught_up(scenario, 2))
        scenario.log.down = True
        await eventually(lambda: (scenario.value("waits_total", reason="kafka") or 0) > 2)
        scenario.clock.seconds += 15
        state = readiness(work, scenario.clock)
        assert (state.ready, state.checks) == (False, {"archive": "waits, kafka: down"})
        scenario.log.down = False
        scenario.put(2)
        await eventually(caught_up(scenario, 4))
        await eventually(lambda: scenario.value("waiting", reason="kafka") == 0)
        assert readiness(work, scenario.clock).ready
    assert [event for event, _ in scenario.said if event == "archive_waits"] == ["archive_waits"]
    assert [line["offset"] for line in kept(scenario.root)] == list(range(4))


async def test_an_archive_that_is_taken_away_is_waited_for_and_nothing_is_lost(scenario: Scenario) -> None:
    scenario.put(3)
    async with scenario.running():
        await eventually(caught_up(scenario, 3))
    async with scenario.running():
        away = scenario.root.with_name("away")
        await eventually(lambda: scenario.value("free_bytes") is not None)
        scenario.root.rename(away)
        scenario.put(3)
        await eventually(lambda: scenario.value("waiting", reason="missing") == 1)
        away.rename(scenario.root)
        await eventually(caught_up(scenario, 6))
    assert [line["offset"] for line in kept(scenario.root)] == list(range(6))


async def test_a_second_process_stands_by_and_takes_over(scenario: Scenario) -> None:
    first = archive(scenario.root)
    first.open({SIGNALS: None, REGISTRY: None})
    scenario.put(2)
    async with scenario.running():
        await eventually(lambda: scenario.value("waiting", reason="held") == 1)
        first.close()
        await eventually(caught_up(scenario, 2))
    assert len(kept(scenario.root)) == 2


async def test_no_signal_is_finished_before_the_registry_is_read_to_its_end(scenario: Scenario) -> None:
    scenario.put(6)
    scenario.log.put(REGISTRY, b"{}", NOON_MS)
    scenario.log.withheld.add(REGISTRY)
    held = archive(scenario.root, scenario.clock, roll_s=0.0)
    async with scenario.running(held):
        await eventually(lambda: scenario.log.fetches > 20)
    assert kept(scenario.root) == []
    async with scenario.running(archive(scenario.root, scenario.clock, roll_s=0.0)):
        scenario.log.withheld.clear()
        await eventually(lambda: len(kept(scenario.root)) == 6)
        assert len(kept(scenario.root, REGISTRY)) == 1


async def test_a_new_day_of_the_signals_waits_for_the_registry_of_the_day_before(scenario: Scenario) -> None:
    """After a while away both are read as quickly as they come: the files of a day end when the next one begins."""
    before, after = NOON_MS + 43_000_000, NOON_MS + 43_300_000
    for number in range(9):
        scenario.log.put(REGISTRY, b"{}", before + number)
    for at_ms in (before, after, after + 1000):
        scenario.log.put(SIGNALS, b"{}", at_ms)
    scenario.clock.at += timedelta(days=2)
    async with scenario.running():
        await eventually(caught_up(scenario, 3))
    whole = kept(scenario.root)[-1]["recorded_at"]
    assert [line["offset"] for line in kept(scenario.root, REGISTRY)] == list(range(9))
    assert {line["recorded_at"][:10] for line in kept(scenario.root, REGISTRY)} == {"2026-03-10"}
    assert whole.startswith("2026-03-11")
    assert scenario.value("clamped_total", topic=REGISTRY.topic) == 0


async def test_old_files_are_dropped_once_an_hour_a_year_as_a_whole(scenario: Scenario) -> None:
    scenario.put(1)
    async with scenario.running():
        await eventually(caught_up(scenario, 1))
    scenario.log.put(SIGNALS, b"{}", NOON_MS + 1)
    scenario.clock.at = datetime(2028, 2, 4, 12, tzinfo=UTC)  # 400 days after the last day of 2026
    scenario.clock.seconds += 3600
    async with scenario.running():
        await eventually(caught_up(scenario, 2))
    scenario.clock.seconds += 3600
    async with scenario.running() as work:
        await eventually(lambda: work.progress.turned_s == scenario.clock.seconds)
    assert scenario.value("files_dropped_total") == 0
    scenario.clock.at += timedelta(days=1)
    scenario.clock.seconds += 3600
    async with scenario.running():
        await eventually(lambda: scenario.value("files_dropped_total") == 1)
    assert [line["offset"] for line in kept(scenario.root)] == [1]
