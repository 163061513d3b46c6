"""A data unit that contradicts itself costs no alarm, ends nothing and makes nothing up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.adapters.gb26875_decoder import Gb26875Decoder
from services.ingest.domain.directory import Device, Sender
from services.ingest.domain.errors import Unusable
from services.ingest.domain.gb26875 import STANDARD, Adu, Command, bodies, decode_frame
from services.ingest.domain.gb26875.frame import END, checksum
from services.ingest.domain.values import DecodedPayload, Message
from services.kernel.words import Flag, RefusalReason, SignalKind
from tests.unit.ingest.build import NOON, QUICK
from tests.unit.ingest.device_harness import ADDRESSES, LABEL, frame, spoilt, status

UNIT = Sender("U000001", Device("standard", ADDRESSES["G000001"]))
FIRE, CALM, FAULT = 0x03, 0x01, 0x05


def with_unit(unit: bytes, gateway_id: str = "G000001") -> bytes:
    """Return a sound frame around any data unit."""
    good = frame(gateway_id, status(CALM))
    body = good[2:24] + len(unit).to_bytes(2, "little") + good[26:27] + unit
    return good[:2] + body + bytes((checksum(body),)) + END


def unit_of(*words: int) -> bytes:
    objects = tuple(status(word).objects[0] for word in words)
    return frame("G000001", Adu(2, objects))[27:-3]


def read(raw: bytes, sender: Sender = UNIT) -> DecodedPayload:
    return Gb26875Decoder().decode(raw, sender, NOON)


def told(raw: bytes) -> list[Message]:
    reading = read(raw)
    assert all(Flag.SALVAGED in message.flags for message in reading.messages)
    assert all(message.frame is not None and message.frame.raw == raw for message in reading.messages)
    assert [decode_frame(reply).command for reply in reading.replies] == [Command.CONFIRM]
    assert reading.undecodable == ()
    return list(reading.messages)


@pytest.mark.parametrize(
    "unit",
    [
        unit_of(FIRE) + b"\0",
        unit_of(FIRE) + b"stray bytes",
        unit_of(FIRE)[:-1],
        unit_of(FIRE)[:-6],
        unit_of(FIRE)[:11],
        bytes((2, 2)) + unit_of(FIRE)[2:],
        bytes((2, 0)) + unit_of(FIRE)[2:],
        bytes((2, 200)) + unit_of(FIRE)[2:],
    ],
)
def test_a_wrong_count_and_stray_or_missing_bytes_cost_no_fire(unit: bytes) -> None:
    (message,) = told(with_unit(unit))
    assert (message.kind, message.occurred_at) == (SignalKind.FIRE, NOON)
    assert message.point is not None
    assert message.point.address == "0"


@pytest.mark.parametrize(
    "body",
    [
        bodies.SystemStatus(1, 0, FIRE, LABEL),
        bodies.DeviceStatus(FIRE, LABEL),
        bodies.OperationRecord(1, 0, 0x04, 1, LABEL),
        bodies.DeviceOperation(0x04, 1, LABEL),
    ],
)
def test_every_type_that_alarms_is_read(body: bodies.SystemStatus) -> None:
    code = next(code for code in (1, 21, 4, 24) if _holds(code, body))
    unit = frame("G000001", Adu(code, (body,)))[27:-3]
    assert [message.kind for message in told(with_unit(unit + b"x"))] == [SignalKind.FIRE]


def _holds(code: int, body: bodies.SystemStatus) -> bool:
    kinds: dict[int, type] = {
        1: bodies.SystemStatus,
        21: bodies.DeviceStatus,
        4: bodies.OperationRecord,
        24: bodies.DeviceOperation,
    }
    return isinstance(body, kinds[code])


def test_of_several_objects_all_count_when_they_are_all_there_and_else_the_first() -> None:
    both = unit_of(CALM, FIRE)
    assert [message.kind for message in told(with_unit(both + b"x"))] == [SignalKind.FIRE]
    with pytest.raises(Unusable):
        read(with_unit(both[:-1]))
    assert [message.kind for message in told(with_unit(unit_of(FAULT, FIRE)[:-1]))] == [SignalKind.FAULT]


@pytest.mark.parametrize(
    "raw",
    [
        with_unit(unit_of(CALM) + b"x"),
        with_unit(unit_of(FIRE)[:10]),
        with_unit(bytes((7, 1)) + unit_of(FIRE)[2:]),
        with_unit(b"\x02"),
        spoilt(with_unit(unit_of(FIRE) + b"x")),
        with_unit(unit_of(FIRE) + b"x")[:-1],
        with_unit(unit_of(FIRE) + b"x", "G000002"),
    ],
)
def test_what_begins_nothing_or_is_not_sound_is_refused_as_before(raw: bytes) -> None:
    with pytest.raises(Unusable) as refused:
        read(raw)
    assert refused.value.reason in (
        RefusalReason.BAD_DATA_UNIT,
        RefusalReason.BAD_FRAME,
        RefusalReason.IDENTITY_MISMATCH,
    )


@QUICK
@given(st.binary(min_size=1, max_size=200))
def test_any_data_unit_is_read_without_harm_and_salvage_ends_nothing(unit: bytes) -> None:
    try:
        messages = read(with_unit(unit)).messages
    except Unusable:
        return
    for message in messages:
        if Flag.SALVAGED in message.flags:
            assert message.restores is None
            assert unit[0] in (1, 2, 4, 21, 24)


def test_the_profile_reads_it() -> None:
    assert STANDARD.name == told(with_unit(unit_of(FIRE) + b"x"))[0].frame.profile  # type: ignore[union-attr]
