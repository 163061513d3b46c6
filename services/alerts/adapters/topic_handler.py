"""The handler that hands records of a topic to the case book, partition by partition."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, Protocol, TypeVar

from schemas import codec
from services.alerts.domain.errors import Conflict, Fenced, NoPack, StoreUnavailable
from services.alerts.ports import CaseStore, Intake, PartitionClaim
from services.runtime.kafka_loop import ConsumedRecord, Unavailable
from services.runtime.logging import get_logger
from services.runtime.patience import backoff_s, is_done, leave

ROOM_S = 1.0
"""How long the loop waits here for room before it says so and looks whether it shall stop."""
LAST_BATCH_S = 5.0
"""What a transaction under way may take when its partition goes to somebody else; what is cut off is not written."""


E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)
E_contra = TypeVar("E_contra", contravariant=True)


class Decode(Protocol[E_co]):
    """Turns one record into an event, None when there is nothing to do about it. Raises codec.BadRecord."""

    def __call__(self, topic: str, record: ConsumedRecord) -> E_co | None: ...


class Standby(Protocol[E_contra]):
    """Acts on events while the database is away; they come again to the intake later."""

    away: bool

    def lost(self) -> None: ...

    def found(self) -> None: ...

    async def look(self) -> bool:
        """Ask the database and return whether it is away."""
        ...

    async def take(self, events: Sequence[E_contra]) -> None:
        """Raises NoPack."""
        ...


class _StoreAway(Unavailable):
    """The database has answered with an error, or not in time."""


class _NoAnswer(_StoreAway):
    """Not in time."""


@dataclass(slots=True)
class _Lane:
    """What one partition has brought and nobody has worked off yet.

    Without a `claim` the database has not been asked yet: everything is read again once it answers. `pending` is a
    transaction that was long in coming, and the offset behind it. What lies before `notified` was told from memory.
    `cut`: records behind `waiting` found no room, and are read again as well.
    """

    claim: PartitionClaim | None
    waiting: deque[ConsumedRecord] = field(default_factory=deque)
    at_work: asyncio.Task[None] | None = None
    kick: asyncio.Event = field(default_factory=asyncio.Event)
    pending: tuple[asyncio.Task[None], int] | None = None
    saved: int | None = None
    notified: int = 0
    cut: bool = False


class TopicHandler(Generic[E]):
    """PartitionHandler of one topic: claims partitions, decodes, takes in; effects and offset are one transaction.

    Each partition is worked off by itself, so that a fire waits neither for the transactions of other units' fires nor
    for the end of a turn; what arrives meanwhile is the partition's next batch. A transaction takes a connection: at
    most `side_by_side` of them run at the same time. At most `hold` records wait here, then the loop waits.

    With a `standby` no answer of the database is waited for longer than `patience_s`: while it is away, each record is
    told from memory as it comes, and taken in when the database is back. Without one everything waits.

    A record that is no event of the topic is counted, logged and passed over: it cannot be answered to anybody, and
    the records behind it must not wait.
    """

    def __init__(
        self,
        *,
        topic: str,
        decode: Decode[E],
        store: CaseStore,
        intake: Intake[E],
        owner: str,
        at_once: int,
        side_by_side: int,
        hold: int,
        on_rejected: Callable[[], None],
        on_progress: Callable[[], None],
        standby: Standby[E] | None = None,
        patience_s: float | None = None,
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
        self._standby = standby
        self._patience_s = patience_s
        self._claiming: dict[int, asyncio.Task[tuple[PartitionClaim, int]]] = {}
        self._lanes: dict[int, _Lane] = {}
        self._owing: set[int] = set()
        self._fenced: set[int] = set()
        self._broken: Exception | None = None
        self._room = asyncio.Event()

    async def assigned(self, partition: int) -> int | None:
        self._fenced.discard(partition)
        try:
            claim, next_offset = await self._claim(partition)
        except (StoreUnavailable, Conflict) as error:
            if self._standby is None:
                raise Unavailable(str(error)) from error
            get_logger().warning("partition_without_database", topic=self._topic, partition=partition)
            self._standby.lost()
            self._lanes[partition] = _Lane(None)
            return None
        self._lanes[partition] = _Lane(claim, saved=next_offset, notified=next_offset)
        return next_offset

    async def _claim(self, partition: int) -> tuple[PartitionClaim, int]:
        if self._away:  # every partition would wait for it once more; once it answers all are assigned anew
            raise StoreUnavailable("known to be away")
        # one that hangs must be over before the next: answered late it would fence us
        former = self._claiming.get(partition)
        if former is not None and not former.done() and not await is_done(former, self._patience_s):
            raise StoreUnavailable("an earlier claim has no answer yet")
        task = asyncio.create_task(self._store.claim(self._topic, partition, self._owner))
        self._claiming[partition] = task
        if not await is_done(task, self._patience_s):
            leave(task)
            raise StoreUnavailable("no answer in time")
        return task.result()

    def saved(self) -> Mapping[int, int]:
        """Return up to where each partition is taken in: where to begin when the database cannot be asked."""
        return {partition: lane.saved for partition, lane in self._lanes.items() if lane.saved is not None}

    def begins_at(self, partition: int, offset: int, recent: int) -> None:
        """Kafka no longer has what was saved as next: it is this one now.

        What lies before `recent` is taken in, but not told from memory: nobody knows there what was told already.
        """
        lane = self._lanes[partition]
        lane.saved, lane.notified = offset, recent

    async def handle(self, batches: Mapping[int, Sequence[ConsumedRecord]]) -> None:
        """Hand the records to their partitions. Raises Unavailable, before the first, when room is long in coming."""
        if not self._away:
            await self._wait_for_room()
        for partition, records in batches.items():
            lane = self._lanes.get(partition)
            if lane is None:
                continue
            if self._away or lane.claim is None:
                await self._tell(lane, [*lane.waiting, *records])
            if lane.claim is None or lane.cut:
                continue
            lane.cut = self._away and self._held() + len(records) > self._hold
            if not lane.cut:
                lane.waiting.extend(records)
            if not self._away:
                lane.kick.set()  # the database has answered somebody: no need to wait for the end of a pause
            if lane.waiting and lane.at_work is None:
                lane.at_work = asyncio.create_task(self._work_off(partition, lane))

    def kick(self) -> None:
        """Try again at once what the database has not taken: it is back."""
        for lane in self._lanes.values():
            lane.kick.set()

    @property
    def _away(self) -> bool:
        return self._standby is not None and self._standby.away

    async def _wait_for_room(self) -> None:
        try:
            async with asyncio.timeout(ROOM_S):
                while self._broken is None and self._held() >= self._hold and not self._away:
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError:
            if not self._away:
                raise Unavailable(f"{self._held()} records of {self._topic} wait already") from None

    async def _tell(self, lane: _Lane, records: Sequence[ConsumedRecord]) -> None:
        """Have told from memory what was not yet."""
        news = [record for record in records if record.offset >= lane.notified]
        if self._standby is None or not news:
            return
        events = [event for event in map(self._peek, news) if event is not None]
        try:
            await self._standby.take(events)
        except NoPack as error:
            get_logger().warning("nobody_known_to_tell", topic=self._topic, error=str(error))
            return
        except MemoryError:  # no fault of the record: the next process reads it again
            raise
        except Exception as error:  # noqa: BLE001 - our own bug meets an event: the fires behind it must not wait for it
            if len(news) > 1:
                for record in news:
                    await self._tell(lane, [record])
                return
            get_logger().error("record_not_notified", topic=self._topic, offset=news[0].offset, exc_info=error)
        lane.notified = news[-1].offset + 1

    def _peek(self, record: ConsumedRecord) -> E | None:
        try:
            return self._decode(self._topic, record)
        except codec.BadRecord:
            return None  # counted when it is taken in

    def _held(self) -> int:
        return sum(len(lane.waiting) for lane in self._lanes.values())

    async def idle(self) -> None:
        """Beat once every partition that had work at the last beat has got a batch done since.

        Raises Unavailable, which has all partitions assigned anew, when the database is back, and when a partition that
        is still ours was fenced.
        """
        if self._broken is not None:
            raise self._broken
        if self._fenced:  # the group still gives them to us: nobody else would read them
            raise Unavailable(f"claimed by somebody else: {sorted(self._fenced)}")
        if not self._away and any(
            lane.claim is None or (lane.cut and not lane.waiting) for lane in self._lanes.values()
        ):
            raise Unavailable("the database is back: reading on from where it is")
        if not self._owing or self._away:
            self._on_progress()
            self._owing = {partition for partition, lane in self._lanes.items() if lane.at_work is not None}

    async def revoked(self, partitions: Sequence[int]) -> None:
        """End after the transaction under way; what waits is read again by the next owner."""
        lanes = [lane for lane in (self._lanes.pop(partition, None) for partition in partitions) if lane is not None]
        self._owing -= set(partitions)
        self._fenced -= set(partitions)
        for lane in lanes:
            lane.waiting.clear()
            if lane.pending is not None:
                lane.pending[0].cancel()
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
                    if isinstance(error, _StoreAway) and await self._is_away(error):
                        await self._tell(lane, list(lane.waiting))
                    place = {"topic": self._topic, "partition": partition}
                    get_logger().warning("partition_waits", **place, error=str(error), attempt=attempt)
                    await self._pause(lane, min(5.0, backoff_s(attempt)))
        except Exception as error:  # noqa: BLE001 - carried to the loop, which raises it
            self._broken = error
            self._room.set()
        finally:
            lane.at_work = None

    async def _is_away(self, error: _StoreAway) -> bool:
        """Silence is enough. An error may be that of a session which ended while we stood still: ask once more."""
        if self._standby is None:
            return False
        if isinstance(error, _NoAnswer):
            self._standby.lost()
            return True
        return await self._standby.look()

    @staticmethod
    async def _pause(lane: _Lane, seconds: float) -> None:
        lane.kick.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await lane.kick.wait()

    async def _take(self, partition: int, lane: _Lane, records: Sequence[ConsumedRecord]) -> None:
        if not records:
            return  # the partition was revoked while this waited for its turn
        if lane.pending is not None and await self._is_taken(partition, lane):
            return
        events = [event for event in map(self._read, records) if event is not None]
        next_offset = records[-1].offset + 1
        try:
            await self._commit(lane, events, next_offset)
        except (Unavailable, MemoryError):  # no room is no fault of the record: the next process reads it again
            raise
        except Fenced as error:
            # whoever claims it reads on from what is saved: another process, or we, when somebody moved it by hand
            get_logger().warning("fenced", topic=self._topic, partition=partition, detail=str(error))
            if self._lanes.get(partition) is lane:
                self._fenced.add(partition)
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

    async def _is_taken(self, partition: int, lane: _Lane) -> bool:
        """Wait for the transaction that was long in coming; say whether it took its records in."""
        assert lane.pending is not None, "asked before"
        task, next_offset = lane.pending
        if not await is_done(task, self._patience_s):
            raise _NoAnswer("an earlier transaction has no answer yet")
        lane.pending = None
        if task.cancelled() or task.exception() is not None:
            return False
        self._done(partition, lane, next_offset)
        return True

    async def _commit(self, lane: _Lane, events: Sequence[E], next_offset: int) -> None:
        assert lane.claim is not None, "nothing is taken in before the partition is claimed"
        try:
            if self._patience_s is None:
                await self._intake.take(lane.claim, events, next_offset)
                return
            task = asyncio.create_task(self._intake.take(lane.claim, events, next_offset))
            if not await is_done(task, self._patience_s):
                lane.pending = (task, next_offset)
                leave(task)
                raise _NoAnswer(f"no answer within {self._patience_s:g} s")
            task.result()
        except StoreUnavailable as error:
            raise _StoreAway(f"{type(error).__name__}: {error}") from error
        except (Conflict, NoPack) as error:
            raise Unavailable(f"{type(error).__name__}: {error}") from error

    def _done(self, partition: int, lane: _Lane, next_offset: int) -> None:
        lane.saved = next_offset
        lane.notified = max(lane.notified, next_offset)
        if self._standby is not None:
            self._standby.found()
        while lane.waiting and lane.waiting[0].offset < next_offset:
            lane.waiting.popleft()
        self._owing.discard(partition)
        self._room.set()

    def _read(self, record: ConsumedRecord) -> E | None:
        try:
            return self._decode(self._topic, record)
        except codec.BadRecord as error:
            self._reject(record, error.detail)
            return None

    def _reject(self, record: ConsumedRecord, detail: str, exc_info: BaseException | None = None) -> None:
        self._on_rejected()
        place = {"topic": self._topic, "partition": record.partition, "offset": record.offset}
        get_logger().error("record_rejected", detail=detail, exc_info=exc_info, **place)
