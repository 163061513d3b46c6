"""Rows and headings: every error of a row is told, at its column."""

import pytest

from services.registry.adapters.files import LocalFiles
from services.registry.domain.columns import COLUMNS, find_columns, kind_of_file
from services.registry.domain.entities import Contact, Kind, Unit
from services.registry.domain.errors import FileRefused, RowError
from services.registry.domain.rows import ParsedRow, read_row

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
    assert read(Kind.UNIT, UNIT | {column: "  "})[1] == [RowError(7, column, "a value", "nothing")]


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


def test_headings_may_be_chinese_english_or_mixed_with_remarks() -> None:
    assert find_columns(Kind.GATEWAY, ["装置编号", "Unit ID", "运营商*", "备注", ""], 1) == [
        "gateway_id", "unit_id", "carrier", None, None,
    ]  # fmt: skip


def test_unknown_repeated_and_missing_headings_are_all_told() -> None:
    with pytest.raises(FileRefused) as caught:
        find_columns(Kind.GATEWAY, ["gateway_id", "网关编号", "colour"], 1)
    assert [(error.column, error.found) for error in caught.value.errors] == [
        ("gateway_id", "网关编号"), ("colour", "colour"), ("unit_id", "nothing"), ("carrier", "nothing"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "kind"),
    [("units.csv", Kind.UNIT), ("2026单位台账.xlsx", Kind.UNIT), ("街镇.csv", Kind.DEPARTMENT),
     ("Gateways-new.csv", Kind.GATEWAY), ("联系人.csv", Kind.CONTACT), ("list.csv", None),
     ("unit-contacts.csv", None)],
)  # fmt: skip
def test_kind_by_file_name(name: str, kind: Kind | None) -> None:
    assert kind_of_file(name) is kind
