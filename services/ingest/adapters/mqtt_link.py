"""One connection to the MQTT broker: paho in a thread of our own, QoS 1, acknowledged only when told to.

paho is driven through its interface for external event loops (`loop_read`, `loop_write`, `loop_misc`). So connecting,
receiving and acknowledging all happen on one thread, and an acknowledgement can never meet another connection than
the one its message came over. Nothing that a callback meets may end the thread; if it ends all the same, or hangs,
`watch` says so.
"""

import asyncio
import contextlib
import secrets
import selectors
import socket
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from services.ingest.adapters.inbox import Inbox
from services.ingest.domain.account import Account
from services.ingest.domain.errors import ConnectionDied
from services.ingest.domain.values import Arrival, Outcome
from services.ingest.metrics import Metrics
from services.runtime.clock import Clock
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger
from services.runtime.postgres import backoff_s

KEEPALIVE_S = 30
ANSWER_LIMIT_S = 10.0
"""A probe that the broker does not even acknowledge for this long means a dead connection: it is made anew."""
HANGS_AFTER_S = 30.0
PACKETS_PER_TURN = 500
MAX_PACKET_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is and how to speak with it. `protocol` is "5" or "3.1.1"."""

    host: str
    port: int
    protocol: str = "5"
    username: str | None = None
    password: str | None = None
    tls_ca: str | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a connection reads. `probe_topic` comes back through the same queue: by `filters`, or by `probe_filter`."""

    filters: tuple[str, ...]
    probe_topic: str
    probe_filter: str | None


@dataclass(frozen=True, slots=True)
class LinkState:
    """`answered_age_s`: since the broker last acknowledged a probe; None before the first. `settled_age_s`: since the
    last message or probe was stored."""

    connected: bool
    subscribed: bool
    answered_age_s: float | None
    settled_age_s: float
    thread_alive: bool


def subscription(lane: str, filters: Sequence[str], group: str, instance: str) -> Subscription:
    """Return what `lane` subscribes to, in the share group or, when `group` is empty, plainly.

    The probe must wait in the same queue as the messages. With a share group it needs a topic of its own, since
    another member would get it otherwise: Mosquitto keeps one queue per client. With plain filters it is published
    under the first filter itself, because rumqttd keeps one queue per filter.
    """
    if group:
        topic = f"firenet/v1/$ingest/{instance}/{lane}/probe"
        return Subscription(tuple(f"$share/{group}/{name}" for name in filters), topic, topic)
    branch = filters[0].removesuffix("/+").rpartition("/")[2]
    return Subscription(tuple(filters), f"firenet/v1/$ingest.{instance}/{branch}/probe", None)


class MqttLink:
    """Source of one lane. Thread-safe where the event loop meets the thread; see `Inbox`."""

    def __init__(
        self,
        lane: str,
        broker: Broker,
        client_id: str,
        subscribe: Subscription,
        inbox: Inbox,
        metrics: Metrics,
        clock: Clock,
        window: int,
        session_expiry_s: int,
    ) -> None:
        self._lane = lane
        self._broker = broker
        self._subscribe = subscribe
        self._inbox = inbox
        self._metrics = metrics
        self._clock = clock
        self._window = window
        self._session_expiry_s = session_expiry_s
        self._token = secrets.token_hex(8)
        self._client = self._make_client(client_id)
        self._thread = threading.Thread(target=self._main, name=f"mqtt-{lane}", daemon=True)
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        self._acks: deque[tuple[int, int]] = deque()
        self._ended = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._why_ended = "its thread ended"
        self._closing = False
        self._receiving = True
        self._probe_wanted = False
        self._epoch = 0
        self._arrived = 0
        self._connected = False
        self._subscribed = False
        self._refused_why: str | None = None
        self._subscribe_mid: int | None = None
        self._probe: mqtt.MQTTMessageInfo | None = None
        self._probe_left_at = 0.0
        self._answered_at: float | None = None
        self._turned_at = clock.monotonic()

    # --- the event loop's side (port Source)

    def start(self) -> None:
        """Start the thread; it connects and goes on trying by itself."""
        self._loop = asyncio.get_running_loop()
        self._turned_at = self._clock.monotonic()
        self._thread.start()

    async def take(self, limit: int) -> list[Arrival]:
        return await self._inbox.take(limit)

    def settle(self, arrivals: Sequence[Arrival], outcomes: Sequence[Outcome]) -> None:
        self._acks.extend(self._inbox.settle(arrivals, outcomes))
        self._wake()

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
        """Send what is still to be acknowledged, disconnect and end the thread. The broker keeps the session."""
        self._closing = True
        self._wake()
        if self._thread.is_alive():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), deadline_s)

    def account(self) -> Account:
        return self._inbox.account()

    def state(self) -> LinkState:
        now = self._clock.monotonic()
        answered = None if self._answered_at is None else now - self._answered_at
        settled = now - self._inbox.settled_at
        return LinkState(self._connected, self._subscribed, answered, settled, self._thread.is_alive())

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_out.send(b"\0")

    # --- the thread

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
            self._set_connected(False, subscribed=False)
            loop = self._loop
            if loop is not None and not loop.is_closed():
                loop.call_soon_threadsafe(self._ended.set)

    def _serve_until_closing(self) -> None:
        attempt = 0
        while not self._closing:
            try:
                self._connect()
                if self._serve():
                    attempt = 0
            except (OSError, ValueError, mqtt.WebsocketConnectionError) as error:
                get_logger().warning("mqtt_connect_failed", lane=self._lane, error=str(error)[:200])
            self._set_connected(False, subscribed=False)
            if not self._closing:
                attempt += 1
                self._pause(backoff_s(attempt))

    def _connect(self) -> None:
        self._refused_why = None
        self._turned_at = self._clock.monotonic()
        if self._broker.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho left it untyped
            properties.SessionExpiryInterval = self._session_expiry_s
            properties.ReceiveMaximum = self._window
            properties.MaximumPacketSize = MAX_PACKET_BYTES
            self._client.connect(
                self._broker.host, self._broker.port, KEEPALIVE_S, clean_start=False, properties=properties
            )
        else:
            self._client.connect(self._broker.host, self._broker.port, KEEPALIVE_S)

    def _serve(self) -> bool:
        """Serve one connection until it is lost or closed; return whether it ever was subscribed."""
        sock: Any = self._client.socket()
        if sock is None:
            return False
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened_at = self._clock.monotonic()
        self._selector.register(sock, selectors.EVENT_READ)
        was_subscribed = False
        try:
            while self._client.socket() is sock:
                self._turn(sock)
                was_subscribed = was_subscribed or self._subscribed
                if self._closing:
                    self._leave()
                elif self._is_dead(opened_at):
                    break
        finally:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(sock)
        return was_subscribed

    def _turn(self, sock: Any) -> None:
        reading = self._receiving and not self._inbox.full
        wanted = (selectors.EVENT_READ if reading else 0) | (selectors.EVENT_WRITE if self._client.want_write() else 0)
        if wanted and not (hasattr(sock, "pending") and sock.pending()):
            self._await_events(sock, wanted)
        elif not wanted:
            self._await_events(None, 0)
        if reading:
            self._read()
        self._acknowledge(sock)
        if self._probe_wanted:
            self._send_probe()
        if self._client.want_write():
            self._client.loop_write()
        self._client.loop_misc()
        self._turned_at = self._clock.monotonic()

    def _await_events(self, sock: Any, wanted: int) -> None:
        if sock is not None:
            self._selector.modify(sock, wanted)
        for key, _ in self._selector.select(0.5):
            if key.fileobj is self._wake_in:
                with contextlib.suppress(BlockingIOError):
                    self._wake_in.recv(4096)

    def _read(self) -> None:
        """Read packets while they keep coming: paho reads one at a time and does not say whether there is more."""
        for _ in range(PACKETS_PER_TURN):
            before = self._arrived
            self._client.loop_read()
            if self._arrived == before or self._inbox.full:
                return

    def _acknowledge(self, sock: Any) -> None:
        acks = self._acks
        if not acks:
            return
        epoch = self._epoch
        # One segment for all of them: a wake-up of the broker for each four bytes costs more than the bytes.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        while acks:
            of_epoch, mid = acks.popleft()
            if of_epoch == epoch:
                self._client.ack(mid, 1)
        self._client.loop_write()
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    def _send_probe(self) -> None:
        if not self._subscribed or (self._probe is not None and not self._probe.is_published()):
            return
        self._probe_wanted = False
        sent_at = self._inbox.stamp()
        self._probe = self._client.publish(self._subscribe.probe_topic, f"{self._token} {sent_at.isoformat()}", qos=1)
        self._probe_left_at = self._clock.monotonic()

    def _is_dead(self, opened_at: float) -> bool:
        now = self._clock.monotonic()
        if self._refused_why is not None:
            get_logger().error("mqtt_refused", lane=self._lane, why=self._refused_why)
            return True
        if not self._subscribed:
            return now - opened_at > ANSWER_LIMIT_S
        waiting = self._probe is not None and not self._probe.is_published()
        if waiting and now - max(self._probe_left_at, opened_at) > ANSWER_LIMIT_S and not self._inbox.full:
            get_logger().warning("mqtt_probe_unanswered", lane=self._lane, after_s=ANSWER_LIMIT_S)
            return True
        return False

    def _leave(self) -> None:
        self._client.disconnect()
        for _ in range(100):
            if not self._client.want_write() or self._client.socket() is None:
                return
            self._client.loop_write()

    def _pause(self, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        while not self._closing and self._clock.monotonic() < until:
            self._turned_at = self._clock.monotonic()
            self._selector.select(min(0.5, seconds))
            with contextlib.suppress(BlockingIOError):
                self._wake_in.recv(4096)

    # --- paho's callbacks, on the same thread

    def _make_client(self, client_id: str) -> mqtt.Client:
        version = mqtt.MQTTv5 if self._broker.protocol == "5" else mqtt.MQTTv311
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if version == mqtt.MQTTv5 else False,
            protocol=version,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        client.suppress_exceptions = True  # what still escapes is logged by paho, and must not end the thread
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, self._broker.password)
        if self._broker.tls_ca is not None:
            client.tls_set(ca_certs=self._broker.tls_ca)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_socket_register_write = lambda *_: None  # with it, paho leaves writing to our turn
        return client

    def _on_connect(
        self, client: mqtt.Client, _: object, flags: mqtt.ConnectFlags, reason: ReasonCode, __: object
    ) -> None:
        if reason.is_failure:
            self._refused_why = f"connection refused: {reason}"
            return
        self._epoch += 1
        first = self._epoch == 1
        if flags.session_present:
            returned = self._inbox.hand_back()
        else:
            returned = 0
            if not first:
                self._metrics.session_lost.labels(self._lane).inc()
                get_logger().error("mqtt_session_lost", lane=self._lane, meaning="messages may have been lost")
        get_logger().info(
            "mqtt_connected", lane=self._lane, epoch=self._epoch, session=flags.session_present, handed_back=returned
        )
        self._metrics.connects.labels(self._lane).inc()
        if flags.session_present and not first:
            self._set_connected(True, subscribed=True)
            return
        self._set_connected(True, subscribed=False)
        self._ask_for_subscriptions(client)

    def _ask_for_subscriptions(self, client: mqtt.Client) -> None:
        filters = list(self._subscribe.filters)
        if self._subscribe.probe_filter is not None:
            filters.append(self._subscribe.probe_filter)
        if self._broker.protocol == "5":
            result, mid = client.subscribe([(name, SubscribeOptions(qos=1)) for name in filters])
        else:
            result, mid = client.subscribe([(name, 1) for name in filters])
        self._subscribe_mid = mid
        if result != mqtt.MQTT_ERR_SUCCESS:
            self._refused_why = f"subscription not sent: {mqtt.error_string(result)}"

    def _on_subscribe(self, _: object, __: object, mid: int, reasons: list[ReasonCode], ___: object) -> None:
        if mid != self._subscribe_mid:
            return
        failed = [str(reason) for reason in reasons if reason.is_failure]
        if failed:
            self._refused_why = f"subscription refused: {', '.join(failed)}"
            return
        self._set_connected(True, subscribed=True)

    def _on_disconnect(self, _: object, __: object, ___: object, reason: ReasonCode, ____: object) -> None:
        if not self._closing:
            get_logger().warning("mqtt_disconnected", lane=self._lane, reason=str(reason))
        self._set_connected(False, subscribed=False)

    def _on_publish(self, _: object, __: object, ___: int, ____: ReasonCode, _____: object) -> None:
        self._answered_at = self._clock.monotonic()

    def _on_message(self, _: object, __: object, message: mqtt.MQTTMessage) -> None:
        try:
            self._arrived += 1
            try:
                topic = message.topic
            except UnicodeDecodeError:
                topic = "not UTF-8"  # the broker should have cut that connection; refused as a bad topic
            if topic == self._subscribe.probe_topic:
                self._take_probe(message.mid, bytes(message.payload))
            else:
                self._inbox.put(self._epoch, message.mid, topic, bytes(message.payload), message.dup, message.retain)
        except Exception:  # noqa: BLE001 - left unacknowledged: the broker delivers it again on the next connection
            get_logger().exception("mqtt_delivery_failed", lane=self._lane)

    def _take_probe(self, mid: int, payload: bytes) -> None:
        token, _, sent_at = payload.decode("ascii", "replace").partition(" ")
        if token == self._token:
            self._inbox.put_probe(self._epoch, mid, datetime.fromisoformat(sent_at))
        else:  # of an earlier process with the same client id: it proves nothing now
            self._inbox.put_probe(self._epoch, mid, datetime.min.replace(tzinfo=UTC))

    def _set_connected(self, connected: bool, *, subscribed: bool) -> None:
        self._connected = connected
        self._subscribed = subscribed
        self._metrics.connected.labels(self._lane).set(int(connected and subscribed))
