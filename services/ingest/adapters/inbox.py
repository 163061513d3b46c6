"""Where deliveries are handed over to the worker of a lane, and where the lane's messages are counted.

A message from the broker's PUBLISH to our PUBACK, with who moves it on:

    received --take--> decided --put, acks=all--> in Kafka --settle--> PUBACK waits --same epoch--> PUBACK sent
       |  (the inbox)      |   (`LaneWorker`)        |   (the outbox)       |    (`MqttConnection`)
       |                   |                         |                      |
       +-------------------+------ the connection is lost: no PUBACK -------+--> the broker delivers it again

Where the broker kept the session, what nobody has taken by then is handed back. What was taken goes its way all the
same: its PUBACK is dropped, for it belongs to another epoch, and its second delivery is known by its mark and number
(`domain.repeats`). A PUBACK that was sent and lost has the same end.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from services.ingest.adapters.frames import Delivery
from services.ingest.adapters.stamps import MICROSECOND, Stamps
from services.ingest.domain.accounting import MessageAccounting, MessageCounts
from services.ingest.domain.values import Arrival, Claim, Outcome
from services.runtime.clock import Clock


class DeviceMessage(NamedTuple):
    """What a device said without a broker between. `number` tells its connection, `topic` tells people."""

    number: int
    topic: str
    payload: bytes
    claim: Claim


class Inbox:
    """Deliveries of one lane, first in first out: a queue between one thread that puts and an event loop that takes.

    `put...` and `hand_back` belong to the broker's thread, or to the listeners for devices; `take`, `settle` and
    `close` to the event loop; counters and `full` may be read by anybody.

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
        self._loop: asyncio.AbstractEventLoop | None = None
        self._filled = asyncio.Event()
        self._asleep = False
        self._closed = False
        self._settled_at = clock.monotonic()

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
            at += MICROSECOND
        self._receive(arrivals)

    def put_heard(self, heard: Sequence[DeviceMessage]) -> None:
        """Take in what devices said that know no broker, in its order too."""
        at, numbers = self._stamps.next(len(heard)), self._stamps.numbers
        arrivals = []
        for connection, topic, body, claim in heard:
            arrivals.append(Arrival(1, connection, topic, body, at, claim=claim, number=next(numbers)))
            at += MICROSECOND
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
    def closed(self) -> bool:
        return self._closed

    @property
    def full(self) -> bool:
        return self._held >= self._hold_messages or self._held_bytes >= self._hold_bytes

    @property
    def half_full(self) -> bool:
        return 2 * self._held >= self._hold_messages or 2 * self._held_bytes >= self._hold_bytes

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
        """Return (epoch, mid) of what may be acknowledged now, in the order of arrival.

        One worker settles what it took in the order in which it took it, so nothing is released before what came
        earlier. Whether the connection of an epoch still stands is for whoever sends the acknowledgements.
        """
        with self._lock:
            self._accounting.settled(outcomes)
            self._held -= len(arrivals)
            self._held_bytes -= sum([len(arrival.payload) for arrival in arrivals])
        self._settled_at = self._clock.monotonic()
        return [(arrival.epoch, arrival.mid) for arrival in arrivals]

    def close(self) -> None:
        """Nothing more will be put; `take` hands out the rest."""
        with self._lock:
            self._closed = True
        self._filled.set()

    def counts(self) -> MessageCounts:
        with self._lock:
            return self._accounting.counts()

    @property
    def settled_age_s(self) -> float:
        """Seconds since the last settlement: probes come twice a second, so it stays small."""
        return self._clock.monotonic() - self._settled_at

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
