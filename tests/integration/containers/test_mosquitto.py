"""The Mosquitto image with the deployed settings, through the client and the protocol that ingest uses."""

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.containers import MosquittoContainer

pytestmark = pytest.mark.container

LIMIT_S = 60.0


class Inbox:
    """What arrived at the members of a group, and a condition to wait on."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.payloads: list[bytes] = []
        self.by_member: dict[str, int] = {}

    def put(self, member: str, payload: bytes) -> None:
        with self._changed:
            self.payloads.append(payload)
            self.by_member[member] = self.by_member.get(member, 0) + 1
            self._changed.notify_all()

    def wait_for(self, condition: Callable[["Inbox"], bool]) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: condition(self), LIMIT_S)


@contextmanager
def session(
    broker: MosquittoContainer, client_id: str, inbox: Inbox | None = None, topic: str = ""
) -> Iterator[mqtt.Client]:
    """A client of MQTT 5 with a session that outlives its connection; acknowledges by hand, as ingest does."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv5, manual_ack=True)
    subscribed = threading.Event()

    def on_message(own: mqtt.Client, _: Any, message: mqtt.MQTTMessage) -> None:
        assert inbox is not None
        inbox.put(client_id, bytes(message.payload))
        own.ack(message.mid, message.qos)

    def on_connect(own: mqtt.Client, *_: Any) -> None:
        if topic:
            own.subscribe(topic, qos=1)
        else:
            subscribed.set()

    client.on_message = on_message
    client.on_connect = on_connect
    client.on_subscribe = lambda *_: subscribed.set()
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = 300
    client.connect(broker.host, broker.port, clean_start=False, properties=properties)
    client.loop_start()
    try:
        assert subscribed.wait(LIMIT_S)
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def publish(client: mqtt.Client, topic: str, payloads: list[bytes]) -> None:
    for info in [client.publish(topic, payload, qos=1) for payload in payloads]:
        info.wait_for_publish(LIMIT_S)


@pytest.mark.timeout(180)
def test_a_share_group_divides_qos_1_messages_and_loses_none(mosquitto_container: MosquittoContainer) -> None:
    run = secrets.token_hex(4)
    sent = [b"%d" % n for n in range(1000)]
    inbox = Inbox()
    shared = f"$share/ingest/{run}/+/up/json"
    with (
        session(mosquitto_container, f"{run}-a", inbox, shared),
        session(mosquitto_container, f"{run}-b", inbox, shared),
        session(mosquitto_container, f"{run}-gateway") as gateway,
    ):
        publish(gateway, f"{run}/gw-1/up/json", sent)
        assert inbox.wait_for(lambda box: len(box.payloads) >= len(sent))
    assert sorted(inbox.payloads) == sorted(sent)
    assert set(inbox.by_member) == {f"{run}-a", f"{run}-b"}


@pytest.mark.timeout(180)
def test_more_than_the_default_thousand_wait_for_a_session_that_is_away(
    mosquitto_container: MosquittoContainer,
) -> None:
    run = secrets.token_hex(4)
    sent = [b"%d" % n for n in range(3000)]
    inbox = Inbox()
    topic = f"{run}/gw-1/up/json"
    with session(mosquitto_container, f"{run}-ingest", inbox, topic):
        pass
    with session(mosquitto_container, f"{run}-gateway") as gateway:
        publish(gateway, topic, sent)
    with session(mosquitto_container, f"{run}-ingest", inbox, topic):
        assert inbox.wait_for(lambda box: len(box.payloads) >= len(sent))
    assert inbox.payloads == sent


@pytest.mark.timeout(180)
def test_a_body_of_two_megabytes_comes_through_to_be_refused_by_us(mosquitto_container: MosquittoContainer) -> None:
    run = secrets.token_hex(4)
    body = b"x" * 2_000_000
    inbox = Inbox()
    topic = f"{run}/gw-1/up/json"
    with (
        session(mosquitto_container, f"{run}-ingest", inbox, topic),
        session(mosquitto_container, f"{run}-gateway") as gateway,
    ):
        publish(gateway, topic, [body, b"the good one after it"])
        assert inbox.wait_for(lambda box: len(box.payloads) == 2)
    assert inbox.payloads == [body, b"the good one after it"]


@pytest.mark.timeout(180)
def test_a_body_over_the_limit_goes_nowhere_and_its_gateway_gets_on(mosquitto_container: MosquittoContainer) -> None:
    run = secrets.token_hex(4)
    inbox = Inbox()
    topic = f"{run}/gw-1/up/json"
    gateway = mqtt.Client(CallbackAPIVersion.VERSION2, f"{run}-gateway", protocol=mqtt.MQTTv311, clean_session=False)
    gateway.reconnect_delay_set(1, 1)
    with session(mosquitto_container, f"{run}-ingest", inbox, topic):
        gateway.connect(mosquitto_container.host, mosquitto_container.port)
        gateway.loop_start()
        try:
            gateway.publish(topic, b"x" * 3_000_000, qos=1)
            gateway.publish(topic, b"the good one after it", qos=1)
            assert inbox.wait_for(lambda box: bool(box.payloads))
        finally:
            gateway.disconnect()
            gateway.loop_stop()
    assert set(inbox.payloads) == {b"the good one after it"}
