"""The information objects of GB/T 26875.3, one class per body shape, fields in wire order.

Addresses of systems, flags and codes are plain numbers; `tables` and `flags` name them. Named tuples,
because a frozen dataclass takes three times as long to build and building is most of decoding.
"""

from typing import NamedTuple

from services.ingest.domain.gb26875.tables import ANALOG_TYPES
from services.ingest.domain.gb26875.values import ComponentAddress, Text, TimeLabel


class SystemStatus(NamedTuple):
    """Type 1: status of one facility system; bits in `flags.SYSTEM_STATUS`."""

    system_type: int
    system_addr: int
    status_word: int
    time: TimeLabel


class ComponentStatus(NamedTuple):
    """Type 2: running status of one component; bits in `flags.COMPONENT_STATUS`."""

    system_type: int
    system_addr: int
    component_type: int
    component_addr: ComponentAddress
    status_word: int
    description: Text
    time: TimeLabel


class AnalogValue(NamedTuple):
    """Type 3: one sample of a component's analog quantity; `raw_value` is signed, in steps of the type."""

    system_type: int
    system_addr: int
    component_type: int
    component_addr: ComponentAddress
    analog_type: int
    raw_value: int
    time: TimeLabel

    @property
    def value(self) -> float | None:
        """The quantity in `unit`; None for an analog type without a row in the table."""
        known = ANALOG_TYPES.get(self.analog_type)
        return None if known is None else known.value(self.raw_value)

    @property
    def unit(self) -> str | None:
        known = ANALOG_TYPES.get(self.analog_type)
        return None if known is None else known.unit


class OperationRecord(NamedTuple):
    """Type 4: an operation on a facility system; bits in `flags.FACILITY_OPERATION`."""

    system_type: int
    system_addr: int
    operation_flags: int
    operator: int
    time: TimeLabel


class SystemVersion(NamedTuple):
    """Type 5: software version of a facility system."""

    system_type: int
    system_addr: int
    major: int
    minor: int


class SystemConfig(NamedTuple):
    """Type 6: configuration text of a facility system, 0 to 255 bytes."""

    system_type: int
    system_addr: int
    text: Text


class ComponentConfig(NamedTuple):
    """Type 7: configuration of one component."""

    system_type: int
    system_addr: int
    component_type: int
    component_addr: ComponentAddress
    description: Text


class SystemClock(NamedTuple):
    """Type 8: clock of a facility system."""

    system_type: int
    system_addr: int
    time: TimeLabel


class DeviceStatus(NamedTuple):
    """Type 21: status of the transmission device, one byte; bits in `flags.DEVICE_STATUS`."""

    status_word: int
    time: TimeLabel


class DeviceOperation(NamedTuple):
    """Type 24: an operation on the transmission device; bit 5 answers a duty check."""

    operation_flags: int
    operator: int
    time: TimeLabel


class DeviceVersion(NamedTuple):
    """Type 25: software version of the transmission device."""

    major: int
    minor: int


class DeviceConfig(NamedTuple):
    """Type 26: configuration text of the transmission device, 0 to 255 bytes."""

    text: Text


class DeviceClock(NamedTuple):
    """Type 28: clock of the transmission device."""

    time: TimeLabel


class ReadSystem(NamedTuple):
    """Types 61, 65, 66, 68: ask for a system's status, version, configuration or clock."""

    system_type: int
    system_addr: int


class ReadComponent(NamedTuple):
    """Types 62, 63, 67: ask for a component's status, analog value or configuration. No component type here."""

    system_type: int
    system_addr: int
    component_addr: ComponentAddress


class ReadSystemRecords(NamedTuple):
    """Type 64: ask for at most 102 operation records of a system from `start_time` on."""

    system_type: int
    system_addr: int
    record_count: int
    start_time: TimeLabel


class DeviceRequest(NamedTuple):
    """Types 81, 85, 86, 88, 89: read or initialise the device; one spare byte, 0 by the standard."""

    reserved: int = 0


class ReadDeviceRecords(NamedTuple):
    """Type 84: ask for at most 102 operation records of the device from `start_time` on."""

    record_count: int
    start_time: TimeLabel


class SetClock(NamedTuple):
    """Type 90: the centre's time, for the device to take over."""

    time: TimeLabel


class DutyCheck(NamedTuple):
    """Type 91: 查岗; a person has `timeout_minutes` to press the answer key."""

    timeout_minutes: int


Body = (
    SystemStatus
    | ComponentStatus
    | AnalogValue
    | OperationRecord
    | SystemVersion
    | SystemConfig
    | ComponentConfig
    | SystemClock
    | DeviceStatus
    | DeviceOperation
    | DeviceVersion
    | DeviceConfig
    | DeviceClock
    | ReadSystem
    | ReadComponent
    | ReadSystemRecords
    | DeviceRequest
    | ReadDeviceRecords
    | SetClock
    | DutyCheck
)
