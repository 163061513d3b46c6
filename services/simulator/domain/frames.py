"""What stands in a GB/T 26875.3 frame, as far as a device says or hears it.

Times are what the device's own clock shows.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, IntFlag


class Command(IntEnum):
    REGISTER = 0
    CONTROL = 1
    SEND = 2
    CONFIRM = 3
    REQUEST = 4
    RESPONSE = 5
    DENY = 6
    KEEPALIVE = 7


class Flag(IntFlag):
    """Status of a system or a component."""

    NORMAL = 1 << 0
    FIRE = 1 << 1
    FAULT = 1 << 2
    SHIELDED = 1 << 3
    SUPERVISORY = 1 << 4
    STARTED = 1 << 5
    FEEDBACK = 1 << 6
    DELAYED = 1 << 7
    MAIN_POWER = 1 << 8
    BACKUP_POWER = 1 << 9
    BUS = 1 << 10
    MANUAL = 1 << 11


class DeviceFlag(IntFlag):
    """Status of the device itself."""

    NORMAL = 1 << 0
    FIRE = 1 << 1
    FAULT = 1 << 2
    MAIN_POWER = 1 << 3
    BACKUP_POWER = 1 << 4
    CHANNEL = 1 << 5
    LINE = 1 << 6


class Key(IntFlag):
    """What was operated. CONFIRM on the device itself is the answer to a duty check."""

    RESET = 1 << 0
    SILENCE = 1 << 1
    MANUAL_ALARM = 1 << 2
    CLEARED = 1 << 3
    SELF_TEST = 1 << 4
    CONFIRM = 1 << 5
    TEST = 1 << 6


@dataclass(frozen=True, slots=True)
class Part:
    """A component: code and number of its system, code of its kind, zone and point."""

    system: int
    number: int
    kind: int
    zone: int
    point: int


@dataclass(frozen=True, slots=True)
class SystemState:
    system: int
    number: int
    flags: Flag
    at: datetime


@dataclass(frozen=True, slots=True)
class PartState:
    part: Part
    flags: Flag
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Sample:
    """`quantity` is the analog type, `raw` counts its steps."""

    part: Part
    quantity: int
    raw: int
    at: datetime


@dataclass(frozen=True, slots=True)
class SystemOperated:
    system: int
    number: int
    keys: Key
    operator: int
    at: datetime


@dataclass(frozen=True, slots=True)
class DeviceState:
    flags: DeviceFlag
    at: datetime


@dataclass(frozen=True, slots=True)
class DeviceOperated:
    keys: Key
    operator: int
    at: datetime


@dataclass(frozen=True, slots=True)
class DeviceVersion:
    major: int
    minor: int


@dataclass(frozen=True, slots=True)
class DeviceClock:
    at: datetime


@dataclass(frozen=True, slots=True)
class SetClock:
    """The centre's. `at` is None when its bytes are no time."""

    at: datetime | None


@dataclass(frozen=True, slots=True)
class DutyCheck:
    """The centre's: a person has so many minutes to press the key."""

    minutes: int


@dataclass(frozen=True, slots=True)
class Opaque:
    """A whole data unit of a kind that the standard does not know."""

    raw: bytes


Body = (
    SystemState | PartState | Sample | SystemOperated | DeviceState | DeviceOperated | DeviceVersion | DeviceClock
    | SetClock | DutyCheck | Opaque
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Frame:
    """`bodies` are all of one class; none for an empty data unit. `urgent` ones belong on the alarm lane."""

    serial: int
    command: int
    at: datetime
    source: bytes
    dest: bytes
    bodies: tuple[Body, ...] = ()
    urgent: bool = False
