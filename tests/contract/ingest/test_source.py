"""What the worker may expect of a Source, from memory and from real brokers alike."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from prometheus_client import CollectorRegistry

from services.ingest.adapters.inbox import Inbox
from services.ingest.adapters.mqtt_session import Broker
from services.ingest.adapters.mqtt_source import MqttSource, Subscription, subscription
from services.ingest.adapters.stamps import Stamps
from services.ingest.domain.values import Accepted, Arrival
from services.ingest.metrics import Metrics
from services.ingest.ports import Source
from services.runtime.clock import SystemClock
from services.simulator.adapters import encoding
from tests.fakes.ingest import MemorySource

LIMIT_S = 60


class Harness(Protocol):
    """A source, somebody who publishes to it, and a way to cut its connection."""

    @property
    def source(self) -> Source: ...

    @property
    def topic(self) -> str: ...

    async def publish(self, payloads: list[bytes]) -> None: ...

    async def publish_marked(self, payload: bytes) -> None:
        """Publish what a device says again, marked so, for it never heard that it was taken."""
        ...

    async def acknowledgements_sent(self) -> None:
        """Return when what was settled is on its way to the broker."""
        ...

    async def cut(self) -> None: ...

    async def close(self) -> None: ...


class HarnessInMemory:
    topic = "firenet/v1/G1/up/json"

    def __init__(self) -> None:
        self.source = MemorySource()

    async def publish(self, payloads: list[bytes]) -> None:
        for payload in payloads:
            self.source.publish(self.topic, payload)

    async def publish_marked(self, payload: bytes) -> None:
        self.source.publish(self.topic, payload)

    async def acknowledgements_sent(self) -> None:
        pass  # there is no way

    async def cut(self) -> None:
        self.source.reconnect()

    async def close(self) -> None:
        self.source.stop_receiving()


class BrokerHarness:
    """A link of its own name and topics on a broker that others use too."""

    def __init__(self, port: int, protocol: str, group: str, port_of_devices: int) -> None:
        """`port_of_devices` speaks 3.1.1."""
        self._port_of_devices = port_of_devices
        name = f"T{secrets.token_hex(6)}"
        self.topic = f"firenet/v1/{name}/up/json"
        self.clock = clock = SystemClock()
        inbox = Inbox(Stamps(clock), clock, hold_messages=10_000, hold_bytes=2**26)
        reads = subscription("main", (f"firenet/v1/{name}/up/+",), group and name, name)
        if not group:  # the probe must match our own filter, which here is not for all gateways
            reads = Subscription(reads.filters, f"firenet/v1/{name}/up/probe")
        self.metrics = Metrics(CollectorRegistry())
        self.source = self.link = MqttSource(
            "main", Broker("127.0.0.1", port, protocol), name, reads, inbox, self.metrics, clock, 100, 300
        )
        version = mqtt.MQTTv5 if protocol == "5" else mqtt.MQTTv311
        self.publisher = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"{name}-gateway", protocol=version)
        self.publisher.connect("127.0.0.1", port)
        self.publisher.loop_start()

    async def start(self) -> None:
        self.link.start()
        await self.until(lambda: self.link.health().subscribed and self.publisher.is_connected())

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not condition():  # noqa: ASYNC110 - the other side is a thread
                await asyncio.sleep(0.01)

    async def publish(self, payloads: list[bytes]) -> None:
        sent = [self.publisher.publish(self.topic, payload, qos=1) for payload in payloads]
        for info in sent:
            await asyncio.to_thread(info.wait_for_publish, LIMIT_S)

    async def publish_marked(self, payload: bytes) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port_of_devices)
        writer.write(encoding.connect_packet(f"{self.topic[11:24]}-again", 60, None, None, None))
        writer.write(encoding.duplicate(encoding.publish_packet(self.topic, payload, 1)))
        async with asyncio.timeout(LIMIT_S):
            assert await reader.readexactly(8) == b"\x20\x02\x00\x00\x40\x02\x00\x01", "connected and taken"
        writer.close()

    async def acknowledgements_sent(self) -> None:
        await self.until(lambda: not self.link._outbox.acks)
        taken_at = self.clock.monotonic()
        self.link._waker.wake()
        await self.until(lambda: self.link._turned_at > taken_at)  # the turn that took them has written them

    async def cut(self) -> None:
        before = self.metrics.connects.labels("main")._value.get()
        sock = self.link._session.client.socket()
        assert isinstance(sock, socket.socket)
        sock.shutdown(socket.SHUT_RDWR)
        await self.until(
            lambda: self.metrics.connects.labels("main")._value.get() > before and self.link.health().subscribed
        )

    async def close(self) -> None:
        self.source.stop_receiving()
        await self.link.close()
        self.publisher.disconnect()
        self.publisher.loop_stop()


@pytest.fixture(params=["memory", "mosquitto-5", "mosquitto-3.1.1", "mosquitto-plain", "iotcore-3.1.1", "iotcore-5"])
async def harness(request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
    kind = str(request.param)
    made: HarnessInMemory | BrokerHarness
    if kind == "memory":
        made = HarnessInMemory()
    elif kind.startswith("mosquitto"):
        port = request.getfixturevalue("mosquitto_broker").port
        group = "" if "plain" in kind else "group"
        made = BrokerHarness(port, "3.1.1" if kind == "mosquitto-3.1.1" else "5", group, port)
    else:
        broker = request.getfixturevalue("iotcore_broker")
        five = kind.endswith("5")
        made = BrokerHarness(broker.port_v5 if five else broker.port, "5" if five else "3.1.1", "", broker.port)
    if isinstance(made, BrokerHarness):
        await made.start()
    try:
        yield made
    finally:
        await made.close()


async def take(source: Source, count: int) -> list[Arrival]:
    taken: list[Arrival] = []
    async with asyncio.timeout(LIMIT_S):
        while len(taken) < count:
            taken += await source.take(count - len(taken))
    return taken


def settle(source: Source, arrivals: list[Arrival]) -> None:
    source.settle(arrivals, [Accepted(arrival, ()) for arrival in arrivals if arrival.probe_sent_at is None])


def bodies(arrivals: list[Arrival]) -> list[bytes]:
    return [arrival.payload for arrival in arrivals]


async def test_deliveries_come_in_order_with_topic_and_stamp(harness: Harness) -> None:
    payloads = [b"%d" % number for number in range(50)]
    await harness.publish(payloads)
    arrivals = await take(harness.source, 50)
    assert bodies(arrivals) == payloads
    assert {arrival.topic for arrival in arrivals} == {harness.topic}
    stamps = [arrival.received_at for arrival in arrivals]
    assert stamps == sorted(stamps)
    settle(harness.source, arrivals)


async def test_a_window_that_is_settled_bit_by_bit_lets_everything_through(harness: Harness) -> None:
    payloads = [b"%d" % number for number in range(350)]  # more than three windows
    publishing = asyncio.create_task(harness.publish(payloads))
    seen: list[bytes] = []
    while len(seen) < 350:
        arrivals = await take(harness.source, min(35, 350 - len(seen)))
        seen += bodies(arrivals)
        settle(harness.source, arrivals)
    await publishing
    assert seen == payloads


async def test_what_was_not_settled_comes_again_after_a_cut_and_what_was_does_not(harness: Harness) -> None:
    await harness.publish([b"settled", b"taken", b"waiting"])
    settled, taken = await take(harness.source, 2)
    settle(harness.source, [settled])
    await harness.acknowledgements_sent()
    await harness.publish([b"later"])  # the broker has read the acknowledgement by now
    await harness.cut()
    settle(harness.source, [taken])  # too late: it came over the old connection
    again = await take(harness.source, 3)
    assert bodies(again) == [b"taken", b"waiting", b"later"]
    assert all(arrival.epoch > taken.epoch for arrival in again)
    settle(harness.source, again)


async def test_a_mark_that_the_device_set_is_not_the_brokers(harness: Harness) -> None:
    """A broker that passes it on (rumqttd) would have a fire taken for its own echo."""
    await harness.publish_marked(b"fire")
    (fire,) = await take(harness.source, 1)
    settle(harness.source, [fire])
    assert (fire.payload, fire.duplicate) == (b"fire", False)


async def test_a_probe_comes_back_behind_what_was_published_before_it(harness: Harness) -> None:
    await harness.publish([b"first"])
    harness.source.probe()
    first, probe = await take(harness.source, 2)
    assert first.payload == b"first"
    assert probe.probe_sent_at is not None
    settle(harness.source, [first, probe])


async def test_after_the_end_of_receiving_the_rest_is_handed_out_and_then_nothing(harness: Harness) -> None:
    await harness.publish([b"one", b"two"])
    one = await take(harness.source, 1)
    async with asyncio.timeout(LIMIT_S):
        two = await harness.source.take(1)
        harness.source.stop_receiving()
        assert await harness.source.take(1) == []
    assert bodies(one + two) == [b"one", b"two"]
    settle(harness.source, one + two)
