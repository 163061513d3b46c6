"""Records of the findings and alarms topics to events, and the handler that hands them to the case book."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from schemas import codec
from schemas.finding import Finding
from schemas.gateway import Point, Restores, SignalKind
from schemas.ids import finding_id
from schemas.signal import Signal
from services.alerts.domain.values import (
    CaseKind,
    Conflict,
    Event,
    Fenced,
    Happening,
    NoPack,
    Place,
    Proof,
    StoreUnavailable,
    UnitId,
)
from services.alerts.ports import CaseStore, Claim, Intake
from services.runtime.kafka_loop import ConsumedRecord, Unavailable
from services.runtime.logging import get_logger


class Decode(Protocol):
    """Turns one record into an event, None when there is nothing to do about it. Raises codec.BadRecord."""

    def __call__(self, topic: str, record: ConsumedRecord) -> Event | None: ...


def event_of_finding(topic: str, record: ConsumedRecord) -> Event | None:
    """A finding; the proof is the evidence that rules found, not the finding's own place."""
    event: Finding = codec.findings.decode(record.value)
    data = event.data
    return Event(
        event_id=f"{event.source}#{event.id}",
        happening=Happening(data.phase),
        unit_id=UnitId(data.unit_id),
        kind=CaseKind(data.kind),
        finding_id=data.finding_id,
        effective_at=data.effective_at,
        detected_at=data.detected_at,
        cause=data.cause,
        proof=Proof(data.evidence.topic, data.evidence.partition, data.evidence.offset, data.signal_id),
        place=_place(data.point),
        clause=data.clause,
    )


def event_of_alarm(topic: str, record: ConsumedRecord) -> Event | None:
    """A fire or its end, with the id of the finding that rules will make of it later."""
    signal: Signal = codec.alarms.decode(record.value)
    data = signal.data
    if data.kind is SignalKind.FIRE:
        happening = Happening.FIRED
    elif data.kind is SignalKind.RESTORE and data.restores in (Restores.FIRE, Restores.ALL):
        happening = Happening.RESTORED
    else:
        return None
    return Event(
        event_id=f"{signal.source}#{signal.id}",
        happening=happening,
        unit_id=UnitId(data.unit_id),
        kind=CaseKind.FIRE,
        finding_id=finding_id(data.unit_id, CaseKind.FIRE, signal.id),
        effective_at=signal.time,
        detected_at=signal.time,
        cause="signal",
        proof=Proof(topic, record.partition, record.offset, signal.id),
        place=_place(data.point),
    )


def _place(point: Point | None) -> Place | None:
    return Place(point.address, point.system or "", point.label or "") if point is not None else None


class TopicHandler:
    """PartitionHandler of one topic: claims partitions, decodes, takes in; effects and offset are one transaction.

    Each takes a connection: at most `side_by_side` partitions are worked on at the same time.

    A record that is no event of the topic is counted, logged and passed over: it cannot be answered to anybody, and
    the records behind it must not wait.
    """

    def __init__(
        self,
        *,
        topic: str,
        decode: Decode,
        store: CaseStore,
        intake: Intake,
        owner: str,
        at_once: int,
        side_by_side: int,
        on_rejected: Callable[[], None],
        on_progress: Callable[[], None],
    ) -> None:
        self._topic = topic
        self._decode = decode
        self._store = store
        self._intake = intake
        self._owner = owner
        self._at_once = at_once
        self._side_by_side = asyncio.Semaphore(side_by_side)
        self._on_rejected = on_rejected
        self._on_progress = on_progress
        self._claims: dict[int, Claim] = {}
        self._done: dict[int, int] = {}

    async def assigned(self, partition: int) -> int:
        try:
            self._claims[partition], next_offset = await self._store.claim(self._topic, partition, self._owner)
        except (StoreUnavailable, Conflict) as error:
            raise Unavailable(str(error)) from error
        self._done[partition] = next_offset
        return next_offset

    async def handle(self, batches: Mapping[int, Sequence[ConsumedRecord]]) -> None:
        """Partitions go side by side, so that a fire does not wait for the transactions of other units' fires."""
        taken = [self._take_all(partition, records) for partition, records in batches.items()]
        failures = [one for one in await asyncio.gather(*taken, return_exceptions=True) if one is not None]
        if failures:
            raise failures[0]

    async def _take_all(self, partition: int, records: Sequence[ConsumedRecord]) -> None:
        async with self._side_by_side:
            # after a failure the same records come again: those already committed are passed over
            left = [record for record in records if record.offset >= self._done.get(partition, 0)]
            for start in range(0, len(left), self._at_once):
                await self._take(partition, left[start : start + self._at_once])

    async def _take(self, partition: int, records: Sequence[ConsumedRecord]) -> None:
        claim = self._claims.get(partition)
        if claim is None:
            return
        events = [event for event in map(self._read, records) if event is not None]
        next_offset = records[-1].offset + 1
        try:
            await self._intake.take(claim, events, next_offset)
        except (StoreUnavailable, Conflict, NoPack) as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from error
        except Fenced as error:
            # the new owner reads on from the offset of our last commit; we only stop writing
            get_logger().warning("fenced", topic=self._topic, partition=partition, detail=str(error))
            self._claims.pop(partition, None)
            return
        except Exception as error:
            # our own bug meets a record: the alerts behind it must not wait for a release
            if len(records) > 1:
                for record in records:
                    await self._take(partition, [record])
                return
            if not events:
                raise
            self._reject(records[0], "unexpected", exc_info=error)
            await self._intake.take(claim, [], next_offset)
        self._done[partition] = next_offset

    def _read(self, record: ConsumedRecord) -> Event | None:
        try:
            return self._decode(self._topic, record)
        except codec.BadRecord as error:
            self._reject(record, error.detail)
            return None

    def _reject(self, record: ConsumedRecord, detail: str, exc_info: BaseException | None = None) -> None:
        self._on_rejected()
        place = {"topic": self._topic, "partition": record.partition, "offset": record.offset}
        get_logger().error("record_rejected", detail=detail, exc_info=exc_info, **place)

    async def idle(self) -> None:
        self._on_progress()

    async def revoked(self, partitions: Sequence[int]) -> None:
        for partition in partitions:
            self._claims.pop(partition, None)
            self._done.pop(partition, None)
