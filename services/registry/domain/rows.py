"""Rows to entities. A row is read to its end so that every error of it is told at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol, TypeVar, assert_never

from services.kernel.words import BodyKind, Construction, ContactRole, Language, TelephoneUse
from services.registry.domain import cells, devices, positions
from services.registry.domain.bodies import Body
from services.registry.domain.cells import BadCell
from services.registry.domain.duty_times import duty_times_text
from services.registry.domain.entities import Contact, Gateway, Kind, Unit
from services.registry.domain.errors import RowError, shortened
from services.registry.domain.telephones import has_extension, is_mobile, telephone
from services.registry.domain.words import NOTHING, Said

V = TypeVar("V")
D = TypeVar("D")

CONSTRUCTION: Mapping[str, Construction] = {
    **{each.value: each for each in Construction},
    "现有": Construction.EXISTING,
    "新建": Construction.NEW_BUILD,
    "改建": Construction.RENOVATED,
    "扩建": Construction.EXTENDED,
}
BODY_KIND: Mapping[str, BodyKind] = {
    **{each.value: each for each in BodyKind},
    "街镇": BodyKind.STREET,
    "街道": BodyKind.STREET,
    "乡镇": BodyKind.STREET,
    "镇": BodyKind.STREET,
    "部门": BodyKind.DEPARTMENT,
    "委员会": BodyKind.COMMITTEE,
    "政府": BodyKind.GOVERNMENT,
    "大队": BodyKind.BRIGADE,
    "监控中心": BodyKind.CENTRE,
}
ROLE: Mapping[str, ContactRole] = {
    **{each.value: each for each in ContactRole},
    "消防控制室": ContactRole.CONTROL_ROOM,
    "消控室": ContactRole.CONTROL_ROOM,
    "消防安全管理人": ContactRole.MANAGER,
    "维保": ContactRole.MAINTENANCE,
    "维保单位": ContactRole.MAINTENANCE,
    "网格员": ContactRole.GRID_OFFICER,
    "值班室": ContactRole.OFFICE,
    "办公室": ContactRole.OFFICE,
}
LANGUAGE: Mapping[str, Language] = {
    **{each.value: each for each in Language},
    "中文": Language.ZH,
    "英文": Language.EN,
}

TELEPHONE_USE: Mapping[str, TelephoneUse] = {
    **{each.value: each for each in TelephoneUse},
    "火警": TelephoneUse.FIRES,
    "仅火警": TelephoneUse.FIRES,
    "全部": TelephoneUse.ALL,
}


class AddressRules(Protocol):
    """Addresses in the one form that the channels use. Both raise `BadCell`."""

    def email(self, text: str) -> str: ...

    def web_address(self, text: str) -> str: ...


@dataclass(frozen=True, slots=True)
class ParsedRow:
    """One entity as its row states it. `valid_from` None: from the day of the import."""

    row: int
    facts: Unit | Gateway | Contact | Body
    valid_from: date | None


class RowReader:
    """Cells of one row by column name. A bad cell is noted and a stand-in returned, so that reading goes on."""

    def __init__(self, row: int, cell_texts: Mapping[str, str]) -> None:
        self.row = row
        self.errors: list[RowError] = []
        self._cells = cell_texts

    def need(self, column: str, parse: Callable[[str], V], stand_in: V) -> V:
        text = cells.clean(self._cells.get(column, ""))
        if not text:
            self.refuse(column, Said("a value", "填写内容"), NOTHING)
            return stand_in
        return self._parsed(column, text, parse, stand_in)

    def may(self, column: str, parse: Callable[[str], V], default: D) -> V | D:
        text = cells.clean(self._cells.get(column, ""))
        if not text:
            return default
        return self._parsed(column, text, parse, default)

    def refuse(self, column: str, expected: Said, found: str) -> None:
        self.errors.append(RowError(self.row, column, expected, shortened(found)))

    def _parsed(self, column: str, text: str, parse: Callable[[str], V], stand_in: D) -> V | D:
        try:
            return parse(text)
        except BadCell as error:
            self.refuse(column, error.expected, text)
            return stand_in


def read_row(
    kind: Kind, row: int, cell_texts: Mapping[str, str], rules: AddressRules
) -> tuple[ParsedRow, list[RowError]]:
    """Return what a row says and everything wrong with it; the entity is of use only without errors."""
    reader = RowReader(row, cell_texts)
    facts: Unit | Gateway | Contact | Body
    match kind:
        case Kind.UNIT:
            facts = _unit(reader)
        case Kind.GATEWAY:
            facts = _gateway(reader)
        case Kind.CONTACT:
            facts = _contact(reader, rules)
        case Kind.DEPARTMENT:
            facts = _body(reader)
        case Kind.PACK | Kind.ADJUSTMENT:
            raise ValueError(f"{kind} does not come as rows")
        case _:
            assert_never(kind)
    valid_from = reader.may("valid_from", cells.day, None)
    return ParsedRow(row, facts, valid_from), reader.errors


def _unit(row: RowReader) -> Unit:
    unit = Unit(
        unit_id=row.need("unit_id", cells.identifier, ""),
        name=row.need("name", cells.plain_text, ""),
        name_en=row.may("name_en", cells.plain_text, ""),
        district=row.need("district", cells.identifier, ""),
        town=row.need("town", cells.identifier, ""),
        community=row.need("community", cells.plain_text, ""),
        category=row.need("category", cells.identifier, ""),
        address=row.may("address", cells.plain_text, ""),
        key_unit=row.need("key_unit", cells.yes_no, False),
        auto_fire_facilities=row.need("auto_fire_facilities", cells.yes_no, False),
        crowded_place=row.need("crowded_place", cells.yes_no, False),
        flammable_place=row.need("flammable_place", cells.yes_no, False),
        fire_alarm_system=row.need("fire_alarm_system", cells.yes_no, False),
        construction=row.may("construction", lambda text: cells.one_of(text, CONSTRUCTION), Construction.EXISTING),
        accepted_on=row.may("accepted_on", cells.day, None),
        commissioned_on=row.may("commissioned_on", cells.day, None),
        retired_on=row.may("retired_on", cells.day, None),
        exempt_from=row.may("exempt_from", cells.day, None),
        exempt_until=row.may("exempt_until", cells.day, None),
        exempt_reason=row.may("exempt_reason", cells.plain_text, None),
        profile=row.may("profile", cells.identifier, None),
        also_told=row.may("also_told", cells.identifiers, ()),
        control_room_phone=row.may("control_room_phone", telephone, None),
        responsible_person=row.may("responsible_person", cells.plain_text, None),
        responsible_phone=row.may("responsible_phone", telephone, None),
        address_en=row.may("address_en", cells.plain_text, ""),
        longitude=row.may("longitude", positions.longitude, None),
        latitude=row.may("latitude", positions.latitude, None),
    )
    _check_exemption(unit, row)
    _check_position(unit, row)
    return unit


def _check_position(unit: Unit, row: RowReader) -> None:
    """Half a position is none."""
    refused = {error.column for error in row.errors}
    for column, value, other in (
        ("longitude", unit.longitude, unit.latitude),
        ("latitude", unit.latitude, unit.longitude),
    ):
        if value is None and other is not None and column not in refused:
            row.refuse(column, Said("longitude and latitude together", "经度和纬度要一并填写"), NOTHING)


def _check_exemption(unit: Unit, row: RowReader) -> None:
    """An exemption has a beginning, an end and a reason, or it is none (it must not go on for ever unseen)."""
    parts = {
        "exempt_from": unit.exempt_from,
        "exempt_until": unit.exempt_until,
        "exempt_reason": unit.exempt_reason,
    }
    refused = {error.column for error in row.errors}
    if any(value is not None for value in parts.values()):
        for column, value in parts.items():
            if value is None and column not in refused:
                row.refuse(
                    column,
                    Said(
                        "first day, last day and reason of an exemption together",
                        "停用报备的起、止日期和原因要一并填写",
                    ),
                    NOTHING,
                )
    if unit.exempt_from and unit.exempt_until and unit.exempt_until < unit.exempt_from:
        row.refuse(
            "exempt_until",
            Said(f"a day not before {unit.exempt_from}", f"不早于 {unit.exempt_from} 的日期"),
            str(unit.exempt_until),
        )


def _gateway(row: RowReader) -> Gateway:
    return Gateway(
        gateway_id=row.need("gateway_id", cells.identifier, ""),
        unit_id=row.need("unit_id", cells.identifier, ""),
        carrier=row.need("carrier", cells.identifier, ""),
        vendor=row.may("vendor", cells.plain_text, ""),
        device_profile=row.may("device_profile", devices.device_profile, None),
        device_address=row.may("device_address", devices.device_address, None),
        networks=row.may("networks", devices.networks, ()),
        points=row.may("points", devices.points, None),
        retired_on=row.may("retired_on", cells.day, None),
    )


def _contact(row: RowReader, rules: AddressRules) -> Contact:
    contact = Contact(
        contact_id=row.need("contact_id", cells.identifier, ""),
        body_code=row.need("body_code", cells.identifier, ""),
        role=row.need("role", lambda text: cells.one_of(text, ROLE), ContactRole.OFFICE),
        name=row.need("name", cells.plain_text, ""),
        lang=row.may("lang", lambda text: cells.one_of(text, LANGUAGE), Language.ZH),
        email=row.may("email", rules.email, None),
        webhook_url=row.may("webhook_url", rules.web_address, None),
        webhook_secret_ref=row.may("webhook_secret_ref", cells.identifier, None),
        robot=row.may("robot", cells.robot, None),
        mqtt_topic=row.may("mqtt_topic", cells.mqtt_topic, None),
        apprise=row.may("apprise", cells.identifier, None),
        phone=row.may("phone", telephone, None),
        sms=row.may("sms", lambda text: cells.one_of(text, TELEPHONE_USE), None),
        voice=row.may("voice", lambda text: cells.one_of(text, TELEPHONE_USE), None),
        duty_times=row.may("duty_times", duty_times_text, None),
        retired_on=row.may("retired_on", cells.day, None),
    )
    refused = {error.column for error in row.errors}
    machines = (contact.webhook_url, contact.robot, contact.mqtt_topic, contact.apprise)
    ways = (contact.email, *machines, contact.sms, contact.voice)
    if not any(ways) and not {"email", "webhook_url", "robot", "mqtt_topic", "apprise", "sms", "voice"} & refused:
        row.refuse(
            "email",
            Said(
                "an e-mail address, a webhook, a robot, an MQTT topic or a telephone",
                "邮箱、推送地址、群机器人、MQTT主题、短信或语音电话（至少一项）",
            ),
            Said("none of them", "都没有"),
        )
    if (contact.sms or contact.voice) and contact.phone is None and "phone" not in refused:
        row.refuse("phone", Said("the number that messages and calls go to", "接收短信或语音电话的号码"), NOTHING)
    elif contact.phone is not None and contact.sms and not is_mobile(contact.phone):
        row.refuse("phone", Said("a mobile number: messages go there", "手机号码：短信只能发往手机"), contact.phone)
    elif contact.phone is not None and contact.voice and has_extension(contact.phone):
        row.refuse(
            "phone", Said("a number without an extension: a call cannot dial it", "不带分机的号码"), contact.phone
        )
    if contact.webhook_url is not None and contact.webhook_secret_ref is None and "webhook_secret_ref" not in refused:
        row.refuse(
            "webhook_secret_ref",
            Said("the name of the secret that signs for the webhook", "为该推送地址签名的密钥名称"),
            NOTHING,
        )
    if contact.webhook_secret_ref is not None and contact.webhook_url is None and "webhook_url" not in refused:
        row.refuse(
            "webhook_url", Said("the address that goes with the named secret", "与该密钥名称对应的推送地址"), NOTHING
        )
    return contact


def _body(row: RowReader) -> Body:
    return Body(
        code=row.need("code", cells.identifier, ""),
        kind=row.need("kind", lambda text: cells.one_of(text, BODY_KIND), BodyKind.DEPARTMENT),
        name_zh=row.need("name_zh", cells.plain_text, ""),
        name_en=row.need("name_en", cells.plain_text, ""),
        matters=row.may("matters", cells.plain_text, ""),
        clause=row.need("clause", cells.plain_text, ""),
    )
