"""What is odd about a good frame. Nothing here costs the frame; it is kept, marked and shown."""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple, assert_never

from services.ingest.domain.gb26875 import bodies, flags
from services.ingest.domain.gb26875.adu import Adu, RawAdu
from services.ingest.domain.gb26875.bodies import Body
from services.ingest.domain.gb26875.frame import Frame
from services.ingest.domain.gb26875.profile import STANDARD, DeviceProfile
from services.ingest.domain.gb26875.tables import ANALOG_TYPES, component_type_term, system_type_term
from services.ingest.domain.gb26875.values import Text, TimeLabel, is_cut, text_body


class NoteCode(StrEnum):
    """The closed set of anomalies; the values are stable."""

    UNEXPECTED_VERSION = "unexpected_version"
    INVALID_TIME = "invalid_time"
    UNKNOWN_TYPE = "unknown_type"
    EMPTY_ADU = "empty_adu"
    NO_OBJECTS = "no_objects"
    UNKNOWN_SYSTEM_TYPE = "unknown_system_type"
    UNKNOWN_COMPONENT_TYPE = "unknown_component_type"
    UNKNOWN_ANALOG_TYPE = "unknown_analog_type"
    ANALOG_OUT_OF_RANGE = "analog_out_of_range"
    RESERVED_BITS = "reserved_bits"
    TEST_OR_OMISSION = "test_or_omission"
    TEXT_CUT = "text_cut"
    TEXT_UNREADABLE = "text_unreadable"
    TEXT_STRAY_BYTES = "text_stray_bytes"
    RESERVED_BYTE = "reserved_byte"


class Note(NamedTuple):
    """One anomaly and the field it is about, in the names of the JSON form."""

    path: str
    code: NoteCode


_MAY_BE_EMPTY = frozenset({3, 6})


def notes(frame: Frame, profile: DeviceProfile = STANDARD) -> tuple[Note, ...]:
    """Return everything odd about a frame under a profile; empty for a frame by the book."""
    return tuple(_frame_notes(frame, profile))


def _frame_notes(frame: Frame, profile: DeviceProfile) -> Iterator[Note]:
    if frame.version_main not in profile.main_versions:
        yield Note("version_main", NoteCode.UNEXPECTED_VERSION)
    if profile.user_versions is not None and frame.version_user not in profile.user_versions:
        yield Note("version_user", NoteCode.UNEXPECTED_VERSION)
    if frame.time_label.at is None:
        yield Note("time_label", NoteCode.INVALID_TIME)
    adu = frame.adu
    if adu is None:
        expected = frame.command in _MAY_BE_EMPTY or frame.command not in range(1, 7)
        if not expected and not (frame.command == 2 and profile.keepalive_empty_send):
            yield Note("adu", NoteCode.EMPTY_ADU)
    elif isinstance(adu, RawAdu):
        if not _explained(adu, profile):
            yield Note("adu.type", NoteCode.UNKNOWN_TYPE)
    else:
        yield from _adu_notes(adu, profile)


def _explained(adu: RawAdu, profile: DeviceProfile) -> bool:
    return adu.type in profile.keepalive_types or adu.raw in profile.handshake_adus


def _adu_notes(adu: Adu, profile: DeviceProfile) -> Iterator[Note]:
    if not adu.objects:
        yield Note("adu.objects", NoteCode.NO_OBJECTS)
    for index, body in enumerate(adu.objects):
        for field, code in _body_notes(body, profile):
            yield Note(f"adu.objects[{index}].{field}", code)


def _body_notes(body: Body, profile: DeviceProfile) -> Iterator[Note]:
    """Yield notes whose path is the field name alone."""
    for field, value in zip(body._fields, body, strict=True):
        if isinstance(value, TimeLabel) and value.at is None:
            yield Note(field, NoteCode.INVALID_TIME)
        elif isinstance(value, Text):
            yield from (Note(field, code) for code in _text_notes(value))
        elif isinstance(value, int):
            code = _number_note(field, value)
            if code is not None:
                yield Note(field, code)
    if isinstance(body, bodies.SystemStatus | bodies.ComponentStatus | bodies.DeviceStatus):
        yield from (Note("status_word", code) for code in _status_notes(body, profile))
    if isinstance(body, bodies.AnalogValue) and not _in_range(body):
        yield Note("value", NoteCode.ANALOG_OUT_OF_RANGE)


def _status_notes(
    body: bodies.SystemStatus | bodies.ComponentStatus | bodies.DeviceStatus, profile: DeviceProfile
) -> Iterator[NoteCode]:
    mode = flags.status_mode(body.status_word, normal_bit_omitted=profile.normal_bit_omitted)
    if mode is flags.StatusMode.TEST_OR_OMISSION:
        yield NoteCode.TEST_OR_OMISSION
    if flags.reserved_bits(status_flags(body), body.status_word):
        yield NoteCode.RESERVED_BITS


def _number_note(field: str, value: int) -> NoteCode | None:
    match field:
        case "system_type" if system_type_term(value).name in _UNKNOWN:
            return NoteCode.UNKNOWN_SYSTEM_TYPE
        case "component_type" if component_type_term(value).name in _UNKNOWN:
            return NoteCode.UNKNOWN_COMPONENT_TYPE
        case "analog_type" if value not in ANALOG_TYPES:
            return NoteCode.UNKNOWN_ANALOG_TYPE
        case "operation_flags" if flags.reserved_bits(flags.FACILITY_OPERATION, value):
            return NoteCode.RESERVED_BITS
        case "reserved" if value:
            return NoteCode.RESERVED_BYTE
        case _:
            return None


def _in_range(sample: bodies.AnalogValue) -> bool:
    known = ANALOG_TYPES.get(sample.analog_type)
    return known is None or known.low <= known.value(sample.raw_value) <= known.high


_UNKNOWN = frozenset({"reserved", "user"})


def _text_notes(text: Text) -> Iterator[NoteCode]:
    body = text_body(text.raw)
    try:
        body.decode("gb18030")
    except UnicodeDecodeError as error:
        yield NoteCode.TEXT_CUT if is_cut(error, body) else NoteCode.TEXT_UNREADABLE
    if text.raw.strip(b"\x00 ") != body.strip(b" "):
        yield NoteCode.TEXT_STRAY_BYTES


def status_flags(body: bodies.SystemStatus | bodies.ComponentStatus | bodies.DeviceStatus) -> tuple[flags.Flag, ...]:
    """Return the bit table of a body's `status_word`."""
    match body:
        case bodies.SystemStatus():
            return flags.SYSTEM_STATUS
        case bodies.ComponentStatus():
            return flags.COMPONENT_STATUS
        case bodies.DeviceStatus():
            return flags.DEVICE_STATUS
        case _:
            assert_never(body)
