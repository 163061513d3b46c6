"""The register of names at the broker (`domain.naming`), over a connection of its own.

Its last will clears our record: a process that dies, or stands still for longer than the broker waits for its pings,
holds no name from that moment on. It carries nothing else, so no backlog and no Kafka that is away keeps it waiting.
"""

import asyncio
import json
import secrets
import threading
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from services.ingest.adapters.mqtt_session import Broker
from services.ingest.domain.errors import NameLost
from services.ingest.domain.naming import Naming, Say
from services.ingest.metrics import Metrics
from services.runtime.clock import Clock
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger

ROOT = "firenet/v1/$ingest/$names"
KEEPALIVE_S = 4
"""A broker misses a member after one and a half of it: 6 s, so that fires that wait for a dead one are read in ten."""
TURN_S = 0.25
REJOIN_LIMIT_S = 3.0
CONNECT_LIMIT_S = 1.0
"""A claim that is `VALID_S` old, and this, are no more than the broker waits for our pings: so long a name is ours."""
MAX_RECORD_BYTES = 1024
_ALL_HEARD = b"?"
_THERE, _ENDED = b"1", (b"", b"0")
"""Formerly the record of a session that was ended was kept, as "0"."""


class BrokerNames:
    """One process in the register. `run` works until stop; `close` lets the names go."""

    def __init__(self, broker: Broker, group: str, naming: Naming, host: str, metrics: Metrics, clock: Clock) -> None:
        """`group`: processes of one share group have one register; `host` tells people which process this is."""
        self._broker = broker
        self._topics = f"{ROOT}/{group or '-'}"
        self._naming = naming
        self._host = host
        self._metrics = metrics
        self._clock = clock
        self._lock = threading.Lock()
        self._waited_for: tuple[str, str] | None = None
        self._left_out = 0
        self._refused = ""
        self._client = self._make_client()

    async def run(self, stop: Stop) -> None:
        """Take part until stop. Raises NameLost when another process works under our name."""
        self._client.connect_async(self._broker.host, self._broker.port, KEEPALIVE_S)
        self._client.loop_start()
        while not await stop.wait_for(TURN_S):
            self._turn()
            self._tell()
            if self._naming.lost:
                raise NameLost(self._naming.own or "")

    async def close(self) -> None:
        """Let all names go at once. To be called when nothing works under them any more."""
        with self._lock:
            says = self._naming.leaving()
        for _ in range(round(REJOIN_LIMIT_S / TURN_S) if self._naming.lost else 0):  # nobody else would say it
            if self._client.is_connected():
                break
            await asyncio.sleep(TURN_S)
        if self._client.is_connected():
            for say in says:
                self._publish(say)
        self._client.disconnect()  # an orderly end, so no will
        self._client.loop_stop()

    async def name(self, stop: Stop) -> str | None:
        """Return the name of this process once it holds it; None when stopped before."""
        while self._naming.own is None:
            if await stop.wait_for(0.02):
                return None
        return self._naming.own

    async def adopted(self, stop: Stop) -> str | None:
        """Return the next name whose sessions are ours to read to their end; None when stopped before."""
        while True:
            with self._lock:
                name = self._naming.begin_reading(self._clock.monotonic())
            if name is not None:
                return name
            if await stop.wait_for(TURN_S):
                return None

    def emptied(self, name: str) -> None:
        with self._lock:
            self._naming.emptied(name)

    def give_up(self, name: str) -> None:
        with self._lock:
            self._naming.give_up(name, self._clock.monotonic())

    def holds(self, name: str) -> bool:
        """Say whether a connection under `name` may be opened now. For any thread."""
        with self._lock:
            return self._naming.holds(name, self._clock.monotonic())

    @property
    def alone(self) -> bool | None:
        """Whether every message comes to this process; None while that cannot be known."""
        with self._lock:
            return self._naming.alone

    def problem(self) -> str:
        """Return `ok`, or why this process does not work under its name."""
        with self._lock:
            said = self._naming.problem(self._clock.monotonic())
        return f"{said}: {self._refused}" if self._refused and said != "ok" else said

    def _turn(self) -> None:
        with self._lock:  # published within it: records must leave in the order in which they were decided
            for say in self._naming.turn(self._clock.monotonic()):
                self._publish(say)

    def _tell(self) -> None:
        with self._lock:
            waits, others, left_out = self._naming.waits_for(), self._naming.others, self._naming.left_out
        self._metrics.name_waiting.set(int(waits is not None))
        self._metrics.other_members.set(others)
        if waits is not None and self._waited_for is None:
            get_logger().warning("instance_name_in_use", name=waits[0], by=waits[1], meaning="waiting until it is free")
        self._waited_for = waits
        if left_out and not self._left_out:
            get_logger().error("names_left_out", count=left_out, meaning="sessions among them are not adopted")
        self._left_out = left_out

    def _publish(self, say: Say) -> None:
        body = b""
        if say.names or say.wants:
            body = json.dumps({"names": say.names, "wants": say.wants, "host": self._host}).encode()
        elif say.there:
            body = _THERE
        self._client.publish(f"{self._topics}/{say.kind}/{say.key}", body, qos=1, retain=True)

    def _make_client(self) -> mqtt.Client:
        client = _client_of(self._broker, f"firenet-names-{self._naming.token}")
        client.reconnect_delay_set(min_delay=0.1, max_delay=1)  # type: ignore[arg-type] # any number will do
        client.will_set(f"{self._topics}/members/{self._naming.token}", b"", qos=1, retain=True)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._subscribed
        client.on_message = self._heard
        return client

    def _connected(self, client: mqtt.Client, _: object, __: object, reason: ReasonCode, ___: object) -> None:
        if reason.is_failure:
            self._refused = str(reason)
            return
        self._refused = ""
        with self._lock:
            self._naming.joining(self._clock.monotonic())
        client.subscribe(f"{self._topics}/+/+", qos=1)

    def _subscribed(self, client: mqtt.Client, _: object, __: int, reasons: list[ReasonCode], ___: object) -> None:
        if any(reason.is_failure for reason in reasons):
            self._refused = f"subscription refused: {reasons[0]}"
            return
        # Comes back through the same queue, behind every record that is kept.
        client.publish(f"{self._topics}/members/{self._naming.token}", _ALL_HEARD, qos=1)

    def _disconnected(self, *_: object) -> None:
        with self._lock:
            self._naming.cut()

    def _heard(self, _: mqtt.Client, __: object, message: mqtt.MQTTMessage) -> None:
        kind, key = message.topic.removeprefix(f"{self._topics}/").split("/", 1)
        body, now = bytes(message.payload), self._clock.monotonic()
        with self._lock:
            if kind == "sessions":
                if body == _THERE or body in _ENDED:
                    self._naming.heard_session(key, now, there=body == _THERE)
            elif kind == "memory":
                if body == _THERE:
                    self._naming.heard_memory(key)
            elif body == _ALL_HEARD:
                if key == self._naming.token:
                    self._naming.joined(now)
            elif not body:
                self._naming.gone(key)
            elif (claim := read_claim(body)) is not None:
                self._naming.heard(key, claim.names, claim.host, now, claim.wants)
        self._turn()


class _Client(mqtt.Client):
    """paho's client, which says nothing of an earlier connection again: by then it may be untrue.

    `_out_messages` is private: the version is pinned, and a test fails when a new one keeps them elsewhere.
    """

    def reconnect(self) -> MQTTErrorCode:
        with self._out_message_mutex:
            self._out_messages.clear()
        return super().reconnect()


class Claim(NamedTuple):
    """What a process says of itself: the names that it claims, where it runs, and which name it waits for."""

    names: list[str]
    host: str
    wants: str = ""


def read_claim(body: bytes) -> Claim | None:
    """Return what a record of a member says; None where it is no record of ours."""
    if len(body) > MAX_RECORD_BYTES:
        return None
    try:
        said: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    names, host = (said.get("names"), said.get("host")) if isinstance(said, dict) else (None, None)
    if not isinstance(names, list) or not isinstance(host, str) or not all(isinstance(name, str) for name in names):
        return None
    wants = said.get("wants", "")
    return Claim(names[:4], host[:80], wants[:40] if isinstance(wants, str) else "")


def new_token() -> str:
    return secrets.token_hex(8)


def end_session(broker: Broker, client_id: str, limit_s: float = 5.0) -> bool:
    """Have the broker forget the session of `client_id`; return whether it said so. Blocks."""
    ended = threading.Event()

    def connected(_: mqtt.Client, __: object, ___: object, reason: ReasonCode, ____: object) -> None:
        if not reason.is_failure:
            ended.set()

    try:
        client = _client_of(broker, client_id)  # reads the file of the broker's authority
        client.on_connect = connected
        client.connect_timeout = CONNECT_LIMIT_S  # what was true of the name when we were called must still be true
        client.connect(broker.host, broker.port, KEEPALIVE_S)
    except (OSError, ValueError) as error:
        get_logger().warning("session_not_ended", client=client_id, error=repr(error)[:200])
        return False
    client.loop_start()
    done = ended.wait(limit_s)
    client.disconnect()
    client.loop_stop()
    return done


def _client_of(broker: Broker, client_id: str) -> mqtt.Client:
    """Return a client whose session begins empty and ends with its connection."""
    client = _Client(
        CallbackAPIVersion.VERSION2,
        client_id,
        clean_session=None if broker.v5 else True,
        protocol=mqtt.MQTTv5 if broker.v5 else mqtt.MQTTv311,
    )
    client.suppress_exceptions = True  # logged by paho; one strange record must not end the thread
    if broker.username is not None:
        client.username_pw_set(broker.username, broker.password)
    if broker.tls_ca is not None:
        client.tls_set(ca_certs=broker.tls_ca)
    return client
