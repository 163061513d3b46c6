"""What a failing turn ends: the process of a task that alarms need, nothing of one beside them."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, cast

import psycopg
import pytest
import structlog
from prometheus_client import CollectorRegistry

from services.alerts.lanes.parts import Parts
from services.alerts.lanes.synthetic import heartbeat_tasks, synthetic_tasks
from services.alerts.settings import AlertsSettings
from services.alerts.worker import turns
from services.alerts.worker.synthetic import SyntheticAlarms
from services.runtime.lifecycle import Stop, TaskDied, supervise
from services.runtime.postgres import Pool
from tests.fakes.clock import ManualClock
from tests.unit.alerts.build import T0

BESIDE = ("heartbeat", "synthetic", "synthetic-schedule")


class Broken:
    """Fails as a database does to which a migration is missing, and asks to stop after some times."""

    def __init__(self, stop: Stop, times: int) -> None:
        self._stop = stop
        self._left = times
        self._callers: set[str] = set()
        self.all_failed = asyncio.Event()

    async def turn(self) -> int:
        self._left -= 1
        if self._left <= 0:
            self._stop.set()
        raise self._error()

    def connection(self) -> Any:
        raise self._error()

    def _error(self) -> psycopg.Error:
        task = asyncio.current_task()
        self._callers.add(task.get_name() if task else "")
        if self._callers >= set(BESIDE):
            self.all_failed.set()
        return psycopg.errors.UndefinedTable("no such table")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LONGEST_PAUSE_BESIDE_S", 0.0)


def parts_of(registry: CollectorRegistry) -> Parts:
    settings = AlertsSettings(
        api_token="a-token-of-alerts", database_dsn="postgresql://x@y/z", heartbeat_url="https://watch.firenet-demo.cn/"
    )
    return Parts(settings, ManualClock(T0), registry)


def failures(registry: CollectorRegistry, task: str) -> float:
    return registry.get_sample_value("firenet_alerts_task_failures_total", {"task": task}) or 0


@pytest.mark.thorough
@pytest.mark.usefixtures("quick")
async def test_nothing_that_runs_beside_ends_the_process_that_carries_an_alarm() -> None:
    registry, stop = CollectorRegistry(), Stop()
    parts, broken = parts_of(registry), Broken(stop, 2**31)
    pool, alarms = cast(Pool, broken), cast(SyntheticAlarms, broken)
    async with AsyncExitStack() as stack:
        tasks: dict[str, Coroutine[Any, Any, None]] = {
            **synthetic_tasks(parts, alarms, pool, stop),
            **heartbeat_tasks(parts, pool, stack, stop),
            "fire": stop.wait(),
        }
        assert sorted(tasks) == sorted(["fire", *BESIDE])
        running = asyncio.create_task(supervise(stop, tasks))
        seen = asyncio.create_task(broken.all_failed.wait())
        await asyncio.wait({running, seen}, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        assert not running.done()
        stop.set()
        await asyncio.gather(running, seen)
    assert all(failures(registry, task) for task in BESIDE)
    assert "heartbeat" not in parts.health.checks(), "what failed has not turned"


@pytest.mark.thorough
@pytest.mark.usefixtures("quick")
async def test_a_streak_is_logged_once_and_each_failure_counted() -> None:
    registry, stop = CollectorRegistry(), Stop()
    parts = parts_of(registry)
    with structlog.testing.capture_logs() as said:
        await parts.turns.run("synthetic", Broken(stop, 5).turn, stop, beside_alarms=True)
    assert failures(registry, "synthetic") == 5
    assert [(line["task"], line["error"]) for line in said if line["event"] == "task_failing"] == [
        ("synthetic", "UndefinedTable")
    ]


async def test_a_task_that_alarms_need_still_ends_its_process() -> None:
    stop = Stop()
    parts = parts_of(CollectorRegistry())
    with pytest.raises(TaskDied):
        await supervise(stop, {"ladder": parts.turns.run("ladder", Broken(stop, 9).turn, stop)})
