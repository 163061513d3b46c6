"""The shared picture: one read per change however many look, nothing queued, staleness told."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry

from services.console.adapters.encode import JsonEncoder
from services.console.domain.dashboard_snapshot import DashboardSnapshot
from services.console.domain.errors import DataUnavailable, TooBusy
from services.console.domain.freshness import PartitionVisibility
from services.console.domain.viewer import WHOLE, Slice
from services.console.metrics import Metrics
from services.console.ports.district import LiveEvent
from services.console.worker.live import LiveBounds, LiveHub
from services.kernel.words import VisibilityState
from services.runtime.clock import SystemClock
from services.runtime.lifecycle import Stop
from tests.fakes.console import T0, FakeChanges, FakeReadModel, FakeSecrets
from tests.unit.console.builders import CENTRE, HEALTH, case, unit

BOUNDS = LiveBounds(beat_s=0.02, spacing_s=0.0, refresh_s=60, names_s=60, read_deadline_s=1, streams_per_account=3)


class SlowPictures(FakeReadModel):
    """A whole picture is told as it was when its read began, once the door is open."""

    def __init__(self) -> None:
        super().__init__(all_units=[unit("U1")])
        self.door, self.reading = asyncio.Event(), asyncio.Event()
        self.door.set()

    async def snapshot(self, slice_: Slice) -> DashboardSnapshot:
        found = await super().snapshot(slice_)
        self.reading.set()
        await self.door.wait()
        return found


class Harness:
    def __init__(self, bounds: LiveBounds = BOUNDS, read: FakeReadModel | None = None) -> None:
        self.read = read or FakeReadModel(all_units=[unit("U1"), unit("U2", lead_department="education")])
        self.changes = FakeChanges()
        self.stop = Stop()
        self.hub = LiveHub(
            read=self.read,
            changes=self.changes,
            encoder=JsonEncoder(),
            secrets=FakeSecrets(),
            clock=SystemClock(),
            metrics=Metrics(CollectorRegistry()),
            bounds=bounds,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Harness"]:
        task = asyncio.create_task(self.hub.run(self.stop))
        try:
            yield self
        finally:
            self.stop.set()
            await task


async def next_event(events: AsyncIterator[LiveEvent], wanted: Callable[[LiveEvent], bool]) -> LiveEvent:
    async with asyncio.timeout(60):
        async for event in events:
            if wanted(event):
                return event
    raise AssertionError("the stream ended")


def changed(event: LiveEvent) -> bool:
    return event.kind in ("snapshot", "update")


async def test_a_new_browser_gets_everything_first() -> None:
    async with Harness().running() as harness, harness.hub.follow(CENTRE, None) as events:
        event = await next_event(events, lambda _: True)
        assert event.kind == "snapshot"
        assert set(json.loads(event.body)) == {"names", "rates", "boards", "tally", "cases", "fires"}


async def test_a_change_reaches_every_browser_for_one_read_of_the_database() -> None:
    async with Harness().running() as harness, contextlib.AsyncExitStack() as held:
        followers = [await held.enter_async_context(harness.hub.follow(CENTRE, None)) for _ in range(3)]
        for events in followers:
            await next_event(events, changed)
        before = harness.read.reads["picture"]
        harness.read.all_units[0] = unit("U1", connection="offline")
        harness.changes.wake()
        for events in followers:
            body = json.loads((await next_event(events, changed)).body)
            assert body["rates"]["S1"]["numerator"] == 1
            assert "names" not in body, "what did not change is not sent again"
        assert harness.read.reads["picture"] == before + 1


async def test_many_wakes_at_once_are_one_read() -> None:
    harness = Harness(LiveBounds(beat_s=5, spacing_s=0.2, refresh_s=60))
    async with harness.running(), harness.hub.follow(CENTRE, None) as events:
        await next_event(events, changed)
        before = harness.read.reads["picture"]
        for _ in range(200):
            harness.changes.wake()
        harness.read.all_units.append(unit("U3"))
        await next_event(events, changed)
        assert harness.read.reads["picture"] - before <= 2


@pytest.mark.thorough
async def test_a_fire_waits_for_no_slow_picture_and_an_older_picture_does_not_take_it_away() -> None:
    slow = SlowPictures()
    async with Harness(read=slow).running() as harness, harness.hub.follow(CENTRE, None) as events:
        await next_event(events, changed)
        slow.door.clear()
        slow.reading.clear()
        slow.all_units.append(unit("U3"))
        harness.changes.wake()
        await slow.reading.wait()
        harness.read.all_cases.append(case("F1", kind="fire"))
        harness.changes.wake()
        event = await next_event(events, changed)
        assert [fire["case_id"] for fire in json.loads(event.body)["fires"]] == ["F1"]
        slow.door.set()
        event = await next_event(events, changed)
        assert "fires" not in json.loads(event.body), "the picture was read before the fire"
        harness.read.all_cases.clear()
        harness.changes.wake()
        event = await next_event(events, lambda event: changed(event) and "fires" in json.loads(event.body))
        assert json.loads(event.body)["fires"] == []


async def test_who_comes_to_a_picture_that_others_follow_waits_for_no_read() -> None:
    bounds = LiveBounds(beat_s=5, spacing_s=0.0, refresh_s=60)
    async with Harness(bounds).running() as harness, harness.hub.follow(CENTRE, None) as events:
        await next_event(events, changed)
        harness.read.gate = asyncio.Event()  # which never opens
        async with harness.hub.follow(CENTRE, None) as others:
            assert (await next_event(others, changed)).kind == "snapshot"


async def test_a_page_that_was_sent_finds_the_picture_read_and_up_to_date() -> None:
    slow = SlowPictures()
    bounds = LiveBounds(beat_s=5, spacing_s=0.0, refresh_s=60, await_s=600)
    async with Harness(bounds, slow).running() as harness:
        harness.hub.expect(CENTRE.slice)
        await slow.reading.wait()
        slow.all_units.append(unit("U3"))
        slow.reading.clear()
        harness.changes.wake()  # nobody follows yet, and yet it is read
        await slow.reading.wait()
        harness.read.gate = asyncio.Event()  # which never opens
        async with harness.hub.follow(CENTRE, None) as events:
            body = json.loads((await next_event(events, changed)).body)
            assert body["tally"]["total"] == 2


async def test_a_page_that_never_came_is_read_for_no_longer() -> None:
    slow = SlowPictures()
    async with Harness(LiveBounds(beat_s=5, spacing_s=0.0, refresh_s=60, await_s=0.0), slow).running() as harness:
        harness.hub.expect(CENTRE.slice)
        await slow.reading.wait()
        slow.all_units.append(unit("U3"))
        slow.reading.clear()
        harness.changes.wake()
        async with harness.hub.follow(HEALTH, None) as events:  # of another slice: that wake has been dealt with
            await next_event(events, changed)
        async with harness.hub.follow(CENTRE, None) as events:
            body = json.loads((await next_event(events, changed)).body)
            assert body["tally"]["total"] == 2, "what nobody kept up to date is read anew"


async def test_a_department_gets_its_slice_only() -> None:
    async with Harness().running() as harness, harness.hub.follow(HEALTH, None) as events:
        body = json.loads((await next_event(events, changed)).body)
        assert body["tally"]["total"] == 1
        assert body["rates"]["S1"]["denominator"] == 1


async def test_a_slow_browser_finds_the_latest_state_not_a_queue() -> None:
    async with Harness().running() as harness, harness.hub.follow(CENTRE, None) as slow:
        first = await next_event(slow, changed)
        async with harness.hub.follow(CENTRE, None) as fast:
            await next_event(fast, changed)
            for count in range(3, 8):
                harness.read.all_units.append(unit(f"U{count}"))
                harness.changes.wake()
                await next_event(fast, changed)
        event = await next_event(slow, lambda event: changed(event) and event.id != first.id)
        assert json.loads(event.body)["tally"]["total"] == 7


async def test_a_returning_browser_gets_only_what_it_missed() -> None:
    async with Harness().running() as harness:
        async with harness.hub.follow(CENTRE, None) as events:
            seen = await next_event(events, changed)
        async with harness.hub.follow(CENTRE, seen.id) as events:
            assert (await next_event(events, lambda _: True)).kind == "beat"
            harness.read.all_units.append(unit("U9"))
            harness.changes.wake()
            event = await next_event(events, changed)
            assert event.kind == "update"
            assert "names" not in json.loads(event.body)


@pytest.mark.parametrize(
    "last_id", ["", "other-1", "token0001xyz-999999", "token0001xyz--1", "token0001xyz-9e9", "x" * 90]
)
async def test_an_id_that_is_not_ours_gets_a_snapshot(last_id: str) -> None:
    async with Harness().running() as harness, harness.hub.follow(CENTRE, last_id) as events:
        assert (await next_event(events, lambda _: True)).kind == "snapshot"


async def test_streams_are_bounded_per_account_and_places_come_back() -> None:
    async with Harness().running() as harness:
        async with contextlib.AsyncExitStack() as held:
            for _ in range(3):
                await held.enter_async_context(harness.hub.follow(CENTRE, None))
            with pytest.raises(TooBusy):
                await held.enter_async_context(harness.hub.follow(CENTRE, None))
            async with harness.hub.follow(HEALTH, None):
                assert harness.hub.streams == 4
        assert harness.hub.streams == 0


async def test_the_beat_says_blind_though_nothing_was_announced_and_the_picture_is_read_anew() -> None:
    async with Harness().running() as harness, harness.hub.follow(CENTRE, None) as events:
        await next_event(events, changed)
        harness.read.visibilities = [PartitionVisibility(0, T0, VisibilityState.BLIND)]
        harness.read.all_units[0] = unit("U1", connection="unknown")
        blind = await next_event(events, lambda event: '"state":"blind"' in event.body)
        assert blind.id is None
        await next_event(events, lambda event: changed(event) and '"unknown":1' in event.body)


async def test_a_database_that_is_away_is_said_within_a_beat_and_the_last_state_stays() -> None:
    async with Harness().running() as harness, harness.hub.follow(CENTRE, None) as events:
        await next_event(events, lambda event: '"state":"live"' in event.body)
        harness.read.away = True
        harness.changes.wake()
        event = await next_event(events, lambda event: '"state":"unreachable"' in event.body)
        assert json.loads(event.body)["as_of"] == "2026-11-22T08:00:00Z"
        harness.read.away = False
        await next_event(events, lambda event: '"state":"live"' in event.body)


async def test_without_any_answer_a_section_is_an_error_not_an_old_figure() -> None:
    async with Harness().running() as harness:
        harness.read.away = True
        with pytest.raises(DataUnavailable):
            await harness.hub.section(WHOLE, "rates")


async def test_streams_end_when_the_service_stops() -> None:
    harness = Harness()
    task = asyncio.create_task(harness.hub.run(harness.stop))
    async with harness.hub.follow(CENTRE, None) as events:
        await next_event(events, changed)
        harness.stop.set()
        async with asyncio.timeout(60):
            async for _ in events:
                pass
    await task
