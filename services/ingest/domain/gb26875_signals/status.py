"""Status words: the whole state of a point. Set bits begin, clear bits end, each at a point of its own."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from services.ingest.domain.gb26875 import DeviceProfile, bodies, flags
from services.ingest.domain.gb26875_signals.points import (
    WHOLE,
    component_point,
    device_point,
    system_point,
)
from services.ingest.domain.gb26875_signals.texts import names_text
from services.ingest.domain.values import EVERY_COMPONENT, Message, Point
from services.kernel.words import Flag, Restores, SignalKind


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


def system_status(body: bodies.SystemStatus, profile: DeviceProfile) -> list[Message]:
    point = system_point(body.system_type, body.system_addr)
    return _status(body.status_word, _SYSTEM_BITS, point, profile)


def component_status(body: bodies.ComponentStatus, profile: DeviceProfile) -> list[Message]:
    point = component_point(body, profile, body.description.value)
    return _status(body.status_word, _COMPONENT_BITS, point, profile)


def device_status(body: bodies.DeviceStatus, profile: DeviceProfile) -> list[Message]:
    return _status(body.status_word, _DEVICE_BITS, device_point(), profile)


def _status(word: int, bits: _Bits, point: Point, profile: DeviceProfile) -> list[Message]:
    text = names_text(flags.names_of(bits.names, word))
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
