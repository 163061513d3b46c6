"""The simulator's frames and ingest's codec, written apart from the same tables, agree byte for byte."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from services.ingest.domain.gb26875 import (
    PROFILES,
    Adu,
    ComponentAddress,
    Decoded,
    Envelope,
    NoteCode,
    Purpose,
    Text,
    TimeLabel,
    confirm,
    decode_all,
    decode_frame,
    deny,
    duty_check,
    encode_frame,
    notes,
    purpose,
    set_clock,
)
from services.ingest.domain.gb26875 import bodies as b
from services.simulator.adapters import gb26875 as wire
from services.simulator.domain.device import CENTRE, Device, Now
from services.simulator.domain.frames import (
    Body,
    Command,
    DeviceClock,
    DeviceFlag,
    DeviceOperated,
    DeviceState,
    DeviceVersion,
    DutyCheck,
    Flag,
    Key,
    Part,
    PartState,
    Sample,
    SetClock,
    SystemOperated,
    SystemState,
)
from services.simulator.domain.makes import MAKES, Make

NOW = Now(0.0, datetime(2026, 11, 30, 15, 59, 48, tzinfo=UTC))
AT = datetime(2026, 11, 30, 23, 59, 48)  # noqa: DTZ001 - as the codec has it: the label names no zone
BEIJING_AT = AT.replace(tzinfo=timezone(timedelta(hours=8)))
PART = Part(12, 4, 99, 5, 3)
NAME = "三层走廊感烟探测器"

BODIES: list[tuple[tuple[Body, ...], int]] = [
    ((SystemState(1, 0, Flag.NORMAL | Flag.FIRE, BEIJING_AT), SystemState(10, 1, Flag.NORMAL, BEIJING_AT)), 1),
    ((PartState(PART, Flag.NORMAL | Flag.FAULT | Flag.MAIN_POWER, NAME, BEIJING_AT),), 2),
    ((Sample(PART, 3, -55, BEIJING_AT),), 3),
    ((SystemOperated(1, 2, Key.SILENCE, 7, BEIJING_AT),), 4),
    ((DeviceState(DeviceFlag.NORMAL | DeviceFlag.BACKUP_POWER, BEIJING_AT),), 21),
    ((DeviceOperated(Key.CONFIRM, 3, BEIJING_AT),), 24),
    ((DeviceVersion(4, 9),), 25),
    ((DeviceClock(BEIJING_AT),), 28),
]

every_make = pytest.mark.parametrize("make", MAKES.values(), ids=lambda make: make.name)


def device(make: Make) -> Device:
    return Device(make, make.address(100_001), serial=65_535)


def test_every_profile_has_its_make() -> None:
    assert set(MAKES) == set(PROFILES)


@every_make
@pytest.mark.parametrize(("bodies", "code"), BODIES, ids=[str(code) for _, code in BODIES])
def test_what_a_device_says_is_read_as_it_was_meant(make: Make, bodies: tuple[Body, ...], code: int) -> None:
    profile = PROFILES[make.name]
    raw = wire.write(device(make).send(NOW, *bodies), make)
    frame = decode_frame(raw, profile)
    assert encode_frame(frame, profile) == raw
    assert (frame.serial, frame.command, frame.time_label.at) == (65_535, 2, AT)
    assert (frame.source_raw, frame.dest_raw) == (make.address(100_001), CENTRE)
    assert isinstance(frame.adu, Adu)
    assert (frame.adu.type, frame.adu.object_count) == (code, len(bodies))
    assert purpose(frame, profile) is Purpose.DATA
    odd = {NoteCode.TEXT_STRAY_BYTES} if make.stray and code == 2 else set()
    assert {note.code for note in notes(frame, profile)} == odd
    for written, read in zip(bodies, frame.adu.objects, strict=True):
        assert meant(written, make) == meaning(read, make)


def meant(body: Body, make: Make) -> tuple[object, ...]:
    """Return what a body says, as plain values in the order of the wire."""
    normal = Flag(0) if make.normal_bit else Flag.NORMAL
    match body:
        case SystemState(system, number, flags, at):
            return (system, number, flags & ~normal, at.replace(tzinfo=None))
        case PartState(part, flags, text, at):
            return (*point(part, make), flags & ~normal, text, at.replace(tzinfo=None))
        case Sample(part, quantity, raw, at):
            return (*point(part, make), quantity, raw, at.replace(tzinfo=None))
        case SystemOperated(system, number, keys, operator, at):
            return (system, number, keys, operator, at.replace(tzinfo=None))
        case DeviceState(device_flags, at):
            return (device_flags & ~int(normal), at.replace(tzinfo=None))
        case DeviceOperated(keys, operator, at):
            return (keys, operator, at.replace(tzinfo=None))
        case DeviceVersion(major, minor):
            return (major, minor)
        case DeviceClock(at):
            return (at.replace(tzinfo=None),)
        case _:
            raise AssertionError(body)


def point(part: Part, make: Make) -> tuple[object, ...]:
    named = dict(zip(("zone", "point"), (part.zone, part.point), strict=True))
    order = PROFILES[make.name].component_order
    first = {"point_zone": ("point", "zone")}.get(order.value, ("zone", "point"))
    return (part.system, part.number, part.kind, *(named[name] for name in first))


def meaning(body: b.Body, make: Make) -> tuple[object, ...]:
    found: list[object] = []
    for value in body:
        if isinstance(value, ComponentAddress):
            parts = value.parts(PROFILES[make.name].component_order) or (("", value.word0_le), ("", value.word1_le))
            found += [word for _, word in parts]
        elif isinstance(value, Text):
            found.append(value.value)
        elif isinstance(value, TimeLabel):
            found.append(value.at)
        else:
            found.append(value)
    return tuple(found)


@every_make
def test_greeting_and_keepalive_are_what_the_profile_expects(make: Make) -> None:
    profile = PROFILES[make.name]
    one = device(make)
    for frame in [*one.announce(NOW).frames, one.keepalive(NOW)]:
        read = decode_frame(wire.write(frame, make), profile)
        assert purpose(read, profile) in (Purpose.KEEPALIVE, Purpose.REGISTRATION, Purpose.HANDSHAKE, Purpose.DATA)
        assert notes(read, profile) == ()


@every_make
def test_a_device_reads_the_centres_frames(make: Make) -> None:
    profile = PROFILES[make.name]
    envelope = Envelope(7, CENTRE, make.address(100_001), NOW.wall)
    sent = decode_frame(wire.write(device(make).keepalive(NOW), make), profile)
    down = [
        set_clock(envelope, profile),
        duty_check(envelope, 10, profile),
        confirm(sent, NOW.wall, profile),
        deny(sent, NOW.wall, profile),
    ]
    stream = b"\x00junk" + b"\x00".join(encode_frame(frame, profile) for frame in down)
    found, rest = [], b""
    for at in range(0, len(stream), 11):
        frames, rest = wire.read(rest + stream[at : at + 11], make)
        found += frames
    assert [frame.bodies for frame in found] == [(SetClock(BEIJING_AT),), (DutyCheck(10),), (), ()]
    assert [frame.command for frame in found] == [Command.CONTROL, Command.CONTROL, Command.CONFIRM, Command.DENY]
    assert [frame.serial for frame in found] == [7, 7, sent.serial, sent.serial]
    assert all(frame.dest == make.address(100_001) for frame in found)


@every_make
def test_a_stream_of_frames_is_cut_into_the_same_frames_by_both(make: Make) -> None:
    one = device(make)
    sent = [one.keepalive(NOW) for _ in range(3)]
    raw = b"".join(wire.write(frame, make) for frame in sent)
    events = decode_all(raw, PROFILES[make.name])
    assert [event.frame.serial for event in events if isinstance(event, Decoded)] == [65_535, 0, 1]
    frames, rest = wire.read(raw, make)
    assert ([frame.serial for frame in frames], rest) == ([65_535, 0, 1], b"")
