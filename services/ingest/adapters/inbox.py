"""Where deliveries are handed over to the worker of a lane, and where the lane's books are kept."""

import asyncio
import itertools
import threading
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from services.ingest.adapters.frames import Delivery
from services.ingest.domain.account import Account, MessageAccounting
from services.ingest.domain.ack_chain import AckChain
from services.ingest.domain.values import Arrival, Claim, Outcome
from services.runtime.clock import Clock

STEP = timedelta(microseconds=1)
SLOWED = 0.9
"""A deadline takes a ninth longer while stamps are ahead of the clock, and an hour is caught up with in ten."""


class Stamps:
    """`received_at` for all lanes of an instance: wall time that never goes back, whatever the clock does.

    When the clock was set back, stamps go on a little slower than time until it has caught up: standing still would
    stop all proof, and with it supervision, for as long as the step was; and whatever they lose makes deadlines late.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._last = clock.now()
        self._last_at = clock.monotonic()
        self.numbers = itertools.count(1)
        """What tells apart the messages of one millisecond."""

    def next(self, count: int = 1) -> datetime:
        """Return the next stamp, the first of `count` that follow each other by a microsecond."""
        with self._lock:
            now, at = self._clock.now(), self._clock.monotonic()
            if now < self._last:
                now = self._last + timedelta(seconds=(at - self._last_at) * SLOWED)
            self._last, self._last_at = (now if count <= 1 else now + (count - 1) * STEP), at
            return now

    def go_on_from(self, instant: datetime) -> None:
        """Give no stamp before `instant`, where an earlier process had come to."""
        with self._lock:
            if instant > self._last:
                self._last, self._last_at = instant, self._clock.monotonic()

    @property
    def ahead_s(self) -> float:
        """How far the stamps are ahead of the clock, in seconds; not 0 only after it was set back."""
        with self._lock:
            return max(0.0, (self._last - self._clock.now()).total_seconds())


class DeviceMessage(NamedTuple):
    """What a device said without a broker between. `number` tells its connection, `topic` tells people."""

    number: int
    topic: str
    payload: bytes
    claim: Claim


class Inbox:
    """Deliveries of one lane, first in first out. One thread puts, one event loop takes and settles.

    Bounded by the broker's window (each delivery in here is unacknowledged) and by `hold_messages` and `hold_bytes`:
    when either is reached `full` says so and whoever puts stops reading.
    """

    def __init__(self, stamps: Stamps, clock: Clock, hold_messages: int, hold_bytes: int) -> None:
        self._stamps = stamps
        self._clock = clock
        self._hold_messages = hold_messages
        self._hold_bytes = hold_bytes
        self._lock = threading.Lock()
        self._waiting: deque[Arrival] = deque()
        self._held = 0
        self._held_bytes = 0
        self._accounting = MessageAccounting()
        self._chain = AckChain()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._filled = asyncio.Event()
        self._asleep = False
        self._closed = False
        self._settled_at = clock.monotonic()

    # --- the broker's thread, or the listeners for devices

    def stamp(self) -> datetime:
        return self._stamps.next()

    def put(self, epoch: int, messages: Sequence[Delivery]) -> None:
        """Take in messages of gateways that were read together, each a microsecond after the one before it: a fire and
        its end that come out of a backlog at once are still in their order.
        """
        if not messages:
            return
        at, numbers = self._stamps.next(len(messages)), self._stamps.numbers
        arrivals = []
        for topic, mid, body, dup, kept in messages:
            arrivals.append(Arrival(epoch, mid, topic, body, at, dup, kept, number=next(numbers)))
            at += STEP
        self._receive(arrivals)

    def put_heard(self, heard: Sequence[DeviceMessage]) -> None:
        """Take in what devices said that know no broker, in its order too."""
        at, numbers = self._stamps.next(len(heard)), self._stamps.numbers
        arrivals = []
        for connection, topic, body, claim in heard:
            arrivals.append(Arrival(1, connection, topic, body, at, claim=claim, number=next(numbers)))
            at += STEP
        self._receive(arrivals)

    def put_probe(self, epoch: int, mid: int, sent_at: datetime) -> None:
        """Take in a probe of our own that came back; it waits its turn among the messages."""
        arrival = Arrival(epoch, mid, "", b"", self._stamps.next(), probe_sent_at=sent_at)
        with self._lock:
            self._append([arrival], 0)

    def hand_back(self) -> int:
        """Drop all that nobody took yet, because the broker will deliver it again; return how many messages."""
        with self._lock:
            messages = sum(arrival.probe_sent_at is None for arrival in self._waiting)
            self._accounting.handed_back(messages)
            self._held -= len(self._waiting)
            self._held_bytes -= sum(len(arrival.payload) for arrival in self._waiting)
            self._waiting.clear()
        return messages

    @property
    def full(self) -> bool:
        return self._held >= self._hold_messages or self._held_bytes >= self._hold_bytes

    @property
    def half_full(self) -> bool:
        return 2 * self._held >= self._hold_messages or 2 * self._held_bytes >= self._hold_bytes

    # --- the event loop

    async def take(self, limit: int) -> list[Arrival]:
        """Wait for deliveries; empty once closed and drained."""
        self._loop = asyncio.get_running_loop()
        while True:
            with self._lock:
                waiting = self._waiting
                if waiting:
                    return [waiting.popleft() for _ in range(min(limit, len(waiting)))]
                if self._closed:
                    return []
                self._filled.clear()
                self._asleep = True
            await self._filled.wait()

    def settle(self, arrivals: Sequence[Arrival], outcomes: Sequence[Outcome]) -> list[tuple[int, int]]:
        """Return (epoch, mid) of what may be acknowledged now, in the order of arrival."""
        links = [self._chain.arrived(arrival.epoch, arrival.mid) for arrival in arrivals]
        for link in links:
            link.done = True
        with self._lock:
            self._accounting.settled(outcomes)
            self._held -= len(arrivals)
            self._held_bytes -= sum([len(arrival.payload) for arrival in arrivals])
        self._settled_at = self._clock.monotonic()
        return self._chain.release()

    def close(self) -> None:
        """Nothing more will be put; `take` hands out the rest."""
        with self._lock:
            self._closed = True
        self._filled.set()

    def account(self) -> Account:
        with self._lock:
            return self._accounting.account()

    @property
    def settled_age_s(self) -> float:
        """Seconds since the last settlement: probes come twice a second, so this is a pulse."""
        return self._clock.monotonic() - self._settled_at

    # --- inside

    def _receive(self, arrivals: Sequence[Arrival]) -> None:
        with self._lock:
            if self._closed:  # read while the end came: not answered, so it is sent again, to the next process
                return
            self._accounting.received(len(arrivals))
            self._append(arrivals, sum([len(arrival.payload) for arrival in arrivals]))

    def _append(self, arrivals: Sequence[Arrival], size: int) -> None:
        self._waiting.extend(arrivals)
        self._held += len(arrivals)
        self._held_bytes += size
        loop = self._loop
        if self._asleep and loop is not None and not loop.is_closed():
            self._asleep = False
            loop.call_soon_threadsafe(self._filled.set)
