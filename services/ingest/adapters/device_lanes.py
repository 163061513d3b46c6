"""The two lanes of devices that know no broker, whatever carries their frames: fires have one of their own.

There is no broker that would keep what is not acknowledged: the device does. It sends a frame until it is confirmed,
and it is confirmed when Kafka has it. So a listener may drop whatever it has not put in here.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.ingest.adapters.inbox import DeviceMessage, Inbox
from services.ingest.domain.accounting import MessageCounts
from services.ingest.domain.values import Arrival, Outcome
from services.ingest.metrics import Metrics
from services.kernel.words import Transport

DEVICE_LANES = ("device", "device_fire")


class Listener(Protocol):
    """A carrier as the lanes see it. Everything is called in the event loop and returns at once."""

    @property
    def drained(self) -> bool:
        """Whether the last look at the sockets left nothing unread in them."""
        ...

    def pause(self) -> None:
        """Read nothing until `resume`: what comes waits in the sockets, and then with the devices."""
        ...

    def resume(self) -> None: ...

    def settled(self, outcome: Outcome) -> None:
        """Something that this listener put is stored, as a signal or as a refusal."""
        ...

    def answer(self, arrival: Arrival, reply: bytes) -> None:
        """Send `reply` to whom `arrival` came from, when it is still there."""
        ...

    def stop_listening(self) -> None:
        """Let nobody in and read nothing more; who is connected can still be answered."""
        ...


class DeviceLanes:
    """Puts what listeners hear into the lane it belongs to, and stops them all while a lane is full."""

    def __init__(self, main: Inbox, fire: Inbox, metrics: Metrics) -> None:
        self._main = main
        self._fire = fire
        self._metrics = metrics
        self._listeners: dict[Transport, Listener] = {}
        self._stopped = False
        self.paused = False
        names = DEVICE_LANES
        self.sources = {names[0]: DeviceSource(self, main), names[1]: DeviceSource(self, fire)}

    def attach(self, carrier: Transport, listener: Listener) -> None:
        self._listeners[carrier] = listener

    def put(self, heard: Sequence[DeviceMessage], fires: Sequence[DeviceMessage]) -> None:
        """Take in what was read together."""
        if fires:
            self._fire.put_heard(fires)
        if heard:
            self._main.put_heard(heard)
        if not self.paused and (self._main.full or self._fire.full):
            self.paused = True
            self._metrics.devices_paused.set(1)
            for listener in self._listeners.values():
                listener.pause()

    @property
    def drained(self) -> bool:
        return not self.paused and all(listener.drained for listener in self._listeners.values())

    def settled(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            claim = outcome.arrival.claim
            if claim is not None:
                self._listeners[claim.route.carrier].settled(outcome)
        if self.paused and not self._stopped and not (self._main.half_full or self._fire.half_full):
            self.paused = False
            self._metrics.devices_paused.set(0)
            for listener in self._listeners.values():
                listener.resume()
            for source in self.sources.values():
                source.look_again()

    def answer(self, arrival: Arrival, replies: Sequence[bytes]) -> None:
        claim = arrival.claim
        if claim is not None:
            for reply in replies:
                self._listeners[claim.route.carrier].answer(arrival, reply)

    def stop_listening(self) -> None:
        self._stopped = True
        for listener in self._listeners.values():
            listener.stop_listening()


class DeviceSource:
    """Source of one of the two lanes.

    A probe claims that all which had reached us when it left stands before it. So it waits until the sockets were
    looked at once more, and as long as the listeners are paused: what lies unread must not pass for silence.
    """

    def __init__(self, lanes: DeviceLanes, inbox: Inbox) -> None:
        self._lanes = lanes
        self._inbox = inbox
        self._probe_sent_at: datetime | None = None

    async def take(self, limit: int) -> list[Arrival]:
        return await self._inbox.take(limit)

    def settle(self, arrivals: Sequence[Arrival], outcomes: Sequence[Outcome]) -> None:
        self._inbox.settle(arrivals, outcomes)
        self._lanes.settled(outcomes)

    def answer(self, arrival: Arrival, replies: Sequence[bytes]) -> None:
        self._lanes.answer(arrival, replies)

    def stop_receiving(self) -> None:
        self._lanes.stop_listening()
        self._inbox.close()

    def probe(self) -> None:
        waiting = self._probe_sent_at is not None
        if not waiting or self._lanes.paused:
            self._probe_sent_at = self._inbox.stamp()
        if not waiting:
            self.look_again()

    def look_again(self) -> None:
        """Put the probe that waits, if any, after the event loop has looked at every socket once more."""
        if self._probe_sent_at is not None:
            loop = asyncio.get_running_loop()
            # The next turn of the loop looks at the sockets, but after what it was called for; the one after is safe.
            loop.call_soon(loop.call_soon, self._put_probe)

    def _put_probe(self) -> None:
        if self._probe_sent_at is None or self._lanes.paused:
            return
        if not self._lanes.drained:
            self.look_again()
            return
        self._inbox.put_probe(1, 0, self._probe_sent_at)
        self._probe_sent_at = None

    def counts(self) -> MessageCounts:
        return self._inbox.counts()

    @property
    def settled_age_s(self) -> float:
        return self._inbox.settled_age_s
