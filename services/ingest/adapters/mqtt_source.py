"""The broker as the source of one lane: QoS 1, over a connection that is made anew whenever it is lost.

All connections of a source run on one thread of its own, one after the other. Nothing that happens in a turn may end
the thread; if it ends all the same, or hangs, `watch` says so.

    connecting --socket--> opening --CONNACK--> subscribing --SUBACK--> subscribed --close--> draining --> ended
      ^  | unreachable        | lost, refused       | lost, refused        | lost, broker silent
      |  v                    v                     v                      v
      waiting <---------------+---------------------+----------------------+      (`ReconnectBackoff`)

- Each CONNACK begins a new epoch. With the session kept, what nobody took yet is handed back: the broker delivers it
  again. Without it messages may be lost, and that is counted.
- Every connection subscribes, session or not (`MqttSession`): brokers have forgotten subscriptions of kept sessions.
- While the inbox is full the socket is not read, and silence means nothing.
- Draining reads nothing more; what Kafka has by then is acknowledged before the connection ends.
"""

import asyncio
import contextlib
import contextvars
import random
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from services.ingest.adapters.frames import Malformed
from services.ingest.adapters.inbox import Inbox
from services.ingest.adapters.mqtt_connection import MqttConnection, Probes
from services.ingest.adapters.mqtt_outbox import Outbox, Waker
from services.ingest.adapters.mqtt_session import Broker, MqttSession
from services.ingest.domain.accounting import MessageCounts
from services.ingest.domain.controls import Control
from services.ingest.domain.errors import ConnectionDied
from services.ingest.domain.readiness import ConnectionHealth
from services.ingest.domain.reconnect import AttemptEnd, ReconnectBackoff
from services.ingest.domain.topics import answer_topic, control_topic
from services.ingest.domain.values import Arrival, Outcome
from services.ingest.metrics import Metrics
from services.runtime.clock import Clock
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger

ASK_AGAIN_S = 0.05
"""Between two questions whether we may connect."""
HANGS_AFTER_S = 30.0
"""A turn takes half a second at most; a thread that has not turned for so long never will."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a connection reads. `probe_topic` comes back through the same queue as the messages.

    `leaves`: filters that its session shall gather for no longer.
    """

    filters: tuple[str, ...]
    probe_topic: str
    leaves: tuple[str, ...] = ()

    @property
    def without_messages(self) -> "Subscription":
        """What is left to read of a session that nobody goes on with: what waits in it, and our probes behind that."""
        messages = tuple(name for name in self.filters if name != self.probe_topic)
        return Subscription((self.probe_topic,), self.probe_topic, leaves=messages)


def subscription(lane: str, filters: Sequence[str], group: str, instance: str) -> Subscription:
    """Return what `lane` subscribes to, in the share group or, when `group` is empty, plainly.

    The probe must wait in the same queue as the messages. In a share group it needs a topic of its own, since another
    member would get it otherwise; Mosquitto keeps one queue per client. A broker with one queue for the whole group
    (HiveMQ) must not be used with one: there the probe overtakes what waits (decision 114). With plain filters it is
    published under the first of them, because rumqttd keeps a queue per filter.
    """
    if group:
        topic = f"firenet/v1/$ingest/{instance}/{lane}/probe"
        return Subscription((*(f"$share/{group}/{name}" for name in filters), topic), topic)
    branch = filters[0].removesuffix("/+").rpartition("/")[2]
    return Subscription(tuple(filters), f"firenet/v1/$ingest.{instance}/{branch}/probe")


class MqttSource:
    """Source of one lane. The event loop calls the public methods; `_main` and all that it calls run on the thread."""

    def __init__(
        self,
        lane: str,
        broker: Broker,
        client_id: str,
        reads: Subscription,
        inbox: Inbox,
        metrics: Metrics,
        clock: Clock,
        window: int,
        session_expiry_s: int,
        silent_limit_s: float = 10.0,
        may_connect: Callable[[], bool] = lambda: True,
    ) -> None:
        """`silent_limit_s`: a probe is out and the broker says nothing at all for this long: a dead connection.

        `may_connect`, asked before each connection: whether the client id is still ours.
        """
        self._lane = lane
        self._may_connect = may_connect
        self._silent_limit_s = silent_limit_s
        self._probes = Probes(reads.probe_topic, secrets.token_hex(8))
        self._inbox = inbox
        self._metrics = metrics
        self._clock = clock
        self._session = MqttSession(
            broker, client_id, reads.filters, window, session_expiry_s, self._on_open, self._on_change, reads.leaves
        )
        self._outbox = Outbox()
        self._waker = Waker()
        self._connection: MqttConnection | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = asyncio.Event()
        self._why_ended = "its thread ended"
        self._closing = False
        self._turned_at = clock.monotonic()

    def start(self) -> None:
        """Start the thread; it connects, and goes on trying, by itself."""
        self._loop = asyncio.get_running_loop()
        self._turned_at = self._clock.monotonic()
        context = contextvars.copy_context()  # what is bound to the log holds for the thread too
        self._thread = threading.Thread(target=context.run, args=(self._main,), name=f"mqtt-{self._lane}", daemon=True)
        self._thread.start()

    async def take(self, limit: int) -> list[Arrival]:
        return await self._inbox.take(limit)

    def settle(self, arrivals: Sequence[Arrival], outcomes: Sequence[Outcome]) -> None:
        self._outbox.acks.extend(self._inbox.settle(arrivals, outcomes))
        self._waker.wake()

    def answer(self, arrival: Arrival, replies: Sequence[bytes]) -> None:
        topic = answer_topic(arrival.topic)
        if topic is not None:
            self._outbox.answers.extend((topic, reply) for reply in replies)
            self._waker.wake()

    def send(self, gateway_id: str, control: Control) -> bool:
        """Publish with QoS 0: what a broker keeps for a device that is away would set its clock to a time long gone.

        The protocol has a confirm and resends of its own; the broker's would come on top of them.
        """
        if not (self._session.subscribed and self._outbox.takes_controls):
            return False
        self._outbox.controls.append((control_topic(gateway_id), control))
        self._waker.wake()
        return True

    def stop_receiving(self) -> None:
        self._inbox.close()

    def probe(self) -> None:
        self._outbox.probe_wanted = True
        self._waker.wake()

    async def watch(self, stop: Stop) -> None:
        """Return at stop. Raises ConnectionDied when the thread has ended or has not turned for 30 s."""
        while not await stop.wait_for(0.5):
            if self._ended.is_set():
                raise ConnectionDied(self._lane, self._why_ended)
            if self._clock.monotonic() - self._turned_at > HANGS_AFTER_S:
                raise ConnectionDied(self._lane, f"its thread has not turned for {HANGS_AFTER_S:g} s")

    async def close(self, deadline_s: float = 3.0) -> None:
        """Send what may still be acknowledged, disconnect and end the thread. The broker keeps the session."""
        self._closing = True
        self._waker.wake()
        if self._thread is not None and self._thread.is_alive():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(deadline_s):
                    await self._ended.wait()

    def counts(self) -> MessageCounts:
        return self._inbox.counts()

    def health(self) -> ConnectionHealth:
        alive = self._thread is not None and self._thread.is_alive()
        heard = None if self._connection is None else self._clock.monotonic() - self._connection.heard_at
        return ConnectionHealth(alive, self._session.connected, self._session.subscribed, heard)

    @property
    def settled_age_s(self) -> float:
        """Since anything was stored."""
        return self._inbox.settled_age_s

    def _main(self) -> None:
        try:
            self._connect_until_closing()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it must be seen: the thread is gone
            self._why_ended = f"its thread ended with {type(error).__name__}"
            get_logger().exception("mqtt_thread_died", lane=self._lane)
        finally:
            self._metrics.connected.labels(self._lane).set(0)
            self._waker.close()
            loop = self._loop
            if loop is not None and not loop.is_closed():
                loop.call_soon_threadsafe(self._ended.set)

    def _connect_until_closing(self) -> None:
        backoff = ReconnectBackoff()
        while not self._closing:
            self._turned_at = self._clock.monotonic()
            if not self._may_connect():
                self._pause(ASK_AGAIN_S)
                continue
            end = AttemptEnd.UNREACHABLE
            try:
                end = self._serve(self._session.connect())
            except (OSError, ValueError, Malformed) as error:
                get_logger().warning("mqtt_connection_failed", lane=self._lane, error=str(error)[:200])
            self._metrics.connected.labels(self._lane).set(0)
            self._pause(random.uniform(0.5, 1.0) * backoff.after(end))

    def _serve(self, sock: Any) -> AttemptEnd:
        """Serve one connection until it is lost or closed; return how far it came."""
        if sock is None:
            return AttemptEnd.UNREACHABLE
        connection = self._connection = MqttConnection(
            sock,
            self._lane,
            self._session,
            self._inbox,
            self._outbox,
            self._waker,
            self._probes,
            self._clock,
            silent_limit_s=self._silent_limit_s,
        )
        was_subscribed = False
        try:
            while connection.is_alive():
                connection.turn()
                self._turned_at = self._clock.monotonic()
                was_subscribed = was_subscribed or self._session.subscribed
                if self._closing and connection.has_sent_all:
                    connection.disconnect()
                    break
        finally:
            connection.close()
        if was_subscribed:
            return AttemptEnd.SUBSCRIBED
        return AttemptEnd.CUT_SHORT if self._session.refused_why is None else AttemptEnd.REFUSED

    def _pause(self, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        while not self._closing and self._clock.monotonic() < until:
            self._turned_at = self._clock.monotonic()
            self._waker.wait(min(0.5, seconds))

    def _on_open(self, session_present: bool) -> None:
        epoch = self._session.epoch
        self._outbox.controls.clear()  # meant for the moment in which they were handed over
        returned = 0
        if session_present:
            returned = self._inbox.hand_back()
        elif epoch > 1:
            self._metrics.session_lost.labels(self._lane).inc()
            get_logger().error("mqtt_session_lost", lane=self._lane, meaning="messages may have been lost")
        self._metrics.connects.labels(self._lane).inc()
        get_logger().info("mqtt_connected", lane=self._lane, epoch=epoch, session=session_present, handed_back=returned)

    def _on_change(self, what: str) -> None:
        self._metrics.connected.labels(self._lane).set(int(self._session.subscribed))
        if not self._session.connected and not self._closing:
            get_logger().warning("mqtt_disconnected", lane=self._lane, reason=what)
