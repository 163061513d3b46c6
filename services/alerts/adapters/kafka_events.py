"""Records of the findings and alarms topics to events, and the handler that hands them to the case book."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from schemas import codec
from schemas.finding import Finding
from schemas.gateway import Point, Restores, SignalKind
from schemas.ids import finding_id
from schemas.signal import Flag, Signal, UnregisteredAlarm
from services.alerts.domain.seen import event_name
from services.alerts.domain.values import (
    UNREGISTERED,
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
from services.runtime.postgres import backoff_s

LONGEST_TEXT = 500
"""Characters of what an unregistered gateway sent that are told; the refusal keeps all."""
ROOM_S = 1.0
"""How long the loop waits here for room before it says so and looks whether it shall stop."""
LAST_BATCH_S = 5.0
"""What a transaction under way may take when its partition goes to somebody else; what is cut off is not written."""


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


def _passing(topic: str, record: ConsumedRecord, event: Signal | UnregisteredAlarm) -> Event | None:
    """What no signal ends: an alarm that could not be read, or that of a gateway in no register."""
    if isinstance(event, UnregisteredAlarm):
        kind, unit_id = CaseKind.UNREGISTERED_ALARM, f"{UNREGISTERED}{event.data.gateway_id or ''}"
        place = next((_place(one.point) for one in event.data.signals if one.point is not None), None)
        text = _read_from(event)
    elif event.data.kind is SignalKind.UNREADABLE_ALARM:
        kind, unit_id, place, text = CaseKind.UNREADABLE_ALARM, event.data.unit_id, None, event.data.text or ""
    else:
        return None
    return Event(
        event_id=f"{event.source}#{event.id}",
        happening=Happening.BEGAN,
        unit_id=UnitId(unit_id),
        kind=kind,
        finding_id=finding_id(unit_id, kind, event.id),
        effective_at=event.time,
        detected_at=event.time,
        cause="signal",
        proof=Proof(topic, record.partition, record.offset, event.id),
        place=place,
        text=text,
    )


def _read_from(event: UnregisteredAlarm) -> str:
    """Return in one line what the decoders read, and why it was refused."""
    data = event.data
    read = [
        " ".join(filter(None, (str(one.kind), one.point.address if one.point else "", one.text or "")))
        for one in data.signals
    ]
    told = [*read, f"{data.reason} {data.detail}".strip(), data.carrier, data.peer or ""]
    return "; ".join(filter(None, told)).replace("\0", "")[:LONGEST_TEXT]


def event_of_alarm(topic: str, record: ConsumedRecord) -> Event | None:
    """A fire or its end, with the id of the finding that rules will make of it later, or what only may be a fire."""
    signal = codec.alarms.decode(record.value)
    if not isinstance(signal, Signal) or signal.data.kind is SignalKind.UNREADABLE_ALARM:
        return _passing(topic, record, signal)
    data = signal.data
    if data.kind is SignalKind.FIRE:
        happening = Happening.FIRED
    elif data.kind is SignalKind.RESTORE and data.restores in (Restores.FIRE, Restores.ALL):
        happening = Happening.RESTORED
    else:
        return None
    return Event(
        event_id=event_name(signal.source, signal.id, redelivered=Flag.REDELIVERED in data.flags),
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
    """NULs are padding of whoever writes C, and the database keeps none: left in, the end would not fit the fire."""
    if point is None:
        return None
    return Place(*(text.replace("\0", "") for text in (point.address, point.system or "", point.label or "")))


@dataclass(slots=True)
class _Lane:
    """What one partition has brought and nobody has worked off yet."""

    claim: Claim
    waiting: deque[ConsumedRecord] = field(default_factory=deque)
    at_work: asyncio.Task[None] | None = None


class TopicHandler:
    """PartitionHandler of one topic: claims partitions, decodes, takes in; effects and offset are one transaction.

    Each partition is worked off by itself, so that a fire waits neither for the transactions of other units' fires nor
    for the end of a turn; what arrives meanwhile is the partition's next batch. A transaction takes a connection: at
    most `side_by_side` of them run at the same time. At most `hold` records wait here, then the loop waits.

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
        hold: int,
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
        self._hold = hold
        self._on_rejected = on_rejected
        self._on_progress = on_progress
        self._lanes: dict[int, _Lane] = {}
        self._owing: set[int] = set()
        self._broken: Exception | None = None
        self._room = asyncio.Event()

    async def assigned(self, partition: int) -> int:
        try:
            claim, next_offset = await self._store.claim(self._topic, partition, self._owner)
        except (StoreUnavailable, Conflict) as error:
            raise Unavailable(str(error)) from error
        self._lanes[partition] = _Lane(claim)
        return next_offset

    async def handle(self, batches: Mapping[int, Sequence[ConsumedRecord]]) -> None:
        """Hand the records to their partitions. Raises Unavailable, before the first, when room is long in coming."""
        try:
            async with asyncio.timeout(ROOM_S):
                while self._broken is None and self._held() >= self._hold:
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError:
            raise Unavailable(f"{self._held()} records of {self._topic} wait already") from None
        for partition, records in batches.items():
            lane = self._lanes.get(partition)
            if lane is not None:
                lane.waiting.extend(records)
                if lane.at_work is None:
                    lane.at_work = asyncio.create_task(self._work_off(partition, lane))

    def _held(self) -> int:
        return sum(len(lane.waiting) for lane in self._lanes.values())

    async def idle(self) -> None:
        """Beat once every partition that had work at the last beat has got a batch done since."""
        if self._broken is not None:
            raise self._broken
        if not self._owing:
            self._on_progress()
            self._owing = {partition for partition, lane in self._lanes.items() if lane.at_work is not None}

    async def revoked(self, partitions: Sequence[int]) -> None:
        """End after the transaction under way; what waits is read again by the next owner."""
        lanes = [lane for lane in (self._lanes.pop(partition, None) for partition in partitions) if lane is not None]
        self._owing -= set(partitions)
        for lane in lanes:
            lane.waiting.clear()
        at_work = [lane.at_work for lane in lanes if lane.at_work is not None]
        if at_work:
            _, late = await asyncio.wait(at_work, timeout=LAST_BATCH_S)
            for task in late:
                task.cancel()

    async def _work_off(self, partition: int, lane: _Lane) -> None:
        attempt = 0
        try:
            while lane.waiting:
                try:
                    async with self._side_by_side:
                        await self._take(partition, lane, list(islice(lane.waiting, self._at_once)))
                    attempt = 0
                except Unavailable as error:
                    attempt += 1
                    place = {"topic": self._topic, "partition": partition}
                    get_logger().warning("partition_waits", **place, error=str(error), attempt=attempt)
                    await asyncio.sleep(min(5.0, backoff_s(attempt)))
        except Exception as error:  # noqa: BLE001 - carried to the loop, which raises it
            self._broken = error
            self._room.set()
        finally:
            lane.at_work = None

    async def _take(self, partition: int, lane: _Lane, records: Sequence[ConsumedRecord]) -> None:
        if not records:
            return  # the partition was revoked while this waited for its turn
        events = [event for event in map(self._read, records) if event is not None]
        next_offset = records[-1].offset + 1
        try:
            await self._commit(lane, events, next_offset)
        except Unavailable:
            raise
        except Fenced as error:
            # the new owner reads on from the offset of our last commit; we only stop writing
            get_logger().warning("fenced", topic=self._topic, partition=partition, detail=str(error))
            if self._lanes.get(partition) is lane:
                del self._lanes[partition]
            lane.waiting.clear()
        except Exception as error:
            # our own bug meets a record: the alerts behind it must not wait for a release
            if len(records) > 1:
                for record in records:
                    await self._take(partition, lane, [record])
                return
            if not events:
                raise
            self._reject(records[0], "unexpected", exc_info=error)
            await self._commit(lane, [], next_offset)
        self._done(partition, lane, next_offset)

    async def _commit(self, lane: _Lane, events: Sequence[Event], next_offset: int) -> None:
        try:
            await self._intake.take(lane.claim, events, next_offset)
        except (StoreUnavailable, Conflict, NoPack) as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from error

    def _done(self, partition: int, lane: _Lane, next_offset: int) -> None:
        while lane.waiting and lane.waiting[0].offset < next_offset:
            lane.waiting.popleft()
        self._owing.discard(partition)
        self._room.set()

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
