"""Rows and headings: every error of a row is told, at its column."""

import pytest

from services.registry.adapters.files import LocalFiles
from services.registry.domain.columns import COLUMNS, find_columns, kind_of_file
from services.registry.domain.entities import Contact, Kind, Unit
from services.registry.domain.errors import RowError
from services.registry.domain.rows import ParsedRow, read_row
from services.registry.domain.words import NOTHING, Said

RULES = LocalFiles()
UNIT = {
    "unit_id": "U1", "name": "安澜医院", "district": "sample", "town": "T001", "community": "云澜社区",
    "category": "HOSPITAL", "key_unit": "是", "auto_fire_facilities": "是", "crowded_place": "是",
    "flammable_place": "否", "fire_alarm_system": "是",
}  # fmt: skip
CONTACT = {"contact_id": "C1", "body_code": "health", "role": "办公室", "name": "值班室", "email": "a@example.com"}


def read(kind: Kind, cells: dict[str, str]) -> tuple[ParsedRow, list[RowError]]:
    return read_row(kind, 7, cells, RULES)


def columns_refused(kind: Kind, cells: dict[str, str]) -> set[str]:
    return {error.column for error in read(kind, cells)[1]}


def test_whole_row_is_read() -> None:
    parsed, errors = read(Kind.UNIT, UNIT | {"construction": "新建", "profile": "CN-GB", "valid_from": "2026/1/1"})
    assert errors == []
    assert isinstance(parsed.facts, Unit)
    assert (parsed.facts.name, parsed.facts.construction.value, parsed.facts.profile) == (
        "安澜医院",
        "new_build",
        "CN-GB",
    )


@pytest.mark.parametrize("column", [column.name for column in COLUMNS[Kind.UNIT] if column.required])
def test_each_missing_required_cell_is_told(column: str) -> None:
    assert read(Kind.UNIT, UNIT | {column: "  "})[1] == [RowError(7, column, Said("a value", "填写内容"), NOTHING)]


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("unit_id", "U 1"), ("name", "=A1"), ("key_unit", "perhaps"), ("construction", "built"),
        ("accepted_on", "yesterday"), ("commissioned_on", "2026-13-01"), ("profile", "a b"), ("valid_from", "x"),
        ("also_told", "健康"),
    ],
)  # fmt: skip
def test_each_bad_cell_is_told_with_what_was_found(column: str, text: str) -> None:
    (error,) = read(Kind.UNIT, UNIT | {column: text})[1]
    assert (error.row, error.column, error.found) == (7, column, text)
    assert error.expected


def test_all_errors_of_a_row_come_at_once() -> None:
    bad = UNIT | {"unit_id": "", "name": "=1+1", "crowded_place": "?", "accepted_on": "x"}
    assert columns_refused(Kind.UNIT, bad) == {"unit_id", "name", "crowded_place", "accepted_on"}


def test_half_an_exemption_is_refused() -> None:
    assert columns_refused(Kind.UNIT, UNIT | {"exempt_from": "2026-03-01"}) == {"exempt_until", "exempt_reason"}


def test_exemption_that_ends_before_it_begins_is_refused() -> None:
    exempt = {"exempt_from": "2026-03-02", "exempt_until": "2026-03-01", "exempt_reason": "装修"}
    assert columns_refused(Kind.UNIT, UNIT | exempt) == {"exempt_until"}


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ({"email": "nobody"}, "email"),
        ({"email": "a@localhost"}, "email"),
        ({"email": ""}, "email"),
        ({"webhook_url": "ftp://x.example/"}, "webhook_url"),
        ({"webhook_url": "https://x.example/hook"}, "webhook_secret_ref"),
        ({"webhook_secret_ref": "centre"}, "webhook_url"),
        ({"role": "boss"}, "role"),
        ({"lang": "fr"}, "lang"),
    ],
)
def test_contact_that_cannot_be_reached_is_refused(cells: dict[str, str], column: str) -> None:
    assert columns_refused(Kind.CONTACT, CONTACT | cells) == {column}


def test_addresses_are_kept_in_the_form_in_which_they_come_back() -> None:
    cells = CONTACT | {
        "email": "Duty@Health.EXAMPLE.com", "webhook_url": "http://127.0.0.1:8099", "webhook_secret_ref": "c",
    }  # fmt: skip
    first, second = (read(Kind.CONTACT, cells)[0].facts for _ in range(2))  # the second meets a known domain
    assert isinstance(first, Contact)
    assert first == second
    assert (first.email, first.webhook_url) == ("Duty@health.example.com", "http://127.0.0.1:8099/")


def test_a_contact_may_be_reached_through_apprise_alone() -> None:
    parsed, errors = read(Kind.CONTACT, {**CONTACT, "apprise": "duty-phone", "email": ""})
    assert errors == []
    assert isinstance(parsed.facts, Contact)
    assert parsed.facts.apprise == "duty-phone"
    assert read(Kind.CONTACT, CONTACT | {"apprise": "json://10.0.0.1/x"})[1], "an address is no name of a file"


def test_a_contact_may_be_reached_by_telephone_alone() -> None:
    parsed, errors = read(
        Kind.CONTACT, {**CONTACT, "phone": "138 0013 8000", "sms": "火警", "voice": "全部", "email": ""}
    )
    assert errors == []
    assert isinstance(parsed.facts, Contact)
    assert (parsed.facts.sms, parsed.facts.voice) == ("fires", "all")


@pytest.mark.parametrize(
    "cells",
    [{"sms": "火警"}, {"sms": "火警", "phone": "0591-87654321"}, {"voice": "全部", "phone": "0591-87654321-801"}],
)
def test_a_message_to_a_landline_and_a_call_to_an_extension_are_refused(cells: dict[str, str]) -> None:
    [error] = read(Kind.CONTACT, CONTACT | cells)[1]
    assert error.column == "phone"


def test_a_contact_may_be_reached_on_an_mqtt_topic_alone() -> None:
    parsed, errors = read(Kind.CONTACT, {**CONTACT, "mqtt_topic": "centre/notices", "email": ""})
    assert errors == []
    assert isinstance(parsed.facts, Contact)
    assert parsed.facts.mqtt_topic == "centre/notices"


@pytest.mark.parametrize("cell", ["centre/#", "centre/+/x", "/centre", "$SYS/x", "firenet/v1/G1/alarm/fire", "a b"])
def test_a_topic_that_would_be_taken_for_an_alarm_or_for_many_is_refused(cell: str) -> None:
    [error] = read(Kind.CONTACT, CONTACT | {"mqtt_topic": cell})[1]
    assert error.column == "mqtt_topic"


@pytest.mark.parametrize(
    ("cell", "robot"),
    [("dingtalk:fire", "dingtalk:fire"), ("企业微信：duty-1", "wecom:duty-1")],
)
def test_a_robot_is_its_provider_and_the_name_of_a_file(cell: str, robot: str) -> None:
    parsed, errors = read(Kind.CONTACT, {**CONTACT, "robot": cell, "email": ""})
    assert errors == []
    assert isinstance(parsed.facts, Contact)
    assert parsed.facts.robot == robot


@pytest.mark.parametrize("cell", ["fire", "telegram:fire", "dingtalk:", "dingtalk:../mail", "dingtalk:a b", ":fire"])
def test_a_robot_of_nobody_known_is_refused(cell: str) -> None:
    [error] = read(Kind.CONTACT, CONTACT | {"robot": cell})[1]
    assert error.column == "robot"


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.firenet-demo.cn/x", "http://10.20.3.4/x", "https://user:word@hooks.firenet-demo.cn/x",
        "https://0.0.0.0/x", "https://169.254.169.254/latest", "https://[fe80::1]/x", "https://[::7f00:1]/x",
        "https://[64:ff9b::7f00:1]/x", "https://[2002:7f00:1::]/x", "https://[fec0::1]/x", "https://224.0.0.1/x",
        "https://0xa9fe.0xa9fe/x", "https://2852039166/x", "https://169。254。169。254/x", "https://192.0.2.1./x",
        "https://255.255.255.255/x", "https://hooks.firenet-demo.cn:0/x", "https://[ff0e::1]/x",
    ],
)  # fmt: skip
def test_webhooks_that_no_notice_could_ever_be_sent_to_are_refused(url: str) -> None:
    cells = CONTACT | {"webhook_url": url, "webhook_secret_ref": "c"}
    (error,) = read(Kind.CONTACT, cells)[1]
    assert (error.row, error.column) == (7, "webhook_url")
    assert error.expected.zh


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.firenet-demo.cn/x", "http://127.0.0.1:8099/hook", "http://localhost:8099/", "http://[::1]:1/",
        "https://10.20.3.4/x", "https://[fd00:20::7]/x", "https://93.184.216.34/", "https://centre/",
    ],
)  # fmt: skip
def test_webhooks_that_may_be_reached_are_taken(url: str) -> None:
    """An address inside is reached once the operator names its network; this machine in demo and tests."""
    assert read(Kind.CONTACT, CONTACT | {"webhook_url": url, "webhook_secret_ref": "c"})[1] == []


def test_headings_may_be_chinese_english_or_mixed_with_remarks() -> None:
    names, errors = find_columns(Kind.GATEWAY, ["装置编号", "Unit ID", "运营商*", "备注", "", "序号"], 1)
    assert (names, errors) == (["gateway_id", "unit_id", "carrier", None, None, None], [])


@pytest.mark.parametrize(
    "heading",
    [
        "单位编号（必填）", "单位编号(必填)", "*单位编号", "＊单位编号 ", "单位\n编号", "单位 编号", "单位编号：",
        "单位编号【必填】", "单位编号（必填，如U000001）", "ｕｎｉｔ＿ｉｄ", "Unit\nID (required)", "UNIT_ID*",
    ],
)  # fmt: skip
def test_notes_stars_and_line_breaks_in_headings_are_read_over(heading: str) -> None:
    assert find_columns(Kind.GATEWAY, ["装置编号", heading, "运营商"], 1)[1] == []


def test_words_in_brackets_that_are_no_note_belong_to_the_heading() -> None:
    """A name in English is not the name."""
    (error, *_) = find_columns(Kind.DEPARTMENT, ["部门代码", "类型", "名称（英文）", "英文名称", "条款"], 1)[1]
    assert (error.column, error.found) == ("名称（英文）", "名称（英文）")


def test_unknown_repeated_and_missing_headings_are_all_told() -> None:
    errors = find_columns(Kind.GATEWAY, ["gateway_id", "网关编号", "colour"], 1)[1]
    assert [(error.column, error.found) for error in errors] == [
        ("gateway_id", "网关编号"), ("colour", "colour"), ("unit_id", "nothing"), ("carrier", "nothing"),
    ]  # fmt: skip


def test_a_misspelt_heading_is_answered_with_the_one_that_was_meant() -> None:
    error = find_columns(Kind.GATEWAY, ["装置编号", "单位编码", "运营商"], 1)[1][0]
    assert error.expected.zh.endswith("是否应为“单位编号”？）")
    assert error.expected.endswith("did you mean 单位编号?")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("units.csv", Kind.UNIT), ("2026单位台账.xlsx", Kind.UNIT), ("街镇.csv", Kind.DEPARTMENT),
     ("Gateways-new.csv", Kind.GATEWAY), ("联系人.csv", Kind.CONTACT), ("list.csv", None),
     ("unit-contacts.csv", None)],
)  # fmt: skip
def test_kind_by_file_name(name: str, kind: Kind | None) -> None:
    assert kind_of_file(name) is kind
