"""The district that a seed decides."""

from pathlib import Path

import pytest

from schemas.pack import Pack
from services.registry.adapters.files import LocalFiles
from services.registry.domain.columns import COLUMNS, kind_of_file
from services.registry.worker.importing import Importer
from services.simulator.adapters.tables import write_tables
from services.simulator.domain.district import BODIES, HERO, Devices, District
from services.simulator.domain.names import TRADES
from services.simulator.domain.seeded_random import SeededRandom
from tests import quick_yaml
from tests.fakes.clock import ManualClock
from tests.fakes.registry import MemoryStore
from tests.unit.registry.builders import PACK_FILE, T0


@pytest.fixture(scope="module")
def pack() -> Pack:
    return Pack.model_validate(quick_yaml.read(PACK_FILE.read_text(encoding="utf-8")))


def test_same_seed_gives_the_same_district() -> None:
    assert District.generate(7) == District.generate(7)
    assert District.generate(7).units != District.generate(8).units


def test_more_units_leave_the_first_ones_as_they_are() -> None:
    assert District.generate(7, units=300).units[:38] == District.generate(7, units=200).units[:38]


def test_dice_are_pinned() -> None:
    """Recorded stories and ledgers name units by seed: another stream would change them all."""
    rng = SeededRandom(1, "a")
    assert [rng.below(1000) for _ in range(5)] == [503, 338, 278, 376, 425]


def test_every_category_of_the_pack_occurs(pack: Pack) -> None:
    codes = {route.code for route in pack.routes}
    assert set(TRADES) == codes
    assert {unit.category for unit in District.generate(3, units=len(codes)).units} == codes


def test_every_body_of_the_pack_has_an_office(pack: Pack) -> None:
    assert {*BODIES, "centre"} == {department.code for department in pack.departments}


@pytest.mark.parametrize("seed", range(5))
def test_hero_is_a_connected_hospital_in_s1_with_one_gateway(seed: int) -> None:
    district = District.generate(seed)
    hero = district.unit(HERO)
    assert (hero.category, hero.in_s1, hero.commissioned_on is not None) == ("HOSPITAL", True, True)
    assert len(district.gateways_of(HERO)) == 1


def test_district_has_what_the_pages_have_to_show() -> None:
    district = District.generate(1)
    assert len(district.units) == 200
    assert len(district.towns) == 20
    assert any(unit.commissioned_on is None for unit in district.units)
    assert any(unit.construction != "existing" for unit in district.units)
    assert any(len(district.gateways_of(unit.unit_id)) == 2 for unit in district.units)
    assert len({gateway.gateway_id for gateway in district.gateways}) == len(district.gateways)
    assert all(contact.email.endswith(".example") for contact in district.contacts)


@pytest.mark.thorough
def test_names_are_short_enough_and_bilingual() -> None:
    for unit in District.generate(2, units=2000, towns=100).units:
        assert 0 < len(unit.name) <= 60
        assert unit.name_en.isascii()


@pytest.mark.parametrize(("units", "towns"), [(0, 1), (1, 0), (1_000_000, 1), (1, 1000)])
def test_impossible_sizes_are_refused(units: int, towns: int) -> None:
    with pytest.raises(ValueError, match="units"):
        District.generate(1, units, towns)


@pytest.mark.thorough
@pytest.mark.parametrize("devices", [Devices(), Devices(over_mqtt=30, over_tcp=10)], ids=["json", "devices"])
async def test_registry_takes_the_files(tmp_path: Path, devices: Devices) -> None:
    district = District.generate(1, centre_webhook="http://127.0.0.1:8099/hook", devices=devices)
    paths = write_tables(district, tmp_path)
    importer = Importer(files=LocalFiles(), store=MemoryStore(), clock=ManualClock(T0))
    await importer.import_pack(str(PACK_FILE))
    reports = await importer.import_files([(str(path), None) for path in paths])
    assert [report.errors for report in reports] == [(), (), (), ()]
    assert [report.changed for report in reports] == [20, 200, len(district.gateways), len(district.contacts)]


def test_files_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    one, two = (write_tables(District.generate(5), tmp_path / name) for name in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_headings_are_those_of_the_registry(tmp_path: Path) -> None:
    for path in write_tables(District.generate(5, units=3, towns=1), tmp_path):
        kind = kind_of_file(path.name)
        assert kind is not None
        heading = path.read_text(encoding="utf-8-sig").splitlines()[0].split(",")
        assert set(heading) <= {column.name for column in COLUMNS[kind]}
