"""What a GB/T 26875.3 device says of an event of the district."""

from datetime import datetime

from services.kernel.words import SignalKind
from services.simulator.domain.frames import Body, DeviceFlag, DeviceOperated, DeviceState, Flag, Key, Part, PartState
from services.simulator.domain.signals import Point, Signal

FIRE_ALARM_SYSTEM = 1
_KINDS = {"smoke_detector": 42, "pump_controller": 95, "zone": 21}
_FLAGS = {
    SignalKind.FIRE: Flag.NORMAL | Flag.FIRE,
    SignalKind.FAULT: Flag.NORMAL | Flag.FAULT,
    SignalKind.ISOLATION: Flag.NORMAL | Flag.SHIELDED,
    SignalKind.RESTORE: Flag.NORMAL,
}


def body_of(signal: Signal, at: datetime) -> Body:
    """Return the information object of anything but a heartbeat. What has no point concerns the device itself."""
    if signal.kind is SignalKind.TEST:
        return DeviceOperated(Key.TEST, 1, at)
    if signal.point is not None:
        return PartState(part_of(signal.point), _FLAGS[signal.kind], signal.point.label, at)
    match signal.kind:
        case SignalKind.FIRE:
            return DeviceState(DeviceFlag.NORMAL | DeviceFlag.FIRE, at)
        case SignalKind.FAULT:
            return DeviceState(DeviceFlag.NORMAL | DeviceFlag.FAULT | DeviceFlag.MAIN_POWER, at)
        case _:
            return DeviceState(DeviceFlag.NORMAL, at)


def part_of(point: Point) -> Part:
    """Return the component that a point's address names: "2-014" is point 14 of zone 2."""
    zone, _, number = point.address.partition("-")
    return Part(FIRE_ALARM_SYSTEM, 0, _KINDS.get(point.type, 0), _digits(zone), _digits(number))


def _digits(text: str) -> int:
    return int("".join(letter for letter in text if letter in "0123456789") or "0") % 65_536
