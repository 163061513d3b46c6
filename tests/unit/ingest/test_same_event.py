"""The same words twice, a thousand times, a day later, from two gateways, in any order: all stored, none confused."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from services.ingest.domain.gb26875 import STANDARD, Adu, Command, Frame, TimeLabel, bodies, encode_frame
from services.kernel.words import SignalKind
from tests.unit.ingest.build import NOON, balanced
from tests.unit.ingest.test_worker import Bench, events

DAY = timedelta(days=1)


def json_fire(seq: int) -> bytes:
    return b'{"v":1,"kind":"fire","seq":%d,"occurred_at":"%b"}' % (seq, NOON.isoformat().encode())


def frame_fire(serial: int) -> bytes:
    label = TimeLabel.of_instant(NOON, STANDARD)
    fire = Adu(21, (bodies.DeviceStatus(0x03, label),))
    return encode_frame(Frame(serial, 1, 0, label, bytes(6), bytes(6), Command.SEND, fire), STANDARD)


FORMS = pytest.mark.parametrize(
    ("branch", "fire"), [("alarm/json", json_fire), ("alarm/gb26875", frame_fire)], ids=["json", "gb26875"]
)
Fire = Callable[[int], bytes]


def fires(bench: Bench) -> list[tuple[str, str]]:
    """Return gateway and id of every fire that was stored, a repetition of the same record left out."""
    found = [(event.data.gateway_id, event.id) for event in events(bench) if event.data.kind is SignalKind.FIRE]
    return sorted(set(found))


def words(bench: Bench) -> set[str | None]:
    """Return the content keys of all fires: of the same gateway the same for the same words."""
    return {event.data.content for event in events(bench) if event.data.kind is SignalKind.FIRE}


async def drained(bench: Bench) -> None:
    await bench.until(lambda: bench.source.inbox.counts().in_flight == 0)


@pytest.mark.thorough
@FORMS
async def test_a_thousand_copies_are_stored_and_acknowledged_each_as_what_it_is(branch: str, fire: Fire) -> None:
    bench = Bench()
    for _ in range(1000):
        bench.source.publish(f"firenet/v1/G000001/{branch}", fire(5))
    await drained(bench)
    await bench.end()
    counts = bench.source.inbox.counts()
    assert (counts.received, counts.stored, counts.repeated, balanced(counts)) == (1000, 1000, 0, True)
    assert len(fires(bench)) == len(bench.store.alarms) == 1000
    assert len({event.data.content for event in events(bench) if event.data.kind is SignalKind.FIRE}) == 1
    assert len(bench.source.acknowledged) == 1000


@FORMS
async def test_a_copy_a_day_later_is_another_fire(branch: str, fire: Fire) -> None:
    bench = Bench()
    for _ in range(2):
        bench.source.publish(f"firenet/v1/G000001/{branch}", fire(5))
        await drained(bench)
        bench.clock.forward(DAY.total_seconds())
    await bench.end()
    assert len(fires(bench)) == 2
    late = [event for event in events(bench) if event.data.kind is SignalKind.FIRE][-1]
    assert {str(flag) for flag in late.data.flags} >= {"clock_behind"}


@FORMS
async def test_the_brokers_mark_of_a_second_delivery_makes_no_second_event(branch: str, fire: Fire) -> None:
    bench = Bench()
    bench.store.set_down(True)
    bench.source.publish(f"firenet/v1/G000001/{branch}", fire(5))
    bench.source.reconnect()  # it comes again, marked
    bench.store.set_down(False)
    await drained(bench)
    await bench.end()
    assert len(fires(bench)) == 1
    assert balanced(bench.source.inbox.counts())


@FORMS
async def test_the_same_words_of_two_gateways_are_two_events(branch: str, fire: Fire) -> None:
    bench = Bench()
    bench.speak_for("G000009", "U000009")
    for gateway in ("G000001", "G000009"):
        for _ in range(3):
            bench.source.publish(f"firenet/v1/{gateway}/{branch}", fire(5))
    await drained(bench)
    await bench.end()
    assert [gateway for gateway, _ in fires(bench)] == ["G000001"] * 3 + ["G000009"] * 3
    assert len(words(bench)) == 2


@FORMS
async def test_in_any_order_the_same_is_said_and_nothing_lost(branch: str, fire: Fire) -> None:
    stored = []
    for order in ([1, 2, 3, 4, 5, 6], [2, 1, 4, 3, 6, 5], [3, 2, 1, 3, 6, 4, 5, 6]):
        bench = Bench()
        for number in order:
            bench.source.publish(f"firenet/v1/G000001/{branch}", fire(number))
        await drained(bench)
        await bench.end()
        stored.append(words(bench))
        assert bench.metric("sequence_missing_total") == 0
    assert len(stored[0]) == 6
    assert stored[0] == stored[1] == stored[2]
