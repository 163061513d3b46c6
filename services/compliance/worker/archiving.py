"""Copies the log into the archive, all of it, in order, once.

    open --> copy --> copy .. --> finish (all files) --> note --> copy ..
     ^         |
     +- wait <-+   full, read-only, missing, held by another process, ahead of Kafka, failed, no Kafka

Any trouble ends in the same way: what can be finished is, the rest is dropped, and after a while all begins anew from
what the archive itself says. Nothing is lost by that as long as Kafka has it.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from services.compliance.metrics import ArchiveMetrics
from services.compliance.ports import Archive, Bounds, LogRecord, LogSource, Place, StopSignal, Trouble, Waits
from services.runtime.clock import Clock

T = TypeVar("T")
WAIT_S = 1.0
MAX_WAIT_S = 30.0
CLEAN_EVERY_S = 3600.0


@dataclass(slots=True)
class Progress:
    """For /readyz: when the loop last turned, since when and why it waits. Seconds of a monotonic clock."""

    turned_s: float | None = None
    waits_since_s: float | None = None
    waits_for: Waits | None = None


class Archiving:
    """The files are written in one thread of our own: a disk that hangs must not take the status page with it."""

    def __init__(
        self,
        *,
        source: LogSource,
        archive: Archive,
        metrics: ArchiveMetrics,
        clock: Clock,
        kept_from: Callable[[datetime], datetime],
        dropped_topics: frozenset[str],
        context_topics: frozenset[str],
        log: Callable[..., Any],
    ) -> None:
        """`kept_from` says, by our clock, before when files of `dropped_topics` go; those of others stay for ever.

        `context_topics`: what the signals are read by. No file is finished while these are not read to their end:
        a reader takes it that they are archived as far as the signals are.
        """
        self._source = source
        self._archive = archive
        self._metrics = metrics
        self._clock = clock
        self._kept_from = kept_from
        self._dropped_topics = dropped_topics
        self._context_topics = context_topics
        self.log = log
        self._thread = ThreadPoolExecutor(1, "archive")
        self._next: dict[Place, int] = {}
        self._ends: dict[Place, int] = {}
        self._held: Mapping[Place, Sequence[LogRecord]] = {}
        """Signals that were fetched and wait for their context."""
        self._clean_s = 0.0
        self.progress = Progress()

    async def run(self, stop: StopSignal) -> None:
        """Archive until stop."""
        wait_s = WAIT_S
        try:
            while not stop.is_set():
                try:
                    await self._open()
                    while not stop.is_set():
                        await self._turn()
                        wait_s = WAIT_S
                except Waits as trouble:
                    self._report(trouble)
                finally:
                    await self._close()
                await stop.wait_for(wait_s)
                wait_s = min(MAX_WAIT_S, 2 * wait_s)
        finally:
            self._thread.shutdown(wait=False)

    async def _open(self) -> None:
        bounds = await self._source.open()
        archived = await self._in_thread(self._archive.open, {place: each.noted for place, each in bounds.items()})
        ids = {place.topic: each.topic_id for place, each in bounds.items() if each.topic_id is not None}
        await self._in_thread(self._archive.belongs_to, ids)
        self._next = {place: self._beginning(place, archived[place], each) for place, each in bounds.items()}
        self._ends = {place: each.end for place, each in bounds.items()}
        self._held = {}
        self._source.seek(self._next)
        self.log("archive_opened", places=len(self._next), records=sum(self._next.values()))

    def _beginning(self, place: Place, archived: int | None, bounds: Bounds) -> int:
        """Return the offset to read from. Raises Waits(AHEAD): the topic was made anew, and a person must decide."""
        if archived is None:
            return bounds.first
        if archived > bounds.end:
            where = f"{place.topic}[{place.partition}]"
            raise Waits(Trouble.AHEAD, f"{where} is archived up to {archived}, Kafka ends at {bounds.end}")
        if archived < bounds.first:
            self._metrics.lost.labels(place.topic).inc(bounds.first - archived)
            self.log("archive_gap", topic=place.topic, partition=place.partition, first=archived, next=bounds.first)
        return max(archived, bounds.first)

    async def _turn(self) -> None:
        fetched = await self._source.fetch(self._context() if self._held else ())
        await self._append({place: records for place, records in fetched.items() if self._is_context(place)})
        self._ends.update(self._source.ends())
        await self._append_signals({place: each for place, each in fetched.items() if not self._is_context(place)})
        if self._archive.due() and self._has_context():
            await self._note(await self._in_thread(self._archive.finish))
        await self._clean()
        self._show()

    async def _append_signals(self, fetched: Mapping[Place, Sequence[LogRecord]]) -> None:
        """Append signals once all that had been written before them, and that they are read by, is appended.

        Not only before their files are finished: a file ends by itself where a new day begins.
        """
        if fetched:
            self._held = fetched
            self._ends.update(await self._source.newest(self._context()))
        if self._held and self._has_context():
            held, self._held = self._held, {}
            await self._append(held)

    async def _append(self, fetched: Mapping[Place, Sequence[LogRecord]]) -> None:
        for place, records in fetched.items():
            done = await self._in_thread(self._archive.append, place, self._next[place], records)
            self._next[place] = records[-1].offset + 1
            self._metrics.records.labels(place.topic).inc(done.records)
            self._metrics.line_bytes.labels(place.topic).inc(done.line_bytes)
            self._metrics.undecodable.labels(place.topic).inc(done.undecodable)
            self._metrics.clamped.labels(place.topic).inc(done.clamped)

    def _is_context(self, place: Place) -> bool:
        return place.topic in self._context_topics

    def _context(self) -> list[Place]:
        return [place for place in self._next if self._is_context(place)]

    def _has_context(self) -> bool:
        context = self._context()
        return all(self._next[place] >= self._ends[place] for place in context)

    async def _clean(self) -> None:
        now_s = self._clock.monotonic()
        if now_s >= self._clean_s:
            self._clean_s = now_s + CLEAN_EVERY_S
            day = self._kept_from(self._clock.now()).date()  # a file is of a day of UTC
            dropped = await self._in_thread(self._archive.drop_before, day, self._dropped_topics)
            self._metrics.dropped.inc(dropped)
            if dropped:
                self.log("archive_dropped", files=dropped, before=day.isoformat())

    def _show(self) -> None:
        behind = dict.fromkeys((place.topic for place in self._next), 0)
        for place, end in self._ends.items():
            behind[place.topic] += max(0, end - self._next[place])
        for topic, records in behind.items():
            self._metrics.behind.labels(topic).set(records)
        self._metrics.free.set(self._archive.free_bytes())
        self.progress.turned_s = self._clock.monotonic()
        if self.progress.waits_for is not None:
            self.log("archive_goes_on", after=self.progress.waits_for.trouble)
            self._metrics.waiting.labels(self.progress.waits_for.trouble).set(0)
            self.progress.waits_for = self.progress.waits_since_s = None

    def _report(self, trouble: Waits) -> None:
        """Say once what is waited for, and count each time."""
        before = self.progress.waits_for
        self._metrics.waits.labels(trouble.trouble).inc()
        if before is None or before.trouble is not trouble.trouble:
            self.log("archive_waits", reason=trouble.trouble, detail=trouble.detail)
        if before is None:
            self.progress.waits_since_s = self._clock.monotonic()
        else:
            self._metrics.waiting.labels(before.trouble).set(0)
        self._metrics.waiting.labels(trouble.trouble).set(1)
        self.progress.waits_for = trouble

    async def _note(self, finished: Mapping[Place, int]) -> None:
        for place in finished:
            self._metrics.files.labels(place.topic).inc()
        if finished:
            self._metrics.finished_at.set(self._clock.now().timestamp())
            await self._source.note(finished)

    async def _close(self) -> None:
        await self._note(await self._in_thread(self._archive.close, self._has_context()))
        await self._source.close()

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
