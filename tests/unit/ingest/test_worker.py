"""The loops: order, back-pressure, poison, accounting, ticks."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from schemas import codec
from schemas.signal import Signal as WireSignal
from services.ingest.domain.decide import Decode, refuse_unexpected
from services.ingest.domain.directory import Sender, Version
from services.ingest.domain.gaps import GapWatch
from services.ingest.domain.gb26875 import (
    STANDARD,
    Adu,
    Command,
    Frame,
    TimeLabel,
    bodies,
    decode_frame,
    encode_frame,
)
from services.ingest.domain.values import Accepted, DecodedPayload, Message, Outcome
from services.ingest.domain.watermark import InstanceWatermark
from services.ingest.metrics import MessageCountsCollector, Metrics
from services.ingest.worker.classifier import Classifier
from services.ingest.worker.lane import LaneWorker
from services.ingest.worker.ticker import Ticker
from services.kernel.ids import DELIVERY_DIGITS
from services.kernel.words import Flag, RefusalReason
from services.runtime.lifecycle import Stop
from tests.fakes.clock import ManualClock
from tests.fakes.ingest import MemorySource, MemoryStore
from tests.unit.ingest.build import DECODERS, NOON, UP, balanced, directory

FRAMES = "firenet/v1/G000001/up/gb26875"
FIRST, SECOND = b'{"v":1,"kind":"fire","seq":1,"text":"1"}', b'{"v":1,"kind":"fire","seq":2,"text":"2"}'
GOOD = b'{"v":1,"kind":"heartbeat","seq":%d}'


class Bench:
    """One lane around memory parts."""

    def __init__(self, decoders: dict[str, Decode] | None = None, window: int = 100) -> None:
        self.clock = ManualClock(NOON)
        self.source = MemorySource(self.clock, window)
        self.store = MemoryStore()
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.registry.register(MessageCountsCollector({"main": self.source.inbox.counts}))
        self.watermark = InstanceWatermark(("main",), epoch=1, since=NOON)
        self.stop = Stop()
        self.redelivered_before: datetime | None = None
        self._directory = directory()
        self.worker = LaneWorker(
            "main",
            self.source,
            self.store,
            Classifier(self._directory, decoders or DECODERS),
            self.watermark,
            GapWatch(),
            self.metrics,
            self.clock,
            batch_messages=7,
            batch_every_s=0,
            redelivered_before=lambda: self.redelivered_before,
        )
        self.task = asyncio.create_task(self.worker.run(self.stop))

    async def beat(self, seq: int, body: bytes = GOOD) -> None:
        """A message and a probe behind it, a second later than those before."""
        self.clock.forward(1)
        self.source.publish(UP, body % seq)
        self.source.probe()
        await self.until(lambda: self.watermark.proven_until() == self.clock.now())

    def speak_for(self, gateway_id: str, unit_id: str) -> None:
        self._directory.put(gateway_id, [Version(date(2026, 1, 1), unit_id, None)])

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110 - any condition, not one event
                await asyncio.sleep(0)

    async def end(self) -> None:
        self.stop.set()
        async with asyncio.timeout(60):
            await self.task

    def metric(self, name: str) -> float:
        text = generate_latest(self.registry).decode()
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == f"firenet_ingest_{name}"
        )


def all_settled(bench: Bench) -> Callable[[], bool]:
    return lambda: bench.source.inbox.counts().in_flight == 0


async def test_messages_are_stored_and_acknowledged_in_the_order_of_arrival() -> None:
    bench = Bench()
    for seq in range(50):
        bench.source.publish(UP, GOOD % seq)
    await bench.until(all_settled(bench))
    await bench.end()
    assert bench.source.acknowledged == list(range(1, 51))
    assert [f'"seq":{seq}'.encode() in value for seq, value in enumerate(bench.store.signals)] == [True] * 50


async def test_a_bad_message_is_refused_and_the_good_one_behind_it_is_stored() -> None:
    bench = Bench()
    for payload in (b"", b"{", GOOD % 1):
        bench.source.publish(UP, payload)
    await bench.until(all_settled(bench))
    await bench.end()
    counts = bench.source.inbox.counts()
    assert (counts.stored, counts.refused[RefusalReason.EMPTY], counts.refused[RefusalReason.NOT_JSON]) == (1, 1, 1)
    assert (len(bench.store.signals), len(bench.store.refusals)) == (1, 2)
    assert bench.source.acknowledged == [1, 2, 3]


async def test_a_message_that_meets_our_bug_is_refused_and_stops_nobody() -> None:
    def broken(payload: bytes, sender: Sender, received_at: datetime) -> DecodedPayload:
        if b"poison" in payload:
            raise ZeroDivisionError
        return DECODERS["json"](payload, sender, received_at)

    bench = Bench({"json": broken})
    for payload in (b"poison", GOOD % 1):
        bench.source.publish(UP, payload)
    await bench.until(all_settled(bench))
    await bench.end()
    assert bench.source.inbox.counts().refused[RefusalReason.UNEXPECTED] == 1
    assert len(bench.store.signals) == 1


async def test_a_message_that_cannot_be_written_is_refused_and_counted_as_such() -> None:
    nonsense = DecodedPayload((Message("nonsense"), Message(None, seq="x", point=5)))  # type: ignore[arg-type] # on purpose
    bench = Bench({"json": lambda *_: nonsense})
    bench.source.publish(UP, b"x")
    await bench.until(all_settled(bench))
    await bench.end()
    counts = bench.source.inbox.counts()
    assert (counts.stored, counts.refused[RefusalReason.UNEXPECTED], balanced(counts)) == (0, 1, True)


async def test_nothing_is_acknowledged_or_taken_without_bound_while_kafka_is_away() -> None:
    bench = Bench(window=20)
    bench.store.set_down(True)
    for seq in range(500):
        bench.source.publish(UP, GOOD % seq)
    await asyncio.sleep(0.05)
    counts = bench.source.inbox.counts()
    assert bench.source.acknowledged == []
    assert (counts.received, counts.in_flight, balanced(counts)) == (20, 20, True)
    bench.store.set_down(False)
    await bench.until(lambda: len(bench.store.signals) == 500)
    await bench.until(all_settled(bench))
    await bench.end()
    assert len(bench.source.acknowledged) == 500


async def test_a_window_smaller_than_a_batch_does_not_hang() -> None:
    bench = Bench(window=1)
    for seq in range(30):
        bench.source.publish(UP, GOOD % seq)
    await bench.until(lambda: len(bench.source.acknowledged) == 30)
    await bench.end()


async def test_a_reconnect_hands_back_what_was_not_taken_and_the_counters_still_balance() -> None:
    bench = Bench()
    bench.store.set_down(True)
    for seq in range(30):
        bench.source.publish(UP, GOOD % seq)
    await bench.until(lambda: bench.source.inbox.counts().received == 30)
    for _ in range(100):  # the first batch is on its way to a Kafka that does not answer
        await asyncio.sleep(0)
    bench.source.reconnect()
    counts = bench.source.inbox.counts()
    assert (counts.handed_back, balanced(counts)) == (23, True)
    bench.store.set_down(False)
    await bench.until(all_settled(bench))
    await bench.end()
    counts = bench.source.inbox.counts()
    assert (counts.received, counts.stored, balanced(counts)) == (60, 37, True)
    assert bench.source.acknowledged == list(range(1, 31))
    deliveries = {json.loads(value)["id"][:20] for value in bench.store.signals}
    assert len(deliveries) == 30  # doubled on the wire, each of one delivery


async def test_a_lost_session_keeps_what_was_received_because_nobody_sends_it_again() -> None:
    bench = Bench()
    bench.store.set_down(True)
    for seq in range(30):
        bench.source.publish(UP, GOOD % seq)
    bench.source.reconnect(session_kept=False)
    bench.store.set_down(False)
    await bench.until(all_settled(bench))
    await bench.end()
    assert len(bench.store.signals) == 30


async def test_stop_drains_what_was_received() -> None:
    bench = Bench()
    for seq in range(40):
        bench.source.publish(UP, GOOD % seq)
    await bench.end()
    assert len(bench.store.signals) == 40
    assert len(bench.source.acknowledged) == 40


async def test_fire_goes_to_the_fast_lane_with_the_same_bytes() -> None:
    bench = Bench()
    bench.source.publish(UP, b'{"v":1,"kind":"fire","seq":1}')
    bench.source.publish(UP, b'{"v":1,"kind":"restore","restores":"all","seq":2}')
    bench.source.publish(UP, GOOD % 3)
    await bench.until(all_settled(bench))
    await bench.end()
    assert bench.store.alarms == bench.store.signals[:2]


async def test_scraped_counters_add_up() -> None:
    bench = Bench()
    for payload in (GOOD % 1, GOOD % 2, b"x", GOOD % 12):
        bench.source.publish(UP, payload)
    await bench.until(all_settled(bench))
    await bench.end()
    assert bench.metric("received_total") == 4
    assert bench.metric("stored_total") == 3
    assert bench.metric("refused_total") == 1
    assert bench.metric("in_flight") == 0
    assert bench.metric("signals_total") == 3
    assert bench.metric("sequence_total") == 3


FIRE = encode_frame(
    Frame(
        7,
        1,
        0,
        TimeLabel.of_instant(NOON, STANDARD),
        bytes(6),
        bytes(6),
        Command.SEND,
        Adu(21, (bodies.DeviceStatus(0x03, TimeLabel.of_instant(NOON, STANDARD)),)),
    )
)


def events(bench: Bench) -> list[WireSignal]:
    return [event for raw in bench.store.signals if isinstance(event := codec.signals.decode(raw), WireSignal)]


async def test_a_device_that_sends_a_fire_again_is_confirmed_each_time_and_each_is_passed_on() -> None:
    bench = Bench()
    for _ in range(3):
        bench.source.publish(FRAMES, FIRE)
        await bench.until(all_settled(bench))
    bench.source.publish(FRAMES, FIRE)
    bench.source.publish(FRAMES, FIRE)
    await bench.until(all_settled(bench))
    await bench.end()
    counts = bench.source.inbox.counts()
    assert (counts.received, counts.stored, counts.repeated, balanced(counts)) == (5, 5, 0, True)
    fires = [event for event in events(bench) if event.data.kind == "fire"]
    assert (len(fires), len({fire.id for fire in fires}), len({fire.data.content for fire in fires})) == (5, 5, 1)
    assert [decode_frame(reply).command for _, reply in bench.source.answered] == [Command.CONFIRM] * 5
    assert (len(bench.store.alarms), bench.metric("sequence_missing_total")) == (5, 0)


async def test_what_the_broker_delivers_again_after_it_was_stored_has_no_second_effect() -> None:
    bench = Bench()
    bench.source.publish(UP, b'{"v":1,"kind":"fault"}')
    await bench.until(all_settled(bench))
    bench.source.deliver_again(UP, b'{"v":1,"kind":"fault"}')
    bench.source.publish(UP, b'{"v":1,"kind":"fault"}')
    await bench.until(all_settled(bench))
    await bench.end()
    assert [event.data.kind for event in events(bench)] == ["fault", "heartbeat", "fault"]
    assert events(bench)[1].data.flags == ("redelivered", "repeated")


async def test_what_another_process_may_have_read_by_now_is_stored_all_the_same_and_marked() -> None:
    """A process that stood still: meanwhile one that took its name over stored the first, and said that it had."""
    took_over = Bench()
    took_over.source.publish(UP, FIRST)
    await took_over.until(all_settled(took_over))
    await took_over.end()
    woken = Bench()
    woken.source.publish(UP, FIRST)
    woken.clock.forward(9)
    woken.redelivered_before = NOON + timedelta(seconds=4)
    woken.source.publish(UP, SECOND)
    woken.source.probe()
    await woken.until(all_settled(woken))
    await woken.end()
    first, second = events(woken)
    assert [Flag.REDELIVERED in event.data.flags for event in (first, second)] == [True, False]
    (known,) = events(took_over)
    assert first.id[:DELIVERY_DIGITS] == known.id[:DELIVERY_DIGITS]
    assert woken.metric("marked_redelivered_total") == 1


async def test_nothing_is_confirmed_that_could_not_be_written() -> None:
    bench = Bench()
    write = bench.store.write
    bench.store.write = lambda outcome: write(  # type: ignore[method-assign] # a bug of ours, for the first frame
        outcome
        if isinstance(outcome, Accepted) and outcome.repeated
        else refuse_unexpected(outcome.arrival, KeyError())
    )
    bench.source.publish(FRAMES, FIRE)
    bench.source.deliver_again(FRAMES, FIRE)
    await bench.until(all_settled(bench))
    assert bench.source.answered == []
    bench.store.write = write  # type: ignore[method-assign]
    bench.source.publish(FRAMES, FIRE)
    await bench.until(all_settled(bench))
    await bench.end()
    assert [str(event.data.kind) for event in events(bench)].count("fire") == 1
    assert len(bench.source.answered) == 1


async def test_a_loss_is_a_signal_of_its_own_in_the_log() -> None:
    bench = Bench()
    for seq in (*range(300), *range(303, 500)):
        await bench.beat(seq)
    await bench.end()
    (gap,) = [event for event in events(bench) if event.data.kind == "gap"]
    assert (gap.data.missing, gap.data.gateway_id, gap.data.seq) == (3, "G000001", 303 + 121)
    assert bench.metric("sequence_missing_total") == 3


async def test_a_stored_message_that_is_sent_again_is_not_told_as_a_loss() -> None:
    bench = Bench()
    for seq in (*range(1, 301), 146, *range(301, 500)):
        await bench.beat(seq)
    await bench.end()
    assert bench.metric("sequence_missing_total") == 0


async def test_a_loss_that_was_none_is_taken_back_on_the_log() -> None:
    bench = Bench()
    for seq in (*range(300), *range(301, 500), 300):
        await bench.beat(seq)
    await bench.end()
    reported, back = [event for event in events(bench) if event.data.kind == "gap"]
    assert (reported.data.missing, back.data.missing, back.data.first_received_at) == (1, -1, reported.time)
    assert [bench.metric(f"sequence_{word}_total") for word in ("missing", "found")] == [1, 1]


async def test_a_number_that_was_refused_is_not_missing() -> None:
    bench = Bench()
    for seq in range(500):
        await bench.beat(seq, GOOD.replace(b"heartbeat", b"odd") if seq == 300 else GOOD)
    await bench.end()
    assert len(bench.store.refusals) == 1
    assert bench.metric("sequence_missing_total") == 0


async def test_payloads_that_say_very_much_are_stored_in_small_batches_and_settled_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.ingest.worker.lane.MAX_SIGNALS", 10)
    bench = Bench()
    batches: list[int] = []
    put = bench.store.put

    async def counted(outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        batches.append(sum(len(each.signals) for each in outcomes if isinstance(each, Accepted)))
        return await put(outcomes)

    bench.store.put = counted  # type: ignore[method-assign]
    bench.store.set_down(True)
    label = TimeLabel.of_instant(NOON, STANDARD)
    for serial in range(20):
        status = Adu(1, (bodies.SystemStatus(1, 0, 0x0001, label),))  # four signals
        bench.source.publish(FRAMES, encode_frame(Frame(serial, 1, 0, label, bytes(6), bytes(6), 2, status)))
    bench.store.set_down(False)
    await bench.until(all_settled(bench))
    await bench.end()
    assert (sum(batches), max(batches)) == (80, 12)
    assert bench.source.acknowledged == list(range(1, 21))


async def test_a_tick_goes_out_when_the_probes_are_back_and_none_without_them() -> None:
    bench = Bench()
    ticker = Ticker(
        [bench.source],
        bench.watermark,
        bench.store,
        bench.metrics,
        bench.clock,
        bench.clock.now,
        every_s=0,
        look_every_s=0.001,
    )
    stop = Stop()
    ticking = asyncio.create_task(ticker.run(stop))
    await bench.until(lambda: len(bench.store.ticks) == 1)
    bench.clock.forward(1)
    await bench.until(lambda: len(bench.store.ticks) == 2)
    bench.source.probes = False
    bench.clock.forward(1)
    await asyncio.sleep(0.05)
    assert [tick.proven_until for tick in bench.store.ticks] == [NOON, NOON + timedelta(seconds=1)]
    bench.store.set_down(True)
    bench.source.probes = True
    await asyncio.sleep(0.05)
    assert len(bench.store.ticks) == 2
    stop.set()
    await ticking
    bench.store.set_down(False)
    await bench.end()
    await ticker.leave()
    assert bench.store.ticks[-1].leaving


async def test_no_tick_passes_a_message_that_is_not_stored() -> None:
    bench = Bench()
    bench.store.set_down(True)
    bench.source.publish(UP, GOOD % 1)
    bench.clock.forward(1)
    bench.source.probe()
    await asyncio.sleep(0.02)
    assert bench.watermark.proven_until() is None
    bench.store.set_down(False)
    await bench.until(lambda: bench.watermark.proven_until() == bench.clock.now())
    await bench.end()
