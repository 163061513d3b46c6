"""Clocks and duty checks through a real broker and a real Kafka, to devices that answer, deny or keep silent."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from deploy.stack.kafka import Kafka
from deploy.stack.mosquitto import Mosquitto
from deploy.stack.ports import free_ports
from schemas import codec
from schemas.exchange import Exchange
from schemas.topics import EXCHANGES
from services.ingest.domain.gb26875 import Adu
from tests.integration.ingest.conftest import Site
from tests.integration.ingest.log import register
from tests.integration.ingest.process import IngestProcess, until
from tests.integration.ingest.scripted import MqttDevice, Script, TcpDevice, command

QUICK = {"INGEST_EXCHANGE_TIMEOUT_S": "4"}
"""For devices that keep silent. Those that answer have all the time of the standard: machines may pause, too."""


class Town:
    """An ingest process that waits ten seconds for a confirm unless told otherwise, and devices."""

    def __init__(self, folder: Path, kafka: Kafka, broker: Mosquitto, **settings: str) -> None:
        self.instance = f"town-{secrets.token_hex(4)}"
        names = {"INGEST_INSTANCE": self.instance, "INGEST_MQTT_SHARE_GROUP": self.instance}
        self.site = Site(folder, kafka, broker, **names, **settings)
        self.bootstrap = kafka.bootstrap
        self._folder = folder
        self._devices: list[MqttDevice] = []
        self._others: list[IngestProcess] = []

    async def devices(self, *scripts: Script) -> list[MqttDevice]:
        gateways = await self.site.gateways(len(scripts))
        for gateway, script in zip(gateways, scripts, strict=True):
            device = MqttDevice(self.site.broker.port, gateway.gateway_id, script)
            self._devices.append(device)
            await device.listen()
        return self._devices

    async def second(self) -> IngestProcess:
        group = {"INGEST_MQTT_SHARE_GROUP": self.instance}
        name = f"{self.instance}-b"
        other = IngestProcess(self._folder, self.bootstrap, self.site.broker.port, name, **group)
        self._others.append(other)
        await other.start()
        return other

    async def close(self) -> None:
        for device in self._devices:
            device.close()
        for other in self._others:
            await other.stop()
        await self.site.close()


@pytest.fixture
async def town(tmp_path: Path, own_kafka: Kafka, mosquitto_broker: Mosquitto) -> AsyncIterator[Town]:
    made = Town(tmp_path, own_kafka, mosquitto_broker)
    yield made
    await made.close()


async def exchanges(bootstrap: str, gateway_id: str) -> list[Exchange]:
    """Return what the log says of a gateway's exchanges, in its order."""
    found: list[Exchange] = []
    async with AIOKafkaConsumer(EXCHANGES, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        places = sorted(consumer.assignment())
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [codec.exchanges.decode(record.value) for record in records]
    return [event for event in found if event.data.gateway_id == gateway_id]


async def test_devices_that_are_late_deny_keep_silent_or_have_somebody_on_duty(town: Town) -> None:
    town.site.ingest.set(**QUICK)
    devices = await town.devices(Script(ignores=1), Script(denies=True), Script(ignores=99), Script(answers=True))
    await town.site.ingest.start()
    orders = [("clock",), ("clock",), ("duty", "--minutes", "1"), ("duty", "--minutes", "1")]
    set_late, denied, failed, answered = await asyncio.gather(
        *(
            command(town.bootstrap, *order, "--gateway", device.gateway_id, "--wait")
            for order, device in zip(orders, devices, strict=True)
        )
    )
    assert (set_late.code, set_late.steps) == (0, ["ordered", "began", "sent", "sent", "confirmed"])
    assert (denied.code, denied.steps.count("denied"), denied.lines[-1]["reason"]) == (1, 4, "denied")
    assert (failed.code, failed.steps.count("sent"), failed.lines[-1]["reason"]) == (1, 4, "no_confirm")
    assert (answered.code, answered.steps[-1]) == (0, "answered")
    assert [len({frame.serial for frame in device.script.controls}) for device in devices] == [1, 1, 1, 1]
    types = [{frame.adu.type for frame in device.script.controls if isinstance(frame.adu, Adu)} for device in devices]
    assert types == [{90}, {90}, {91}, {91}]
    ingest = town.site.ingest
    await until(lambda: ingest.metric("exchanges_open") == 0)
    assert ingest.metric("exchanges_total", what="set_clock", outcome="confirmed") == 1
    assert ingest.metric("exchange_seconds_count", what="duty_check") == 1
    said = await exchanges(town.bootstrap, devices[-1].gateway_id)
    assert len({event.id for event in said}) == len(said)


async def test_a_minute_of_silence_after_the_confirm_is_told_as_what_it_is(town: Town) -> None:
    town.site.ingest.set(INGEST_EXCHANGE_MINUTE_S="5")
    (device,) = await town.devices(Script())
    await town.site.ingest.start()
    ran = await command(town.bootstrap, "duty", "--gateway", device.gateway_id, "--minutes", "1", "--wait")
    assert (ran.code, ran.steps) == (1, ["ordered", "began", "sent", "confirmed", "not_answered"]), ran.lines


async def test_after_kill_9_an_open_exchange_ends_with_the_truth(town: Town) -> None:
    town.site.ingest.set(**QUICK)
    healed, silent = await town.devices(Script(ignores=99), Script(ignores=99))
    await town.site.ingest.start()
    orders = (command(town.bootstrap, "clock", "--gateway", device.gateway_id) for device in (healed, silent))
    for ordered in await asyncio.gather(*orders):  # both at once: the first is not to end before the kill
        assert (ordered.code, ordered.steps) == (0, ["ordered"])
    await until(lambda: bool(healed.script.controls and silent.script.controls))
    await town.site.ingest.kill()
    healed.script.ignores = 0
    await town.site.ingest.start()
    await until(lambda: town.site.ingest.metric("exchanges_total", outcome="unknown") == 1)
    await until(lambda: town.site.ingest.metric("exchanges_open") == 0)
    ends = {device: (await exchanges(town.bootstrap, device.gateway_id))[-1].data for device in (healed, silent)}
    assert (ends[silent].step, ends[silent].reason) == ("unknown", "restarted")
    if len(healed.script.controls) > 1:  # it was killed before the last resend
        assert ends[healed].step == "confirmed"
    for device in (healed, silent):
        assert len({frame.serial for frame in device.script.controls}) == 1


async def test_of_two_processes_one_sends_and_whoever_hears_the_device_tells_it(town: Town) -> None:
    (device,) = await town.devices(Script(answers=True))
    await town.site.ingest.start()
    await town.second()
    for serial in range(20):  # both hear the device
        device.say(device.script.send(serial + 100))
    for _ in range(2):
        ran = await command(town.bootstrap, "duty", "--gateway", device.gateway_id, "--minutes", "1", "--wait")
        assert (ran.code, ran.steps[-1]) == (0, "answered")
    assert len(device.script.controls) == 2
    owners = {event.data.instance for event in await exchanges(town.bootstrap, device.gateway_id)}
    assert owners <= {town.instance, f"{town.instance}-b"}


async def test_an_order_for_a_gateway_nobody_knows_is_not_given(town: Town) -> None:
    await town.site.gateways(1)
    ran = await command(town.bootstrap, "clock", "--gateway", "G-unheard-of", "--wait")
    assert (ran.code, ran.lines) == (1, [])
    assert "the registry knows no such gateway" in ran.errors


async def test_all_devices_of_a_unit_over_the_connection_that_they_opened(
    tmp_path: Path, own_kafka: Kafka, mosquitto_broker: Mosquitto
) -> None:
    (port,) = free_ports(1)
    town = Town(tmp_path, own_kafka, mosquitto_broker, INGEST_TCP_PORT=str(port), INGEST_TCP_OPEN="true")
    await town.site.gateways(1)
    script = Script(address=bytes.fromhex("b28601000001"), answers=True)
    unit = f"U{town.instance}"
    await register(own_kafka.bootstrap, {f"T{town.instance}": unit}, device_address=script.address.hex())
    await town.site.ingest.start()
    caller = TcpDevice(port, script)
    calling = asyncio.create_task(caller.run())
    try:
        await until(lambda: 1 in caller.confirmed)
        ran = await command(own_kafka.bootstrap, "duty", "--unit", unit, "--minutes", "1", "--wait")
        assert (ran.code, ran.steps) == (0, ["ordered", "began", "sent", "confirmed", "answered"])
        assert ran.lines[-1]["carrier"] == "tcp_gb26875"
        assert len(script.controls) == 1
    finally:
        calling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await calling
        await town.close()
