"""Devices that know no MQTT lose nothing, whatever dies, and hear a confirm only for what Kafka has."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.stack.kafka import Kafka
from deploy.stack.mosquitto import Mosquitto
from deploy.stack.ports import free_ports
from services.ingest.app import Ingest
from services.ingest.domain.gb26875 import Command, decode_frame
from services.ingest.settings import IngestSettings
from services.kernel.words import Flag
from services.runtime.clock import SystemClock
from services.runtime.lifecycle import Stop, TaskDied
from tests.freezing import frozen
from tests.integration.ingest.devices import HOST, Device, DeviceSite
from tests.integration.ingest.process import LIMIT_S, until
from tests.unit.ingest.device_harness import spoilt

SEED = 20260601


@pytest.fixture
async def device_site(tmp_path: Path, own_kafka: Kafka, mosquitto_broker: Mosquitto) -> AsyncIterator[DeviceSite]:
    made = DeviceSite(tmp_path, own_kafka, mosquitto_broker)
    yield made
    await made.close()


async def test_frames_become_signals_and_only_then_confirms(device_site: DeviceSite) -> None:
    (device,) = await device_site.devices(1)
    await device_site.ingest.start()
    await device.call()
    device.write(device.frame(1))
    assert (await device.answer()).serial == 1
    with frozen(device_site.kafka.pids):
        device.write(device.frame(2) + device.frame(3, fire=True) + spoilt(device.frame(4)))
        ingest = device_site.ingest
        await until(
            lambda: ingest.metric("in_flight", lane="device") + ingest.metric("in_flight", lane="device_fire") == 3
        )
        assert device_site.balanced()  # takes many turns of its loop, in which an early confirm would have come
        assert device.unanswered
    answers = [await device.answer() for _ in range(3)]
    assert {(answer.command, answer.serial) for answer in answers} == {(3, 2), (3, 3), (6, 4)}
    await until(device_site.ingest.ready)
    signals = await device_site.signals(device)
    assert {str(each.data.kind) for each in signals} >= {"heartbeat", "fire"}
    written = await device_site.written()
    assert "fire" in {str(alarm.data.kind) for alarm in written.alarms if alarm.data.gateway_id == device.gateway_id}
    (refusal,) = [each for each in written.refusals if each.data.gateway_id == device.gateway_id]
    assert (refusal.data.reason, refusal.data.raw) == ("bad_frame", spoilt(device.frame(4)))
    assert refusal.data.topic.startswith(f"tcp/{HOST}:")


@pytest.mark.chaos
async def test_killed_between_kafka_and_the_confirm_a_resend_has_one_effect(device_site: DeviceSite) -> None:
    (device,) = await device_site.devices(1)
    await device_site.ingest.start()
    await device.deliver(1)
    with frozen(device_site.kafka.pids):
        device.write(device.frame(2, fire=True))
        await until(lambda: device_site.ingest.metric("in_flight", lane="device_fire") == 1)
        await device_site.ingest.kill()  # the request is in Kafka's socket: it will be stored, and nobody was told
    device.reset()
    await device_site.ingest.start()
    await device.deliver(2, fire=True)
    signals = await device_site.signals(device)
    fires = [each for each in signals if each.data.kind == "fire"]
    assert len(fires) >= 1, "a component that burns already: rules and alerts find no change"
    assert len({each.data.content for each in fires}) == 1


@pytest.mark.chaos
async def test_bad_lines_and_kills_lose_no_confirmed_frame(device_site: DeviceSite) -> None:
    """F9 and F1 on this carrier: resets, halves of frames, drops of single bytes, rubbish, and a `kill -9`."""
    chance = random.Random(SEED)
    devices = await device_site.devices(6)
    await device_site.ingest.start()

    async def live(device: Device) -> None:
        for serial in range(1, 61):
            data = device.frame(serial)
            if device._writer is not None:
                match chance.randrange(8):
                    case 0:
                        device.write(data[: chance.randrange(len(data))])
                        await asyncio.sleep(0)
                        device.reset()
                    case 1:
                        for byte in data:
                            device.write(bytes((byte,)))
                            await asyncio.sleep(0)
                    case 2:
                        device.write(chance.randbytes(chance.randrange(1, 40)))
                    case 3:
                        device.write(data)
                        device.reset()
            await device.deliver(serial)

    lives = [asyncio.create_task(live(device)) for device in devices]
    await until(lambda: device_site.ingest.metric("stored_total", lane="device") > 60)
    await device_site.ingest.kill()
    await device_site.ingest.start()
    await asyncio.gather(*lives)
    await until(lambda: device_site.ingest.metric("in_flight") == 0)
    assert device_site.balanced()
    written = await device_site.written()
    written.assert_no_tick_lies()
    for device in devices:
        ours = [each.data for _, _, each in written.signals if each.data.gateway_id == device.gateway_id]
        stored = {data.frame.serial for data in ours if data.frame is not None}
        assert device.confirmed == set(range(1, 61))
        assert stored >= device.confirmed
    assert device_site.ingest.metric("device_connections") <= len(devices)


async def test_many_idle_connections_do_not_keep_one_from_being_answered(
    tmp_path: Path, own_kafka: Kafka, mosquitto_broker: Mosquitto
) -> None:
    site = DeviceSite(tmp_path, own_kafka, mosquitto_broker, INGEST_DEVICE_CONNECTIONS_PER_PEER="3000")
    active, *idle = await site.devices(2001)
    await site.ingest.start()
    try:
        for device in idle:
            await device.call()
            device.write(device.frame(1))
        for device in idle:
            assert (await device.answer()).serial == 1
        assert site.ingest.metric("device_connections") == 2000
        await active.call()
        for serial in range(1, 51):
            active.write(active.frame(serial))
            assert (await active.answer()).serial == serial
        assert site.ingest.ready()
        assert site.balanced()
        assert await site.ingest.stop() == 0
        assert all(await asyncio.gather(*[device.ended() for device in idle]))
    finally:
        await site.close()


async def test_a_device_that_falls_silent_is_let_go(
    tmp_path: Path, own_kafka: Kafka, mosquitto_broker: Mosquitto
) -> None:
    # Idle: long enough for the first of all confirms on a busy machine, since who has none calls again. First frame:
    # much longer than half a frame may stay half, or the half that came late is no frame at all.
    limits = {"INGEST_DEVICE_IDLE_S": "8", "INGEST_DEVICE_FRAME_S": "2", "INGEST_DEVICE_FIRST_FRAME_S": "7"}
    site = DeviceSite(tmp_path, own_kafka, mosquitto_broker, **limits)
    silent, half, gone = await site.devices(3)
    await site.ingest.start()
    try:
        await silent.call()
        await half.call()
        half.write(half.frame(1)[:20])
        await gone.deliver(1)
        for device in (silent, half, gone):
            assert await device.ended()
        for reason in ("no_frame", "unfinished_frame", "idle"):
            assert site.ingest.metric("device_connections_ended_total", reason=reason) == 1
        assert site.ingest.metric("device_connections") == 0
    finally:
        await site.close()


async def test_a_datagram_is_confirmed_when_kafka_has_it(device_site: DeviceSite) -> None:
    (device,) = await device_site.devices(1)
    await device_site.ingest.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(LIMIT_S)
        sock.connect((HOST, device_site.udp_port))
        sock.send(device.frame(1))
        answer = decode_frame(await asyncio.to_thread(sock.recv, 2000))
    assert (answer.command, answer.serial) == (Command.CONFIRM, 1)
    (found,) = await device_site.signals(device)
    assert found.data.carrier == "udp_gb26875"


async def test_where_nothing_proves_who_calls_nobody_is_believed(device_site: DeviceSite) -> None:
    (device,) = await device_site.devices(1, networks=())
    await device_site.ingest.start()
    await device.call()
    device.write(device.frame(1) + device.frame(2) + device.frame(3))
    assert await device.ended()
    assert device.confirmed == set()
    await until(lambda: device_site.ingest.metric("refused_total", reason="identity_mismatch") == 3)


async def test_a_port_that_is_lost_ends_readiness_and_the_service(
    device_site: DeviceSite, mosquitto_broker: Mosquitto
) -> None:
    await device_site.devices(1)
    (http_port,) = free_ports(1)
    settings = IngestSettings(
        kafka_bootstrap=device_site.kafka.bootstrap,
        instance="port-lost",
        http_port=http_port,
        mqtt_port=mosquitto_broker.port,
        mqtt_share_group="port-lost",
        tcp_port=device_site.port,
    )
    ingest = Ingest(settings, SystemClock())
    running = asyncio.create_task(ingest.run(Stop()))
    await until(lambda: ingest.readiness().ready)
    ingest._ports["tcp"]._server.close()  # type: ignore[union-attr] # as if something in here had closed it
    assert ingest.readiness().checks["port_tcp"] == "not open"
    with pytest.raises(TaskDied):
        async with asyncio.timeout(LIMIT_S):
            await running


async def test_a_device_that_calls_again_and_again_is_said_to_on_the_topic(device_site: DeviceSite) -> None:
    (device,) = await device_site.devices(1)
    await device_site.ingest.start()
    for serial in range(6):
        await device.deliver(serial, fire=serial % 2 == 1)
        device.reset()
    await until(lambda: device_site.balanced() and device_site.ingest.metric("stored_total") >= 6)
    flagged = [signal for signal in await device_site.signals(device) if Flag.RECONNECTED in signal.data.flags]
    assert len(flagged) == 5, "each call but the first, once"
