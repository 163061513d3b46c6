"""The MQTT session itself, by paho: connecting, subscribing, publishing probes.

Deliveries do not come through here (see `frames`): the bytes of all other packets are fed to paho one by one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

KEEPALIVE_S = 60
"""What we promise the broker; our probes, one a second, keep it. paho's own pings (`loop_misc`) are not used: behind
thousands of acknowledgements a busy broker answers them late, and paho would take a connection that delivers for dead.
"""
MAX_PACKET_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is and how to speak with it. `protocol` is "5" or "3.1.1"."""

    host: str
    port: int
    protocol: str = "5"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls_ca: str | None = None

    @property
    def v5(self) -> bool:
        return self.protocol == "5"


class FedClient(mqtt.Client):
    """paho's client, reading what it is fed instead of its socket.

    `_sock_recv` is paho's only way to its socket's input. It is private: the version is pinned, and a test fails when
    a new one reads in another way.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, **arguments)
        self._fed = b""
        self._ended = False

    def feed(self, packet: bytes) -> None:
        """Let paho handle one whole packet."""
        self._fed += packet
        while self._fed and self.socket() is not None:
            self.loop_read()

    def end(self) -> None:
        """Tell paho that the connection has ended; it closes its socket."""
        self._ended = True
        self.loop_read()

    def begin(self) -> None:
        """Forget what was fed over an earlier connection."""
        self._fed, self._ended = b"", False

    def _sock_recv(self, bufsize: int) -> bytes:
        if not self._fed and not self._ended:
            raise BlockingIOError
        read, self._fed = self._fed[:bufsize], self._fed[bufsize:]
        return read


class MqttSession:
    """One session at the broker over any number of connections, with a stable client id. Not thread-safe.

    `epoch` numbers the connections that the broker took. `kept`: the broker had kept the session when it took this one.
    `subscribed`: all filters were granted on this connection. `refused_why`: the broker said no, and why.
    """

    def __init__(
        self,
        broker: Broker,
        client_id: str,
        filters: tuple[str, ...],
        window: int,
        expiry_s: int,
        on_open: Callable[[bool], None],
        on_change: Callable[[str], None],
        leaves: tuple[str, ...] = (),
    ) -> None:
        """`on_open(session_present)` comes before any delivery; `on_change` gets a reason when the state changed.

        `leaves`: filters that the session may have and shall have no more; what waits in it still comes.
        """
        self._broker = broker
        self._filters = filters
        self._leaves = leaves
        self._window = window
        self._expiry_s = expiry_s
        self._on_open = on_open
        self._on_change = on_change
        self.client = self._make_client(client_id)
        self.epoch = 0
        self.kept = False
        self.connected = False
        self.subscribed = False
        self.refused_why: str | None = None
        self._subscribe_mid: int | None = None
        self._probe: mqtt.MQTTMessageInfo | None = None

    def connect(self) -> Any:
        """Open a connection and return its socket. Raises OSError or ValueError."""
        self.client.begin()
        self.connected = self.subscribed = False
        self.refused_why = None
        if self._broker.v5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho left it untyped
            properties.SessionExpiryInterval = self._expiry_s
            properties.ReceiveMaximum = self._window
            properties.MaximumPacketSize = MAX_PACKET_BYTES
            self.client.connect(
                self._broker.host, self._broker.port, KEEPALIVE_S, clean_start=False, properties=properties
            )
        else:
            self.client.connect(self._broker.host, self._broker.port, KEEPALIVE_S)
        return self.client.socket()

    @property
    def v5(self) -> bool:
        return self._broker.v5

    @property
    def probing(self) -> bool:
        """Whether a probe was sent that the broker has not acknowledged yet; never more than one."""
        return self._probe is not None and not self._probe.is_published()

    def publish_probe(self, topic: str, payload: str) -> None:
        self._probe = self.client.publish(topic, payload, qos=1)

    def publish_answer(self, topic: str, payload: bytes) -> None:
        """Send without asking for an acknowledgement: a device that misses an answer asks again."""
        self.client.publish(topic, payload, qos=0)

    def _make_client(self, client_id: str) -> FedClient:
        client = FedClient(
            client_id=client_id,
            clean_session=None if self._broker.v5 else False,
            protocol=mqtt.MQTTv5 if self._broker.v5 else mqtt.MQTTv311,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        client.suppress_exceptions = True  # an error in a callback is logged by paho and must not end the thread
        if self._broker.username is not None:
            client.username_pw_set(self._broker.username, self._broker.password)
        if self._broker.tls_ca is not None:
            client.tls_set(ca_certs=self._broker.tls_ca)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._granted
        client.on_socket_register_write = lambda *_: None  # with it, paho leaves the writing to us
        return client

    def _connected(
        self, client: mqtt.Client, _: object, flags: mqtt.ConnectFlags, reason: ReasonCode, __: object
    ) -> None:
        if reason.is_failure:
            self.refused_why = f"connection refused: {reason}"
            return
        self.connected = True
        self.epoch += 1
        self.kept = flags.session_present
        self._on_open(flags.session_present)
        self._subscribe(client)
        self._on_change("connected")

    def _subscribe(self, client: mqtt.Client) -> None:
        """Subscribe on every connection, session or not.

        Mosquitto 2.0.11, restarted with its persistence, says that the session is there and has forgotten its shared
        subscriptions: nothing would arrive any more, and nobody would notice.
        """
        if self._leaves:  # before the subscription, and so granted with it
            client.unsubscribe(list(self._leaves))
        if self._broker.v5:
            once = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
            result, mid = client.subscribe([(name, once) for name in self._filters])
        else:
            result, mid = client.subscribe([(name, 1) for name in self._filters])
        self._subscribe_mid = mid
        if result != mqtt.MQTT_ERR_SUCCESS:
            self.refused_why = f"subscription not sent: {mqtt.error_string(result)}"

    def _granted(self, _: object, __: object, mid: int, reasons: list[ReasonCode], ___: object) -> None:
        failed = [str(reason) for reason in reasons if reason.is_failure]
        if mid != self._subscribe_mid:
            return
        if failed:
            self.refused_why = f"subscription refused: {', '.join(failed)}"
            return
        self.subscribed = True
        self._on_change("subscribed")

    def _disconnected(self, _: object, __: object, ___: object, reason: ReasonCode, ____: object) -> None:
        self.connected = self.subscribed = False
        self._on_change(str(reason))
