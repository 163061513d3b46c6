"""The sample files are taken as they are."""

import pytest

from services.registry.adapters.files import LocalFiles
from services.registry.domain.columns import COLUMNS
from services.registry.domain.entities import Kind
from services.registry.worker.importing import Importer
from tests.contract.registry.fakes import MemoryStore, SetClock
from tests.unit.registry.builders import PACK_FILE, SAMPLES


@pytest.mark.parametrize("units", ["units.csv", "units.xlsx"])
async def test_samples_import(units: str) -> None:
    store = MemoryStore()
    importer = Importer(files=LocalFiles(), store=store, clock=SetClock())
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
