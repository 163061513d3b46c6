"""What a frame is for, and the frames that the centre sends: answers, queries, clock and duty check (clause 6)."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from services.ingest.domain.gb26875 import bodies
from services.ingest.domain.gb26875.adu import ADU_OFFSET, Adu, RawAdu
from services.ingest.domain.gb26875.errors import EncodeError, ErrorCode
from services.ingest.domain.gb26875.frame import START, Frame
from services.ingest.domain.gb26875.layout import TYPES, Direction
from services.ingest.domain.gb26875.profile import STANDARD, DeviceProfile
from services.ingest.domain.gb26875.tables import Command
from services.ingest.domain.gb26875.values import TimeLabel

SET_CLOCK = 90
DUTY_CHECK = 91


class Purpose(StrEnum):
    """What a frame is for, as far as the standard or the device's profile says."""

    DATA = "data"
    ANSWER = "answer"
    CONTROL = "control"
    QUERY = "query"
    KEEPALIVE = "keepalive"
    REGISTRATION = "registration"
    HANDSHAKE = "handshake"
    UNEXPLAINED = "unexplained"


def purpose(frame: Frame, profile: DeviceProfile = STANDARD) -> Purpose:
    """Say what a frame is for. What neither standard nor profile explains is UNEXPLAINED, never guessed.

    Every good frame is a sign of life, whatever its purpose.
    """
    if frame.command in profile.registration_commands:
        return Purpose.REGISTRATION
    if frame.command in profile.keepalive_commands:
        return Purpose.KEEPALIVE
    if isinstance(frame.adu, RawAdu):
        return _raw_purpose(frame.adu, profile)
    match frame.command:
        case Command.CONFIRM | Command.DENY:
            return Purpose.ANSWER
        case Command.CONTROL:
            return Purpose.CONTROL
        case Command.REQUEST:
            return Purpose.QUERY
        case Command.SEND | Command.RESPONSE if frame.adu is not None:
            return Purpose.DATA
        case Command.SEND if profile.keepalive_empty_send:
            return Purpose.KEEPALIVE
        case _:
            return Purpose.UNEXPLAINED


def _raw_purpose(adu: RawAdu, profile: DeviceProfile) -> Purpose:
    if adu.raw in profile.handshake_adus:
        return Purpose.HANDSHAKE
    if adu.type in profile.keepalive_types:
        return Purpose.KEEPALIVE
    return Purpose.UNEXPLAINED


def confirm(frame: Frame, now: datetime, profile: DeviceProfile = STANDARD) -> Frame:
    """Return the confirm to a frame: its serial number and versions, addresses swapped, no data unit.

    Units:  `now` is aware; the label shows it on the device's clock.
    """
    return _answer(frame, Command.CONFIRM, now, profile)


def deny(frame: Frame, now: datetime, profile: DeviceProfile = STANDARD) -> Frame:
    """Return the deny to a frame, shaped like `confirm`."""
    return _answer(frame, Command.DENY, now, profile)


def deny_rejected(raw: bytes, now: datetime, profile: DeviceProfile = STANDARD) -> Frame | None:
    """Return the deny to bytes that were rejected (6.5.3), None when they hold no whole header to answer.

    The header of a bad frame is not proven: serial number and addresses may be the damaged part.
    """
    if len(raw) < ADU_OFFSET or not raw.startswith(START):
        return None
    label = TimeLabel.of_instant(now, profile)
    serial = int.from_bytes(raw[2:4], "little")
    return Frame(serial, raw[4], raw[5], label, raw[18:24], raw[12:18], Command.DENY)


def _answer(frame: Frame, command: Command, now: datetime, profile: DeviceProfile) -> Frame:
    label = TimeLabel.of_instant(now, profile)
    return frame._replace(
        time_label=label, source_raw=frame.dest_raw, dest_raw=frame.source_raw, command=command.value, adu=None
    )


class Envelope(NamedTuple):
    """Who begins an exchange with whom, when: `now` is aware, `serial` the sender's next number (6.1)."""

    serial: int
    source_raw: bytes
    dest_raw: bytes
    now: datetime


def set_clock(envelope: Envelope, profile: DeviceProfile = STANDARD) -> Frame:
    """Return the control that sets a device's clock (type 90) to the envelope's instant."""
    body = bodies.SetClock(TimeLabel.of_instant(envelope.now, profile))
    return _begin(envelope, Command.CONTROL, Adu(SET_CLOCK, (body,)), profile)


def duty_check(envelope: Envelope, minutes: int, profile: DeviceProfile = STANDARD) -> Frame:
    """Return the duty check 查岗 (type 91): a person has `minutes`, 1 to 255, to press the key.

    Raises:  EncodeError(FIELD_RANGE) for other minutes.
    """
    if not 1 <= minutes <= 255:
        raise EncodeError(ErrorCode.FIELD_RANGE, 0, f"a duty check allows 1 to 255 minutes, got {minutes}")
    return _begin(envelope, Command.CONTROL, Adu(DUTY_CHECK, (bodies.DutyCheck(minutes),)), profile)


def query(envelope: Envelope, adu: Adu, profile: DeviceProfile = STANDARD) -> Frame:
    """Return a request (6.4) with one of the read types 61 to 88.

    Raises:  EncodeError(WRONG_BODY) for any other type.
    """
    frame = _begin(envelope, Command.REQUEST, adu, profile)
    if not may_send(frame):
        raise EncodeError(ErrorCode.WRONG_BODY, 0, f"type {adu.type} is no query")
    return frame


def _begin(envelope: Envelope, command: Command, adu: Adu, profile: DeviceProfile) -> Frame:
    main, user = profile.send_version
    label = TimeLabel.of_instant(envelope.now, profile)
    return Frame(envelope.serial, main, user, label, envelope.source_raw, envelope.dest_raw, command.value, adu)


def may_send(frame: Frame) -> bool:
    """Say whether a centre that only monitors may send this frame.

    Empty confirms and denies, queries (types 61 to 88), clock synchronisation and duty check;
    nothing else, and never initialise (89) or a command that could operate equipment.
    """
    if frame.command in {Command.CONFIRM, Command.DENY}:
        return frame.adu is None
    if not isinstance(frame.adu, Adu) or not frame.adu.objects:
        return False
    if frame.command == Command.CONTROL:
        return frame.adu.type in {SET_CLOCK, DUTY_CHECK}
    spec = TYPES.get(frame.adu.type)
    is_read = spec is not None and spec.direction is Direction.DOWN and spec.code < 89
    return frame.command == Command.REQUEST and is_read
