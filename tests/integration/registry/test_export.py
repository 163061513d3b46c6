"""Export and import again, dry runs and refusals, on real PostgreSQL and Kafka: nothing changes that should not."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.stack.postgres import Postgres
from services.registry.adapters.files import LocalFiles
from services.registry.adapters.postgres import open_store
from services.registry.adapters.sheets import FORMS, FolderSheets
from services.registry.domain.entities import Kind
from services.registry.worker.exporting import Exporter
from services.registry.worker.importing import Importer
from services.registry.worker.trying import Trial
from services.simulator.adapters.tables import write_tables
from services.simulator.domain.district import District
from tests.fakes.clock import ManualClock
from tests.integration.registry.test_register import Stand, stand
from tests.parts import fresh_database
from tests.unit.registry.builders import DEPARTMENTS_CSV, PACK_FILE, T0, unit_row, units_csv

__all__ = ["stand"]


def rows(dsn: str) -> dict[str, list[tuple[object, ...]]]:
    """Return everything that the tables of the registry hold, in an order of its own."""
    with psycopg.connect(dsn) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'registry'").fetchall()
        return {
            str(table): connection.execute(f'SELECT t::text FROM registry."{table}" t ORDER BY 1').fetchall()
            for (table,) in found
        }


async def export(stand: Stand, folder: Path, form: str, *, chinese: bool) -> list[tuple[str, None]]:
    exporter = Exporter(store=stand.store, clock=stand.clock, sheets=FolderSheets(folder, form))
    return [(name, None) for name, _ in await exporter.export(chinese=chinese)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("chinese", [True, False])
async def test_a_district_comes_back_as_it_was_exported(stand: Stand, tmp_path: Path, form: str, chinese: bool) -> None:
    assert await stand.take(write_tables(District.generate(3, units=80, towns=6), tmp_path)) == 0
    before = rows(stand.dsn)
    files = await export(stand, tmp_path / "out", form, chinese=chinese)
    stand.clock.forward(days=3)
    sheets = [each for each in files if not each[0].endswith(".yaml")]
    reports = await stand.importer.import_files(sheets)
    assert [(report.errors, report.changed) for report in reports] == [((), 0)] * 4
    (pack,) = [name for name, _ in files if name.endswith(".yaml")]
    assert (await stand.importer.import_pack(pack)).changed == 0
    assert rows(stand.dsn) == before


CHANGES = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.dates(date(2026, 1, 1), date(2026, 12, 1)),
        st.sampled_from(["HOSPITAL", "SCHOOL", "OFFICE", "NINE_SMALL"]),
        st.booleans(),
        st.sampled_from(["", "2026-02-02"]),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=15, deadline=None)
@given(changes=CHANGES, days=st.integers(0, 200), form=st.sampled_from(sorted(FORMS)), chinese=st.booleans())
def test_whatever_was_imported_an_import_of_the_export_changes_nothing(
    postgres_server: Postgres, migrated_template: str, tmp_path_factory: pytest.TempPathFactory,
    changes: Sequence[tuple[int, date, str, bool, str]], days: int, form: str, chinese: bool,
) -> None:  # fmt: skip
    """Histories of changes, dated back and ahead, some of them retired units, exported on any day."""

    async def round_trip(dsn: str) -> None:
        folder, clock = tmp_path_factory.mktemp("trip"), ManualClock(T0)
        async with open_store(dsn, "tests") as store:
            importer = Importer(files=LocalFiles(), store=store, clock=clock)
            await importer.import_pack(str(PACK_FILE))
            (folder / "departments.csv").write_text(DEPARTMENTS_CSV, encoding="utf-8")
            await importer.import_files([(str(folder / "departments.csv"), None)])
            for number, day, category, key, accepted in changes:
                row = unit_row(f"U{number}", category=category, key_unit="yes" if key else "no", valid_from=str(day))
                heading, *_ = units_csv().splitlines()
                text = f"{heading},accepted_on\n{row},{accepted}\n"
                (folder / "units.csv").write_text(text, encoding="utf-8")
                (report,) = await importer.import_files([(str(folder / "units.csv"), None)])
                assert not report.refused
                clock.at += timedelta(seconds=1)
            clock.forward(days=days)
            before = rows(dsn)
            exporter = Exporter(store=store, clock=clock, sheets=FolderSheets(folder / "out", form))
            files = [(name, None) for name, _ in await exporter.export(chinese=chinese) if not name.endswith(".yaml")]
            reports = await importer.import_files([each for each in files if "units" in each[0] or "depart" in each[0]])
            assert [(report.errors, report.changed) for report in reports] == [((), 0)] * 2
            assert rows(dsn) == before

    with fresh_database(postgres_server, migrated_template) as name:
        asyncio.run(round_trip(postgres_server.dsn(name)))


async def test_a_kind_of_which_the_register_holds_none_has_no_file(stand: Stand, tmp_path: Path) -> None:
    """Headings alone would be refused by the import."""
    files = await export(stand, tmp_path / "out", "csv", chinese=True)
    assert [Path(name).name for name, _ in files] == ["sample-2026.yaml"]


async def test_a_dry_run_with_its_effect_writes_nothing(stand: Stand, tmp_path: Path) -> None:
    paths = write_tables(District.generate(1, units=40, towns=5), tmp_path)
    before = rows(stand.dsn)
    trial = Trial(importer=stand.importer, store=stand.store, clock=stand.clock)
    reports, effects = await trial.files([(str(path), None) for path in paths])
    assert [report.total_errors for report in reports] == [0, 0, 0, 0]
    (effect,) = effects.found
    assert (effect.units_before, effect.units_after, len(effect.begin)) == (0, 40, 40)
    assert rows(stand.dsn) == before


async def test_the_effect_of_a_dry_run_is_what_the_import_then_does(stand: Stand, tmp_path: Path) -> None:
    paths = write_tables(District.generate(1, units=40, towns=5), tmp_path)
    trial = Trial(importer=stand.importer, store=stand.store, clock=stand.clock)
    _, effects = await trial.files([(str(path), None) for path in paths])
    assert await stand.take(paths) == 0
    async with stand.store.transaction() as register:
        held = {each.facts.id for each in await register.current(Kind.UNIT, stand.clock.now().date())}
    assert {unit.unit_id for unit in effects.found[0].begin} == held
    again, nothing = await trial.files([(str(path), None) for path in paths])
    assert ([report.changed for report in again], nothing.found) == ([0, 0, 0, 0], [])


HOSTILE = {
    "a unit twice": units_csv(unit_row("U1"), unit_row("U2"), unit_row("U1", name="别名")),
    "a category that no pack has": units_csv(unit_row("U1"), unit_row("U2", category="PALACE")),
    "a town that nobody knows": units_csv(unit_row("U1"), unit_row("U2", town="T999")),
    "a profile that no pack has": units_csv(unit_row("U1", construction="CN-NONE")).replace("construction", "profile"),
    "a day that does not exist": units_csv(unit_row("U1"), unit_row("U2", commissioned_on="2026-02-30")),
    "a formula": units_csv(unit_row("U1"), unit_row("U2", name="=1+1")),
    "a district without a pack": units_csv(unit_row("U1"), unit_row("U2", district="elsewhere")),
    "a cell without end": units_csv(unit_row("U1"), unit_row("U2", name="长" * 5000)),
    "cut off in a quote": units_csv(unit_row("U1")) + '"U2',
    "no text": units_csv(unit_row("U1")) + "\0",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_of_a_file_with_something_wrong_nothing_is_taken_and_nothing_published(
    stand: Stand, tmp_path: Path, text: str
) -> None:
    (tmp_path / "departments.csv").write_text(DEPARTMENTS_CSV, encoding="utf-8")
    assert await stand.take([tmp_path / "departments.csv"]) == 0
    await stand.publisher.publish()
    before, topic = rows(stand.dsn), await stand.on_topic()
    path = tmp_path / "units.csv"
    path.write_text(text, encoding="utf-8")
    (report,) = await stand.importer.import_files([(str(path), None)])
    assert report.refused
    assert await stand.publisher.publish() == 0
    assert (rows(stand.dsn), await stand.on_topic()) == (before, topic)


WRONG_PACKS = {
    "a department that it lacks": ("lead: education,", "lead: educashun,"),
    "a ladder that goes back": ("after_s: 3600", "after_s: 20000"),
    "a code twice": ("code: VOCATIONAL", "code: SCHOOL"),
    "a category that a unit uses is gone": ("code: HOSPITAL", "code: CLINIC"),
    "no YAML": ("departments:", "departments: ["),
}


@pytest.mark.parametrize("change", WRONG_PACKS.values(), ids=WRONG_PACKS)
async def test_of_a_pack_with_something_wrong_nothing_is_taken(
    stand: Stand, tmp_path: Path, change: tuple[str, str]
) -> None:
    (tmp_path / "departments.csv").write_text(DEPARTMENTS_CSV, encoding="utf-8")
    (tmp_path / "units.csv").write_text(units_csv(unit_row("U1")), encoding="utf-8")
    assert await stand.take([tmp_path / "departments.csv", tmp_path / "units.csv"]) == 0
    before = rows(stand.dsn)
    text = PACK_FILE.read_text(encoding="utf-8").replace("\nversion: 1\n", "\nversion: 2\n").replace(*change, 1)
    (tmp_path / "pack.yaml").write_text(text, encoding="utf-8")
    report = await stand.importer.import_pack(str(tmp_path / "pack.yaml"))
    assert report.refused
    assert all(error.row and error.char for error in report.errors)
    assert rows(stand.dsn) == before
