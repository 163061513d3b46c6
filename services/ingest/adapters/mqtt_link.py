"""One connection to the MQTT broker, in a thread of its own: QoS 1, acknowledged only when told to.

Connecting, receiving and acknowledging all happen on this one thread, so an acknowledgement can never meet another
connection than the one its delivery came over. Nothing that happens in a turn may end the thread; if it ends all the
same, or hangs, `watch` says so.
"""

import asyncio
import contextlib
import contextvars
import random
import secrets
import selectors
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.ingest.adapters.frames import Delivery, FrameReader, Malformed
from services.ingest.adapters.inbox import Inbox
from services.ingest.adapters.paho_session import Broker, Session
from services.ingest.domain.account import Account
from services.ingest.domain.controls import Control
from services.ingest.domain.errors import ConnectionDied
from services.ingest.domain.readiness import LinkHealth
from services.ingest.domain.reconnect import End, Waits
from services.ingest.domain.topics import answer_topic, control_topic
from services.ingest.domain.values import Arrival, Outcome
from services.ingest.metrics import Metrics
from services.runtime.clock import Clock
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger

HANGS_AFTER_S = 30.0
READ_BYTES = 64 * 1024
READS_PER_TURN = 4
MAX_ANSWERS = 65536
"""Answers that wait for the connection; beyond that the oldest are dropped, and their devices ask again."""
MAX_CONTROLS = 16384
_AGAIN = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a connection reads. `probe_topic` comes back through the same queue as the messages."""

    filters: tuple[str, ...]
    probe_topic: str


def subscription(lane: str, filters: Sequence[str], group: str, instance: str) -> Subscription:
    """Return what `lane` subscribes to, in the share group or, when `group` is empty, plainly.

    The probe must wait in the same queue as the messages. In a share group it needs a topic of its own, since another
    member would get it otherwise; Mosquitto keeps one queue per client. With plain filters it is published under the
    first of them, because rumqttd keeps a queue per filter.
    """
    if group:
        topic = f"firenet/v1/$ingest/{instance}/{lane}/probe"
        return Subscription((*(f"$share/{group}/{name}" for name in filters), topic), topic)
    branch = filters[0].removesuffix("/+").rpartition("/")[2]
    return Subscription(tuple(filters), f"firenet/v1/$ingest.{instance}/{branch}/probe")


class MqttLink:
    """Source of one lane. The event loop calls the public methods; everything else runs on the thread."""

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
    ) -> None:
        """`silent_limit_s`: a probe is out and the broker says nothing at all for this long: a dead connection."""
        self._lane = lane
        self._v5 = broker.v5
        self._silent_limit_s = silent_limit_s
        self._probe_topic = reads.probe_topic
        self._inbox = inbox
        self._metrics = metrics
        self._clock = clock
        self._token = secrets.token_hex(8)  # probes of an earlier process may still come back
        self._session = Session(
            broker, client_id, reads.filters, window, session_expiry_s, self._on_open, self._on_change
        )
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = asyncio.Event()
        self._why_ended = "its thread ended"
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        self._frames = FrameReader(v5=broker.v5)
        self._acks: deque[tuple[int, int]] = deque()
        self._answers: deque[tuple[str, bytes]] = deque(maxlen=MAX_ANSWERS)
        self._controls: deque[tuple[str, bytes]] = deque(maxlen=MAX_CONTROLS)
        self._unsent = b""
        self._epoch = 0
        self._closing = False
        self._receiving = True
        self._probe_wanted = False
        self._heard_at: float | None = None
        self._turned_at = clock.monotonic()

    # --- for the event loop

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
        self._acks.extend(self._inbox.settle(arrivals, outcomes))
        self._wake()

    def answer(self, arrival: Arrival, replies: Sequence[bytes]) -> None:
        topic = answer_topic(arrival.topic)
        if topic is not None:
            self._answers.extend((topic, reply) for reply in replies)
            self._wake()

    def send(self, gateway_id: str, control: Control) -> bool:
        """Publish with QoS 0: what a broker keeps for a device that is away would set its clock to a time long gone.

        The protocol has a confirm and resends of its own; the broker's would come on top of them.
        """
        if not self._session.subscribed or len(self._controls) == MAX_CONTROLS:
            return False
        self._controls.append((control_topic(gateway_id), control))
        self._wake()
        return True

    def stop_receiving(self) -> None:
        self._receiving = False
        self._inbox.close()

    def probe(self) -> None:
        self._probe_wanted = True
        self._wake()

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
        self._wake()
        if self._thread is not None and self._thread.is_alive():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(deadline_s):
                    await self._ended.wait()

    def account(self) -> Account:
        return self._inbox.account()

    def state(self) -> LinkHealth:
        alive = self._thread is not None and self._thread.is_alive()
        heard = None if self._heard_at is None else self._clock.monotonic() - self._heard_at
        return LinkHealth(alive, self._session.connected, self._session.subscribed, heard)

    @property
    def settled_age_s(self) -> float:
        """Since anything was stored."""
        return self._inbox.settled_age_s

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # a full pipe wakes as well
            self._wake_out.send(b"\0")

    # --- the thread: connections

    def _main(self) -> None:
        try:
            self._wake_in.setblocking(False)
            self._wake_out.setblocking(False)
            self._selector.register(self._wake_in, selectors.EVENT_READ)
            self._serve_until_closing()
        except BaseException as error:  # noqa: BLE001 - whatever it is, it must be seen: the thread is gone
            self._why_ended = f"its thread ended with {type(error).__name__}"
            get_logger().exception("mqtt_thread_died", lane=self._lane)
        finally:
            self._metrics.connected.labels(self._lane).set(0)
            for part in (self._selector, self._wake_in, self._wake_out):
                part.close()
            loop = self._loop
            if loop is not None and not loop.is_closed():
                loop.call_soon_threadsafe(self._ended.set)

    def _serve_until_closing(self) -> None:
        waits = Waits()
        while not self._closing:
            self._turned_at = self._clock.monotonic()
            end = End.UNREACHABLE
            try:
                end = self._serve(self._session.connect())
            except (OSError, ValueError, Malformed) as error:
                get_logger().warning("mqtt_connection_failed", lane=self._lane, error=str(error)[:200])
            self._metrics.connected.labels(self._lane).set(0)
            self._pause(random.uniform(0.5, 1.0) * waits.after(end))

    def _serve(self, sock: Any) -> End:
        """Serve one connection until it is lost or closed; return how far it came."""
        if sock is None:
            return End.UNREACHABLE
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._frames = FrameReader(v5=self._v5)
        self._unsent = b""
        self._heard_at = self._clock.monotonic()
        self._selector.register(sock, selectors.EVENT_READ)
        was_subscribed = False
        try:
            while self._session.client.socket() is sock and not self._is_dead():
                self._turn(sock)
                was_subscribed = was_subscribed or self._session.subscribed
                if self._closing and not self._acks and not self._answers and not self._unsent:
                    self._session.client.disconnect()
                    self._write(sock)
                    break
        finally:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(sock)
        if was_subscribed:
            return End.SUBSCRIBED
        return End.CUT_SHORT if self._session.refused_why is None else End.REFUSED

    def _is_dead(self) -> bool:
        if self._session.refused_why is not None:
            get_logger().error("mqtt_refused", lane=self._lane, why=self._session.refused_why)
            return True
        now = self._clock.monotonic()
        if not self._may_read():
            self._heard_at = now  # we do not listen: silence says nothing
        silent_s = now - (self._heard_at or now)
        if silent_s > self._silent_limit_s and (self._session.probing or not self._session.subscribed):
            get_logger().warning("mqtt_broker_silent", lane=self._lane, silent_s=round(silent_s, 1))
            return True
        return False

    def _pause(self, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        while not self._closing and self._clock.monotonic() < until:
            self._turned_at = self._clock.monotonic()
            self._await_events(None, 0, min(0.5, seconds))

    # --- the thread: one turn

    def _turn(self, sock: Any) -> None:
        reading = self._may_read()
        writing = bool(self._unsent) or self._session.client.want_write()
        wanted = (selectors.EVENT_READ if reading else 0) | (selectors.EVENT_WRITE if writing else 0)
        unread = isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
        self._await_events(sock, wanted, 0 if unread else 0.5)
        if reading:
            self._read(sock)
        if self._probe_wanted and self._session.subscribed and not self._session.probing:
            self._probe_wanted = False
            self._session.publish_probe(self._probe_topic, f"{self._token} {self._inbox.stamp().isoformat()}")
        for waiting in (self._controls, self._answers):
            while waiting and self._session.connected:
                self._session.publish_answer(*waiting.popleft())
        self._write(sock)
        self._turned_at = self._clock.monotonic()

    def _may_read(self) -> bool:
        return self._receiving and not self._inbox.full

    def _await_events(self, sock: Any, wanted: int, limit_s: float) -> None:
        if sock is not None:
            if wanted:
                self._selector.modify(sock, wanted)
            else:
                self._selector.unregister(sock)
        for key, _ in self._selector.select(limit_s):
            if key.fileobj is self._wake_in:
                with contextlib.suppress(BlockingIOError):
                    self._wake_in.recv(4096)
        if sock is not None and not wanted:
            self._selector.register(sock, selectors.EVENT_READ)

    def _read(self, sock: Any) -> None:
        for _ in range(READS_PER_TURN):
            try:
                data = sock.recv(READ_BYTES)
            except _AGAIN:
                return
            except OSError:
                data = b""
            if not data:
                self._session.client.end()
                return
            self._heard_at = self._clock.monotonic()
            self._deliver(self._frames.feed(data))
            if len(data) < READ_BYTES or self._inbox.full:
                return

    def _deliver(self, packets: Sequence[Delivery | bytes]) -> None:
        """Hand over in order: what is no delivery may open a new epoch."""
        messages: list[Delivery] = []
        for packet in packets:
            if isinstance(packet, Delivery) and packet.topic != self._probe_topic:
                messages.append(packet)
                continue
            self._inbox.put(self._epoch, messages)
            messages = []
            if isinstance(packet, Delivery):
                self._inbox.put_probe(self._epoch, packet.mid, self._probe_sent_at(packet.payload))
            else:
                self._session.client.feed(packet)
        self._inbox.put(self._epoch, messages)

    def _probe_sent_at(self, payload: bytes) -> datetime:
        """Return when a probe left; of an earlier process with our name: the beginning of time, it proves nothing."""
        token, _, sent_at = payload.decode("ascii", "replace").partition(" ")
        return datetime.fromisoformat(sent_at) if token == self._token else datetime.min.replace(tzinfo=UTC)

    def _write(self, sock: Any) -> None:
        """Write what paho has, then all acknowledgements at once; never one into the middle of the other."""
        client = self._session.client
        if self._unsent and not self._send(sock):
            return
        if client.want_write():
            client.loop_write()
            if client.want_write():
                return
        if self._acks:
            mids = []
            while self._acks:
                epoch, mid = self._acks.popleft()
                if epoch == self._epoch and mid:
                    mids.append(struct.pack("!HH", 0x4002, mid))  # PUBACK, two bytes follow: the number
            self._unsent = b"".join(mids)
            self._send(sock)

    def _send(self, sock: Any) -> bool:
        """Send on what is unsent; return whether nothing is left of it."""
        try:
            while self._unsent:
                self._unsent = self._unsent[sock.send(self._unsent) :]
        except _AGAIN:
            return False
        except OSError:
            self._unsent = b""
            self._session.client.end()
        return True

    # --- the thread: what the session says

    def _on_open(self, session_present: bool) -> None:
        self._epoch += 1
        self._controls.clear()  # meant for the moment in which they were handed over
        returned = 0
        if session_present:
            returned = self._inbox.hand_back()
        elif self._epoch > 1:
            self._metrics.session_lost.labels(self._lane).inc()
            get_logger().error("mqtt_session_lost", lane=self._lane, meaning="messages may have been lost")
        self._metrics.connects.labels(self._lane).inc()
        get_logger().info(
            "mqtt_connected", lane=self._lane, epoch=self._epoch, session=session_present, handed_back=returned
        )

    def _on_change(self, what: str) -> None:
        self._metrics.connected.labels(self._lane).set(int(self._session.subscribed))
        if not self._session.connected and not self._closing:
            get_logger().warning("mqtt_disconnected", lane=self._lane, reason=what)
