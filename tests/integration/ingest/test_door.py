"""Gateways are let in only when ingest has subscribed: what the broker acknowledges to them then reaches Kafka.

A broker keeps what it has acknowledged in memory. What it acknowledged in the last moments before a `kill -9` may be
gone with it, and is not counted here; everything that it acknowledges after its return must be in Kafka.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from deploy.stack.door import Shut, Way
from deploy.stack.door_part import Door
from deploy.stack.kafka import Kafka
from deploy.stack.mosquitto import Mosquitto
from deploy.stack.mqtt import Iotcore
from deploy.stack.ports import HOST, free_ports
from tests.integration.ingest.conftest import Site
from tests.integration.ingest.loading import load, load_until
from tests.integration.ingest.process import LIMIT_S, Gateway, until

BROKERS = [
    pytest.param("iotcore", id="iotcore"),
    pytest.param("mosquitto", id="mosquitto", marks=pytest.mark.skipif(not shutil.which("mosquitto"), reason="none")),
]
pytestmark = [pytest.mark.chaos, pytest.mark.parametrize("guarded", BROKERS, indirect=True)]


class Guarded:
    """A broker of this test alone, ingest behind it and the door in front of it."""

    def __init__(self, folder: Path, kafka: Kafka, kind: str) -> None:
        port, inner = free_ports(2)
        self.broker = (
            Iotcore(folder / "mqtt", port=inner) if kind == "iotcore" else Mosquitto(folder / "mqtt", port=inner)
        )
        self.door = Door(folder / "door", ways=[Way(HOST, port, inner)], broker_port=inner, backlog_mb=1)
        plain = {"INGEST_MQTT_PROTOCOL": "3.1.1", "INGEST_MQTT_SHARE_GROUP": ""}
        self.site = Site(folder, kafka, self.broker, **(plain if kind == "iotcore" else {}))
        self.port = port

    async def gateways(self) -> list[Gateway]:
        """Two gateways, connected through the door; ingest runs then."""
        names = await self.site.register(2)
        await self.site.ingest.start()
        await until(lambda: self.door.is_open)
        return self.site.connect(self.port, names)

    def lets_in(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), timeout=LIMIT_S):
            return True
        return False

    def freeze_ingest(self) -> None:
        self.site.ingest.signal(signal.SIGSTOP)

    def thaw_ingest(self) -> None:
        self.site.ingest.signal(signal.SIGCONT)

    async def kill_broker(self, gateways: Sequence[Gateway]) -> dict[Gateway, set[int]]:
        """Return what it had acknowledged to each gateway, read to the end: some of it may lie in a socket yet."""
        (pid,) = self.broker.pids
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not self.broker.alive() and not self.door.is_open and not self.lets_in())
        await until(lambda: not any(gateway.is_connected for gateway in gateways))
        return {gateway: gateway.acknowledged for gateway in gateways}

    async def assert_stored(self, gateway: Gateway, numbers: set[int]) -> None:
        """Return when all these messages are in Kafka; fail when they are not within the limit."""
        lost = numbers
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LIMIT_S):
                while lost:
                    lost = numbers - set((await self.site.written()).numbers(gateway.gateway_id))
        assert not lost, f"{len(lost)} acknowledged and lost: {sorted(lost)[:5]}"


@pytest.fixture
async def guarded(request: pytest.FixtureRequest, tmp_path: Path, own_kafka: Kafka) -> AsyncIterator[Guarded]:
    one = Guarded(tmp_path, own_kafka, str(request.param))
    one.broker.start()
    one.door.start()
    yield one
    await one.site.close()
    one.door.stop()
    one.broker.stop()


async def test_at_the_very_first_start_nobody_is_let_in_before_ingest(guarded: Guarded) -> None:
    await until(lambda: guarded.door.shut_why == Shut.NOT_SUBSCRIBED)
    assert not guarded.lets_in()
    gateways = await guarded.gateways()
    await load(gateways, 50)
    for gateway in gateways:
        await gateway.all_acknowledged()
        await guarded.assert_stored(gateway, gateway.acknowledged)


async def test_what_a_killed_broker_acknowledges_after_its_return_is_in_kafka(guarded: Guarded) -> None:
    gateways = await guarded.gateways()
    done = asyncio.Event()
    loading = asyncio.create_task(load_until(gateways, done))
    before: dict[Gateway, set[int]] = {}
    try:
        for _ in range(2):
            await until(lambda: all(len(gateway.acknowledged) > 100 for gateway in gateways))
            guarded.freeze_ingest()  # it comes last, however slow the gateways are
            before = await guarded.kill_broker(gateways)
            await asyncio.to_thread(guarded.broker.start)
            await until(lambda: guarded.door.shut_why == Shut.NOT_SUBSCRIBED)
            assert not guarded.lets_in()
            guarded.thaw_ingest()
            await until(lambda: all(len(g.acknowledged - before[g]) > 200 for g in gateways))  # noqa: B023 - at once
    finally:
        done.set()
        await loading
    for gateway in gateways:
        await gateway.all_acknowledged()
        await guarded.assert_stored(gateway, gateway.acknowledged - before[gateway])


async def test_ingest_alone_may_end_and_the_broker_keeps_what_comes_meanwhile(guarded: Guarded) -> None:
    gateways = await guarded.gateways()
    await guarded.site.ingest.kill()
    assert guarded.door.is_open
    await load(gateways, 200)
    for gateway in gateways:
        await gateway.all_acknowledged()
    await guarded.site.ingest.start()
    for gateway in gateways:
        await guarded.assert_stored(gateway, gateway.acknowledged)


async def test_both_may_end_and_whoever_comes_back_first_takes_in_nothing_for_nobody(guarded: Guarded) -> None:
    gateways = await guarded.gateways()
    done = asyncio.Event()
    loading = asyncio.create_task(load_until(gateways, done))
    try:
        await until(lambda: all(len(gateway.acknowledged) > 100 for gateway in gateways))
        await guarded.site.ingest.kill()
        before = await guarded.kill_broker(gateways)
        await asyncio.to_thread(guarded.broker.start)
        await until(lambda: guarded.door.shut_why == Shut.NOT_SUBSCRIBED)
        assert not guarded.lets_in()
        await guarded.site.ingest.start()
        await until(lambda: all(len(gateway.acknowledged - before[gateway]) > 100 for gateway in gateways))
    finally:
        done.set()
        await loading
    for gateway in gateways:
        await gateway.all_acknowledged()
        await guarded.assert_stored(gateway, gateway.acknowledged - before[gateway])


async def test_the_door_shuts_before_the_broker_drops_what_nobody_takes(guarded: Guarded) -> None:
    gateways = await guarded.gateways()
    await guarded.site.ingest.kill()
    done = asyncio.Event()
    loading = asyncio.create_task(load_until(gateways, done))
    try:
        await until(lambda: guarded.door.shut_why == Shut.NOTHING_TAKEN)
        assert not guarded.lets_in()
    finally:
        done.set()
        await loading
    await guarded.site.ingest.start()
    await until(lambda: guarded.door.is_open)
    for gateway in gateways:
        await gateway.all_acknowledged()
        await guarded.assert_stored(gateway, gateway.acknowledged)


async def test_a_door_that_died_comes_back_and_lets_in_again(guarded: Guarded) -> None:
    gateways = await guarded.gateways()
    (pid,) = guarded.door.pids
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not guarded.door.alive() and guarded.door.shut_why is not None)
    guarded.door.start()
    await load(gateways, 50)
    for gateway in gateways:
        await gateway.all_acknowledged()
        await guarded.assert_stored(gateway, gateway.acknowledged)
