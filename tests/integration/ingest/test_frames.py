"""Frames of GB/T 26875.3 over a real broker: stored, then answered; nothing is confirmed that is only refused."""

import pytest

from schemas.signal import DeviceFrame
from services.ingest.domain.gb26875 import (
    STANDARD,
    Adu,
    Command,
    ComponentAddress,
    Frame,
    Text,
    TimeLabel,
    bodies,
    decode_frame,
    encode_frame,
)
from services.runtime.clock import SystemClock
from tests.integration.ingest.conftest import Site
from tests.integration.ingest.log import register
from tests.integration.ingest.process import Gateway, until

DEVICE = bytes.fromhex("a18601000000")
CENTRE = bytes.fromhex("0a0000000000")
JUNK = b"no frame at all"


def frame(serial: int, word: int, source: bytes = DEVICE) -> bytes:
    now = TimeLabel.of_instant(SystemClock().now(), STANDARD)
    where = ComponentAddress(bytes((7, 0, 3, 0)))
    body = bodies.ComponentStatus(1, 0, 42, where, word, Text.of("一层大厅", STANDARD, 31), now)
    return encode_frame(Frame(serial, 1, 0, now, source, CENTRE, Command.SEND, Adu(2, (body,))))


def broken(good: bytes) -> bytes:
    return good[:-3] + bytes((good[-3] ^ 0xFF,)) + good[-2:]


@pytest.fixture
async def gateway(site: Site) -> Gateway:
    """A device at `DEVICE` that listens to what it is told, and an ingest that knows it."""
    (made,) = await site.gateways(1)
    await register(site.kafka.bootstrap, {made.gateway_id: f"U{made.gateway_id[1:]}"}, device_address=DEVICE.hex())
    await made.listen()
    await site.ingest.start()
    return made


async def test_good_frames_are_confirmed_bad_ones_denied_and_strangers_left_alone(site: Site, gateway: Gateway) -> None:
    topic = f"firenet/v1/{gateway.gateway_id}/up/gb26875"
    fire, stranger = frame(5, 0x0003), frame(6, 0x0003, CENTRE)
    for payload in (fire, broken(fire), stranger, JUNK, frame(7, 0x0005) + JUNK, fire, frame(30, 0x0003)):
        await gateway.publish(topic, payload)
    await until(lambda: site.ingest.metric("received_total") >= 7 and site.ingest.metric("in_flight") == 0)
    await until(lambda: len(gateway.told) >= 5)
    said = [(decode_frame(answer).command, decode_frame(answer).serial) for answer in gateway.told]
    confirmed = [(Command.CONFIRM, serial) for serial in (7, 5, 30)]
    assert said == [(Command.CONFIRM, 5), (Command.DENY, 5), *confirmed]
    assert all(decode_frame(answer).dest_raw == DEVICE for answer in gateway.told)
    assert site.ingest.metric("sequence_missing_total") == 0, "three frames are no count yet"
    counters = {name: site.ingest.metric(f"{name}_total") for name in ("stored", "repeated", "refused")}
    assert (counters, site.ingest.counters_balance()) == ({"stored": 4, "repeated": 0, "refused": 3}, True)

    written = await site.written()
    ours = [event for _, _, event in written.signals if event.data.gateway_id == gateway.gateway_id]
    kinds = [(str(event.data.kind), event.data.frame.serial if event.data.frame else None) for event in ours]
    assert [kind for kind in kinds if kind[0] != "restore"] == [
        ("fire", 5),
        ("fault", 7),
        ("fire", 5),
        ("fire", 30),
    ]
    burning = [event for event in ours if event.data.kind == "fire"]
    assert isinstance(burning[0].data.frame, DeviceFrame)
    assert burning[0].data.frame.raw == fire
    assert [event.id for event in written.alarms if event.data.gateway_id == gateway.gateway_id] == [
        event.id for event in burning
    ]
    refused = [event.data for event in written.refusals if event.data.gateway_id == gateway.gateway_id]
    assert sorted((str(data.reason), data.raw) for data in refused) == sorted(
        [
            ("bad_frame", broken(fire)),
            ("identity_mismatch", stranger),
            ("bad_frame", JUNK),
            ("bad_frame", JUNK),
        ]
    )
