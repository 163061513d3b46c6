"""From bytes of a device to signals on the wire: every frame the codec can build arrives whole, and is answered."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec
from schemas.signal import Signal as WireSignal
from services.ingest.adapters.gb26875_decoder import Gb26875Decoder
from services.ingest.adapters.wire import Encoder
from services.ingest.domain.directory import Device, Sender
from services.ingest.domain.errors import Unusable
from services.ingest.domain.gb26875 import (
    Adu,
    Command,
    DeviceProfile,
    Frame,
    TimeLabel,
    bodies,
    decode_frame,
    encode_frame,
    frame_document,
)
from services.ingest.domain.gb26875.flags import FIRE_BIT
from services.ingest.domain.values import DecodedPayload, Signal
from services.kernel.words import Lane, RefusalReason, SignalKind, Transport
from tests.unit.ingest.build import NOON, QUICK, arrival
from tests.unit.ingest.gb26875.strategies import PROFILE, frames
from tests.unit.ingest.gb26875.test_worked_frames import CENTRE, DEVICE, PRESSURE, TWO_SYSTEMS

DECODER = Gb26875Decoder()
ENCODER = Encoder("ingest-1")
JUNK = b"not a frame"


def decode(payload: bytes, device: Device | None = None) -> DecodedPayload:
    return DECODER.decode(payload, Sender("U000001", device or Device()), NOON)


def on_the_wire(reading: DecodedPayload, payload: bytes) -> list[WireSignal]:
    came = arrival(payload)
    signals = [
        Signal("G000001", "U000001", Lane.UP, Transport.MQTT_GB26875, message, message.flags, part)
        for part, message in enumerate(reading.messages)
    ]
    events = [codec.signals.decode(ENCODER.signal(signal, came)) for signal in signals]
    return [event for event in events if isinstance(event, WireSignal)]


def burns(frame: Frame) -> bool:
    statuses = bodies.SystemStatus | bodies.ComponentStatus | bodies.DeviceStatus
    objects = frame.adu.objects if isinstance(frame.adu, Adu) else ()
    return any(isinstance(body, statuses) and body.status_word & FIRE_BIT for body in objects)


@st.composite
def profile_and_frame(draw: st.DrawFn) -> tuple[DeviceProfile, Frame]:
    profile = draw(PROFILE)
    return profile, draw(frames(profile))


@QUICK
@given(profile_and_frame())
def test_every_frame_the_codec_can_build_arrives_whole(case: tuple[DeviceProfile, Frame]) -> None:
    profile, frame = case
    payload = encode_frame(frame, profile)
    events = on_the_wire(decode(payload, Device(profile.name)), payload)
    assert events
    assert all(event.data.frame is not None and event.data.frame.raw == payload for event in events)
    said = [event.data.frame.said for event in events if event.data.frame is not None]
    document = json.loads(json.dumps(frame_document(decode_frame(payload, profile), profile)))
    objects = document["adu"]["objects"] if document["adu"] else [None]
    assert [each for at, each in enumerate(said) if at == 0 or each != said[at - 1]] == [
        each for at, each in enumerate(objects or [None]) if at == 0 or each != objects[at - 1]
    ]
    assert not burns(frame) or any(event.data.kind == "fire" for event in events)
    assert len({event.id for event in events}) == len(events)


@QUICK
@given(st.lists(st.binary(max_size=80) | st.sampled_from([TWO_SYSTEMS, PRESSURE]), max_size=6))
def test_whatever_stands_before_them_good_frames_are_told_and_confirmed_and_no_byte_is_lost(
    pieces: list[bytes],
) -> None:
    payload = b"".join((*pieces, PRESSURE))
    reading = decode(payload)
    raws = {id(message.frame.raw): message.frame.raw for message in reading.messages if message.frame is not None}
    assert sum(map(len, raws.values())) + sum(len(undecodable.raw) for undecodable in reading.undecodable) == len(
        payload
    )
    confirmed = [reply for reply in reading.replies if decode_frame(reply).command == Command.CONFIRM]
    assert len(confirmed) == len(raws)


def test_a_frame_is_confirmed_under_its_number_with_the_addresses_swapped() -> None:
    (reply,) = decode(PRESSURE).replies
    answer = decode_frame(reply)
    assert (answer.serial, answer.command, answer.adu) == (513, Command.CONFIRM, None)
    assert (answer.source_raw, answer.dest_raw) == (CENTRE, DEVICE)


def test_a_check_error_is_denied_and_what_stands_beside_it_is_told() -> None:
    broken = PRESSURE[:-3] + bytes((PRESSURE[-3] ^ 1,)) + PRESSURE[-2:]
    reading = decode(JUNK + TWO_SYSTEMS + broken)
    assert reading.messages[0].kind is SignalKind.FIRE
    assert [undecodable.reason for undecodable in reading.undecodable] == [
        RefusalReason.BAD_FRAME,
        RefusalReason.BAD_FRAME,
    ]
    assert [decode_frame(reply).command for reply in reading.replies] == [Command.CONFIRM, Command.DENY]
    with pytest.raises(Unusable) as refused:
        decode(broken)
    assert [decode_frame(reply).command for reply in refused.value.replies] == [Command.DENY]


def test_another_source_address_is_refused_and_not_confirmed() -> None:
    with pytest.raises(Unusable) as refused:
        decode(TWO_SYSTEMS, Device(address=bytes(6)))
    assert (refused.value.reason, refused.value.replies) == (RefusalReason.IDENTITY_MISMATCH, ())


def test_a_profile_that_nobody_wrote_is_not_taken_for_the_standard() -> None:
    with pytest.raises(Unusable) as refused:
        decode(TWO_SYSTEMS, Device(profile="standrad"))
    assert (refused.value.reason, refused.value.replies) == (RefusalReason.UNKNOWN_PROFILE, ())


def test_the_notes_of_an_object_stand_with_its_own_messages_only() -> None:
    label = TimeLabel.of_instant(NOON - timedelta(hours=1), DeviceProfile("standard"))
    objects = (bodies.SystemStatus(1, 0, 0x4001, label), bodies.SystemStatus(99, 0, 0x0001, label))
    payload = encode_frame(Frame(1, 9, 0, label, DEVICE, CENTRE, Command.SEND, Adu(1, objects)))
    found = {
        message.point.system: message.frame.notes
        for message in decode(payload).messages
        if message.frame is not None and message.point is not None
    }
    assert found == {
        "1.0": ("version_main unexpected_version", "adu.objects[0].status_word reserved_bits"),
        "99.0": ("version_main unexpected_version", "adu.objects[1].system_type unknown_system_type"),
    }
