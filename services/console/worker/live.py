"""One picture per slice, read once per change and shared by every browser that looks at it.

What burns is read beside it as well, alone and more often: a fire waits for no figure of a large district.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from services.console.domain.dashboard_snapshot import Names
from services.console.domain.errors import DataUnavailable, TooBusy
from services.console.domain.freshness import DataAge, Freshness, PartitionVisibility, data_age
from services.console.domain.viewer import Slice, Viewer
from services.console.metrics import Metrics
from services.console.ports.accounts import Secrets
from services.console.ports.district import Changes, Encoder, LiveEvent, ReadModel
from services.runtime.clock import Clock
from services.runtime.lifecycle import Stop


@dataclass(frozen=True, slots=True)
class LiveBounds:
    """All in seconds but the counts. `spacing_s`: no slice is read more often; `refresh_s`: nor less often.

    `fires_spacing_s`: the same for what burns. `await_s`: how long a slice is kept up to date for a page that is on its
    way to the reader, before its stream comes.
    """

    beat_s: float = 1.0
    spacing_s: float = 0.25
    fires_spacing_s: float = 0.05
    refresh_s: float = 5.0
    names_s: float = 10.0
    read_deadline_s: float = 5.0
    keep_idle_s: float = 60.0
    await_s: float = 5.0
    parallel_reads: int = 3
    streams_total: int = 512
    streams_per_account: int = 16


@dataclass(slots=True)
class _Feed:
    """The newest sections of a slice, each with the version in which it last changed. No queue: a reader who is
    behind finds the latest state."""

    slice: Slice
    sections: dict[str, tuple[int, str]] = field(default_factory=dict)
    version: int = 0
    followers: int = 0
    read_at: float = float("-inf")
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    joined: tuple[int, int, str] = (-1, -1, "")
    awaited_until: float = float("-inf")
    """By the monotonic clock: a page that was sent is expected to follow until then."""
    fires_as_of: float = float("-inf")
    """When the newest read of fires began: what began before that says nothing about them any more."""

    def ring(self) -> None:
        self.bell.set()
        self.bell = asyncio.Event()

    def since(self, seen: int) -> str:
        """Return the sections that changed after version `seen` as one JSON object, built once for all readers."""
        if self.joined[:2] != (seen, self.version):
            parts = (f'"{name}":{body}' for name, (version, body) in self.sections.items() if version > seen)
            self.joined = (seen, self.version, "{" + ",".join(parts) + "}")
        return self.joined[2]


class LiveHub:
    """Implements the port `Live`. `run` must be running for anything to move."""

    def __init__(
        self,
        *,
        read: ReadModel,
        changes: Changes,
        encoder: Encoder,
        secrets: Secrets,
        clock: Clock,
        metrics: Metrics,
        bounds: LiveBounds,
    ) -> None:
        self._read = read
        self._changes = changes
        self._encoder = encoder
        self._clock = clock
        self._metrics = metrics
        self._bounds = bounds
        self._boot = secrets.token()[:12].replace("-", "_")
        self._feeds: dict[Slice, _Feed] = {}
        self._streams: Counter[str] = Counter()
        self._version = 0
        self._dirty, self._fires_dirty = asyncio.Event(), asyncio.Event()
        self._reads, self._fire_reads = (asyncio.Semaphore(bounds.parallel_reads) for _ in range(2))
        self._stopped = False
        self._expecting: set[asyncio.Task[None]] = set()
        self._names = Names()
        self._names_at = float("-inf")
        self._visibilities: tuple[PartitionVisibility, ...] = ()
        self._last_good: datetime | None = None
        self._refreshed_at = float("-inf")
        self._beats = 0
        self._beat_body = "{}"

    @property
    def streams(self) -> int:
        return self._streams.total()

    @property
    def last_read_at(self) -> datetime | None:
        """When the database last answered; None when it never did."""
        return self._last_good

    async def run(self, stop: Stop) -> None:
        """Listen, beat and refresh until stop; then every stream ends."""
        works = (self._listen(), self._beat_loop(stop), self._refresh_loop(stop), self._fires_loop(stop))
        tasks = [asyncio.create_task(work) for work in works]
        stopping = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()
        finally:
            self._stopped = True
            for feed in self._feeds.values():
                feed.ring()
            every = (*tasks, *self._expecting, stopping)
            for task in every:
                task.cancel()
            await asyncio.gather(*every, return_exceptions=True)

    def expect(self, slice_: Slice) -> None:
        """Begin to read the slice: while a browser fetches the page that follows it, the database is asked already."""
        feed = self._feed(slice_)
        known = self._is_kept(feed)
        feed.awaited_until = self._clock.monotonic() + self._bounds.await_s
        if not known and not self._stopped:
            task = asyncio.create_task(self._ensure(feed, self._bounds.spacing_s))
            self._expecting.add(task)
            task.add_done_callback(self._expecting.discard)

    @asynccontextmanager
    async def follow(self, viewer: Viewer, last_id: str | None) -> AsyncIterator[AsyncIterator[LiveEvent]]:
        """Yield the viewer's events. See the port."""
        self._admit(viewer)
        feed = self._feed(viewer.slice)
        kept = self._is_kept(feed)  # up to date: it is shown at once
        feed.followers += 1
        try:
            await self._ensure(feed, max_age_s=self._bounds.refresh_s if kept else self._bounds.spacing_s)
            yield self._events(feed, self._resume(last_id))
        finally:
            feed.followers -= 1
            self._streams[viewer.username] -= 1
            self._streams += Counter()  # drops accounts that are back at zero
            self._metrics.streams_open.set(self._streams.total())

    async def section(self, slice_: Slice, name: str) -> str:
        """Return one section, at most a second old. Raises DataUnavailable."""
        feed = self._feed(slice_)
        await self._ensure(feed, max_age_s=self._bounds.beat_s)
        if self._clock.monotonic() - feed.read_at > self._bounds.read_deadline_s or name not in feed.sections:
            raise DataUnavailable("the picture could not be read in time")
        return feed.sections[name][1]

    def freshness(self) -> str:
        """Return the last beat as JSON."""
        return self._beat_body

    def _admit(self, viewer: Viewer) -> None:
        of_account = self._streams[viewer.username]
        if self.streams >= self._bounds.streams_total or of_account >= self._bounds.streams_per_account:
            self._metrics.streams_refused.inc()
            raise TooBusy("too many live pages are open")
        self._streams[viewer.username] += 1
        self._metrics.streams_open.set(self.streams)

    def _resume(self, last_id: str | None) -> int | None:
        """Return the version that a returning browser has, or None when it needs a snapshot."""
        boot, _, version = (last_id or "").partition("-")
        if boot != self._boot or not version.isdecimal() or len(version) > 15 or int(version) > self._version:
            return None
        return int(version)

    async def _events(self, feed: _Feed, seen: int | None) -> AsyncIterator[LiveEvent]:
        beat = -1
        while not self._stopped:
            bell = feed.bell
            if feed.version and (seen is None or feed.version > seen):
                kind, body = ("snapshot", feed.since(0)) if seen is None else ("update", feed.since(seen))
                seen = feed.version
                self._metrics.events.labels(kind).inc()
                yield LiveEvent(kind, body, f"{self._boot}-{seen}")
            elif self._beats != beat:
                beat = self._beats
                self._metrics.events.labels("beat").inc()
                yield LiveEvent("beat", self._beat_body, None)
            else:
                await bell.wait()

    def _feed(self, slice_: Slice) -> _Feed:
        feed = self._feeds.get(slice_)
        if feed is None:
            feed = self._feeds[slice_] = _Feed(slice_)
        return feed

    def _is_kept(self, feed: _Feed) -> bool:
        """Return whether the slice is read anew with each change: somebody follows it, or will in a moment."""
        return feed.followers > 0 or self._clock.monotonic() < feed.awaited_until

    async def _ensure(self, feed: _Feed, max_age_s: float) -> None:
        async with feed.lock:
            if self._clock.monotonic() - feed.read_at > max_age_s:
                await self._refresh(feed)

    async def _listen(self) -> None:
        async for _ in self._changes.wakes():
            self._wake()

    def _wake(self) -> None:
        self._dirty.set()
        self._fires_dirty.set()

    async def _beat_loop(self, stop: Stop) -> None:
        while not stop.is_set():
            await self._beat()
            await stop.wait_for(self._bounds.beat_s)

    async def _beat(self) -> None:
        """Read the visibility, so that the page says it is stale though nothing else happens; tell every browser."""
        try:
            async with asyncio.timeout(self._bounds.read_deadline_s / 2):
                visibilities = tuple(await self._read.visibility())
            age = data_age(visibilities, self._clock.now())
            self._last_good = self._clock.now()
        except (DataUnavailable, TimeoutError):
            self._metrics.read_failures.inc()
            known = data_age(self._visibilities, self._clock.now())
            visibilities, age = (
                self._visibilities,
                DataAge(Freshness.UNREACHABLE, known.as_of, known.blind, known.partitions),
            )
        if [part.visibility for part in visibilities] != [part.visibility for part in self._visibilities]:
            self._wake()  # the views overlay unknown by the clock alone: nobody notifies that
        self._visibilities = visibilities
        if self._clock.monotonic() - self._refreshed_at >= self._bounds.refresh_s:
            self._wake()
        self._beats += 1
        self._beat_body = self._encoder.freshness(age, self._clock.now(), self._last_good)
        for feed in self._feeds.values():
            feed.ring()

    async def _refresh_loop(self, stop: Stop) -> None:
        while not stop.is_set():
            await self._dirty.wait()
            self._dirty.clear()
            started = self._clock.monotonic()
            self._refreshed_at = started
            await asyncio.gather(*(self._refresh_shared(feed) for feed in list(self._feeds.values())))
            # Never more than half of the time is spent reading, however large the district.
            await stop.wait_for(max(self._bounds.spacing_s, self._clock.monotonic() - started))

    async def _fires_loop(self, stop: Stop) -> None:
        while not stop.is_set():
            await self._fires_dirty.wait()
            self._fires_dirty.clear()
            started = self._clock.monotonic()
            kept = [feed for feed in self._feeds.values() if self._is_kept(feed)]
            await asyncio.gather(*(self._refresh_fires(feed) for feed in kept))
            await stop.wait_for(max(self._bounds.fires_spacing_s, self._clock.monotonic() - started))

    async def _refresh_fires(self, feed: _Feed) -> None:
        """Read what burns in the slice. A failure is left to the whole picture, which counts it."""
        started = self._clock.monotonic()
        try:
            async with self._fire_reads, asyncio.timeout(self._bounds.read_deadline_s):
                fires = await self._read.fires(feed.slice)
        except (DataUnavailable, TimeoutError):
            return
        if feed.version and started >= feed.fires_as_of:  # what nobody has seen whole is first seen whole
            feed.fires_as_of = started
            self._publish(feed, {"fires": self._encoder.fires(fires)})

    async def _refresh_shared(self, feed: _Feed) -> None:
        if self._is_kept(feed):
            async with feed.lock:
                await self._refresh(feed)
        elif self._clock.monotonic() - feed.read_at > self._bounds.keep_idle_s and not feed.lock.locked():
            self._feeds.pop(feed.slice, None)

    async def _refresh(self, feed: _Feed) -> None:
        """Read the slice and publish the sections that differ. A failure leaves the last state; the beat tells."""
        started = self._clock.monotonic()
        try:
            async with self._reads, asyncio.timeout(self._bounds.read_deadline_s):
                await self._refresh_names()
                snapshot = await self._read.snapshot(feed.slice)
        except (DataUnavailable, TimeoutError):
            self._metrics.read_failures.inc()
            return
        fresh = self._encoder.sections(snapshot, self._names)
        if started < feed.fires_as_of:
            del fresh["fires"]
        else:
            feed.fires_as_of = started
        self._publish(feed, fresh)
        feed.read_at = self._clock.monotonic()
        self._metrics.snapshot_seconds.observe(feed.read_at - started)

    def _publish(self, feed: _Feed, fresh: Mapping[str, str]) -> None:
        """Give new versions to the sections that differ, and say so to who follows."""
        changed = [name for name, body in fresh.items() if feed.sections.get(name, (0, ""))[1] != body]
        if changed:
            self._version += 1
            feed.sections.update({name: (self._version, fresh[name]) for name in changed})
            feed.version = self._version
            feed.ring()

    async def _refresh_names(self) -> None:
        if self._clock.monotonic() - self._names_at >= self._bounds.names_s:
            self._names = await self._read.names()
            self._names_at = self._clock.monotonic()
