"""The bit tables of GB/T 26875.3: system, component and device status, operation flags."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Flag:
    """One bit. `name` of a reserved bit is "reserved_N"; `off_label` says what a clear bit means, if anything."""

    bit: int
    name: str
    label: str
    off_label: str = ""

    @property
    def mask(self) -> int:
        return 1 << self.bit

    @property
    def reserved(self) -> bool:
        return self.name.startswith("reserved_")


def _flags(*rows: tuple[str, str] | tuple[str, str, str]) -> tuple[Flag, ...]:
    return tuple(Flag(bit, *row) for bit, row in enumerate(rows))


def _spare(bit: int) -> tuple[str, str]:
    return (f"reserved_{bit}", "预留")


_COMMON = (
    ("normal", "正常运行状态", "测试状态"),
    ("fire", "火警", "无火警"),
    ("fault", "故障", "无故障"),
    ("shielded", "屏蔽", "无屏蔽"),
    ("supervisory", "监管", "无监管"),
    ("started", "启动（开启）", "停止（关闭）"),
    ("feedback", "反馈", "无反馈"),
    ("delay", "延时状态", "未延时"),
)

SYSTEM_STATUS = _flags(
    *_COMMON,
    ("main_power_fault", "主电故障"),
    ("backup_power_fault", "备电故障"),
    ("bus_fault", "总线故障"),
    ("manual", "手动状态", "自动状态"),
    ("config_changed", "配置改变"),
    ("reset", "复位"),
    _spare(14),
    _spare(15),
)

COMPONENT_STATUS = _flags(*_COMMON, ("power_fault", "电源故障"), *(_spare(bit) for bit in range(9, 16)))

DEVICE_STATUS = _flags(
    ("normal", "正常监视状态", "测试状态"),
    ("fire", "火警", "无火警"),
    ("fault", "故障", "无故障"),
    ("main_power_fault", "主电故障"),
    ("backup_power_fault", "备电故障"),
    ("channel_fault", "与监控中心通信信道故障"),
    ("line_fault", "监测连接线路故障"),
    _spare(7),
)

_OPERATIONS = (
    ("reset", "复位"),
    ("silence", "消音"),
    ("manual_alarm", "手动报警"),
    ("alarm_cleared", "警情消除"),
    ("self_test", "自检"),
)

FACILITY_OPERATION = _flags(*_OPERATIONS, ("confirm", "确认"), ("test", "测试"), _spare(7))
DEVICE_OPERATION = _flags(*_OPERATIONS, ("duty_check_answer", "查岗应答"), ("test", "测试"), _spare(7))

NORMAL_BIT = 0x01
FIRE_BIT = 0x02


def names_of(flags: Sequence[Flag], word: int) -> tuple[str, ...]:
    """Return the names of the bits set in `word`, lowest first, reserved ones included."""
    return tuple(flag.name for flag in flags if word & flag.mask)


def reserved_bits(flags: Sequence[Flag], word: int) -> int:
    """Return the reserved bits that are set in `word`; 0 when the word keeps to the standard."""
    return word & sum(flag.mask for flag in flags if flag.reserved)


class StatusMode(StrEnum):
    """What bit 0 of a status says about the bits beside it."""

    NORMAL = "normal"
    TEST = "test"
    TEST_OR_OMISSION = "test_or_omission"


def status_mode(word: int, *, normal_bit_omitted: bool) -> StatusMode:
    """Say whether a status is a real one or a test, without ever hiding an alarm.

    By the letter of the standard a clear bit 0 means "test", yet real devices send fire and
    fault without it. So a clear bit 0 with any other bit set is only *perhaps* a test, and
    callers treat it as real; where the device profile says that this device never sets the
    bit, it is normal.
    """
    if word & NORMAL_BIT or normal_bit_omitted:
        return StatusMode.NORMAL
    return StatusMode.TEST_OR_OMISSION if word else StatusMode.TEST
