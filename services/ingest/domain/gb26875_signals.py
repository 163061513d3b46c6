"""What GB/T 26875.3 frames say in FireNet's own words. Nothing is lost: every information object gives a message.

A status word is the whole state of its point: set bits begin, clear bits end, each at a point of its own, so that no
trouble hides or ends another. Two rules stand above that:

- An alarm is never dropped or softened. What may be a test (bit 0 clear) begins troubles, flagged, and ends none.
- A point that cannot be seen ends no fire: a detector that burns turns from fire to fault.

A whole system (type 1) is another thing than a detector. Its fire bit is the state of the panel, which holds until
somebody resets it, whatever becomes of the detector that rang (GB 4717); its fault bit says only that something
somewhere is faulty, and may stand for months. So a status with the fault bit set and the fire bit clear says that the
panel was reset: it ends the fire that the system's own status began, and less than the record of a reset does, which
ends all fires of the system. It ends no other:

- A component's fire, and that of a key, has a word of its own. Nothing in the standard says in which order a device
  sends both, or that the word of the system was put together after that of the component.
- Not with the isolation bit: what was isolated while it burned does not ring again after a reset.
- Not with the fault of the bus: the panel has lost its detectors, and what it shows of them.
- Not without the normal bit, unless the profile of the device says that it never sets it: that may be a test.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from services.ingest.domain.gb26875 import (
    Adu,
    Command,
    ComponentAddress,
    DeviceProfile,
    Frame,
    Purpose,
    RawAdu,
    TimeLabel,
    bodies,
    flags,
    purpose,
)
from services.ingest.domain.gb26875.bodies import Body
from services.ingest.domain.gb26875.layout import TYPES, Direction
from services.ingest.domain.gb26875.tables import analog_type_name, component_type_term, system_type_term
from services.ingest.domain.values import Measurement, Message, Point
from services.kernel.words import Flag, Restores, SignalKind

DEVICE_SYSTEM = "uitd"
"""The transmission device itself, beside the systems it reports on."""

WHOLE = "system"
"""The address of a system as such: it does not speak for its components."""

EVERY_COMPONENT = "*"
MANUAL_ALARM = "manual_alarm"
MANUAL_ALARM_KEY = "manual_alarm_key"

_MAX_TEXT = 200
_DEVICE_LABEL = "用户信息传输装置"
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
    told: list[Said] = []
    for index, body in enumerate(adu.objects):
        at = _own_time(body, profile) or sent_at
        told += [Said(index, message) for message in _object_messages(frame, adu.type, body, profile, at)]
    return told


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
        return [message._replace(occurred_at=at) for message in _past_operation(body)]
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


# --- points


def _system(system_type: int, system_addr: int) -> str:
    return f"{system_type}.{system_addr}"


def _system_point(system_type: int, system_addr: int, address: str = WHOLE) -> Point:
    term = system_type_term(system_type)
    return Point(address, _system(system_type, system_addr), term.name, term.label)


def _device_point(address: str = WHOLE) -> Point:
    return Point(address, DEVICE_SYSTEM, DEVICE_SYSTEM, _DEVICE_LABEL)


def _component_point(
    body: bodies.ComponentStatus | bodies.AnalogValue | bodies.ComponentConfig, profile: DeviceProfile, label: str = ""
) -> Point:
    """Return the point of a component. Its type is no part of its name: queries address it without (types 62 to 67)."""
    term = component_type_term(body.component_type)
    address = component_name(body.component_addr, profile)
    return Point(address, _system(body.system_type, body.system_addr), term.name, label or term.label)


def component_name(address: ComponentAddress, profile: DeviceProfile) -> str:
    """Return a component's address as people say it: "zone-point", "circuit-node", or the plain number."""
    parts = dict(address.parts(profile.component_order))
    if not parts:
        return str(address.u32_le)
    if "zone" in parts:
        return f"{parts['zone']}-{parts['point']}"
    return f"{parts['circuit']}-{parts['node']}"


# --- status words


class _Bits(NamedTuple):
    """What the bits of a status word do: `troubles` at the point itself, `parts` (all faults) at points of their own.

    With one of `blinding` set the point cannot be seen, and its fire cannot be seen to end. `alone`: no other point of
    its system has faults.
    """

    names: tuple[flags.Flag, ...]
    troubles: Mapping[int, tuple[SignalKind, Restores]]
    parts: Mapping[int, str]
    blinding: int
    alone: bool = False

    @property
    def all_parts(self) -> int:
        return sum(self.parts)

    @property
    def states(self) -> int:
        """The bits that are no trouble: what the point does."""
        return ~(flags.NORMAL_BIT | sum(self.troubles) | self.all_parts)


_FAULT_BIT, _ISOLATION_BIT = 0x04, 0x08
_FIRE_AND_FAULT = {
    flags.FIRE_BIT: (SignalKind.FIRE, Restores.FIRE),
    _FAULT_BIT: (SignalKind.FAULT, Restores.FAULT),
}
_TROUBLES = _FIRE_AND_FAULT | {
    _ISOLATION_BIT: (SignalKind.ISOLATION, Restores.ISOLATION),
    0x10: (SignalKind.SUPERVISORY, Restores.SUPERVISORY),
}

_SYSTEM_BITS = _Bits(
    flags.SYSTEM_STATUS,
    _TROUBLES,
    {0x0100: "main_power", 0x0200: "backup_power", 0x0400: "bus"},
    blinding=_ISOLATION_BIT | 0x0400,
)
_COMPONENT_BITS = _Bits(
    flags.COMPONENT_STATUS, _TROUBLES, {0x0100: "power"}, blinding=_FAULT_BIT | _ISOLATION_BIT | 0x0100
)
_DEVICE_BITS = _Bits(
    flags.DEVICE_STATUS,
    _FIRE_AND_FAULT,
    {0x08: "main_power", 0x10: "backup_power", 0x20: "channel", 0x40: "line"},
    blinding=_FAULT_BIT | 0x40,
    alone=True,
)


def _system_status(body: bodies.SystemStatus, profile: DeviceProfile) -> list[Message]:
    point = _system_point(body.system_type, body.system_addr)
    return _status(body.status_word, _SYSTEM_BITS, point, profile)


def _component_status(body: bodies.ComponentStatus, profile: DeviceProfile) -> list[Message]:
    point = _component_point(body, profile, body.description.value)
    return _status(body.status_word, _COMPONENT_BITS, point, profile)


def _device_status(body: bodies.DeviceStatus, profile: DeviceProfile) -> list[Message]:
    return _status(body.status_word, _DEVICE_BITS, _device_point(), profile)


def _status(word: int, bits: _Bits, point: Point, profile: DeviceProfile) -> list[Message]:
    text = _text(flags.names_of(bits.names, word))
    mode = flags.status_mode(word, normal_bit_omitted=profile.normal_bit_omitted)
    if mode is flags.StatusMode.TEST:
        return [Message(SignalKind.TEST, point=point, text="test")]
    odd = (Flag.TEST_OR_OMISSION,) if mode is flags.StatusMode.TEST_OR_OMISSION else ()
    messages = [Message(kind, point=where, text=text, flags=odd) for kind, where in _begun(word, bits, point)]
    if not messages and word & bits.states:
        messages.append(Message(SignalKind.STATE, point=point, text=text, flags=odd))
    if not odd:
        messages += [
            Message(SignalKind.RESTORE, point=where, restores=what, text=text)
            for what, where in _ended(word, bits, point)
        ]
    return messages


def _begun(word: int, bits: _Bits, point: Point) -> Iterator[tuple[SignalKind, Point]]:
    for mask, (kind, _) in bits.troubles.items():
        if word & mask:
            yield kind, point
    for mask, part in bits.parts.items():
        if word & mask:
            yield SignalKind.FAULT, _part(point, part)


def _ended(word: int, bits: _Bits, point: Point) -> Iterator[tuple[Restores, Point]]:
    seen = not word & bits.blinding
    if seen and not word & sum(bits.troubles):
        yield Restores.ALL, point
    else:
        for mask, (_, what) in bits.troubles.items():
            if not word & mask and (seen or what is not Restores.FIRE):
                yield what, point
    if bits.alone and not word & (_FAULT_BIT | bits.all_parts):
        yield Restores.FAULT, point._replace(address=EVERY_COMPONENT)
        return
    for mask, part in bits.parts.items():
        if not word & mask:
            yield Restores.FAULT, _part(point, part)


def _part(point: Point, part: str) -> Point:
    """Return the point of a part that fails and recovers by itself: of a system under it, of a component below it."""
    return point._replace(address=part if point.address == WHOLE else f"{point.address}/{part}")


# --- the other data


def _analog(body: bodies.AnalogValue, profile: DeviceProfile) -> list[Message]:
    name = analog_type_name(body.analog_type)
    point = _component_point(body, profile)
    if body.value is None or body.unit is None:
        raw = Measurement(float(body.raw_value), "raw")
        text = f"{name} analog type {body.analog_type}"
        return [Message(SignalKind.ANALOG, point=point, measurement=raw, text=text, flags=(Flag.NOT_UNDERSTOOD,))]
    return [Message(SignalKind.ANALOG, point=point, measurement=Measurement(float(body.value), body.unit), text=name)]


_RESET, _MANUAL_ALARM, _CLEARED, _SELF_TEST, _BIT_5, _TEST, _SPARE = 0x01, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80


def _operation(body: bodies.OperationRecord, _: DeviceProfile) -> list[Message]:
    def point(address: str) -> Point:
        return _system_point(body.system_type, body.system_addr, address)

    return _operated(body.operation_flags, flags.FACILITY_OPERATION, point, MANUAL_ALARM, answers_duty=0)


def _device_operation(body: bodies.DeviceOperation, _: DeviceProfile) -> list[Message]:
    word = body.operation_flags
    return _operated(word, flags.DEVICE_OPERATION, _device_point, MANUAL_ALARM_KEY, answers_duty=word & _BIT_5)


def _operated(
    word: int, table: tuple[flags.Flag, ...], point: Callable[[str], Point], key: str, answers_duty: int
) -> list[Message]:
    """Return a message for each thing that was done. Ends stand first: what is told beside them goes on burning.

    After a reset a panel tells again what still burns, within 20 s (GB 4717); so all fires of the system end with it.
    """
    messages: list[Message] = []

    def tell(bits: int, kind: SignalKind, at: Point, restores: Restores | None = None) -> None:
        if word & bits:
            text = _text(flags.names_of(table, word & bits))
            odd = (Flag.NOT_UNDERSTOOD,) if bits & word == _SPARE else ()
            messages.append(Message(kind, point=at, restores=restores, text=text, flags=odd))

    tell(_RESET | _CLEARED, SignalKind.RESTORE, point(EVERY_COMPONENT), Restores.FIRE)
    tell(_MANUAL_ALARM, SignalKind.FIRE, point(key))
    tell(answers_duty, SignalKind.DUTY_ANSWER, point(WHOLE))
    tell(_SELF_TEST | _TEST, SignalKind.TEST, point(WHOLE))
    rest = ~(_CLEARED | _MANUAL_ALARM | _SELF_TEST | _TEST | answers_duty)
    tell(rest & 0xFF, SignalKind.OPERATION, point(WHOLE))
    return messages or [Message(SignalKind.OPERATION, point=point(WHOLE), text="no operation")]


def _past_operation(body: bodies.OperationRecord | bodies.DeviceOperation) -> list[Message]:
    """Return what a record says that was read out on request: it may be old, and only its alarm still counts."""
    word = body.operation_flags
    if isinstance(body, bodies.OperationRecord):
        point, key = _system_point(body.system_type, body.system_addr), MANUAL_ALARM
        text = _text(flags.names_of(flags.FACILITY_OPERATION, word))
    else:
        point, key = _device_point(), MANUAL_ALARM_KEY
        text = _text(flags.names_of(flags.DEVICE_OPERATION, word))
    alarm = [Message(SignalKind.FIRE, point=point._replace(address=key), text=text)] if word & _MANUAL_ALARM else []
    return [*alarm, Message(SignalKind.OPERATION, point=point, text=text or "no operation")]


def _report(point: Point, text: str) -> list[Message]:
    return [Message(SignalKind.REPORT, point=point, text=text[:_MAX_TEXT])]


def _clock(label: TimeLabel) -> str:
    return f"clock {label.at or 'unreadable'}"


def _text(names: tuple[str, ...]) -> str:
    return ", ".join(names)[:_MAX_TEXT]


_READERS: Mapping[type[Body], Callable[..., list[Message]]] = {
    bodies.SystemStatus: _system_status,
    bodies.ComponentStatus: _component_status,
    bodies.AnalogValue: _analog,
    bodies.OperationRecord: _operation,
    bodies.SystemVersion: lambda b, _: _report(
        _system_point(b.system_type, b.system_addr), f"version {b.major}.{b.minor}"
    ),
    bodies.SystemConfig: lambda b, _: _report(_system_point(b.system_type, b.system_addr), b.text.value),
    bodies.ComponentConfig: lambda b, p: _report(_component_point(b, p, b.description.value), "configuration"),
    bodies.SystemClock: lambda b, _: _report(_system_point(b.system_type, b.system_addr), _clock(b.time)),
    bodies.DeviceStatus: _device_status,
    bodies.DeviceOperation: _device_operation,
    bodies.DeviceVersion: lambda b, _: _report(_device_point(), f"version {b.major}.{b.minor}"),
    bodies.DeviceConfig: lambda b, _: _report(_device_point(), b.text.value),
    bodies.DeviceClock: lambda b, _: _report(_device_point(), _clock(b.time)),
}
"""One line per class that goes up."""
