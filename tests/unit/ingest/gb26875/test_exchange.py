"""What a frame is for, what is answered, and what a centre that only monitors may send."""

from datetime import UTC, datetime

import pytest

from services.ingest.domain.gb26875 import (
    PROFILES,
    STANDARD,
    Adu,
    Command,
    EncodeError,
    Envelope,
    ErrorCode,
    Purpose,
    RawAdu,
    confirm,
    decode_frame,
    deny,
    deny_rejected,
    duty_check,
    encode_frame,
    may_send,
    purpose,
    query,
    set_clock,
)
from services.ingest.domain.gb26875.bodies import DeviceRequest, DutyCheck, ReadSystem
from services.ingest.domain.gb26875.layout import TYPES
from tests.unit.ingest.gb26875.corpus import ENTRIES
from tests.unit.ingest.gb26875.test_worked_frames import CENTRE, CONFIRM, DEVICE, PRESSURE

NOW = datetime(2024, 5, 5, 23, 8, 10, tzinfo=UTC)  # 2024-05-06 07:08:10 in Beijing
ENVELOPE = Envelope(513, CENTRE, DEVICE, NOW)
FRAME = decode_frame(PRESSURE)


def test_confirm_is_the_worked_frame() -> None:
    assert encode_frame(confirm(FRAME, NOW)) == CONFIRM


def test_deny_differs_from_confirm_by_the_command_only() -> None:
    assert deny(FRAME, NOW) == confirm(FRAME, NOW)._replace(command=6)


def test_label_of_an_answer_shows_the_devices_own_clock_and_coding() -> None:
    answer = confirm(FRAME, NOW, PROFILES["bcd_time"])
    assert answer.time_label.raw == bytes.fromhex("100807060524")
    assert answer.time_label.instant(PROFILES["bcd_time"]) == NOW


def test_rejected_bytes_are_denied_by_what_their_header_says() -> None:
    broken = PRESSURE[:-3] + b"\x00##"
    assert deny_rejected(broken, NOW) == deny(FRAME, NOW)


@pytest.mark.parametrize("raw", [b"", b"@@", PRESSURE[:26], b"A" + PRESSURE[1:]])
def test_bytes_without_a_whole_header_are_not_answered(raw: bytes) -> None:
    assert deny_rejected(raw, NOW) is None


def test_clock_and_duty_check_come_back_from_the_wire() -> None:
    for frame in (set_clock(ENVELOPE), duty_check(ENVELOPE, 10)):
        assert decode_frame(encode_frame(frame)) == frame
        assert frame.command == Command.CONTROL
        assert may_send(frame)
    assert duty_check(ENVELOPE, 10).adu == Adu(91, (DutyCheck(10),))


@pytest.mark.parametrize("minutes", [0, 256, -1])
def test_duty_check_needs_one_to_255_minutes(minutes: int) -> None:
    with pytest.raises(EncodeError) as caught:
        duty_check(ENVELOPE, minutes)
    assert caught.value.code is ErrorCode.FIELD_RANGE


def test_frames_that_we_begin_carry_the_versions_of_the_profile() -> None:
    frame = set_clock(ENVELOPE, PROFILES["handshake_version10"])
    assert (frame.version_main, frame.version_user) == (0x10, 0)


def test_query_takes_read_types_only() -> None:
    assert query(ENVELOPE, Adu(61, (ReadSystem(1, 0),))).command == Command.REQUEST
    with pytest.raises(EncodeError):
        query(ENVELOPE, Adu(89, (DeviceRequest(),)))


@pytest.mark.parametrize("code", sorted(TYPES))
def test_control_is_limited_to_clock_and_duty_check(code: int) -> None:
    entry = next(e for e in ENTRIES if e.name.startswith(f"type_{code:03d}_"))
    adu = decode_frame(entry.raw).adu
    assert may_send(FRAME._replace(command=1, adu=adu)) is (code in {90, 91})
    assert may_send(FRAME._replace(command=4, adu=adu)) is (61 <= code <= 88)
    assert not may_send(FRAME._replace(command=2, adu=adu))
    assert not may_send(FRAME._replace(command=3, adu=adu))


def test_nothing_raw_and_no_user_command_may_be_sent() -> None:
    for command in range(256):
        assert not may_send(FRAME._replace(command=command, adu=RawAdu(None, b"\x5b\x01\x0a")))
        assert may_send(FRAME._replace(command=command, adu=None)) is (command in {3, 6})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("worked", Purpose.DATA),
        ("command_confirm_empty", Purpose.ANSWER),
        ("command_deny_empty", Purpose.ANSWER),
        ("type_061_read_system_status", Purpose.QUERY),
        ("type_091_duty_check", Purpose.CONTROL),
        ("odd_empty_send", Purpose.UNEXPLAINED),
        ("command_user", Purpose.UNEXPLAINED),
        ("type_200_user", Purpose.UNEXPLAINED),
        ("profile_keepalive_empty_send", Purpose.KEEPALIVE),
        ("profile_keepalive_command7", Purpose.KEEPALIVE),
        ("profile_registration_command0", Purpose.REGISTRATION),
        ("profile_keepalive_type190", Purpose.KEEPALIVE),
        ("profile_keepalive_type190_bare", Purpose.KEEPALIVE),
        ("profile_handshake_version10", Purpose.HANDSHAKE),
    ],
)
def test_purpose_is_what_standard_and_profile_say(name: str, expected: Purpose) -> None:
    entries = [entry for entry in ENTRIES if entry.name == name]
    raw, profile = (entries[0].raw, PROFILES[entries[0].profile]) if entries else (PRESSURE, STANDARD)
    assert purpose(decode_frame(raw, profile), profile) is expected
