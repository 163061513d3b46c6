"""Topics of a broker against a real Mosquitto: what a subscriber gets, and what counts as accepted."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from deploy.stack.mosquitto import Mosquitto
from deploy.stack.ports import free_ports
from services.alerts.adapters.mqtt_topics import MqttBroker, MqttChannel, broker_tls, judged
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.ids import BodyCode, CaseId, ContactId, NoticeId
from services.alerts.domain.routing.contacts import Address
from services.alerts.ports import Ready
from services.kernel.words import Channel, Purpose

TOPIC = "centre/notices"
LIMIT_S = 60.0


def ready(topic: str = TOPIC, number: int = 0) -> Ready:
    return Ready(
        notice_id=NoticeId(f"{number:032x}"),
        case_id=CaseId("C0123456789abcdef"),
        to=Address(ContactId("c"), BodyCode("centre"), Channel.MQTT, topic, None, "zh"),
        subject="火警",
        body='{"data":{"text":"第一人民医院"}}',
        fire=True,
        attempts=1,
        purpose=Purpose.NOTICE,
        lang="zh",
        caused_at=datetime(2026, 3, 4, 8, 0, tzinfo=UTC),
    )


class Subscriber:
    """A monitoring centre: one MQTT 5 client that keeps what it gets."""

    def __init__(self) -> None:
        self.messages: list[MQTTMessage] = []
        self.arrived = threading.Semaphore(0)

    def take(self, client: Client, userdata: Any, message: MQTTMessage) -> None:
        self.messages.append(message)
        self.arrived.release()


def user_properties(message: MQTTMessage) -> dict[str, str]:
    properties: Any = message.properties
    return dict(properties.UserProperty)


@contextmanager
def subscribed(port: int, topic: str = TOPIC) -> Iterator[Subscriber]:
    one, there = Subscriber(), threading.Event()
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_message = one.take

    @client.connect_callback()
    def subscribe(*_: Any) -> None:
        client.subscribe(topic, qos=1)

    client.on_subscribe = lambda *_: there.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        assert there.wait(LIMIT_S)
        yield one
    finally:
        client.disconnect()
        client.loop_stop()


@contextmanager
def channel(port: int, name: str = "fire", *, deadline_s: float = LIMIT_S, **more: Any) -> Iterator[MqttChannel]:
    broker = replace(MqttBroker("127.0.0.1", port, f"firenet-test-{port}", None), **more)
    one = MqttChannel(broker=broker, name=name, deadline_s=deadline_s)
    yield one
    one.close()


async def test_a_subscriber_gets_the_notice_once_and_the_brokers_acknowledgement_is_the_proof(
    mosquitto_broker: Mosquitto,
) -> None:
    with subscribed(mosquitto_broker.port) as centre, channel(mosquitto_broker.port) as one:
        outcomes = await asyncio.gather(*(one.send(ready(number=number)) for number in range(30)))
        assert {outcome.detail for outcome in outcomes} == {"puback 0x00"}
        assert {outcome.reason for outcome in outcomes} == {None}
        for _ in range(30):
            assert await asyncio.to_thread(centre.arrived.acquire, timeout=LIMIT_S)
    assert len(centre.messages) == 30
    first = centre.messages[0]
    assert json.loads(first.payload)["data"]["text"] == "第一人民医院"
    assert (first.qos, first.retain) == (1, False)
    assert user_properties(first)["fire"] == "1"
    assert {user_properties(one)["notice-id"] for one in centre.messages} == {
        ready(number=number).notice_id for number in range(30)
    }


async def test_what_nobody_subscribes_to_is_not_accepted(mosquitto_broker: Mosquitto) -> None:
    with channel(mosquitto_broker.port) as one:
        assert (await one.send(ready("nobody/here"))).reason is Reason.NO_SUBSCRIBER


async def test_the_connection_is_made_again_after_the_broker_was_away(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    broker = Mosquitto(tmp_path / "mosquitto", port=port)
    broker.start()
    try:
        with channel(port) as one:
            with subscribed(port):
                assert (await one.send(ready())).reason is None
            broker.stop()
            assert (await one.send(ready())).reason is Reason.CONNECT
            broker.start()
            with subscribed(port) as centre:
                assert (await one.send(ready(number=7))).reason is None
                assert await asyncio.to_thread(centre.arrived.acquire, timeout=LIMIT_S)
            got = [user_properties(message)["notice-id"] for message in centre.messages]
            assert got == [ready(number=7).notice_id], "nothing of before is sent behind our back"
    finally:
        broker.stop()


async def test_without_a_right_to_the_topic_it_is_not_accepted(tmp_path: Path) -> None:
    with guarded(tmp_path / "rights", f"topic write {TOPIC}\ntopic read centre/#\n") as port:
        with subscribed(port, "centre/#") as centre, channel(port) as one:
            assert (await one.send(ready("centre/secret"))).reason is Reason.AUTH
            assert (await one.send(ready())).reason is None
            assert await asyncio.to_thread(centre.arrived.acquire, timeout=LIMIT_S)
        assert [message.topic for message in centre.messages] == [TOPIC]


async def test_a_broker_that_does_not_know_our_account_is_told_apart(tmp_path: Path) -> None:
    with guarded(tmp_path / "names", None) as port, channel(port, user="firenet", password="wrong") as one:
        outcome = await one.send(ready())
    assert outcome.reason is Reason.AUTH
    assert "wrong" not in repr(outcome)


class Guarded(Mosquitto):
    """Lets nobody do more than `rights` say; lets nobody in at all without any."""

    rights: str | None = None

    def _config(self, data: Path) -> str:
        plain = super()._config(data)
        if self.rights is None:
            return plain.replace("allow_anonymous true", "allow_anonymous false")
        file = self.folder / "rights"
        file.write_text(self.rights)
        return f"{plain}\nacl_file {file}\n"


@contextmanager
def guarded(folder: Path, rights: str | None) -> Iterator[int]:
    (port,) = free_ports(1)
    broker = Guarded(folder, port=port)
    broker.rights = rights
    broker.start()
    yield port
    broker.stop()


async def test_a_broker_that_takes_the_connection_and_says_nothing_is_a_timeout() -> None:
    over = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with channel(port, deadline_s=0.3) as one:
        assert (await one.send(ready())).reason is Reason.TIMEOUT
    over.set()
    server.close()


async def test_nobody_listens() -> None:
    (port,) = free_ports(1)
    with channel(port) as one:
        assert (await one.send(ready())).reason is Reason.CONNECT


async def test_a_broker_without_tls_gets_nothing_when_tls_is_wanted(mosquitto_broker: Mosquitto) -> None:
    with channel(mosquitto_broker.port, tls=broker_tls(None), password="hunter2") as one:
        assert (await one.send(ready())).reason in {Reason.TLS, Reason.CONNECT}
    assert "hunter2" not in repr(MqttBroker("h", 1, "c", None, password="hunter2"))


async def test_without_a_broker_it_says_so() -> None:
    one = MqttChannel(broker=None, name="fire", deadline_s=1)
    assert (await one.send(ready())).reason is Reason.NOT_CONFIGURED
    one.close()


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (0x00, None),
        (0x10, Reason.NO_SUBSCRIBER),
        (0x80, Reason.SERVER_ERROR),
        (0x83, Reason.SERVER_ERROR),
        (0x86, Reason.AUTH),
        (0x87, Reason.AUTH),
        (0x88, Reason.SERVER_ERROR),
        (0x90, Reason.ADDRESS_REFUSED),
        (0x91, Reason.SERVER_ERROR),
        (0x97, Reason.THROTTLED),
        (0x99, Reason.REJECTED),
    ],
)
def test_every_reason_code_of_a_puback_has_its_reason(code: int, reason: Reason | None) -> None:
    assert judged(code, "puback").reason is reason
