"""How far this instance can prove that it saw everything: its own share of the watermark of each partition.

Twice a second a probe goes out on each connection and comes back through the very queue in the broker that the
gateways' messages wait in, then through our own queue, and is settled only after everything before it is stored. So
when it is settled, all that the broker had for us when the probe left is in Kafka. A dead connection, a dead thread, a
broker with a backlog and a Kafka that does not answer all show in the same way: the proof stops advancing.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from services.ingest.domain.values import Tick

MAX_AHEAD = timedelta(days=1)
"""So far ahead of our clock an earlier process may have been for us to go on where it was."""


class Predecessor(NamedTuple):
    """The last tick of an earlier process of this instance: its `epoch`, and how far its stamps had come."""

    epoch: int
    stamped_at: datetime


class InstanceWatermark:
    """Turns the probes of all connections into ticks; one tick for each advance."""

    def __init__(self, lanes: Iterable[str], epoch: int, since: datetime) -> None:
        """`epoch` must be larger than that of any earlier process of this instance; probes before `since` are its."""
        self._proven: dict[str, datetime | None] = dict.fromkeys(lanes)
        self._since = since
        self._epoch = epoch
        self._number = 0
        self._ticked_until: datetime | None = None

    def follow_on(self, predecessor: Predecessor, now: datetime) -> None:
        """Speak after an earlier process, whatever the clock says: what sounds older than it would not be heard."""
        self._epoch = max(self._epoch, predecessor.epoch + 1)
        self._since = max(self._since, now)

    def settled(self, lane: str, probe_sent_at: datetime) -> None:
        """A probe that left at `probe_sent_at` went all the way; one of an earlier process is nothing."""
        if probe_sent_at < self._since:
            return
        before = self._proven[lane]
        if before is None or probe_sent_at > before:
            self._proven[lane] = probe_sent_at

    def proven_until(self) -> datetime | None:
        """Return the instant before which nothing is missing on any lane; None while a lane has proved nothing."""
        instants = [instant for instant in self._proven.values() if instant is not None]
        return min(instants) if len(instants) == len(self._proven) else None

    def tick(self, now: datetime) -> Tick | None:
        """Return the next tick, None when nothing more was proven since the last one."""
        proven = self.proven_until()
        if proven is None or (self._ticked_until is not None and proven <= self._ticked_until):
            return None
        self._ticked_until = proven
        return self._next(proven, now, leaving=False)

    def leaving_tick(self, now: datetime) -> Tick | None:
        """Return the tick that ends an orderly stop, None when this instance never proved anything."""
        until = self._ticked_until or self.proven_until()
        return None if until is None else self._next(until, now, leaving=True)

    def _next(self, proven: datetime, now: datetime, *, leaving: bool) -> Tick:
        self._number += 1
        return Tick(self._epoch, self._number, leaving, proven, now)
