"""The table of data unit types (1.5): meaning, direction, class, size, label and count limit of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from struct import Struct
from types import MappingProxyType

from services.ingest.domain.gb26875 import bodies
from services.ingest.domain.gb26875.tables import FIRST_USER_CODE

UNASSIGNED_TYPE = 255


class Direction(StrEnum):
    """Up is from the transmission device to the centre."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class TypeSpec:
    """One assigned data unit type.

    `wire` holds the fixed part of one object with its time label, low byte first; a text of
    its own length follows it where `has_text` is true (types 6 and 26, whose last fixed byte
    is that length).
    """

    code: int
    name: str
    label: str
    direction: Direction
    body: type[bodies.Body]
    wire: Struct
    max_count: int
    has_text: bool = False


def _up(code: int, name: str, label: str, body: type[bodies.Body], wire: str, max_count: int) -> TypeSpec:
    has_text = body in (bodies.SystemConfig, bodies.DeviceConfig)
    return TypeSpec(code, name, label, Direction.UP, body, Struct("<" + wire), max_count, has_text)


def _down(code: int, name: str, label: str, body: type[bodies.Body], wire: str, max_count: int) -> TypeSpec:
    return TypeSpec(code, name, label, Direction.DOWN, body, Struct("<" + wire), max_count)


TYPES: Mapping[int, TypeSpec] = MappingProxyType(
    {
        spec.code: spec
        for spec in (
            _up(1, "system_status", "上传建筑消防设施系统状态", bodies.SystemStatus, "BBH6s", 102),
            _up(2, "component_status", "上传建筑消防设施部件运行状态", bodies.ComponentStatus, "BBB4sH31s6s", 22),
            _up(3, "analog_value", "上传建筑消防设施部件模拟量值", bodies.AnalogValue, "BBB4sBh6s", 63),
            _up(4, "operation_record", "上传建筑消防设施操作信息", bodies.OperationRecord, "BBBB6s", 102),
            _up(5, "system_version", "上传建筑消防设施软件版本", bodies.SystemVersion, "BBBB", 1),
            _up(6, "system_config", "上传建筑消防设施系统配置情况", bodies.SystemConfig, "BBB", 3),
            _up(7, "component_config", "上传建筑消防设施部件配置情况", bodies.ComponentConfig, "BBB4s31s", 26),
            _up(8, "system_clock", "上传建筑消防设施系统时间", bodies.SystemClock, "BB6s", 1),
            _up(21, "device_status", "上传用户信息传输装置运行状态", bodies.DeviceStatus, "B6s", 1),
            _up(24, "device_operation", "上传用户信息传输装置操作信息", bodies.DeviceOperation, "BB6s", 127),
            _up(25, "device_version", "上传用户信息传输装置软件版本", bodies.DeviceVersion, "BB", 1),
            _up(26, "device_config", "上传用户信息传输装置配置情况", bodies.DeviceConfig, "B", 1),
            _up(28, "device_clock", "上传用户信息传输装置系统时间", bodies.DeviceClock, "6s", 1),
            _down(61, "read_system_status", "读建筑消防设施系统状态", bodies.ReadSystem, "BB", 102),
            _down(62, "read_component_status", "读建筑消防设施部件运行状态", bodies.ReadComponent, "BB4s", 22),
            _down(63, "read_analog_value", "读建筑消防设施部件模拟量值", bodies.ReadComponent, "BB4s", 63),
            _down(64, "read_operation_record", "读建筑消防设施操作信息", bodies.ReadSystemRecords, "BBB6s", 1),
            _down(65, "read_system_version", "读建筑消防设施软件版本", bodies.ReadSystem, "BB", 1),
            _down(66, "read_system_config", "读建筑消防设施系统配置情况", bodies.ReadSystem, "BB", 3),
            _down(67, "read_component_config", "读建筑消防设施部件配置情况", bodies.ReadComponent, "BB4s", 26),
            _down(68, "read_system_clock", "读建筑消防设施系统时间", bodies.ReadSystem, "BB", 1),
            _down(81, "read_device_status", "读用户信息传输装置运行状态", bodies.DeviceRequest, "B", 1),
            _down(84, "read_device_operation", "读用户信息传输装置操作信息记录", bodies.ReadDeviceRecords, "B6s", 1),
            _down(85, "read_device_version", "读用户信息传输装置软件版本", bodies.DeviceRequest, "B", 1),
            _down(86, "read_device_config", "读用户信息传输装置配置情况", bodies.DeviceRequest, "B", 1),
            _down(88, "read_device_clock", "读用户信息传输装置系统时间", bodies.DeviceRequest, "B", 1),
            _down(89, "initialise_device", "初始化用户信息传输装置", bodies.DeviceRequest, "B", 1),
            _down(90, "set_device_clock", "同步用户信息传输装置时钟", bodies.SetClock, "6s", 1),
            _down(91, "duty_check", "查岗命令", bodies.DutyCheck, "B", 1),
        )
    }
)

MAX_RECORDS = 102


def type_name(code: int) -> str:
    """Return the name of a data unit type; "reserved", "user" (128-254) or "unassigned" (255) for the others."""
    spec = TYPES.get(code)
    if spec is not None:
        return spec.name
    if code == UNASSIGNED_TYPE:
        return "unassigned"
    return "user" if code >= FIRST_USER_CODE else "reserved"
