"""The two loops of ingest: deliveries to Kafka and back to acknowledgements, and the ticks that prove it."""

import asyncio
import operator
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from services.ingest.domain.active_fires import ActiveFires
from services.ingest.domain.decide import MAX_PAYLOAD_BYTES, Decode, decide, refuse_unexpected, unusable_alarm_of
from services.ingest.domain.directory import Directory, Sender
from services.ingest.domain.errors import Unusable
from services.ingest.domain.gaps import GapWatch
from services.ingest.domain.number_sequence import SequenceStep
from services.ingest.domain.repeats import Repeats
from services.ingest.domain.topics import split_topic
from services.ingest.domain.unusable_alarms import UnusableAlarmThrottle
from services.ingest.domain.values import Accepted, Arrival, Message, Outcome, Refused, Signal
from services.ingest.domain.watermark import InstanceWatermark
from services.ingest.metrics import Metrics, alarm_labels
from services.ingest.ports import SignalStore, Source, TickStore
from services.runtime.clock import Clock
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger

REFUSALS_LOGGED_PER_S = 5
UNBROKEN = 100
"""Messages decided at a stretch, some 2 ms."""
TICK_EVERY_S = 0.5
"""A deadline can be declared only once a tick has passed it: this is half of the second that it may be late."""
MAX_SIGNALS = 10_000
"""Signals stored together, some 20 MiB: 64 KiB of frames may say a thousand times more than they hold."""


class Classifier:
    """Decides about arrivals, and turns an error of our own into one more refusal instead of a dead service.

    `repeats` and `active_fires` are those of all lanes: a device may send again, or end a fire, over another one.
    """

    def __init__(self, directory: Directory, decoders: Mapping[str, Decode]) -> None:
        self._directory = directory
        self._decoders = decoders
        self.repeats = Repeats()
        self.active_fires = ActiveFires()
        self._ringing = UnusableAlarmThrottle()

    def __call__(self, arrival: Arrival, compare: Callable[[Outcome], Outcome] | None = None) -> Outcome:
        """Return what becomes of `arrival`; `compare` looks at it beside what was heard before."""
        try:
            outcome = decide(arrival, self._directory, self._decoders)
            if compare is not None:
                outcome = compare(outcome)
        except Exception as error:  # noqa: BLE001 - one message that meets our bug must not stop all others
            get_logger().exception("message_met_a_bug", topic=arrival.topic[:200], bytes=len(arrival.payload))
            outcome = refuse_unexpected(arrival, error)
        return (
            outcome if isinstance(outcome, Accepted) and not outcome.undecodable else self._add_unusable_alarm(outcome)
        )

    def _add_unusable_alarm(self, outcome: Outcome) -> Outcome:
        """Return `outcome` with the unusable alarm that people must hear of, if it is one."""
        arrival = outcome.arrival
        unusable_alarm = unusable_alarm_of(outcome, self._directory, self._read_as_anybodys)
        if unusable_alarm is None:
            return outcome
        unusable_alarm = self._ringing.bound(unusable_alarm, arrival.received_at)
        if unusable_alarm.reported and not unusable_alarm.unit_id and not unusable_alarm.messages:
            unusable_alarm = unusable_alarm._replace(messages=tuple(self._read_as_anybodys(arrival)))
        return outcome._replace(unusable_alarm=unusable_alarm)

    def _read_as_anybodys(self, arrival: Arrival) -> Sequence[Message]:
        """Return what a payload seems to say when nobody knows how its sender speaks, nothing when it says nothing."""
        claim = arrival.claim
        found = split_topic(arrival.topic) if claim is None else (claim.gateway_id, claim.route)
        if found is None or not 0 < len(arrival.payload) <= MAX_PAYLOAD_BYTES:
            return ()
        try:
            return self._decoders[found[1].format](arrival.payload, Sender(""), arrival.received_at).messages
        except Unusable:
            return ()
        except Exception:  # noqa: BLE001 - it is reported all the same
            get_logger().exception("message_met_a_bug", topic=arrival.topic[:200], bytes=len(arrival.payload))
            return ()


class LaneWorker:
    """Moves one lane: take, decide, store, settle; one batch at a time, so order needs no other care.

    While Kafka does not answer nothing is taken, settled or lost: the broker's window fills and it waits.
    """

    def __init__(
        self,
        lane: str,
        source: Source,
        store: SignalStore,
        classifier: Classifier,
        watermark: InstanceWatermark,
        gaps: GapWatch | None,
        metrics: Metrics,
        clock: Clock,
        batch_messages: int,
        batch_every_s: float,
        on_stored: Callable[[Sequence[Outcome]], None] | None = None,
        *,
        overtakes: bool = False,
    ) -> None:
        """`batch_every_s`: how long to gather while messages keep coming; 0 sends each at once.

        `overtakes`: messages of this lane come before those that the same gateways sent earlier over others.

        `on_stored` hears what Kafka has, before anything is proven by it; it must not raise.
        """
        self._lane = lane
        self._source = source
        self._store = store
        self._classifier = classifier
        self._watermark = watermark
        self._gaps = gaps
        self._metrics = metrics
        self._clock = clock
        self._batch_messages = batch_messages
        self._batch_every_s = batch_every_s
        self._on_stored = on_stored
        self._overtakes = overtakes
        self._log = RefusalLog(clock)

    async def run(self, stop: Stop) -> None:
        """Work until stop; then until everything that was received is stored and settled."""
        ending = asyncio.create_task(self._end_at(stop))
        try:
            while arrivals := await self._source.take(self._batch_messages):
                started = self._clock.monotonic()
                await self._move(arrivals, started)
                rest = self._batch_every_s - (self._clock.monotonic() - started)
                if rest > 0 and len(arrivals) < self._batch_messages:
                    await asyncio.sleep(rest)
        finally:
            ending.cancel()

    async def _end_at(self, stop: Stop) -> None:
        await stop.wait()
        self._source.stop_receiving()

    async def _move(self, arrivals: Sequence[Arrival], started: float) -> None:
        while arrivals:
            taken, decided = await self._decide(arrivals)
            await self._store_and_settle(arrivals[:taken], decided, started)
            arrivals = arrivals[taken:]

    async def _store_and_settle(self, arrivals: Sequence[Arrival], decided: Sequence[Outcome], started: float) -> None:
        outcomes = decided
        if decided:
            outcomes = await self._store.put(decided)
            self._metrics.batch_seconds.labels(self._lane).observe(self._clock.monotonic() - started)
        self._classifier.repeats.stored(outcomes)
        self._source.settle(arrivals, outcomes)
        if self._on_stored is not None:
            self._on_stored(outcomes)
        self._answer(decided, outcomes)
        for arrival in arrivals:
            if arrival.probe_sent_at is not None:
                self._watermark.settled(self._lane, arrival.probe_sent_at)
        age = self._clock.now() - arrivals[0].received_at
        self._metrics.ack_lag_seconds.labels(self._lane).observe(max(0.0, age.total_seconds()))
        self._count(outcomes)

    async def _decide(self, arrivals: Sequence[Arrival]) -> tuple[int, Sequence[Outcome]]:
        """Return what becomes of the first of `arrivals`, and of how many: few where frames say very much."""
        classifier, once, gaps = self._classifier, self._classifier.repeats.batch().once, self._gaps
        active_fires = classifier.active_fires
        steps: Counter[SequenceStep] = Counter()
        proven = self._watermark.proven_until()
        room = MAX_SIGNALS

        def compare(outcome: Outcome) -> Outcome:
            nonlocal room
            if isinstance(outcome, Refused):
                if gaps is not None:
                    gaps.refused(outcome)
                return outcome
            room -= len(outcome.signals)
            accepted = active_fires.follow(once(outcome))
            return accepted if gaps is None else gaps.follow(accepted, steps, proven, overtakes=self._overtakes)

        outcomes: list[Outcome] = []
        taken = 0
        while taken < len(arrivals) and room > 0:
            if taken and taken % UNBROKEN == 0:
                await asyncio.sleep(0)  # the fire lane works in the same event loop
            arrival = arrivals[taken]
            taken += 1
            if arrival.probe_sent_at is None:
                outcomes.append(classifier(arrival, compare))
        for step, count in steps.items():
            self._metrics.numbers.labels(step).inc(count)
        return taken, outcomes

    def _answer(self, decided: Sequence[Outcome], stored: Sequence[Outcome]) -> None:
        """Answer the devices. Nothing is confirmed that is not stored.

        What repeats a message of the same batch is stored when that is. Where one could not be written nothing is
        confirmed at all: the devices send again, and are confirmed then.
        """
        all_written = all(map(operator.is_, decided, stored))
        for outcome in stored:
            if outcome.replies and (all_written or isinstance(outcome, Refused)):
                self._source.answer(outcome.arrival, outcome.replies)

    def _count(self, outcomes: Sequence[Outcome]) -> None:
        kinds: Counter[str] = Counter()
        flags: Counter[str] = Counter()
        for outcome in outcomes:
            if outcome.unusable_alarm is not None:
                self._metrics.unusable_alarms.labels(*alarm_labels(outcome.unusable_alarm)).inc()
            if isinstance(outcome, Refused):
                self._log.refused(outcome)
                continue
            for signal in outcome.signals:
                kinds[signal.message.kind] += 1
                if signal.flags:
                    flags.update(signal.flags)
                if signal.message.missing:
                    self._count_gap(signal)
            for undecodable in outcome.undecodable:
                self._metrics.undecodable.labels(undecodable.reason).inc()
        for kind, count in kinds.items():
            self._metrics.signals.labels(kind).inc(count)
        for flag, count in flags.items():
            self._metrics.flagged.labels(flag).inc(count)

    def _count_gap(self, signal: Signal) -> None:
        missing = signal.message.missing or 0
        said = {"gateway_id": signal.gateway_id, "seq": signal.message.seq}
        if missing < 0:
            self._metrics.sequence_found.inc(-missing)
            get_logger().warning("sequence_found", found=-missing, **said)
        else:
            self._metrics.sequence_missing.inc(missing)
            get_logger().warning("sequence_gap", missing=missing, **said)


class RefusalLog:
    """Says why messages are refused, a few a second at most; the counters and the topic have them all."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = 0
        self._logged = 0
        self._not_logged = 0

    def refused(self, refused: Refused) -> None:
        second = int(self._clock.monotonic())
        if second != self._second:
            if self._not_logged:
                get_logger().warning("messages_refused_more", count=self._not_logged)
            self._second, self._logged, self._not_logged = second, 0, 0
        if self._logged >= REFUSALS_LOGGED_PER_S:
            self._not_logged += 1
            return
        self._logged += 1
        get_logger().warning(
            "message_refused",
            reason=refused.reason,
            detail=refused.detail,
            gateway_id=refused.gateway_id,
            bytes=len(refused.arrival.payload),
        )


class Ticker:
    """Probes every lane twice a second and tells all partitions what came of it."""

    def __init__(
        self,
        sources: Sequence[Source],
        watermark: InstanceWatermark,
        store: TickStore,
        metrics: Metrics,
        clock: Clock,
        stamp: Callable[[], datetime],
        every_s: float = TICK_EVERY_S,
        look_every_s: float = 0.02,
    ) -> None:
        """`stamp` gives the instants that arrivals get; `look_every_s`: how soon after the probes the tick goes out."""
        self._stamp = stamp
        self._sources = sources
        self._watermark = watermark
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._every_s = every_s
        self._look_every_s = look_every_s

    async def run(self, stop: Stop) -> None:
        """Tick until stop. Without an answer from broker or Kafka there is no tick: nothing was proven."""
        due = self._clock.monotonic()
        while not stop.is_set():
            sent_at = self._stamp()
            for source in self._sources:
                source.probe()
            due = max(due + self._every_s, self._clock.monotonic())
            while not stop.is_set():
                proven = self._watermark.proven_until()
                if (proven is not None and proven >= sent_at) or self._clock.monotonic() >= due:
                    break
                await stop.wait_for(self._look_every_s)
            await self._tick()
            await stop.wait_for(max(0.0, due - self._clock.monotonic()))

    async def leave(self) -> None:
        """Say that this instance leaves on purpose. To be called when everything received is settled."""
        tick = self._watermark.leaving_tick(self._stamp())
        if tick is not None and not await self._store.tick(tick):
            get_logger().warning("leaving_tick_not_confirmed")

    async def _tick(self) -> None:
        tick = self._watermark.tick(self._stamp())
        if tick is None:
            return
        if await self._store.tick(tick):
            self._metrics.ticks.inc()
            self._metrics.proven_until.set(tick.proven_until.timestamp())
        else:
            self._metrics.ticks_failed.inc()
