"""The loop of one lane: deliveries to Kafka, and back to acknowledgements."""

import asyncio
import operator
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from services.ingest.domain.gaps import GapWatch
from services.ingest.domain.sequence_steps import SequenceStep
from services.ingest.domain.values import Arrival, Outcome, Refused, Signal
from services.ingest.domain.watermark import InstanceWatermark
from services.ingest.metrics import Metrics, alarm_labels
from services.ingest.ports import SignalStore, Source
from services.ingest.worker.classifier import Classifier
from services.ingest.worker.refusal_logger import RefusalLogger
from services.runtime.clock import Clock
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger

UNBROKEN = 100
"""Messages decided at a stretch, some 2 ms."""
MAX_SIGNALS = 10_000
"""Signals stored together, some 20 MiB: 64 KiB of frames may say a thousand times more than they hold."""


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
        redelivered_before: Callable[[], datetime | None] = lambda: None,
    ) -> None:
        """`batch_every_s`: how long to gather while messages keep coming; 0 sends each at once.

        `overtakes`: messages of this lane come before those that the same gateways sent earlier over others.

        `on_stored` hears what Kafka has, before anything is proven by it; it must not raise.

        `redelivered_before`: what was received before this instant and is not stored yet may have been delivered to
        another process as well (decision 95); None while our name is ours.
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
        self._redelivered_before = redelivered_before
        self._log = RefusalLogger(clock)

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
            arrivals = self._marked(arrivals)
            taken, decided = await self._decide(arrivals)
            await self._store_and_settle(arrivals[:taken], decided, started)
            arrivals = arrivals[taken:]

    def _marked(self, arrivals: Sequence[Arrival]) -> Sequence[Arrival]:
        """Mark what another process may have read as well: if it did, readers of the log know the delivery by that."""
        before = self._redelivered_before()
        if before is None or arrivals[0].received_at >= before:
            return arrivals
        marked = [each._replace(duplicate=True) if _is_doubtful(each, before) else each for each in arrivals]
        self._metrics.marked_redelivered.inc(sum(map(operator.is_not, marked, arrivals)))
        return marked

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


def _is_doubtful(arrival: Arrival, before: datetime) -> bool:
    return arrival.received_at < before and not arrival.duplicate and arrival.probe_sent_at is None
