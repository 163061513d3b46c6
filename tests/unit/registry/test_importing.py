"""Files to versions, on the store in memory."""

import asyncio
import copy
import tempfile
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import pytest

from services.kernel.effective import in_force, ordered
from services.registry.adapters.files import LocalFiles
from services.registry.domain.entities import Gateway, Kind, Routing, Unit, Version, of_type
from services.registry.domain.reports import ImportReport
from services.registry.domain.words import said
from services.registry.ports import PublishedDays
from services.registry.worker.importing import Importer, reaches_back
from tests.fakes.clock import ManualClock
from tests.fakes.registry import MemoryStore
from tests.unit.registry.builders import DAY, DEPARTMENTS_CSV, PACK_FILE, T0, UNITS_HEADING, unit_row, units_csv


@dataclass
class Office:
    """A register with the sample pack and one street, and a folder to put files in."""

    store: MemoryStore
    clock: ManualClock
    importer: Importer
    folder: Path

    def file(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    async def take(self, name: str, text: str, *, dry_run: bool = False) -> ImportReport:
        (report,) = await self.importer.import_files([(self.file(name, text), None)], dry_run=dry_run)
        return report

    async def take_pack(self, *replacements: tuple[str, str], valid_from: date | None = None) -> ImportReport:
        text = PACK_FILE.read_text(encoding="utf-8")
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        return await self.importer.import_pack(self.file("pack.yaml", text), valid_from=valid_from)

    def versions(self, unit_id: str = "U000001") -> list[Version[Unit]]:
        return ordered(of_type(self.store.versions.get((Kind.UNIT, unit_id), []), Unit))

    def route(self, day: date, unit_id: str = "U000001") -> Routing:
        version = in_force(self.versions(unit_id), day)
        assert version is not None
        assert version.route is not None
        return version.route


@pytest.mark.parametrize(
    ("published", "since", "says"),
    [
        (PublishedDays(), date(2020, 1, 1), ""),
        (PublishedDays(date(2026, 3, 1)), date(2026, 3, 1), ""),
        (PublishedDays(date(2026, 3, 1)), date(2026, 2, 28), "a second person approves"),
        (PublishedDays(date(2026, 3, 1), date(2025, 1, 1)), date(2024, 12, 31), "are final"),
    ],
)
def test_a_pack_begins_before_what_is_published_for_nobody_alone(
    published: PublishedDays, since: date, says: str
) -> None:
    found = reaches_back(since, published, agreed=False)
    assert (found is None) == (says == "")
    assert found is None or says in str(found.expected)


def test_two_people_restate_what_is_published_but_nothing_final() -> None:
    published = PublishedDays(date(2026, 3, 1), date(2025, 1, 1))
    assert reaches_back(date(2025, 1, 1), published, agreed=True) is None
    assert reaches_back(date(2024, 12, 31), published, agreed=True) is not None


async def test_a_second_pack_of_a_district_cannot_slip_under_its_published_figures(office: Office) -> None:
    office.store.published["sample"] = PublishedDays(DAY, DAY - timedelta(days=30))
    report = await office.take_pack(("pack_id: sample-2026", "pack_id: sample-other"))
    assert [error.column for error in report.errors] == ["valid_from"]
    assert (Kind.PACK, "sample-other") not in office.store.versions


def open_office(store: MemoryStore, folder: Path) -> Office:
    clock = ManualClock(T0)
    return Office(store, clock, Importer(files=LocalFiles(), store=store, clock=clock), folder)


@cache
def furnished() -> MemoryStore:
    """The store of an office on its first day: reading the pack a hundred times would take seconds."""

    async def furnish(made: Office) -> None:
        assert not (await made.take_pack()).refused
        assert not (await made.take("departments.csv", DEPARTMENTS_CSV)).refused

    store = MemoryStore()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(furnish(open_office(store, Path(folder))))
    return store


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return open_office(copy.deepcopy(furnished()), tmp_path)


async def test_import_resolves_the_route_and_begins_today(office: Office) -> None:
    report = await office.take("units.csv", units_csv(unit_row()))
    assert (report.rows, report.changed, report.total_errors) == (1, 1, 0)
    (version,) = office.versions()
    assert version.valid_from == DAY
    assert office.route(DAY).lead == "health"


async def test_second_import_changes_nothing(office: Office) -> None:
    await office.take("units.csv", units_csv(unit_row()))
    office.clock.forward(days=3)
    report = await office.take("units.csv", units_csv(unit_row()))
    assert (report.changed, report.versions, len(office.versions())) == (0, 0, 1)


async def test_changed_row_makes_one_version_and_leaves_the_others(office: Office) -> None:
    await office.take("units.csv", units_csv(unit_row(), unit_row("U000002")))
    office.clock.forward(days=3)
    report = await office.take("units.csv", units_csv(unit_row(key_unit="否"), unit_row("U000002")))
    assert (report.changed, len(office.versions()), len(office.versions("U000002"))) == (1, 2, 1)
    assert office.versions()[-1].valid_from == DAY + timedelta(days=3)


async def test_one_bad_row_refuses_the_whole_file(office: Office) -> None:
    before = dict(office.store.versions)
    report = await office.take("units.csv", units_csv(unit_row(), unit_row("U000002", key_unit="?")))
    assert [(error.row, error.column, error.found) for error in report.errors] == [(3, "key_unit", "?")]
    assert office.store.versions == before
    assert office.store.notes[-1].file_name == "departments.csv"


async def test_all_errors_of_a_file_are_counted_and_the_list_is_capped(office: Office) -> None:
    importer = Importer(files=LocalFiles(), store=office.store, clock=office.clock, listed_errors=5)
    path = office.file("units.csv", units_csv(*(unit_row(f"U{number}", key_unit="?") for number in range(20))))
    (report,) = await importer.import_files([(path, None)])
    assert (len(report.errors), report.total_errors) == (5, 20)
    assert [error.row for error in report.errors] == [2, 3, 4, 5, 6]


async def test_repeated_id_is_told_at_the_second_row(office: Office) -> None:
    report = await office.take("units.csv", units_csv(unit_row(), unit_row("U000002"), unit_row()))
    assert [(error.row, error.column, error.found) for error in report.errors] == [(4, "unit_id", "U000001")]
    assert "row 2" in report.errors[0].expected


@pytest.mark.parametrize(
    ("column", "text"),
    [("town", "T999"), ("town", "health"), ("category", "SPACEPORT"), ("district", "elsewhere")],
)
async def test_what_the_register_does_not_know_is_refused(office: Office, column: str, text: str) -> None:
    report = await office.take("units.csv", units_csv(unit_row(**{column: text})))
    assert [(error.row, error.column, error.found) for error in report.errors] == [(2, column, text)]


async def test_profile_and_further_bodies_must_be_known(office: Office) -> None:
    text = f"{UNITS_HEADING},profile,also_told\n{unit_row()},CN-SLOW,police navy\n"
    report = await office.take("units.csv", text)
    assert [(error.column, error.found) for error in report.errors] == [("profile", "CN-SLOW"), ("also_told", "navy")]


async def test_gateway_needs_its_unit_and_contact_its_body(office: Office) -> None:
    gateway = await office.take("gateways.csv", "gateway_id,unit_id,carrier\nG1,U9,carrier-a\n")
    heading = "contact_id,body_code,role,name,email\n"
    rows = "C1,navy,office,x,a@example.com\nC2,U9,manager,x,a@example.com\nC3,health,office,x,a@example.com\n"
    contact = await office.take("contacts.csv", heading + rows)
    assert [error.found for error in gateway.errors] == ["U9"]
    assert [(error.row, error.found) for error in contact.errors] == [(2, "navy"), (3, "U9")]


async def test_files_are_taken_in_the_order_in_which_they_refer_to_each_other(office: Office) -> None:
    paths = [
        office.file("gateways.csv", "gateway_id,unit_id,carrier\nG1,U000001,carrier-a\n"),
        office.file("units.csv", units_csv(unit_row(town="T002"))),
        office.file("departments.csv", DEPARTMENTS_CSV + "T002,街道,霁川街道,Jichuan,,003 street 5\n"),
    ]
    reports = await office.importer.import_files([(path, None) for path in paths], dry_run=True)
    assert [report.kind for report in reports] == [Kind.DEPARTMENT, Kind.UNIT, Kind.GATEWAY]
    assert not any(report.refused for report in reports)
    assert (Kind.UNIT, "U000001") not in office.store.versions


async def test_file_that_does_not_say_what_it_holds_is_refused(office: Office) -> None:
    report = await office.take("list.csv", units_csv(unit_row()))
    assert "--kind" in report.errors[0].expected


async def test_empty_table_is_refused(office: Office) -> None:
    assert (await office.take("units.csv", units_csv())).refused


async def test_clock_set_back_does_not_make_new_knowledge_look_old(office: Office) -> None:
    await office.take("units.csv", units_csv(unit_row(valid_from="2026-01-01")))
    office.clock.forward(days=-0.5)
    await office.take("units.csv", units_csv(unit_row(valid_from="2026-01-01", name="更名医院")))
    first, second = office.versions()
    assert second.recorded_at > first.recorded_at


async def test_same_pack_again_changes_nothing_and_same_number_with_other_content_is_refused(office: Office) -> None:
    again = await office.take_pack()
    other = await office.take_pack(("blind_after_s: 10", "blind_after_s: 20"))
    assert (again.changed, again.refused) == (0, False)
    assert other.refused
    assert "above 1" in other.errors[0].expected


async def test_new_pack_version_gives_units_its_routes_from_today(office: Office) -> None:
    await office.take("units.csv", units_csv(unit_row(), unit_row("U000002", category="SCHOOL")))
    office.clock.forward(days=10)
    report = await office.take_pack(("\nversion: 1\n", "\nversion: 2\n"), ("lead: health", "lead: civil-affairs"))
    assert report.rerouted == 1
    assert office.route(DAY).lead == "health"
    assert office.route(DAY + timedelta(days=10)).lead == "civil-affairs"


async def test_unit_changed_before_a_pack_that_begins_later_gets_its_later_route_too(office: Office) -> None:
    await office.take("units.csv", units_csv(unit_row()))
    changes = (("\nversion: 1\n", "\nversion: 2\n"), ("lead: health", "lead: civil-affairs"))
    await office.take_pack(*changes, valid_from=date(2026, 7, 1))
    office.clock.forward(days=5)
    await office.take("units.csv", units_csv(unit_row(name="更名医院")))
    later = in_force(office.versions(), date(2026, 7, 1))
    assert later is not None
    assert later.facts.name == "更名医院"
    assert office.route(date(2026, 6, 30)).lead == "health"
    assert office.route(date(2026, 7, 1)).lead == "civil-affairs"


async def test_pack_that_lacks_what_units_use_is_refused(office: Office) -> None:
    await office.take("units.csv", units_csv(unit_row()))
    report = await office.take_pack(("\nversion: 1\n", "\nversion: 2\n"), ("code: HOSPITAL", "code: CLINIC"))
    assert [error.column for error in report.errors] == ["routes"]
    assert "U000001" in report.errors[0].expected


async def test_pack_holds_on_after_its_last_day(office: Office) -> None:
    """At New Year supervision and routes must not stop because nobody imported the next pack."""
    office.clock.forward(days=400)
    assert not (await office.take("units.csv", units_csv(unit_row()))).refused


async def test_units_without_any_pack_are_refused(tmp_path: Path) -> None:
    store = MemoryStore()
    bare = Office(store, ManualClock(T0), Importer(files=LocalFiles(), store=store, clock=ManualClock(T0)), tmp_path)
    report = await bare.take("units.csv", units_csv(unit_row()))
    assert "import a policy pack first" in report.errors[0].expected


GATEWAYS_HEADING = "gateway_id,unit_id,carrier,device_profile,device_address,networks"


async def test_device_columns_of_gateways_are_taken_and_checked(office: Office) -> None:
    await office.take("units.csv", units_csv(unit_row()))
    rows = "G1,U000001,carrier-a,bcd_time,100001,10.1.0.0/16\nG2,U000001,carrier-a,,100002,\n"
    assert not (await office.take("gateways.csv", f"{GATEWAYS_HEADING}\n{rows}")).refused
    (version,) = of_type(office.store.versions[(Kind.GATEWAY, "G1")], Gateway)
    assert (version.facts.device_profile, version.facts.device_address) == ("bcd_time", "a18601000000")
    bad = "G3,U000001,carrier-a,nonsense,raw:1,10.1.2.3/8\n"
    report = await office.take("gateways.csv", f"{GATEWAYS_HEADING}\n{bad}")
    assert [error.column for error in report.errors] == ["device_profile", "device_address", "networks"]


POINTS_HEADING = "gateway_id,unit_id,carrier,points"


async def test_registered_components_of_gateways_are_taken_kept_and_taken_back(office: Office) -> None:
    await office.take("units.csv", units_csv(unit_row()))
    for cell in ("860", "860", ""):
        row = f"G1,U000001,carrier-a,{cell}"
        assert not (await office.take("gateways.csv", f"{POINTS_HEADING}\n{row}\n")).refused
    versions = of_type(office.store.versions[(Kind.GATEWAY, "G1")], Gateway)
    assert [version.facts.points for version in versions] == [860, None], "the same again changes nothing"


async def test_each_bad_number_of_components_is_told_with_its_row_and_nothing_is_taken(office: Office) -> None:
    await office.take("units.csv", units_csv(unit_row()))
    cells = ("860", "-1", "1.5", '"1,200"', "9" * 300, "")
    rows = "".join(f"G{number},U000001,carrier-a,{cell}\n" for number, cell in enumerate(cells))
    report = await office.take("gateways.csv", f"{POINTS_HEADING}\n{rows}")
    assert [(error.row, error.column) for error in report.errors] == [(row, "points") for row in (3, 4, 5, 6)]
    assert [error.found for error in report.errors[:3]] == ["-1", "1.5", "1,200"]
    assert "whole number from 0 to 100000" in report.errors[0].expected
    assert (Kind.GATEWAY, "G0") not in office.store.versions


async def test_a_bad_number_of_components_is_told_in_chinese_under_a_chinese_heading(office: Office) -> None:
    await office.take("units.csv", units_csv(unit_row()))
    report = await office.take("gateways.csv", "装置编号,单位编号,运营商,部件数\nG1,U000001,carrier-a,约120\n")
    (error,) = report.errors
    assert (error.row, error.column, error.found) == (2, "部件数", "约120")
    assert said(error.expected, chinese=True) == "0 至 100000 的整数（只写数字；不清楚时留空）"


async def test_a_device_address_that_another_gateway_has_is_refused(office: Office) -> None:
    await office.take("units.csv", units_csv(unit_row()))
    await office.take("gateways.csv", f"{GATEWAYS_HEADING}\nG1,U000001,carrier-a,,100001,\n")
    second = f"{GATEWAYS_HEADING}\nG2,U000001,carrier-a,,raw:a18601000000,\n"
    report = await office.take("gateways.csv", second)
    assert [(error.row, error.column, error.found) for error in report.errors] == [(2, "device_address", "100001")]
    await office.take("gateways.csv", f"{GATEWAYS_HEADING}\nG1,U000001,carrier-a,,100009,\n")
    assert not (await office.take("gateways.csv", second)).refused


async def test_routes_of_a_pack_of_a_few_days_end_with_it_and_those_of_the_last_pack_go_on(office: Office) -> None:
    await office.take("units.csv", units_csv(unit_row()))
    guard = (
        ("pack_id: sample-2026", "pack_id: guard"),
        ("valid_from: 2026-01-01", "valid_from: 2026-07-01"),
        ("valid_to: 2026-12-31", "valid_to: 2026-07-07"),
        ("lead: health", "lead: civil-affairs"),
    )
    await office.take_pack(*guard)
    days = (date(2026, 6, 30), date(2026, 7, 1), date(2026, 7, 7), date(2026, 7, 8), date(2027, 1, 1))
    assert [office.route(day).lead for day in days] == ["health", "civil-affairs", "civil-affairs", "health", "health"]
