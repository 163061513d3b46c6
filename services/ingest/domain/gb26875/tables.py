"""The code tables of GB/T 26875.3: commands, system types, component types, analog types.

Names are stable English identifiers; labels are the wording of the standard.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Term:
    """One row of a table. `name` is "reserved" or "user" for numbers without a row of their own."""

    code: int
    name: str
    label: str


class Command(IntEnum):
    """The command bytes that the standard assigns (table 3)."""

    CONTROL = 1
    SEND = 2
    CONFIRM = 3
    REQUEST = 4
    RESPONSE = 5
    DENY = 6


_RESERVED_LABEL = "预留"
_USER_LABEL = "用户自定义"
FIRST_USER_CODE = 128


def _table(rows: str) -> Mapping[int, Term]:
    terms = (Term(int(code), name, label) for code, name, label in (row.split() for row in rows.strip().splitlines()))
    return MappingProxyType({term.code: term for term in terms})


def _look_up(table: Mapping[int, Term], code: int) -> Term:
    known = table.get(code)
    if known is not None:
        return known
    if code >= FIRST_USER_CODE:
        return Term(code, "user", _USER_LABEL)
    return Term(code, "reserved", _RESERVED_LABEL)


COMMANDS = _table("""
1 control 控制命令
2 send 发送数据
3 confirm 确认
4 request 请求
5 response 应答
6 deny 否认
""")

SYSTEM_TYPES = _table("""
0 general 通用
1 fire_alarm_system 火灾报警系统
10 fire_linkage_controller 消防联动控制器
11 hydrant_system 消火栓系统
12 sprinkler_system 自动喷水灭火系统
13 gas_extinguishing_system 气体灭火系统
14 water_spray_pump 水喷雾灭火系统（泵启动方式）
15 water_spray_pressure_vessel 水喷雾灭火系统（压力容器启动方式）
16 foam_system 泡沫灭火系统
17 dry_powder_system 干粉灭火系统
18 smoke_control_system 防烟排烟系统
19 fire_door_and_shutter_system 防火门及卷帘系统
20 fire_lift 消防电梯
21 emergency_broadcast 消防应急广播
22 emergency_lighting 消防应急照明和疏散指示系统
23 fire_power_supply 消防电源
24 fire_telephone 消防电话
""")

COMPONENT_TYPES = _table("""
0 general 通用
1 fire_alarm_controller 火灾报警控制器
10 combustible_gas_detector 可燃气体探测器
11 point_combustible_gas_detector 点型可燃气体探测器
12 standalone_combustible_gas_detector 独立式可燃气体探测器
13 line_combustible_gas_detector 线型可燃气体探测器
16 electrical_fire_monitor 电气火灾监控报警器
17 residual_current_detector 剩余电流式电气火灾监控探测器
18 temperature_electrical_fire_detector 测温式电气火灾监控探测器
21 detection_loop 探测回路
22 fire_display_panel 火灾显示盘
23 manual_call_point 手动火灾报警按钮
24 hydrant_button 消火栓按钮
25 fire_detector 火灾探测器
30 heat_detector 感温火灾探测器
31 point_heat_detector 点型感温火灾探测器
32 point_heat_detector_s 点型感温火灾探测器（S型）
33 point_heat_detector_r 点型感温火灾探测器（R型）
34 line_heat_detector 线型感温火灾探测器
35 line_heat_detector_s 线型感温火灾探测器（S型）
36 line_heat_detector_r 线型感温火灾探测器（R型）
37 fibre_optic_heat_detector 光纤感温火灾探测器
40 smoke_detector 感烟火灾探测器
41 point_ionisation_smoke_detector 点型离子感烟火灾探测器
42 point_photoelectric_smoke_detector 点型光电感烟火灾探测器
43 line_beam_smoke_detector 线型光束感烟火灾探测器
44 aspirating_smoke_detector 吸气式感烟火灾探测器
50 combined_detector 复合式火灾探测器
51 smoke_heat_detector 复合式感烟感温火灾探测器
52 light_heat_detector 复合式感光感温火灾探测器
53 light_smoke_detector 复合式感光感烟火灾探测器
61 ultraviolet_flame_detector 紫外火焰探测器
62 infrared_flame_detector 红外火焰探测器
69 light_sensing_fire_detector 感光火灾探测器
74 gas_detector 气体探测器
78 image_fire_detector 图像摄像方式火灾探测器
79 sound_sensing_fire_detector 感声火灾探测器
81 gas_extinguishing_controller 气体灭火控制器
82 fire_electrical_control_device 消防电气控制装置
83 control_room_graphic_display 消防控制室图形显示装置
84 module 模块
85 input_module 输入模块
86 output_module 输出模块
87 input_output_module 输入/输出模块
88 relay_module 中继模块
91 fire_pump 消防水泵
92 fire_water_tank 消防水箱
95 sprinkler_pump 喷淋泵
96 water_flow_indicator 水流指示器
97 signal_valve 信号阀
98 alarm_valve 报警阀
99 pressure_switch 压力开关
101 valve_actuator 阀驱动装置
102 fire_door 防火门
103 fire_damper 防火阀
104 ventilation_and_air_conditioning 通风空调
105 foam_pump 泡沫液泵
106 pipe_network_solenoid_valve 管网电磁阀
111 smoke_control_fan 防烟排烟风机
113 smoke_exhaust_fire_damper 排烟防火阀
114 normally_closed_air_inlet 常闭送风口
115 smoke_outlet 排烟口
116 electric_smoke_curtain 电控挡烟垂壁
117 fire_shutter_controller 防火卷帘控制器
118 fire_door_monitor 防火门监控器
121 alarm_sounder 警报装置
""")


def command_term(code: int) -> Term:
    """Return the row of the command table; 0 and 7-127 are "reserved", 128-255 "user"."""
    return _look_up(COMMANDS, code)


def system_type_term(code: int) -> Term:
    """Return the row of the system type table; gaps are "reserved", 128-255 "user"."""
    return _look_up(SYSTEM_TYPES, code)


def component_type_term(code: int) -> Term:
    """Return the row of the component type table; gaps are "reserved", 128-255 "user"."""
    return _look_up(COMPONENT_TYPES, code)


@dataclass(frozen=True, slots=True)
class AnalogType:
    """One analog quantity: value = raw / steps_per_unit, valid from `low` to `high` in `unit`."""

    code: int
    name: str
    label: str
    unit: str
    steps_per_unit: int
    low: float
    high: float

    def value(self, raw: int) -> float:
        """Return the quantity in `unit`, the nearest float to raw x step."""
        return raw if self.steps_per_unit == 1 else raw / self.steps_per_unit


ANALOG_TYPES: Mapping[int, AnalogType] = MappingProxyType(
    {
        row.code: row
        for row in (
            AnalogType(1, "event_count", "事件计数", "items", 1, 0, 32000),
            AnalogType(2, "height", "高度", "m", 100, 0, 320),
            AnalogType(3, "temperature", "温度", "degC", 10, -273, 3200),
            AnalogType(4, "pressure_mpa", "压力", "MPa", 10, 0, 3200),
            AnalogType(5, "pressure_kpa", "压力", "kPa", 10, 0, 3200),
            AnalogType(6, "gas_concentration", "气体浓度", "%LEL", 10, 0, 100),
            AnalogType(7, "time", "时间", "s", 1, 0, 32000),
            AnalogType(8, "voltage", "电压", "V", 10, 0, 3200),
            AnalogType(9, "current", "电流", "A", 10, 0, 3200),
            AnalogType(10, "flow", "流量", "L/s", 10, 0, 3200),
            AnalogType(11, "air_volume", "风量", "m3/min", 10, 0, 3200),
            AnalogType(12, "air_speed", "风速", "m/s", 1, 0, 20),
        )
    }
)


def analog_type_name(code: int) -> str:
    """Return the name of an analog type: "unused" for 0, "reserved" and "user" for the gaps."""
    known = ANALOG_TYPES.get(code)
    if known is not None:
        return known.name
    if code == 0:
        return "unused"
    return "user" if code >= FIRST_USER_CODE else "reserved"
