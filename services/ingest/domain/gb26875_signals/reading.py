"""A whole frame to messages: which information objects it holds, and how far its command lets them count."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from services.ingest.domain.gb26875 import (
    Adu,
    Command,
    DeviceProfile,
    Frame,
    Purpose,
    RawAdu,
    TimeLabel,
    bodies,
    purpose,
)
from services.ingest.domain.gb26875.bodies import Body
from services.ingest.domain.gb26875.layout import TYPES, Direction
from services.ingest.domain.gb26875.tables import analog_type_name
from services.ingest.domain.gb26875_signals.operations import device_operation, operation, past_operation
from services.ingest.domain.gb26875_signals.points import component_point, device_point, system_point
from services.ingest.domain.gb26875_signals.status import component_status, device_status, system_status
from services.ingest.domain.gb26875_signals.texts import MAX_TEXT
from services.ingest.domain.values import Measurement, Message, Point
from services.kernel.words import Flag, SignalKind

_ALIVE = frozenset({Purpose.KEEPALIVE, Purpose.REGISTRATION, Purpose.HANDSHAKE})


class Said(NamedTuple):
    """A message and which information object it was read from; None where the frame holds none."""

    place: int | None
    message: Message


def read_signals(frame: Frame, profile: DeviceProfile) -> list[Said]:
    """Return what a good frame says, in the order of its objects: at least one message each, one for none.

    `occurred_at` is the object's own label, else the label of sending, None where neither is a time.
    """
    sent_at = frame.time_label.instant(profile)
    adu = frame.adu
    if adu is None:
        return [Said(None, _without_data(frame, profile, sent_at))]
    if isinstance(adu, RawAdu):
        return [Said(0 if adu.body else None, _raw_data(frame, adu, profile, sent_at))]
    if not adu.objects:
        return [Said(None, Message(SignalKind.REPORT, occurred_at=sent_at, text=f"{adu.type_name}: no objects"))]
    said: list[Said] = []
    for index, body in enumerate(adu.objects):
        at = _own_time(body, profile) or sent_at
        said += [Said(index, message) for message in _object_messages(frame, adu.type, body, profile, at)]
    return said


def names_its_time(frame: Frame) -> bool:
    """Say whether every object carries a time of its own: then the label of sending adds nothing to what is said."""
    adu = frame.adu
    if not isinstance(adu, Adu) or not adu.objects:
        return False
    return all(isinstance(body, _LABELLED) and body.time.at is not None for body in adu.objects)


def _alive(sent_at: datetime | None) -> Message:
    return Message(SignalKind.HEARTBEAT, occurred_at=sent_at)


def _not_understood(at: datetime | None, name: str) -> Message:
    return Message(SignalKind.REPORT, occurred_at=at, text=name, flags=(Flag.NOT_UNDERSTOOD,))


def _without_data(frame: Frame, profile: DeviceProfile, sent_at: datetime | None) -> Message:
    what = purpose(frame, profile)
    if what in _ALIVE or what is Purpose.ANSWER or frame.command == Command.SEND:
        return _alive(sent_at)
    return _not_understood(sent_at, f"{frame.command_name} without data")


def _raw_data(frame: Frame, adu: RawAdu, profile: DeviceProfile, sent_at: datetime | None) -> Message:
    if purpose(frame, profile) in _ALIVE:
        return _alive(sent_at)
    name = f"command {frame.command}" if adu.type is None else f"{adu.type_name} type {adu.type}"
    return _not_understood(sent_at, name)


def _object_messages(frame: Frame, kind: int, body: Body, profile: DeviceProfile, at: datetime | None) -> list[Message]:
    """Return what one object says, as far as its command lets it.

    Only what is sent by itself may end anything: a response may read out old records, and no other command carries
    data. Alarms count in all of them.
    """
    spec = TYPES[kind]
    if spec.direction is Direction.DOWN:
        return [_not_understood(at, spec.name)]
    if frame.command == Command.RESPONSE and isinstance(body, bodies.OperationRecord | bodies.DeviceOperation):
        return [message._replace(occurred_at=at) for message in past_operation(body)]
    messages = [message._replace(occurred_at=at) for message in _READERS[type(body)](body, profile)]
    if frame.command in {Command.SEND, Command.RESPONSE}:
        return messages
    begun = [
        message._replace(flags=(*message.flags, Flag.NOT_UNDERSTOOD)) for message in messages if not message.restores
    ]
    return begun or [_not_understood(at, spec.name)]


_LABELLED = (
    bodies.SystemStatus
    | bodies.ComponentStatus
    | bodies.AnalogValue
    | bodies.OperationRecord
    | bodies.DeviceStatus
    | bodies.DeviceOperation
)
"""The classes whose `time` says when it happened; that of a clock report is what it reports."""


def _own_time(body: Body, profile: DeviceProfile) -> datetime | None:
    return body.time.instant(profile) if isinstance(body, _LABELLED) else None


def analog(body: bodies.AnalogValue, profile: DeviceProfile) -> list[Message]:
    name = analog_type_name(body.analog_type)
    point = component_point(body, profile)
    if body.value is None or body.unit is None:
        raw = Measurement(float(body.raw_value), "raw")
        text = f"{name} analog type {body.analog_type}"
        return [Message(SignalKind.ANALOG, point=point, measurement=raw, text=text, flags=(Flag.NOT_UNDERSTOOD,))]
    return [Message(SignalKind.ANALOG, point=point, measurement=Measurement(float(body.value), body.unit), text=name)]


def _report(point: Point, text: str) -> list[Message]:
    return [Message(SignalKind.REPORT, point=point, text=text[:MAX_TEXT])]


def _clock(label: TimeLabel) -> str:
    return f"clock {label.at or 'unreadable'}"


_READERS: Mapping[type[Body], Callable[..., list[Message]]] = {
    bodies.SystemStatus: system_status,
    bodies.ComponentStatus: component_status,
    bodies.AnalogValue: analog,
    bodies.OperationRecord: operation,
    bodies.SystemVersion: lambda b, _: _report(
        system_point(b.system_type, b.system_addr), f"version {b.major}.{b.minor}"
    ),
    bodies.SystemConfig: lambda b, _: _report(system_point(b.system_type, b.system_addr), b.text.value),
    bodies.ComponentConfig: lambda b, p: _report(component_point(b, p, b.description.value), "configuration"),
    bodies.SystemClock: lambda b, _: _report(system_point(b.system_type, b.system_addr), _clock(b.time)),
    bodies.DeviceStatus: device_status,
    bodies.DeviceOperation: device_operation,
    bodies.DeviceVersion: lambda b, _: _report(device_point(), f"version {b.major}.{b.minor}"),
    bodies.DeviceConfig: lambda b, _: _report(device_point(), b.text.value),
    bodies.DeviceClock: lambda b, _: _report(device_point(), _clock(b.time)),
}
"""One line per class that goes up."""
