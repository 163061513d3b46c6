"""Topics of a monitoring centre's broker: MQTT 5, QoS 1, accepted when the broker's PUBACK says so.

Only MQTT 5 has a PUBACK that tells more than "arrived": a broker of 3.1.1 acknowledges what it throws away for want of
rights. One paho client lives as long as its connection: paho would keep what was under way and send it once more
behind our back, beside the copy of the outbox.
"""

import asyncio
import contextlib
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from services.alerts.domain.delivery.attempts import Outcome
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.ports import Ready

KEEPALIVE_S = 15
PACKET_BYTES = 256 * 1024
CODES = {
    0x86: Reason.AUTH,
    0x87: Reason.AUTH,
    0x8A: Reason.AUTH,
    0x8C: Reason.AUTH,
    0x90: Reason.ADDRESS_REFUSED,
    0x95: Reason.REJECTED,
    0x96: Reason.THROTTLED,
    0x97: Reason.THROTTLED,
    0x99: Reason.REJECTED,
    0x9F: Reason.THROTTLED,
}
"""Reason codes of MQTT 5 (its table 2-6) in CONNACK and PUBACK; any other from 0x80 on is the broker's own trouble."""
NO_MATCHING_SUBSCRIBERS = 0x10


@dataclass(frozen=True, slots=True)
class MqttBroker:
    """`client_id` is unique per process; each lane puts its own name behind it. `tls` None: in the clear."""

    host: str
    port: int
    client_id: str
    tls: ssl.SSLContext | None
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def broker_tls(ca: Path | None) -> ssl.SSLContext:
    """Return what a connection is checked by: the public authorities, or only those of `ca`."""
    return ssl.create_default_context(cafile=ca)


class Refused(Exception):
    """The broker does not want us; `code` is its reason code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"connack 0x{code:02x}")
        self.code = code


def judged(code: int, what: str) -> Outcome:
    """Return what a reason code means. Taken for nobody is no acceptance: no broker keeps it for later."""
    if code == NO_MATCHING_SUBSCRIBERS:
        return Outcome(Reason.NO_SUBSCRIBER, f"{what} 0x10")
    if code < 0x80:
        return Outcome(None, f"{what} 0x{code:02x}")
    return Outcome(CODES.get(code, Reason.SERVER_ERROR), f"{what} 0x{code:02x}")


class Session:
    """One connection. Its callbacks come on paho's thread and do nothing but hand over to the event loop."""

    def __init__(self, broker: MqttBroker, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._acks: dict[int, asyncio.Future[int]] = {}
        self._connected: asyncio.Future[int] = loop.create_future()
        self.is_alive = True
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{broker.client_id}-{name}",
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        if broker.user is not None:
            client.username_pw_set(broker.user, broker.password)
        if broker.tls is not None:
            client.tls_set_context(broker.tls)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        self.client = client

    async def connected(self) -> None:
        """Wait for CONNACK. Raises Refused, ConnectionError."""
        code = await self._connected
        if code >= 0x80:
            raise Refused(code)

    def publish(self, topic: str, payload: bytes, properties: Properties) -> asyncio.Future[int]:
        """Return the future of the PUBACK's reason code; ConnectionError when the connection ends before it."""
        sent = self.client.publish(topic, payload, qos=1, properties=properties)
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise ConnectionError(sent.rc.name)
        # nothing can have been handed over in between: that runs on this loop
        return self._acks.setdefault(sent.mid, self._loop.create_future())

    def forget(self, ack: asyncio.Future[int]) -> None:
        self._acks = {mid: one for mid, one in self._acks.items() if one is not ack}

    def end(self) -> None:
        """Give the connection up; what waits for an answer has none."""
        self._lost()
        with contextlib.suppress(OSError, ValueError):
            self.client.disconnect()

    def _tell(self, call: Any, *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(call, *arguments)

    def _on_connect(
        self, client: Client, userdata: Any, flags: ConnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        self._tell(_settle, self._connected, code.value)

    def _on_disconnect(
        self, client: Client, userdata: Any, flags: DisconnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        self._tell(self._lost)

    def _on_publish(
        self, client: Client, userdata: Any, mid: int, code: ReasonCode, properties: Properties | None
    ) -> None:
        self._tell(self._acknowledged, mid, code.value)

    def _acknowledged(self, mid: int, code: int) -> None:
        waiting = self._acks.pop(mid, None)
        if waiting is not None:
            _settle(waiting, code)

    def _lost(self) -> None:
        self.is_alive = False
        waiting, self._acks = [self._connected, *self._acks.values()], {}
        for one in waiting:
            if not one.done():
                one.set_exception(ConnectionError("the connection ended"))
                one.exception()  # whoever gave up waiting does not come back for it


def _settle(future: asyncio.Future[int], code: int) -> None:
    if not future.done():
        future.set_result(code)


class MqttChannel:
    """See ports.DeliveryChannel. It connects when something is to be sent, and again after the connection was lost."""

    def __init__(self, *, broker: MqttBroker | None, name: str, deadline_s: float) -> None:
        self._broker = broker
        self._name = name
        self._deadline_s = deadline_s
        self._session: Session | None = None
        self._connecting = asyncio.Lock()
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"mqtt-{name}")

    async def send(self, notice: Ready) -> Outcome:
        if self._broker is None:
            return Outcome(Reason.NOT_CONFIGURED, "no broker is set")
        payload = notice.body.encode()
        if len(payload) > PACKET_BYTES:
            return Outcome(Reason.REJECTED, "longer than a packet")
        try:
            async with asyncio.timeout(self._deadline_s):
                return judged(await self._published(self._broker, notice, payload), "puback")
        except Refused as error:
            return judged(error.code, "connack")
        except TimeoutError:
            self._drop(self._session)  # what does not answer may be dead: the next attempt takes a new connection
            return Outcome(Reason.TIMEOUT, "no puback")
        except ValueError as error:  # paho's word for a topic that is none; an SSLError of a certificate is one too
            tls = isinstance(error, ssl.SSLError)
            return Outcome(Reason.TLS if tls else Reason.ADDRESS_REFUSED, type(error).__name__)
        except OSError as error:
            return Outcome(_of(error), type(error).__name__)

    async def _published(self, broker: MqttBroker, notice: Ready, payload: bytes) -> int:
        """Return the reason code of the PUBACK. Raises Refused, ValueError, OSError."""
        session = await self._connected(broker)
        try:
            ack = session.publish(notice.to.address, payload, _properties(notice))
        except ConnectionError:  # it had ended unnoticed, and nothing of this notice has left
            self._drop(session)
            session = await self._connected(broker)
            ack = session.publish(notice.to.address, payload, _properties(notice))
        try:
            return await ack
        finally:
            session.forget(ack)

    def close(self) -> None:
        self._drop(self._session)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _connected(self, broker: MqttBroker) -> Session:
        async with self._connecting:
            if self._session is not None and self._session.is_alive:
                return self._session
            loop = asyncio.get_running_loop()
            session = Session(broker, self._name, loop)
            try:
                await loop.run_in_executor(self._threads, _open, session, broker, self._deadline_s)
                await session.connected()
            except BaseException:
                session.end()
                raise
            self._session = session
            return session

    def _drop(self, session: Session | None) -> None:
        if session is not None:
            session.end()
        if session is self._session:
            self._session = None


def _of(error: OSError) -> Reason:
    if isinstance(error, ssl.SSLError):
        return Reason.TLS
    return Reason.DNS if isinstance(error, socket.gaierror) else Reason.CONNECT


def _open(session: Session, broker: MqttBroker, deadline_s: float) -> None:
    """Connect and start paho's thread, which ends with the connection. Blocks; raises OSError."""
    client = session.client
    client.connect_timeout = deadline_s
    client.connect(broker.host, broker.port, keepalive=KEEPALIVE_S, clean_start=True)
    if session.is_alive:
        client.loop_start()
    else:  # nobody waits for it any more
        client.disconnect()


def _properties(notice: Ready) -> Properties:
    """Return what tells a subscriber apart two copies of one notice, and a fire from the rest, without reading it."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
    properties.ContentType = "application/json"
    properties.PayloadFormatIndicator = 1
    properties.UserProperty = [("notice-id", notice.notice_id), ("fire", "1" if notice.fire else "0")]
    return properties
