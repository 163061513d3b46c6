"""The sample files are taken as they are, and what their README says holds."""

import re

import pytest

from services.kernel.words import RefusalReason
from services.registry.adapters.files import LocalFiles
from services.registry.domain import cells, devices
from services.registry.domain.columns import COLUMNS
from services.registry.domain.entities import Kind
from services.registry.worker.importing import Importer
from tests.fakes.clock import ManualClock
from tests.fakes.registry import MemoryStore
from tests.unit.registry.builders import PACK_FILE, SAMPLES, T0


@pytest.mark.parametrize("units", ["units.csv", "units.xlsx"])
async def test_samples_import(units: str) -> None:
    store = MemoryStore()
    importer = Importer(files=LocalFiles(), store=store, clock=ManualClock(T0))
    await importer.import_pack(str(PACK_FILE))
    names = ["contacts.csv", "gateways.csv", units, "departments.csv"]
    reports = await importer.import_files([(str(SAMPLES / name), None) for name in names])
    assert [report.errors for report in reports] == [(), (), (), ()]
    assert [report.changed for report in reports] == [2, 3, 2, 4]


@pytest.mark.parametrize(
    ("kind", "name"),
    [(Kind.DEPARTMENT, "departments"), (Kind.UNIT, "units"), (Kind.GATEWAY, "gateways"), (Kind.CONTACT, "contacts")],
)
def test_samples_show_every_column(kind: Kind, name: str) -> None:
    (_, heading), *_ = LocalFiles().read_sheet(str(SAMPLES / f"{name}.csv")).rows
    assert [text.rstrip("*") for text in heading] == [column.zh for column in COLUMNS[kind]]


@pytest.mark.parametrize(
    ("kind", "name"),
    [(Kind.DEPARTMENT, "departments"), (Kind.UNIT, "units"), (Kind.GATEWAY, "gateways"), (Kind.CONTACT, "contacts")],
)
def test_stars_stand_where_something_must_be_filled(kind: Kind, name: str) -> None:
    (_, heading), *_ = LocalFiles().read_sheet(str(SAMPLES / f"{name}.csv")).rows
    assert [text.endswith("*") for text in heading] == [column.required for column in COLUMNS[kind]]


def said_of(what: str) -> str:
    """Return what the README says in the line of `what`."""
    lines = (SAMPLES / "README.md").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if re.match(rf"\| [^|]*{re.escape(what)}[^|]*\|", line)]
    return line.split("|")[2].strip()


def test_each_word_for_yes_and_no_of_the_readme_is_taken() -> None:
    pairs = [pair.split(" / ") for pair in said_of("yes and no").split(", ")]
    assert {tuple(map(cells.yes_no, pair)) for pair in pairs} == {(True, False)}


def test_each_date_of_the_readme_is_read_and_the_one_that_is_refused_is_refused() -> None:
    dates, _, refused = said_of("dates").partition(", or a date cell")
    assert {cells.day(text).isoformat() for text in dates.split(", ")} == {"2026-01-31"}
    (unclear,) = re.findall(r"\((.*?)\)", refused)
    with pytest.raises(cells.BadCell, match="year first"):
        cells.day(unclear)


def test_each_heading_of_the_readme_is_one() -> None:
    text = (SAMPLES / "README.md").read_text(encoding="utf-8")
    known = {(column.zh, column.name) for columns in COLUMNS.values() for column in columns}
    named = re.findall(r"^\| (\S+) `([a-z_]+)` \|", text, re.MULTILINE)
    assert len(named) >= 12
    assert set(named) <= known


def test_an_address_of_the_readme_is_one() -> None:
    numbers = re.findall(r"`([0-9.:]+)`", said_of("`device_address`"))
    assert numbers
    assert all(devices.device_address(text) for text in numbers)


def test_the_readme_says_how_many_components_may_be_registered() -> None:
    assert f"0 to {devices.MAX_POINTS}" in said_of("`points`")


def test_the_readme_says_what_becomes_of_a_device_without_networks() -> None:
    """The decision itself: tests/unit/ingest/test_claims.py."""
    said = said_of("`networks`")
    assert "anywhere" not in said
    assert all(word in said for word in (RefusalReason.IDENTITY_MISMATCH.value, "INGEST_TCP_OPEN", "certificate"))
