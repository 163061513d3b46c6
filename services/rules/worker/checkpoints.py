"""Saving what this process owns: when it is due, and one checkpoint at a time in the background.

A checkpoint is collected in one go (between two records) and written while the next records are worked off in memory;
the next one is collected only after it is saved. What could not be saved is tried again as it was collected.
"""

import asyncio
from collections import Counter as Tally
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from services.rules.metrics import PartitionView, RulesMetrics
from services.rules.ports import Checkpoint, Store, StoreUnavailable
from services.rules.worker.owned_partition import OwnedPartition, collect, view_of
from services.runtime.clock import Clock
from services.runtime.patience import backoff_s

PRESSING_EVERY_S = 0.1
CALM_EVERY_S = 1.0
BUSY_EVERY_S = 3.0
BUSY_UNITS = 5000
"""With so many units touched a checkpoint is dear and, without a transition, nobody waits for it: fewer of them. Still
well within the patience that a reader of the stored watermark has (blind_after_s)."""
BACKOFF_CAP_S = 5.0

Log = Callable[..., None]


@dataclass(slots=True)
class Progress:
    """What readiness is judged by; instants of the monotonic clock, None for never."""

    turned_at: float | None = None
    saved_at: float | None = None
    waiting_since: float | None = None
    last_error: str = ""


@dataclass(slots=True)
class Checkpoints:
    """`held` and `views` are the worker's: all that is owned, and what metrics show of it as of the last checkpoint.

    `saving` is the one under way; `found` is set when one that made findings is saved.
    """

    store: Store
    metrics: RulesMetrics
    clock: Clock
    log: Log
    held: Mapping[int, OwnedPartition]
    views: dict[int, PartitionView]
    progress: Progress
    saving: asyncio.Task[None] | None = None
    found: asyncio.Event = field(default_factory=asyncio.Event)
    pending: Sequence[Checkpoint] = ()
    _last_save: float = 0.0
    _last_calm_save: float = 0.0
    _failures: int = 0
    _wait_s: float = 0.0

    async def turn(self) -> None:
        """Bring a save that is done to its end, and begin one that is due. Raises Fenced."""
        if self.saving is not None and self.saving.done():
            await self._finish()
        if self.saving is None and self._is_due():
            self._start()

    async def save_all(self) -> None:
        """Bring a save under way to its end, then save everything that is left; `pending` failed. Raises Fenced."""
        if self.saving is not None:
            await self._finish()
        self._last_save = self._last_calm_save = float("-inf")
        self._start()
        if self.saving is not None:
            await self._finish()

    def forget(self, partitions: Collection[int]) -> None:
        """Save nothing more of `partitions`: they have another owner."""
        self.pending = [one for one in self.pending if one.partition not in partitions]

    def _is_due(self) -> bool:
        now = self.clock.monotonic()
        since = now - self._last_save
        if self.pending:
            return since >= self._wait_s
        if now - self._last_calm_save >= self._calm_every_s():
            return any(held.has_news() for held in self.held.values())
        return since >= PRESSING_EVERY_S and any(held.is_pressing() for held in self.held.values())

    def _calm_every_s(self) -> float:
        touched = sum(len(held.engine.changes.touched) for held in self.held.values())
        return BUSY_EVERY_S if touched > BUSY_UNITS else CALM_EVERY_S

    def _start(self) -> None:
        self._last_save = self.clock.monotonic()
        if not self.pending:
            # Apart from pressing saves: partitions where nothing but time passes must not wait while others press.
            calm = self._last_save - self._last_calm_save >= self._calm_every_s()
            if calm:
                self._last_calm_save = self._last_save
            self.pending = [self._collect(h) for h in self.held.values() if h.is_pressing() or (calm and h.has_news())]
        if self.pending:
            if self.progress.waiting_since is None:
                self.progress.waiting_since = self._last_save
            self.saving = asyncio.create_task(self._write(self.pending), name="checkpoint")

    def _collect(self, held: OwnedPartition) -> Checkpoint:
        checkpoint = collect(held)
        self.views[held.number] = view_of(held)
        return checkpoint

    async def _write(self, checkpoints: Sequence[Checkpoint]) -> None:
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
            self._wait_s = backoff_s(self._failures, BACKOFF_CAP_S)
            self._last_save = self.clock.monotonic()
            self.progress.last_error = str(error)
            self.metrics.retries.labels("database").inc()
            self.log("checkpoint_waits", error=str(error), attempt=self._failures)
            return
        self._failures, self._wait_s = 0, 0.0
        saved, self.pending = self.pending, ()
        now = self.clock.monotonic()
        self.progress.saved_at, self.progress.waiting_since, self.progress.last_error = now, None, ""
        self._count(saved)

    def _count(self, saved: Sequence[Checkpoint]) -> None:
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
            self.found.set()
