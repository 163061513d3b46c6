"""Columns of each kind of file and the headings, Chinese and English, by which they are found."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from services.registry.domain.cells import clean, half_width
from services.registry.domain.entities import Kind
from services.registry.domain.errors import RowError, shortened
from services.registry.domain.words import NOTHING, Said, is_chinese


@dataclass(frozen=True, slots=True)
class Column:
    """`name` is the English heading and the field; `zh` the heading of the Chinese template."""

    name: str
    zh: str
    required: bool = False
    also: tuple[str, ...] = ()


_VALID_FROM = Column("valid_from", "生效日期")
_RETIRED_ON = Column("retired_on", "注销日期", also=("停用日期",))

COLUMNS: Mapping[Kind, Sequence[Column]] = {
    Kind.DEPARTMENT: (
        Column("code", "部门代码", True, ("机构代码",)),
        Column("kind", "机构类型", True, ("类型",)),
        Column("name_zh", "名称", True, ("中文名称", "部门名称")),
        Column("name_en", "英文名称", True),
        Column("matters", "职责事项"),
        Column("clause", "依据条款", True, ("条款",)),
        _VALID_FROM,
    ),
    Kind.UNIT: (
        Column("unit_id", "单位编号", True),
        Column("name", "单位名称", True),
        Column("name_en", "英文名称"),
        Column("district", "区县", True),
        Column("town", "街镇", True, ("街道乡镇",)),
        Column("community", "社区", True, ("社区村",)),
        Column("category", "场所类别", True),
        Column("address", "地址"),
        Column("key_unit", "消防安全重点单位", True, ("重点单位",)),
        Column("auto_fire_facilities", "自动消防设施", True, ("设有自动消防设施",)),
        Column("crowded_place", "人员密集场所", True),
        Column("flammable_place", "易燃易爆场所", True),
        Column("fire_alarm_system", "火灾自动报警系统", True),
        Column("construction", "建设性质"),
        Column("accepted_on", "验收日期"),
        Column("commissioned_on", "联网验收日期", also=("联网日期",)),
        _RETIRED_ON,
        Column("exempt_from", "停用报备起"),
        Column("exempt_until", "停用报备止"),
        Column("exempt_reason", "停用报备原因"),
        Column("profile", "监测档位"),
        Column("also_told", "另告知部门"),
        Column("control_room_phone", "消防控制室电话", also=("消控室电话",)),
        Column("responsible_person", "消防安全责任人", also=("责任人",)),
        Column("responsible_phone", "消防安全责任人电话", also=("责任人电话",)),
        Column("address_en", "英文地址"),
        Column("longitude", "经度"),
        Column("latitude", "纬度"),
        _VALID_FROM,
    ),
    Kind.GATEWAY: (
        Column("gateway_id", "装置编号", True, ("网关编号", "用户信息传输装置编号")),
        Column("unit_id", "单位编号", True),
        Column("carrier", "运营商", True, ("通信线路",)),
        Column("vendor", "厂家"),
        Column("device_profile", "协议档"),
        Column("device_address", "装置地址"),
        Column("networks", "来源网段"),
        Column("points", "部件数", also=("登记部件数", "点位数")),
        _RETIRED_ON,
        _VALID_FROM,
    ),
    Kind.CONTACT: (
        Column("contact_id", "联系人编号", True),
        Column("body_code", "所属机构或单位", True, ("所属",)),
        Column("role", "角色", True),
        Column("name", "姓名", True, ("联系人",)),
        Column("lang", "语言"),
        Column("email", "邮箱", also=("电子邮箱",)),
        Column("webhook_url", "推送地址"),
        Column("webhook_secret_ref", "推送密钥名称"),
        Column("robot", "群机器人", also=("机器人",)),
        Column("mqtt_topic", "MQTT主题"),
        Column("apprise", "其他服务"),
        Column("phone", "电话", also=("联系电话", "手机")),
        Column("sms", "短信"),
        Column("voice", "语音电话"),
        Column("duty_times", "值班时间", also=("值班时段",)),
        _RETIRED_ON,
        _VALID_FROM,
    ),
}
_PASSED_OVER = frozenset({"remark", "remarks", "note", "notes", "备注", "序号", "no", "no.", "#"})
_NOTE = re.compile(
    r"\((?:[^()]*(?:必填|选填|必选|可选|可空|必须|填写|示例|例如|如:|格式|是/否|有/无|yyyy|年月日|单选|多选|下拉|required|optional|mandatory|yes/no"
    r"|e\.g\.)[^()]*|是或否|是,否|y/n|例|\*)\)"
)
"""A note in brackets about how to fill a column in; other words in brackets belong to its name."""
_FILE_WORDS: Mapping[str, Kind] = {
    "department": Kind.DEPARTMENT,
    "部门": Kind.DEPARTMENT,
    "街镇": Kind.DEPARTMENT,
    "gateway": Kind.GATEWAY,
    "网关": Kind.GATEWAY,
    "装置": Kind.GATEWAY,
    "contact": Kind.CONTACT,
    "联系人": Kind.CONTACT,
    "unit": Kind.UNIT,
    "单位": Kind.UNIT,
}
_BRACKETS = str.maketrans("[]【】〔〕", "()()()")


def kind_of_file(name: str) -> Kind | None:
    """Tell from its name what a file holds, None when the name does not say or says two things."""
    said = {kind for word, kind in _FILE_WORDS.items() if word in name.casefold()}
    return said.pop() if len(said) == 1 else None


def known_headings(kind: Kind) -> dict[str, str]:
    """Return the field of each heading that a file of the kind may have, by the heading in its plain form."""
    return {plain(text): column.name for column in COLUMNS[kind] for text in (column.name, column.zh, *column.also)}


def plain(heading: str) -> str:
    """Return a heading without what people put around it: spaces and line breaks, full width, stars, notes, a colon."""
    text = half_width(clean(heading)).casefold().translate(_BRACKETS)
    bare = _NOTE.sub("", text).strip("*※ \t\r\n:")
    joined = re.sub(r"\s+", "" if is_chinese(bare) else "_", bare)
    return joined.strip("*※:").strip("_") if bare else ""


def is_note(text: str) -> bool:
    """Tell whether a cell says nothing but how to fill in a column."""
    return bool(_NOTE.fullmatch(f"({half_width(clean(text)).casefold().strip('()')})"))


def passed_over(heading: str) -> bool:
    """Tell whether a column of that heading holds nothing for the register: remarks, running numbers, no heading."""
    folded = plain(heading)
    return not folded or folded in _PASSED_OVER


def find_columns(kind: Kind, heading: Sequence[str], row: int) -> tuple[list[str | None], list[RowError]]:
    """Return for each place of the heading row the column that stands there, None for remarks and empty places.

    Beside it come errors for every unknown, repeated or missing heading. A heading that is not known is an error, not
    something to pass over: a misspelt one would lose its values.
    """
    names = known_headings(kind)
    found: list[str | None] = []
    errors: list[RowError] = []
    for text in heading:
        name = names.get(plain(text))
        if name is None and not passed_over(text):
            errors.append(RowError(row, one_line(text), _known(kind, plain(text), names), one_line(text)))
        if name is not None and name in found:
            errors.append(RowError(row, name, Said("each heading once", "表头不重复"), one_line(text)))
        found.append(name)
    errors.extend(
        RowError(
            row,
            column.name,
            Said(f"a column headed {column.name} or {column.zh}", f"表头为“{column.zh}”的一列"),
            NOTHING,
        )
        for column in COLUMNS[kind]
        if column.required and column.name not in found
    )
    return found, errors


def _known(kind: Kind, text: str, names: Mapping[str, str]) -> Said:
    near = get_close_matches(text, names, n=1, cutoff=0.6)
    columns = COLUMNS[kind]
    english = ", ".join(f"{column.name} ({column.zh})" for column in columns)
    chinese = "、".join(column.zh for column in columns)
    hint = (f"; did you mean {near[0]}?", f"（是否应为“{near[0]}”？）") if near else ("", "")
    return Said(f"a known heading: {english}{hint[0]}", f"已知的表头：{chinese}{hint[1]}")


def one_line(heading: str) -> str:
    """Return a heading as the file has it, on one line."""
    return shortened(" ".join(heading.split()))
