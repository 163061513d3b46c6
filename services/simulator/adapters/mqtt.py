"""A small MQTT 3.1.1 client on asyncio: QoS 1, last will, reconnect, a bounded line of waiting messages."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from services.kernel.words import Lane, SignalKind
from services.runtime.clock import Clock
from services.runtime.logging import get_logger
from services.runtime.patience import backoff_s
from services.simulator.adapters import encoding, gb26875
from services.simulator.adapters.tcp import TcpLine
from services.simulator.domain.district import Gateway
from services.simulator.domain.frames import Frame
from services.simulator.domain.makes import MAKES, Make
from services.simulator.domain.signals import Signal
from services.simulator.ports import FrameListener, Line, Link, LinkRefused

KEEPALIVE_S = 20
CONNECT_LIMIT_S = 10.0
MAX_WAITING = 20_000
_REFUSALS = {1: "wrong protocol version", 2: "client id refused", 3: "server unavailable", 4: "bad user or password",
             5: "not authorised"}  # fmt: skip


class Wire(asyncio.Protocol):
    """One TCP connection: packets in, packets out. Callbacks must not raise."""

    def __init__(
        self, on_acks: Callable[[bytes], None], on_lost: Callable[[], None], on_message: Callable[[bytes], None]
    ) -> None:
        """`on_acks` gets runs of 4-byte PUBACK packets, `on_message` what came on the topic that was subscribed to."""
        self._on_acks = on_acks
        self._on_lost = on_lost
        self._on_message = on_message
        self._buffer = b""
        self._closed = asyncio.get_running_loop().create_future()
        self.connack: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self.writable = True
        self.heard = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.heard = True
        data = self._buffer + data if self._buffer else data
        place, size = 0, len(data)
        while place + 2 <= size:
            if data[place] == 0x40:
                end = place + 4
                while end + 1 < size and data[end] == 0x40:
                    end += 4
                end = place + (min(end, size) - place) // 4 * 4
                if end == place:
                    break
                self._on_acks(data[place:end])
                place = end
                continue
            found = encoding.packet_at(data, place)
            if found is None or found[1] > size:
                break
            body = data[found[0] : found[1]]
            if data[place] == 0x20 and not self.connack.done():
                self.connack.set_result(body[1])
            elif data[place] >> 4 == 3:
                self._on_message(encoding.published(data[place], body))
            place = found[1]
        self._buffer = data[place:]

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if not self.connack.done():
            self.connack.set_exception(LinkRefused("the broker closed the connection before it answered"))
        if not self._closed.done():
            self._closed.set_result(None)
        self._on_lost()

    def write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)

    def ping(self) -> None:
        if self.heard:
            self.heard = False
            self.write(encoding.PINGREQ)
        elif self.transport is not None:
            self.transport.abort()  # a ping went without an answer: the line is dead, whatever TCP believes

    async def closed(self) -> None:
        await asyncio.shield(self._closed)


def _not_asked_for(_: bytes) -> None:
    """A publisher subscribes to nothing."""


class Address(NamedTuple):
    """Where the broker is; with `tls` the connection is encrypted and the broker must prove who it is."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None


def broker_at(host: str, port: int, tls_ca: str | None) -> Address:
    """Return the address of a broker, over TLS when a file of CA certificates is named. Raises OSError."""
    return Address(host, port, None if tls_ca is None else ssl.create_default_context(cafile=tls_ca))


async def connect(
    broker: Address,
    packet: bytes,
    on_acks: Callable[[bytes], None],
    on_lost: Callable[[], None],
    on_message: Callable[[bytes], None] = _not_asked_for,
) -> Wire:
    """Return a connection that the broker has accepted. Raises LinkRefused."""
    try:
        async with asyncio.timeout(CONNECT_LIMIT_S):
            loop = asyncio.get_running_loop()
            _, wire = await loop.create_connection(
                lambda: Wire(on_acks, on_lost, on_message), broker.host, broker.port, ssl=broker.tls
            )
            wire.write(packet)
            code = await wire.connack
    except (OSError, TimeoutError) as error:
        raise LinkRefused(
            f"no MQTT broker at {broker.host}:{broker.port}: {str(error) or type(error).__name__}"
        ) from error
    if code != 0:
        raise LinkRefused(f"the MQTT broker at {broker.host}:{broker.port} refused: {_REFUSALS.get(code, code)}")
    return wire


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a link reads: `topic`, whose messages go to `on_message`; `on_connected` hears of every new connection."""

    topic: str
    on_message: Callable[[bytes], None]
    on_connected: Callable[[], None]


class MqttLink:
    """A link that keeps itself alive until it is cut or closed."""

    def __init__(
        self,
        *,
        address: Address,
        packet: bytes,
        gateway_id: str | None,
        clock: Clock,
        subscription: Subscription | None = None,
    ) -> None:
        self._address = address
        self._packet = packet
        self._gateway_id = gateway_id
        self._clock = clock
        self._subscription = subscription
        self._wire: Wire | None = None
        self._waiting: dict[int, tuple[bytes, asyncio.Future[None]]] = {}
        self._next_id = 0
        self._keeper: asyncio.Task[None] | None = None
        self.dropped = 0

    async def restore(self) -> None:
        """Come back after `cut`. One that was not cut keeps itself: a second connection would throw out the first."""
        if self._keeper is None:
            wire = await self._connect()
            self._keeper = asyncio.create_task(self._keep(wire), name="mqtt-link")

    def publish(self, signal: Signal) -> "asyncio.Future[None]":
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        crowded = len(self._waiting) >= MAX_WAITING
        if signal.kind is SignalKind.HEARTBEAT and (self._wire is None or crowded):
            self.dropped += 1
            done.set_result(None)
            return done
        self._send(encoding.topic(signal), encoding.payload(signal), done)
        return done

    def publish_now(self, topic: str, body: bytes) -> None:
        """Publish while connected; what cannot go out is dropped."""
        if self._wire is None or len(self._waiting) >= MAX_WAITING:
            self.dropped += 1
        else:
            self._send(topic, body, asyncio.get_running_loop().create_future())

    async def cut(self) -> None:
        await self._stop_keeping()
        wire = self._wire
        if wire is not None and wire.transport is not None:
            wire.transport.abort()
            await wire.closed()

    async def close(self) -> None:
        await self._stop_keeping()
        if self._wire is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await self._goodbye(self._wire)

    async def _stop_keeping(self) -> None:
        """A keeper that went on would connect beside `restore`, and the broker would throw one of the two out."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None

    async def _goodbye(self, wire: Wire) -> None:
        if self._gateway_id is not None:
            self._say_status("offline")
        if waiting := [future for _, future in self._waiting.values()]:
            await asyncio.wait(waiting)
        wire.write(encoding.DISCONNECT)
        if wire.transport is not None:
            wire.transport.close()
        await wire.closed()

    async def _connect(self) -> Wire:
        heard = self._subscription.on_message if self._subscription is not None else _not_asked_for
        wire = self._wire = await connect(self._address, self._packet, self._acknowledged, self._gone, heard)
        if self._subscription is not None:
            wire.write(encoding.subscribe_packet(self._subscription.topic, self._free_id()))
        for packet, _ in list(self._waiting.values()):
            wire.write(encoding.duplicate(packet))
        if self._gateway_id is not None:
            self._say_status("online")
        if self._subscription is not None:
            self._subscription.on_connected()
        return wire

    def _say_status(self, state: str) -> None:
        assert self._gateway_id is not None
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        body = encoding.status(state, self._clock.now())
        self._send(encoding.status_topic(self._gateway_id), body, done, retain=True)

    def _send(self, topic: str, body: bytes, done: "asyncio.Future[None]", *, retain: bool = False) -> None:
        packet_id = self._free_id()
        packet = encoding.publish_packet(topic, body, packet_id, retain=retain)
        self._waiting[packet_id] = (packet, done)
        if self._wire is not None:
            self._wire.write(packet)

    def _free_id(self) -> int:
        while True:
            self._next_id = self._next_id % 65_535 + 1
            if self._next_id not in self._waiting:
                return self._next_id

    def _acknowledged(self, acks: bytes) -> None:
        for place in range(2, len(acks), 4):
            found = self._waiting.pop(acks[place] << 8 | acks[place + 1], None)
            if found is not None and not found[1].done():
                found[1].set_result(None)

    def _gone(self) -> None:
        """Some connection ended; one of ours that is older than the present one changes nothing."""
        if self._wire is not None and self._wire.transport is None:
            self._wire = None

    async def _keep(self, wire: Wire) -> None:
        attempt = 0
        while True:
            await _ping_until_closed(wire)
            while wire.transport is None:
                try:
                    wire = await self._connect()
                    attempt = 0
                except LinkRefused as error:
                    attempt += 1
                    get_logger().warning("link_lost", error=str(error), attempt=attempt)
                    await asyncio.sleep(backoff_s(attempt))


async def _ping_until_closed(wire: Wire) -> None:
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KEEPALIVE_S / 2):
                await wire.closed()
            return
        wire.ping()


class MqttLine:
    """A GB/T 26875.3 device behind the broker: each frame is a message, answers come on its `down` topic."""

    def __init__(self, link: MqttLink, gateway_id: str, make: Make) -> None:
        self._link = link
        self._topics = {lane: encoding.frame_topic(gateway_id, lane) for lane in Lane}
        self._make = make

    def send(self, frame: Frame) -> None:
        self.write(gb26875.write(frame, self._make), Lane.ALARM if frame.urgent else Lane.UP)

    def write(self, data: bytes, lane: Lane) -> None:
        """Send any bytes as one message."""
        self._link.publish_now(self._topics[lane], data)

    async def cut(self) -> None:
        await self._link.cut()

    async def restore(self) -> None:
        await self._link.restore()

    async def close(self) -> None:
        await self._link.close()


def frame_reader(make: Make, listener: FrameListener) -> Callable[[bytes], None]:
    """Return what takes in a message of whole frames."""

    def hear(body: bytes) -> None:
        for frame in gb26875.read(body, make)[0]:
            listener.heard(frame)

    return hear


class MqttLinks:
    """Opens links to one broker; `devices_at` is where devices without MQTT call."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        username: str | None,
        password: str | None,
        clock: Clock,
        prefix: str = "sim",
        tls_ca: str | None = None,
        devices_at: tuple[str, int] | None = None,
    ) -> None:
        self._address = broker_at(host, port, tls_ca)
        self._devices_at = devices_at
        self._account = (username, password)
        self._clock = clock
        self._prefix = prefix

    async def open(self, name: str, gateway_id: str | None = None) -> Link:
        will = None
        if gateway_id is not None:
            will = (encoding.status_topic(gateway_id), encoding.status("offline", None))
        packet = encoding.connect_packet(f"{self._prefix}-{name}", KEEPALIVE_S, will, *self._account)
        link = MqttLink(address=self._address, packet=packet, gateway_id=gateway_id, clock=self._clock)
        await link.restore()
        return link

    def line(self, gateway: Gateway, listener: FrameListener) -> Line:
        assert gateway.device is not None, "only a device has a line"
        make = MAKES[gateway.device.make]
        if gateway.device.calls_from is None:
            return self._line(gateway.gateway_id, make, listener)
        if self._devices_at is None:
            raise LinkRefused("the district has devices that call over TCP: SIMULATOR_TCP_PORT must be set")
        return TcpLine(self._devices_at, make, listener)

    def _line(self, gateway_id: str, make: Make, listener: FrameListener) -> MqttLine:
        will = (encoding.status_topic(gateway_id), encoding.status("offline", None))
        packet = encoding.connect_packet(f"{self._prefix}-{gateway_id}", KEEPALIVE_S, will, *self._account)
        subscription = Subscription(encoding.answer_topic(gateway_id), frame_reader(make, listener), listener.connected)
        link = MqttLink(
            address=self._address, packet=packet, gateway_id=gateway_id, clock=self._clock, subscription=subscription
        )
        return MqttLine(link, gateway_id, make)
