"""Brings records to the engines and what they say to the database: a dull loop, no decision about any unit.

One engine per partition. Its state is saved by `checkpoints.py`, while the next records are worked off in memory.
"""

import asyncio
import gc
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field

from services.rules.domain.engine import Engine
from services.rules.domain.inputs import Heartbeat, Tick
from services.rules.domain.snapshot import UnknownFormat, is_current, restore
from services.rules.metrics import PartitionView, RulesMetrics
from services.rules.ports import (
    Decoder,
    Fenced,
    LogRecord,
    Refused,
    RegistryView,
    Rows,
    Saved,
    StateDamaged,
    Store,
    StoreUnavailable,
)
from services.rules.worker.checkpoints import Checkpoints, Log, Progress
from services.rules.worker.owned_partition import OwnedPartition, view_of
from services.runtime.clock import Clock

MAX_UNSAVED = 200_000
"""Effects that may wait for a slow database before no more records are taken."""
AT_A_TIME = 250
"""Records between two chances for everything else in the process: some milliseconds."""
MAX_UNEXPECTED = 100
"""So many records in a row on which the engine breaks are our bug, not bad data: stop instead of draining the log."""
MANY_AT_ONCE = 5_000
"""Effects of a claim that are saved before the next partition is claimed: at the first start each unit has several, and
those of all partitions at once would be most of what this process ever holds."""
LAST_SAVE_TRIES = 5


class OutOfPlace(Exception):
    """Records came from beyond the place where the last ones ended: reading on would lose what lies between."""


class TooManyUnexpected(Exception):
    """The engine failed on every one of many records in a row."""


@dataclass(slots=True)
class RulesWorker:
    """Handler of the consuming loop. Its methods are never called at the same time."""

    store: Store
    registry: RegistryView
    decoder: Decoder
    metrics: RulesMetrics
    clock: Clock
    owner: str
    never_grace: int
    log: Log
    held: dict[int, OwnedPartition] = field(default_factory=dict)
    views: dict[int, PartitionView] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)
    checkpoints: Checkpoints = field(init=False)

    def __post_init__(self) -> None:
        self.checkpoints = Checkpoints(
            self.store, self.metrics, self.clock, self.log, self.held, self.views, self.progress
        )

    async def assigned(self, partition: int) -> int:
        """Claim the partition, load its state, and return the offset to read next.

        Raises:  StoreUnavailable; StateDamaged, after which only a person can help.
        """
        saved = await self.store.claim(partition, self.owner)
        rows = self.registry.rows(partition)
        gc.collect()  # what is garbage when the heap is frozen is never looked at again: a consumer that was given up
        gc.disable()  # a load makes very many objects and no garbage: nothing to look for while it runs, nor later
        try:
            engine = self._revive(partition, saved, rows)
        finally:
            gc.freeze()
            gc.enable()
        rates = {row.key: row for row in engine.counters.rates.rows()}
        self.held[partition] = OwnedPartition(
            partition,
            engine,
            saved.owner_epoch,
            saved.seq,
            saved.next_offset,
            saved.next_offset,
            rates,
            rebase=saved.head is not None and not is_current(saved.head),
        )
        self.metrics.partitions.set(len(self.held))
        self.views[partition] = view_of(self.held[partition])
        self.log("partition_claimed", partition=partition, offset=saved.next_offset, units=len(engine.units))
        if engine.effects.size() > MANY_AT_ONCE:
            await self._saved(self.checkpoints.save_all())
        return saved.next_offset

    def _revive(self, partition: int, saved: Saved, rows: Rows) -> Engine:
        if saved.head is None:
            engine = Engine(self.never_grace)
            engine.registry(*rows)
            return engine
        try:
            return restore(
                saved.head,
                saved.units,
                never_grace=self.never_grace,
                unit_rows=rows.units,
                gateway_rows=rows.gateways,
                pack_rows=rows.packs,
                adjustment_rows=rows.adjustments,
                rates=saved.rates,
            )
        except (UnknownFormat, KeyError, TypeError, ValueError, IndexError) as error:
            raise StateDamaged(f"saved state of partition {partition}: {error!r}") from error

    async def handle(self, batches: Mapping[int, Sequence[LogRecord]]) -> None:
        """Take in records. Raises StoreUnavailable, before the first, while too much waits to be saved."""
        if sum(held.engine.effects.size() for held in self.held.values()) > MAX_UNSAVED:
            await self._saved(self.checkpoints.save_all())
            if self.checkpoints.pending:
                raise StoreUnavailable("too much waits to be saved")
        for partition, batch in batches.items():
            held = self.held.get(partition)
            if held is None:
                continue
            records = self._in_position(held, batch)
            for first in range(0, len(records), AT_A_TIME):
                self._feed_in_one_go(held, records[first : first + AT_A_TIME])
                await asyncio.sleep(0)  # a checkpoint under way takes its next step

    def _in_position(self, held: OwnedPartition, records: Sequence[LogRecord]) -> Sequence[LogRecord]:
        """Return the records that are next. A rebalance in the middle of a fetch may bring some for a second time."""
        if records and records[0].offset < held.next_offset:
            self.log("records_seen_before", partition=held.number, first=records[0].offset, next=held.next_offset)
            return [record for record in records if record.offset >= held.next_offset]
        if records and records[0].offset > held.next_offset > 0:
            raise OutOfPlace(f"partition {held.number}: {records[0].offset} after {held.next_offset}")
        return records

    def _feed_in_one_go(self, held: OwnedPartition, records: Sequence[LogRecord]) -> None:
        """Look for garbage after the records, not among them: when very many units are lost with one tick, each look
        would go through all that was said so far, which is still to be saved and none."""
        gc.disable()
        try:
            self._feed(held, records)
        finally:
            gc.enable()

    def _feed(self, held: OwnedPartition, records: Sequence[LogRecord]) -> None:
        """Bring records to the engine. A partition where that ends half way is forgotten, so that nobody saves what it
        is by then under the offset of before: its records would count twice.
        """
        engine, decode = held.engine, self.decoder.decode
        beats = ticks = 0
        for record in records:
            try:
                item = decode(record.value, record.offset)
                if type(item) is Heartbeat:
                    engine.heartbeat(item)
                    beats += 1
                elif type(item) is Tick:
                    engine.tick(item)
                    ticks += 1
                else:
                    engine.apply(item)
            except Refused as error:
                self.metrics.refused.labels(error.reason).inc()
                self.log("record_refused", partition=held.number, offset=record.offset, reason=error.reason,
                         detail=error.detail)  # fmt: skip
            except MemoryError:  # the process has no room; the record is not to blame and is read again by the next one
                self._drop([held.number])
                raise
            except Exception as error:  # noqa: BLE001 - our bug meets this record: counted, logged, the next one is tried
                self._unexpected(held, record, error)
            else:
                held.unexpected_in_a_row = 0
        held.next_offset = records[-1].offset + 1
        self.metrics.records.labels("heartbeat").inc(beats)
        self.metrics.records.labels("tick").inc(ticks)

    def _unexpected(self, held: OwnedPartition, record: LogRecord, error: Exception) -> None:
        self.metrics.refused.labels("unexpected").inc()
        self.log("record_broke_engine", partition=held.number, offset=record.offset, exc_info=error)
        held.unexpected_in_a_row += 1
        if held.unexpected_in_a_row >= MAX_UNEXPECTED:
            self._drop([held.number])
            raise TooManyUnexpected(f"partition {held.number} at offset {record.offset}") from error

    async def idle(self) -> None:
        """Follow the registry and save what is due. Raises Fenced when a partition has another owner."""
        self.progress.turned_at = self.clock.monotonic()
        self._follow_registry()
        self._count()
        await self._saved(self.checkpoints.turn())

    async def revoked(self, partitions: Sequence[int]) -> None:
        """Save what is not saved and forget these partitions. Gives up on a database that stays away: the next owner
        replays from what is saved."""
        try:
            for _ in range(LAST_SAVE_TRIES):
                await self._saved(self.checkpoints.save_all())
                news = any(self.held[number].has_news() for number in partitions if number in self.held)
                if not news and not self.checkpoints.pending:
                    break
        except Fenced as error:
            self.log("partition_fenced", partition=error.partition)
        finally:
            self._drop(partitions)

    async def _saved(self, saving: Awaitable[None]) -> None:
        """Wait for `saving`. Raises Fenced, after a partition with another owner was dropped."""
        try:
            await saving
        except Fenced as error:
            self._drop([error.partition])
            raise

    def _drop(self, partitions: Sequence[int]) -> None:
        for number in partitions:
            self.held.pop(number, None)
            self.views.pop(number, None)
        self.checkpoints.forget(partitions)
        self.metrics.partitions.set(len(self.held))
        self.log("partitions_left", partitions=list(partitions))

    def _follow_registry(self) -> None:
        for partition, rows in self.registry.take_news().items():
            concerned = list(self.held.values()) if partition < 0 else [self.held.get(partition)]
            for held in concerned:
                if held is not None:
                    held.engine.registry(*rows)

    def _count(self) -> None:
        for held in self.held.values():
            engine = held.engine
            for anomaly, count in engine.anomalies.items():
                self.metrics.anomalies.labels(anomaly).inc(count)
            for kind, count in engine.handled.items():
                self.metrics.records.labels(kind).inc(count)
            self.metrics.line_drops.inc(engine.dropped)
            engine.dropped = 0
            engine.anomalies.clear()
            engine.handled.clear()
