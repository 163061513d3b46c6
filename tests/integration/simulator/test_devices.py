"""GB/T 26875.3 devices of every make over a real broker and over TCP, against a centre that answers with the codec."""

import asyncio
import io
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from deploy.stack.mosquitto import Mosquitto
from deploy.stack.mqtt import Iotcore
from deploy.stack.ports import free_ports
from services.ingest.domain.gb26875 import (
    PROFILES,
    Command,
    Decoded,
    Envelope,
    Frame,
    StreamDecoder,
    confirm,
    decode_all,
    duty_check,
    encode_frame,
    notes,
)
from services.kernel.words import SignalKind
from services.runtime.clock import SystemClock
from services.runtime.lifecycle import Stop
from services.simulator.adapters.mqtt import MqttLinks
from services.simulator.adapters.narrator import TextNarrator
from services.simulator.domain.district import Devices, District
from services.simulator.domain.makes import MAKES
from services.simulator.domain.script import Act, Event, Pace
from services.simulator.domain.signals import Point
from services.simulator.worker.playing import Player
from tests.parts import run_part

CLOCK = SystemClock()
SMOKE = Point("2-014", "smoke_detector", "三层走廊感烟探测器")


class Centre:
    """Answers every frame as the standard wants; keeps what it read and what was odd about it."""

    def __init__(self, district: District) -> None:
        self.profile_of = {
            gateway.device.address: PROFILES[gateway.device.make] for gateway in district.gateways if gateway.device
        }
        self.heard: list[Frame] = []
        self.odd: list[object] = []
        self.lanes: Counter[str] = Counter()

    def take(self, frame: Frame) -> bytes:
        profile = self.profile_of[frame.source_raw]
        self.heard.append(frame)
        self.odd += [note for note in notes(frame, profile) if note.code != "text_stray_bytes"]
        if frame.command != Command.SEND:
            return b""
        return encode_frame(confirm(frame, CLOCK.now(), profile), profile)

    def ask(self, address: bytes) -> bytes:
        profile = self.profile_of[address]
        envelope = Envelope(1, (10).to_bytes(6, "little"), address, CLOCK.now())
        return encode_frame(duty_check(envelope, 1, profile), profile)

    def types(self, address: bytes) -> set[int | None]:
        return {frame.adu and frame.adu.type for frame in self.heard if frame.source_raw == address}


def district(devices: Devices) -> District:
    return District.generate(1, units=80, towns=5, devices=devices)


def of_devices(one: District) -> District:
    """Return the district with nothing but its devices."""
    return District(
        one.code, one.valid_from, one.towns, one.units, [each for each in one.gateways if each.device], one.contacts
    )


@asynccontextmanager
async def behind_the_broker(port: int, centre: Centre) -> AsyncIterator[paho.Client]:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"centre-{secrets.token_hex(4)}")
    ready = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_message(_: object, __: object, message: paho.MQTTMessage) -> None:
        _, _, gateway_id, lane, _ = message.topic.split("/")
        centre.lanes[lane] += 1
        address = int.from_bytes(message.payload[12:18], "little").to_bytes(6, "little")
        for event in decode_all(bytes(message.payload), centre.profile_of[address]):
            assert isinstance(event, Decoded), event
            client.publish(f"firenet/v1/{gateway_id}/down/gb26875", centre.take(event.frame), qos=0)

    client.on_message = on_message

    def on_connect(*_: object) -> None:
        client.subscribe([(f"firenet/v1/+/{lane}/gb26875", 1) for lane in ("up", "alarm")])

    def on_subscribe(*_: object) -> None:
        loop.call_soon_threadsafe(ready.set)

    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.connect("127.0.0.1", port)
    client.loop_start()
    async with asyncio.timeout(90):
        await ready.wait()
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


async def until(condition: Callable[[], bool], limit_s: float = 90) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - the other side is a thread of the client library
            await asyncio.sleep(0.01)


def player(one: District, port: int, script: list[Event], devices_at: tuple[str, int] | None = None) -> Player:
    links = MqttLinks(
        host="127.0.0.1", port=port, username=None, password=None, clock=CLOCK, prefix=f"sim-{secrets.token_hex(3)}",
        devices_at=devices_at,
    )  # fmt: skip
    return Player(
        district=one, script=script, pace=Pace(interval_s=0.4, offline_s=1.6), links=links,
        narrator=TextNarrator(io.StringIO()), clock=CLOCK, seed=1,
    )  # fmt: skip


@pytest.fixture(params=["mosquitto", "iotcore"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mosquitto | Iotcore]:
    """A broker of the test alone: what the devices leave retained would count elsewhere."""
    port, port_v5 = free_ports(2)
    if request.param == "mosquitto":
        yield from run_part(Mosquitto(tmp_path / "mosquitto", port=port))
    else:
        yield from run_part(Iotcore(tmp_path / "iotcore", port=port, port_v5=port_v5))


async def test_devices_of_every_make_are_heard_and_confirmed_over_mqtt(broker: Mosquitto | Iotcore) -> None:
    one = of_devices(district(Devices(over_mqtt=len(MAKES))))
    centre = Centre(one)
    burning = one.gateways[3]
    assert burning.device is not None
    person = burning.device.address
    script = [
        Event(0.2, Act.SIGNAL, (burning.unit_id,), kind=SignalKind.FIRE, point=SMOKE, zh="火警", en="fire"),
        Event(
            0.4,
            Act.SIGNAL,
            (burning.unit_id,),
            kind=SignalKind.RESTORE,
            restores=SignalKind.FIRE,
            point=SMOKE,
            zh="解",
            en="o",
        ),
    ]
    stop = Stop()
    async with behind_the_broker(broker.port, centre) as client:
        playing = player(one, broker.port, script)
        running = asyncio.create_task(playing.run(stop))
        await until(lambda: centre.lanes["alarm"] == 2)
        client.publish(f"firenet/v1/{burning.gateway_id}/down/gb26875", centre.ask(person))
        await until(lambda: all(len(centre.types(address)) > 0 for address in centre.profile_of))
        await until(lambda: 24 in centre.types(person))  # the person at the key answers
        await until(lambda: all(3 in centre.types(address) for address in centre.profile_of))
        stop.set()
        await running
    assert centre.odd == []
    assert {frame.command for frame in centre.heard} >= {0, 2, 3, 7}
    counts = Counter((frame.source_raw, frame.serial) for frame in centre.heard if frame.command == Command.SEND)
    assert max(counts.values()) == 1, "nothing that was confirmed is sent again"


async def test_devices_without_a_broker_call_over_tcp_and_call_again(mosquitto_broker: Mosquitto) -> None:
    one = of_devices(district(Devices(over_tcp=3)))
    centre = Centre(one)
    calls = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        number = calls
        decoder = StreamDecoder()
        frames = 0
        while (data := await reader.read(4096)) and (frames < 2 or number > 3):  # the first calls are cut
            for event in decoder.feed(data):
                if isinstance(event, Decoded):
                    frames += 1
                    writer.write(centre.take(event.frame))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    stop = Stop()
    running = asyncio.create_task(player(one, mosquitto_broker.port, [], ("127.0.0.1", port)).run(stop))
    await until(lambda: calls >= 6)
    before = len(centre.heard)
    await until(lambda: len(centre.heard) > before + 10)
    stop.set()
    await running
    server.close()
    await server.wait_closed()
    assert {frame.source_raw for frame in centre.heard} == set(centre.profile_of)


def test_some_gateways_are_devices_and_nothing_else_changes() -> None:
    plain, mixed = district(Devices()), district(Devices(over_mqtt=13, over_tcp=5))
    speaking = {gateway.gateway_id for gateway in mixed.speaking()}
    devices = {gateway.gateway_id: gateway.device for gateway in mixed.gateways if gateway.device}
    assert len(devices) == 18
    assert set(devices) <= speaking
    assert sum(device.calls_from is not None for device in devices.values()) == 5
    assert {device.make for device in devices.values()} == set(MAKES)
    assert len({device.address for device in devices.values()}) == 18
    assert (mixed.units, mixed.contacts) == (plain.units, plain.contacts)


@pytest.mark.parametrize("units", [1, 5])
def test_a_small_district_has_as_many_devices_as_it_can(units: int) -> None:
    one = District.generate(1, units=units, towns=1, devices=Devices(over_mqtt=50))
    assert sum(gateway.device is not None for gateway in one.gateways) <= units
