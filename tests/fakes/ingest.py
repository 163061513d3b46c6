"""Ingest's surroundings in memory; they obey the suites in tests/contract/ingest beside the real ones."""

import asyncio
from collections.abc import Sequence

from services.ingest.adapters.frames import Delivery
from services.ingest.adapters.inbox import Inbox
from services.ingest.adapters.stamps import Stamps
from services.ingest.adapters.wire import Encoder
from services.ingest.domain.decide import refusals_beside, refuse_unexpected
from services.ingest.domain.replays import LogPosition, ReplayNote, StoredRefusal
from services.ingest.domain.values import Accepted, Arrival, Outcome, Refused, Tick
from tests.fakes.clock import ManualClock
from tests.unit.ingest.build import NOON


class MemorySource:
    """A broker and one connection to it: what is published and not settled comes again after a reconnect."""

    def __init__(self, clock: ManualClock | None = None, window: int = 100) -> None:
        clock = clock or ManualClock(NOON)
        self.inbox = Inbox(Stamps(clock), clock, hold_messages=10_000, hold_bytes=2**30)
        self.acknowledged: list[int] = []
        self.answered: list[tuple[str, bytes]] = []
        self.probes = True
        self._window = window
        self._epoch = 1
        self._next = 1
        self._queued: list[tuple[str, bytes]] = []
        self._unacknowledged: dict[int, tuple[str, bytes]] = {}

    def publish(self, topic: str, payload: bytes) -> None:
        self._queued.append((topic, payload))
        self._send()

    def deliver_again(self, topic: str, payload: bytes, mid: int = 1) -> None:
        """Deliver what was acknowledged, under its number: the connection broke with the acknowledgement on its way."""
        self.reconnect()
        self._deliver(topic, payload, again=mid)

    def reconnect(self, *, session_kept: bool = True) -> None:
        self._epoch += 1
        again = list(self._unacknowledged.items())
        self._unacknowledged.clear()
        if session_kept:
            self.inbox.hand_back()
            for mid, (topic, payload) in again:
                self._deliver(topic, payload, again=mid)
        self._send()

    async def take(self, limit: int) -> list[Arrival]:
        return await self.inbox.take(limit)

    def settle(self, arrivals: Sequence[Arrival], outcomes: Sequence[Outcome]) -> None:
        for epoch, mid in self.inbox.settle(arrivals, outcomes):
            if epoch == self._epoch and mid in self._unacknowledged:
                self._unacknowledged.pop(mid)
                self.acknowledged.append(mid)
        self._send()

    def answer(self, arrival: Arrival, replies: Sequence[bytes]) -> None:
        self.answered += [(arrival.topic, reply) for reply in replies]

    def stop_receiving(self) -> None:
        self.inbox.close()

    def probe(self) -> None:
        if self.probes:
            self.inbox.put_probe(self._epoch, 0, self.inbox.stamp())

    def _send(self) -> None:
        while self._queued and len(self._unacknowledged) < self._window:
            self._deliver(*self._queued.pop(0), again=0)

    def _deliver(self, topic: str, payload: bytes, *, again: int) -> None:
        """Deliver under the next number; `again` is that of a delivery before, which is marked then."""
        mid = again
        if not again:
            mid, self._next = self._next, self._next % 65535 + 1
        self._unacknowledged[mid] = (topic, payload)
        self.inbox.put(self._epoch, [Delivery(topic, mid, payload, again != 0, False)])


class MemoryStore:
    """Kafka as ingest sees it; `down` makes every call wait until it is cleared."""

    def __init__(self) -> None:
        self.signals: list[bytes] = []
        self.alarms: list[bytes] = []
        self.refusals: list[bytes] = []
        self.ticks: list[Tick] = []
        self._encoder = Encoder("ingest-1")
        self._up = asyncio.Event()
        self._up.set()

    def set_down(self, down: bool) -> None:
        if down:
            self._up.clear()
        else:
            self._up.set()

    async def put(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        await self._up.wait()
        return [self.write(outcome) for outcome in outcomes]

    async def note(self, notes: Sequence[ReplayNote]) -> None:
        await self._up.wait()
        self.refusals += [self._encoder.replayed(note) for note in notes]

    async def tick(self, tick: Tick) -> bool:
        if self._up.is_set():
            self.ticks.append(tick)
        return self._up.is_set()

    def write(self, outcome: Outcome) -> Outcome:
        again = outcome.arrival.replayed_at is not None
        if isinstance(outcome, Refused):
            self._refuse([] if again else [outcome])
            return outcome
        try:
            self._accept(outcome)
        except Exception as error:
            return self.write(refuse_unexpected(outcome.arrival, error))
        self._refuse([] if again else refusals_beside(outcome))
        return outcome

    def _refuse(self, refused: Sequence[Refused]) -> None:
        for one in refused:
            self.refusals.append(self._encoder.refusal(one))
            if one.unusable_alarm is not None and one.unusable_alarm.reported and one.unusable_alarm.unit_id:
                value = self._encoder.unreadable(one, one.unusable_alarm)
                self.signals.append(value)
                self.alarms.append(value)
            elif one.unusable_alarm is not None and one.unusable_alarm.reported:
                self.alarms.append(self._encoder.unregistered(one, one.unusable_alarm))

    def _accept(self, accepted: Accepted) -> None:
        values = [self._encoder.signal(signal, accepted.arrival) for signal in accepted.signals]
        self.signals += values
        self.alarms += [
            value for signal, value in zip(accepted.signals, values, strict=True) if signal.message.concerns_fire
        ]


class MemoryRefusals:
    def __init__(self, refusals: Sequence[StoredRefusal]) -> None:
        self.refusals = {one.position: one for one in refusals}

    async def at(self, positions: Sequence[LogPosition]) -> Sequence[StoredRefusal]:
        return [self.refusals[position] for position in positions if position in self.refusals]
