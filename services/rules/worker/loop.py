"""Brings records to the engines and what they say to the database: a dull loop, no decision about any unit.

One engine per partition. A checkpoint is collected in one go (between two records) and written in the background while
the next records are worked off in memory; the next one is collected only after it is saved.
"""

import asyncio
import gc
from collections import Counter as Tally
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from services.rules.domain.engine import Engine
from services.rules.domain.inputs import Heartbeat, Tick
from services.rules.domain.snapshot import UnknownFormat, is_current, restore
from services.rules.metrics import PartitionView, RulesMetrics
from services.rules.ports import (
    Checkpoint,
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
from services.rules.worker.owned_partition import OwnedPartition, collect, view_of
from services.runtime.clock import Clock

PRESSING_EVERY_S = 0.1
CALM_EVERY_S = 1.0
BUSY_EVERY_S = 3.0
BUSY_UNITS = 5000
"""With so many units touched a checkpoint is dear and, without a transition, nobody waits for it: fewer of them. Still
well within the patience that a reader of the stored watermark has (blind_after_s)."""
MAX_UNSAVED = 200_000
"""Effects that may wait for a slow database before no more records are taken."""
AT_A_TIME = 250
"""Records between two chances for everything else in the process: some milliseconds."""
MAX_UNEXPECTED = 100
"""So many records in a row on which the engine breaks are our bug, not bad data: stop instead of draining the log."""
LAST_SAVE_TRIES = 5

Log = Callable[..., None]


class OutOfPlace(Exception):
    """Records came from beyond the place where the last ones ended: reading on would lose what lies between."""


class TooManyUnexpected(Exception):
    """The engine failed on every one of many records in a row."""


@dataclass(slots=True)
class Progress:
    """What readiness is judged by; instants of the monotonic clock, None for never."""

    turned_at: float | None = None
    saved_at: float | None = None
    waiting_since: float | None = None
    last_error: str = ""


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
    saved: asyncio.Event = field(default_factory=asyncio.Event)
    _pending: list[Checkpoint] = field(default_factory=list)
    saving: asyncio.Task[None] | None = None
    _last_save: float = 0.0
    _last_calm_save: float = 0.0
    _failures: int = 0

    # --- called by the loop

    async def assigned(self, partition: int) -> int:
        """Claim the partition, load its state, and return the offset to read next.

        Raises:  StoreUnavailable; StateDamaged, after which only a person can help.
        """
        saved = await self.store.claim(partition, self.owner)
        rows = self.registry.rows(partition)
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
            )
        except (UnknownFormat, KeyError, TypeError, ValueError, IndexError) as error:
            raise StateDamaged(f"saved state of partition {partition}: {error!r}") from error

    async def handle(self, batches: Mapping[int, Sequence[LogRecord]]) -> None:
        """Take in records. Raises StoreUnavailable, before the first, while too much waits to be saved."""
        if sum(held.engine.effects.size() for held in self.held.values()) > MAX_UNSAVED:
            await self._save_due()
            if self._pending:
                raise StoreUnavailable("too much waits to be saved")
        for partition, batch in batches.items():
            held = self.held.get(partition)
            if held is None:
                continue
            records = self._in_position(held, batch)
            for first in range(0, len(records), AT_A_TIME):
                self._feed(held, records[first : first + AT_A_TIME])
                await asyncio.sleep(0)  # a checkpoint under way takes its next step

    def _in_position(self, held: OwnedPartition, records: Sequence[LogRecord]) -> Sequence[LogRecord]:
        """Return the records that are next. A rebalance in the middle of a fetch may bring some for a second time."""
        if records and records[0].offset < held.next_offset:
            self.log("records_seen_before", partition=held.number, first=records[0].offset, next=held.next_offset)
            return [record for record in records if record.offset >= held.next_offset]
        if records and records[0].offset > held.next_offset > 0:
            raise OutOfPlace(f"partition {held.number}: {records[0].offset} after {held.next_offset}")
        return records

    def _feed(self, held: OwnedPartition, records: Sequence[LogRecord]) -> None:
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
            raise TooManyUnexpected(f"partition {held.number} at offset {record.offset}") from error

    async def idle(self) -> None:
        """Follow the registry and save what is due. Raises Fenced when a partition has another owner."""
        self.progress.turned_at = self.clock.monotonic()
        self._follow_registry()
        self._count()
        if self.saving is not None and self.saving.done():
            await self._finish()
        if self.saving is None and self._is_due():
            self._start()

    async def revoked(self, partitions: Sequence[int]) -> None:
        """Save what is not saved and forget these partitions. Gives up on a database that stays away: the next owner
        replays from what is saved."""
        try:
            for _ in range(LAST_SAVE_TRIES):
                await self._save_due()
                if not self._pending and not any(self.held[n].has_news() for n in partitions if n in self.held):
                    break
        except Fenced as error:
            self.log("partition_fenced", partition=error.partition)
        finally:
            self._drop(partitions)

    def _drop(self, partitions: Sequence[int]) -> None:
        for number in partitions:
            self.held.pop(number, None)
            self.views.pop(number, None)
        self._pending = [one for one in self._pending if one.partition in self.held]
        self.metrics.partitions.set(len(self.held))
        self.log("partitions_left", partitions=list(partitions))

    # --- registry and counters

    def _follow_registry(self) -> None:
        for partition, rows in self.registry.take_news().items():
            concerned = list(self.held.values()) if partition < 0 else [self.held.get(partition)]
            for held in concerned:
                if held is not None:
                    held.engine.registry(*rows)

    def _count(self) -> None:
        for held in self.held.values():
            engine = held.engine
            for oddity, count in engine.oddities.items():
                self.metrics.oddities.labels(oddity).inc(count)
            for kind, count in engine.handled.items():
                self.metrics.records.labels(kind).inc(count)
            self.metrics.line_drops.inc(engine.dropped)
            engine.dropped = 0
            engine.oddities.clear()
            engine.handled.clear()

    # --- checkpoints

    def _is_due(self) -> bool:
        now = self.clock.monotonic()
        since = now - self._last_save
        if self._pending:
            return since >= min(5.0, 0.1 * 2.0 ** min(self._failures, 6))
        if now - self._last_calm_save >= self._calm_every_s():
            return any(held.has_news() for held in self.held.values())
        return since >= PRESSING_EVERY_S and any(held.is_pressing() for held in self.held.values())

    def _calm_every_s(self) -> float:
        touched = sum(len(held.engine.changes.touched) for held in self.held.values())
        return BUSY_EVERY_S if touched > BUSY_UNITS else CALM_EVERY_S

    def _start(self) -> None:
        self._last_save = self.clock.monotonic()
        if not self._pending:
            # Apart from pressing saves: partitions where nothing but time passes must not wait while others press.
            calm = self._last_save - self._last_calm_save >= self._calm_every_s()
            if calm:
                self._last_calm_save = self._last_save
            self._pending = [self._collect(h) for h in self.held.values() if h.is_pressing() or (calm and h.has_news())]
        if self._pending:
            if self.progress.waiting_since is None:
                self.progress.waiting_since = self._last_save
            self.saving = asyncio.create_task(self._write(self._pending), name="checkpoint")

    async def _save_due(self) -> None:
        """Bring a save under way to its end, then save everything that is left."""
        if self.saving is not None:
            await self._finish()
        self._last_save = self._last_calm_save = float("-inf")
        self._start()
        if self.saving is not None:
            await self._finish()

    async def _write(self, checkpoints: list[Checkpoint]) -> None:
        started = self.clock.monotonic()
        size = await self.store.save(checkpoints)
        self.metrics.checkpoints.observe(self.clock.monotonic() - started)
        self.metrics.state_bytes.inc(size)

    async def _finish(self) -> None:
        assert self.saving is not None
        task, self.saving = self.saving, None
        try:
            await task
        except StoreUnavailable as error:
            self._failures += 1
            self._last_save = self.clock.monotonic()
            self.progress.last_error = str(error)
            self.metrics.retries.labels("database").inc()
            self.log("checkpoint_waits", error=str(error), attempt=self._failures)
            return
        except Fenced as error:
            self._lose(error)
        self._failures = 0
        saved, self._pending = self._pending, []
        now = self.clock.monotonic()
        self.progress.saved_at, self.progress.waiting_since, self.progress.last_error = now, None, ""
        self._tell(saved)

    def _lose(self, error: Fenced) -> NoReturn:
        self._drop([error.partition])
        raise error

    def _tell(self, saved: Sequence[Checkpoint]) -> None:
        transitions = Tally(one.aspect for checkpoint in saved for one in checkpoint.effects.transitions)
        for aspect, count in transitions.items():
            self.metrics.transitions.labels(aspect).inc(count)
        components = Tally(one.kind for checkpoint in saved for one in checkpoint.effects.components)
        for trouble, count in components.items():
            self.metrics.components.labels(trouble).inc(count)
        findings = Tally((one.kind, one.phase) for checkpoint in saved for one in checkpoint.effects.findings)
        for (kind, phase), count in findings.items():
            self.metrics.findings.labels(kind, phase).inc(count)
        if any(checkpoint.effects.findings for checkpoint in saved):
            self.saved.set()

    def _collect(self, held: OwnedPartition) -> Checkpoint:
        checkpoint = collect(held)
        self.views[held.number] = view_of(held)
        return checkpoint
