"""Clocks that jump and drift, ours and the devices': order and proof go on, nothing is refused for a strange time."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from services.ingest.adapters.stamps import SLOWED, Stamps
from services.ingest.domain.gb26875 import PROFILES, STANDARD, Adu, Command, Frame, TimeLabel, bodies, encode_frame
from services.ingest.domain.watermark import InstanceWatermark, Predecessor
from tests.fakes.clock import ManualClock
from tests.unit.ingest.build import NOON, UP
from tests.unit.ingest.test_worker import FRAMES, GOOD, Bench, events

HOUR = timedelta(hours=1)


async def heard(bench: Bench, payload: bytes, topic: str = UP) -> None:
    bench.source.publish(topic, payload)
    await bench.until(lambda: bench.source.inbox.counts().in_flight == 0)


@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["ahead", "back"])
async def test_our_clock_may_jump_and_signals_keep_their_order(step: timedelta) -> None:
    bench = Bench()
    for number in range(30):
        if number == 10:
            bench.clock.at += step
        await heard(bench, GOOD % number)
        bench.source.probe()
        await bench.until(lambda: bench.watermark.proven_until() == bench.clock.now() or step < timedelta(0))
        bench.clock.forward(60)
    await bench.end()
    instants = [event.time for event in events(bench)]
    assert instants == sorted(instants)
    steps = {later - earlier for earlier, later in pairwise(instants)}
    assert min(steps) >= timedelta(seconds=60) * SLOWED, "time goes on, a little slower after it was set back"
    assert bench.watermark.proven_until() is not None
    assert bench.metric("sequence_missing_total") == 0


def test_a_deadline_takes_a_ninth_longer_after_our_clock_was_set_back_and_no_more() -> None:
    clock = ManualClock(NOON)
    stamps = Stamps(clock)
    before = stamps.next()
    clock.at -= HOUR
    assert stamps.ahead_s == pytest.approx(3600)
    for _ in range(268):
        clock.forward(1)
        stamps.next()
    assert stamps.next() - before > timedelta(seconds=240)
    clock.forward(9 * 3600)
    stamps.next()
    clock.forward(3600)
    assert stamps.next() == clock.now()
    assert stamps.ahead_s == 0


def test_a_new_process_goes_on_where_the_last_one_was_though_the_clock_was_set_back_between() -> None:
    clock = ManualClock(NOON)
    last = Predecessor(epoch=5000, stamped_at=NOON + HOUR)
    stamps, watermark = Stamps(clock), InstanceWatermark(("main",), epoch=4000, since=NOON)
    stamps.go_on_from(last.stamped_at)
    since = stamps.next()
    watermark.follow_on(last, since)
    clock.forward(10)
    watermark.settled("main", NOON)
    assert watermark.proven_until() is None, "a probe of before"
    watermark.settled("main", stamps.next())
    tick = watermark.tick(stamps.next())
    assert tick is not None
    assert (tick.epoch, tick.proven_until) == (5001, NOON + HOUR + timedelta(seconds=9))


async def test_our_slow_drift_changes_nothing() -> None:
    bench = Bench()
    for number in range(50):
        bench.clock.forward(60)
        bench.clock.at += timedelta(milliseconds=(-1) ** number * 40)
        await heard(bench, GOOD % number)
    await bench.end()
    assert [event.time for event in events(bench)] == sorted(event.time for event in events(bench))


def status(at: datetime, profile_name: str = "standard") -> bytes:
    profile = PROFILES[profile_name]
    label = TimeLabel.of(at, profile)
    body = Adu(21, (bodies.DeviceStatus(0x05, label),))
    return encode_frame(Frame(1, 1, 0, label, bytes(6), bytes(6), Command.SEND, body), profile)


@pytest.mark.parametrize(
    ("ahead", "flag"),
    [(HOUR, "clock_ahead"), (-HOUR, "clock_behind"), (timedelta(days=-1), "clock_behind"), (timedelta(0), None)],
    ids=["hour-ahead", "hour-behind", "day-late", "right"],
)
async def test_a_devices_clock_is_told_and_flagged(ahead: timedelta, flag: str | None) -> None:
    bench = Bench()
    at = NOON + ahead
    await heard(bench, status(at.replace(tzinfo=None) + STANDARD.utc_offset), FRAMES)
    await bench.end()
    event = events(bench)[0]
    assert (event.time, event.data.occurred_at) == (NOON, at)
    assert {str(one) for one in event.data.flags} & {"clock_ahead", "clock_behind"} == ({flag} if flag else set())


@pytest.mark.parametrize(
    ("shown", "meant"),
    [
        (datetime(2028, 2, 29, 7, 59, 59), datetime(2028, 2, 28, 23, 59, 59, tzinfo=UTC)),  # noqa: DTZ001
        (datetime(2028, 3, 1, 0, 0, 0), datetime(2028, 2, 29, 16, 0, tzinfo=UTC)),  # noqa: DTZ001
        (datetime(2027, 1, 1, 0, 0, 0), datetime(2026, 12, 31, 16, 0, tzinfo=UTC)),  # noqa: DTZ001
        (datetime(2026, 3, 29, 2, 30, 0), datetime(2026, 3, 28, 18, 30, tzinfo=UTC)),  # noqa: DTZ001
        (datetime(2026, 10, 25, 2, 30, 0), datetime(2026, 10, 24, 18, 30, tzinfo=UTC)),  # noqa: DTZ001
    ],
    ids=["leap-day", "day-after", "new-year", "spring", "autumn"],
)
async def test_labels_are_beijing_time_all_year_without_summer_time(shown: datetime, meant: datetime) -> None:
    bench = Bench()
    await heard(bench, status(shown), FRAMES)
    await bench.end()
    event = events(bench)[0]
    assert event.data.occurred_at == meant


async def test_a_leap_day_that_is_none_costs_no_message() -> None:
    """The 29 February 2027: the label is no date, the frame is told with the time of its arrival."""
    good = status(datetime(2027, 2, 28, 8, 0, 0))  # noqa: DTZ001
    raw = bytearray(good)
    for place in (9, 33):  # the day of the frame's label, and of the object's
        assert raw[place] == 28
        raw[place] = 29
    raw[-3] = (raw[-3] + 2) % 256
    bench = Bench()
    await heard(bench, bytes(raw), FRAMES)
    await bench.end()
    event = events(bench)[0]
    assert event.data.occurred_at is None
    assert "no_device_time" in {str(flag) for flag in event.data.flags}
