"""What is exported is what the import takes, and taking it changes nothing."""

import stat
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.kernel.words import BodyKind, Construction, ContactRole, Language
from services.registry.adapters.files import LocalFiles
from services.registry.adapters.sheets import FORMS, FolderSheets
from services.registry.domain.bodies import Body
from services.registry.domain.cells import BadCell, clean, plain_text
from services.registry.domain.columns import COLUMNS
from services.registry.domain.entities import Facts, History, Kind, Unit, Version
from services.registry.domain.errors import ExportRefused
from services.registry.domain.rows import read_row
from services.registry.domain.table import lay_out
from services.registry.domain.timeline import periods
from services.registry.domain.writing import write_down
from services.registry.worker.exporting import SHEETS, Exporter
from services.registry.worker.importing import Importer
from tests.fakes.registry import MemoryStore
from tests.unit.registry.builders import DAY, T0, contact, gateway, unit, unit_row, units_csv
from tests.unit.registry.test_importing import Office, office

__all__ = ["office"]

BOTH = pytest.mark.parametrize(("form", "chinese"), [("csv", True), ("csv", False), ("xlsx", True), ("xlsx", False)])


async def furnish(office: Office) -> Office:
    """Every column of every kind is filled somewhere, and one unit has a past, one a future."""
    await office.take(
        "units.csv", units_csv(unit_row(valid_from="2026-01-01"), unit_row("U-2", valid_from="2027-01-01"))
    )
    await office.take("units.csv", units_csv(unit_row(name="更名医院", valid_from="2026-02-01")))
    rest = (
        "unit_id,name,district,town,community,category,key_unit,auto_fire_facilities,crowded_place,flammable_place,"
        "fire_alarm_system,name_en,address,construction,accepted_on,commissioned_on,retired_on,exempt_from,exempt_until,"
        "exempt_reason,profile,also_told,control_room_phone,responsible_person,responsible_phone,"
        "address_en,longitude,latitude\n"
        'U-3,"甲,“乙”",sample,T001,云澜社区,SCHOOL,yes,no,yes,no,yes,A "B",路1号,extended,2026-01-02,2026-01-03,'
        "2028-01-01,2026-05-01,2026-05-31,改造,CN-GB,commerce; police,0591-87654321转801,林安,"
        "13800138000,1 Road,119.296531,26.07\n"
    )
    await office.take("units.csv", rest)
    await office.take(
        "gateways.csv",
        "gateway_id,unit_id,carrier,vendor,device_profile,device_address,networks,points\n"
        "007,U-3,carrier-a,厂,,100002,10.0.0.0/8; 192.0.2.7,12\nG2,U-3,carrier-a,,ipv4_address,10.1.2.3:5200,,\n",
    )
    await office.take(
        "contacts.csv",
        "contact_id,body_code,role,name,lang,email,webhook_url,webhook_secret_ref,phone\n"
        "C1,U-3,grid_officer,网格员,en,a@example.cn,https://example.cn/hook,secret-name,400-123-4567\n"
        "C2,T001,office,值班室,,b@example.cn,,,\n",
    )
    assert len(office.store.versions) == 9
    return office


async def export(office: Office, form: str, chinese: bool) -> list[Path]:
    out = office.folder / "out"
    exporter = Exporter(store=office.store, clock=office.clock, sheets=FolderSheets(out, form))
    return [Path(name) for name, _ in await exporter.export(chinese=chinese)]


@pytest.mark.thorough
@BOTH
async def test_import_of_an_export_changes_nothing(office: Office, form: str, chinese: bool) -> None:
    files = await export(await furnish(office), form, chinese)
    held = dict(office.store.versions)
    office.clock.forward(days=1)
    sheets = [path for path in files if path.suffix != ".yaml"]
    reports = await office.importer.import_files([(str(path), None) for path in sheets])
    assert [(report.errors, report.changed, report.notes) for report in reports] == [((), 0, ())] * 4
    for path in set(files) - set(sheets):
        report = await office.importer.import_pack(str(path))
        assert (report.errors, report.changed) == ((), 0)
    assert office.store.versions == held


@pytest.mark.thorough
@BOTH
async def test_an_empty_register_that_takes_an_export_holds_the_same_today(
    office: Office, form: str, chinese: bool
) -> None:
    files = await export(await furnish(office), form, chinese)
    empty = MemoryStore()
    importer = Importer(files=LocalFiles(), store=empty, clock=office.clock)
    for path in files:
        if path.suffix == ".yaml":
            assert not (await importer.import_pack(str(path))).refused
    await importer.import_files([(str(path), None) for path in files if path.suffix != ".yaml"])
    async with office.store.transaction() as here, empty.transaction() as there:
        for kind in SHEETS:
            known = {each.facts.id: each.facts for each in await here.current(kind, DAY)}
            assert {each.facts.id: each.facts for each in await there.current(kind, DAY)} == known


@pytest.mark.parametrize("chinese", [True, False])
async def test_headings_are_those_of_the_import_and_the_samples(office: Office, chinese: bool) -> None:
    for path in await export(await furnish(office), "csv", chinese):
        if path.suffix == ".csv":
            (_, heading), *_ = LocalFiles().read_sheet(str(path)).rows
            kind = next(each for each in SHEETS if path.stem == f"{each.value}s")
            names = [column.zh if chinese else column.name for column in COLUMNS[kind]]
            assert [text.rstrip("*") for text in heading] == names


async def test_only_their_owner_may_read_the_files(office: Office) -> None:
    for path in await export(await furnish(office), "csv", chinese=True):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_folder_that_cannot_be_written_is_one_sentence(office: Office) -> None:
    (office.folder / "out").write_text("in the way", encoding="utf-8")
    with pytest.raises(ExportRefused, match="cannot be written"):
        await export(office, "csv", chinese=True)


async def test_a_unit_that_left_with_a_category_that_no_pack_has_any_more_is_taken_back(office: Office) -> None:
    await office.take(
        "units.csv", units_csv(unit_row()).replace("valid_from", "retired_on").replace(",\n", ",2026-02-01\n")
    )
    assert not (
        await office.take_pack(("\nversion: 1\n", "\nversion: 2\n"), ("code: HOSPITAL", "code: CLINIC"))
    ).refused
    files = await export(office, "csv", chinese=True)
    reports = await office.importer.import_files(
        [(str(path), None) for path in files if path.suffix == ".csv" and "unit" in path.name]
    )
    assert [(report.errors, report.changed) for report in reports] == [((), 0)]


def takes(text: str) -> bool:
    """Tell whether a cell of the import takes a text as it is."""
    try:
        return plain_text(clean(text)) == text
    except BadCell:
        return False


IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)
WORDS = st.text(max_size=40).map(lambda text: "".join(text.split()).strip()).filter(bool).filter(takes)
DAYS = st.dates(date(1900, 1, 1), date(2199, 12, 31))
UNITS = st.builds(
    unit,
    unit_id=IDS, name=WORDS, name_en=st.just("") | WORDS, community=WORDS, address=st.just("") | WORDS,
    key_unit=st.booleans(), flammable_place=st.booleans(), construction=st.sampled_from(Construction),
    accepted_on=st.none() | DAYS, commissioned_on=st.none() | DAYS, retired_on=st.none() | DAYS,
    also_told=st.lists(IDS, max_size=10, unique=True).map(tuple),
)  # fmt: skip
ENTITIES = (
    UNITS
    | st.builds(gateway, gateway_id=IDS, vendor=st.just("") | WORDS, points=st.none() | st.integers(0, 100_000))
    | st.builds(gateway, device_address=st.binary(min_size=6, max_size=6).filter(any).map(bytes.hex))
    | st.builds(
        gateway,
        device_profile=st.just("ipv4_address"),
        device_address=st.binary(min_size=6, max_size=6).filter(any).map(bytes.hex),
    )
    | st.builds(contact, name=WORDS, role=st.sampled_from(ContactRole), lang=st.sampled_from(Language))
    | st.sampled_from(BodyKind).map(lambda kind: Body("B1", kind, "甲", "A", "", "003 street 5"))
)


@pytest.mark.thorough
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("chinese", [True, False])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=ENTITIES, since=DAYS)
def test_every_row_is_read_as_it_was_written(
    form: str, chinese: bool, facts: Facts, since: date, tmp_path: Path
) -> None:
    kinds = {"Unit": Kind.UNIT, "Gateway": Kind.GATEWAY, "Contact": Kind.CONTACT, "Body": Kind.DEPARTMENT}
    kind = kinds[type(facts).__name__]
    written = write_down(kind, {facts.id: History(kind, facts.id, [Version(facts, since, T0)])}, DAY, chinese=chinese)
    path = tmp_path / f"x.{form}"
    path.write_bytes(FORMS[form](written))
    files = LocalFiles()
    table = lay_out(kind, files.read_sheet(str(path)).rows)
    assert not table.errors
    ((number, texts),) = table.rows
    cells = {name: text for name, text in zip(table.names, texts, strict=False) if name is not None}
    parsed, errors = read_row(kind, number, cells, files)
    assert (errors, parsed.facts, parsed.valid_from) == ([], facts, since)


def test_the_day_of_a_row_is_that_of_its_facts_and_not_of_a_later_route() -> None:
    facts = unit()
    versions: list[Version[Unit]] = [Version(facts, date(2026, 1, 1), T0), Version(facts, date(2026, 2, 1), T0)]
    assert [since for since, _, _ in periods(versions)] == [date(2026, 1, 1)]
