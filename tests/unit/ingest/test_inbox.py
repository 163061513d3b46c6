"""Stamps never go back, and an inbox holds no more than it may."""

from datetime import timedelta

from services.ingest.adapters.frames import Delivery
from services.ingest.adapters.inbox import Inbox
from services.ingest.adapters.stamps import Stamps
from tests.fakes.clock import ManualClock
from tests.unit.ingest.build import NOON


def delivery(payload: bytes = b"x") -> Delivery:
    return Delivery("t", 1, payload, duplicate=False, retained=False)


def test_stamps_follow_the_clock_and_go_on_a_tenth_slower_after_it_was_set_back() -> None:
    clock = ManualClock(NOON)
    stamps = Stamps(clock)
    clock.forward(10)
    assert stamps.next() == NOON + timedelta(seconds=10)
    clock.at -= timedelta(seconds=60)
    assert stamps.next() == NOON + timedelta(seconds=10)
    clock.forward(20)
    assert stamps.next() == NOON + timedelta(seconds=28)
    assert stamps.ahead_s == 58
    clock.forward(200)
    assert stamps.next() == clock.at
    assert stamps.ahead_s == 0


async def test_an_inbox_says_when_it_is_full_by_count_or_by_bytes() -> None:
    clock = ManualClock(NOON)
    by_count = Inbox(Stamps(clock), clock, hold_messages=2, hold_bytes=1000)
    by_count.put(1, [delivery(), delivery()])
    by_bytes = Inbox(Stamps(clock), clock, hold_messages=100, hold_bytes=1000)
    by_bytes.put(1, [delivery(b"x" * 1000)])
    assert (by_count.full, by_bytes.full) == (True, True)
    by_bytes.settle(await by_bytes.take(10), [])
    by_count.hand_back()
    assert (by_count.full, by_bytes.full) == (False, False)


async def test_messages_read_together_keep_their_order_in_time_and_those_after_are_never_earlier() -> None:
    clock = ManualClock(NOON)
    inbox = Inbox(Stamps(clock), clock, hold_messages=100, hold_bytes=1000)
    inbox.put(1, [delivery(), delivery()])
    clock.at -= timedelta(hours=1)
    inbox.put(1, [delivery()])
    first, second, third = await inbox.take(10)
    assert first.received_at < second.received_at <= third.received_at
    assert len({one.number for one in (first, second, third)}) == 3


async def test_what_is_read_after_the_end_stays_with_the_broker() -> None:
    clock = ManualClock(NOON)
    inbox = Inbox(Stamps(clock), clock, hold_messages=100, hold_bytes=1000)
    inbox.put(1, [delivery()])
    inbox.close()
    inbox.put(1, [delivery()])
    assert len(await inbox.take(10)) == 1
    assert await inbox.take(10) == []
    assert inbox.counts().received == 1


async def test_what_cannot_be_acknowledged_is_released_with_number_0_and_in_order() -> None:
    clock = ManualClock(NOON)
    inbox = Inbox(Stamps(clock), clock, hold_messages=100, hold_bytes=1000)
    inbox.put(1, [delivery()._replace(mid=5), delivery()._replace(mid=0), delivery()._replace(mid=6)])
    assert inbox.settle(await inbox.take(10), []) == [(1, 5), (1, 0), (1, 6)]
