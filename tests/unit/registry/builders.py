"""Values for registry tests; each argument that matters is said by the test."""

from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from services.kernel.words import BodyKind, ContactRole
from services.registry.adapters.files import LocalFiles
from services.registry.domain.bodies import Body
from services.registry.domain.entities import Contact, Gateway, Unit
from services.registry.domain.policy import Policy

ROOT = Path(__file__).resolve().parents[3]
PACK_FILE = ROOT / "deploy" / "packs" / "sample-2026.yaml"
SAMPLES = ROOT / "deploy" / "samples"
T0 = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
DAY = date(2026, 3, 2)


@cache
def _sample() -> Policy:
    return LocalFiles().read_pack(str(PACK_FILE)).policy


FIRST_TELLS = "tells: [centre, unit_control_room, maintenance]"


def pack_text_with_acceptance() -> str:
    """Return a pack whose first step tells who accepts buildings, as the shipped ones may from the next release on."""
    text = PACK_FILE.read_text("utf-8")
    assert text.count(FIRST_TELLS) == 1
    return text.replace(FIRST_TELLS, FIRST_TELLS.replace("]", ", acceptance]"))


def policy(**changes: Any) -> Policy:
    return replace(_sample(), **changes)


def unit(**changes: Any) -> Unit:
    hospital = Unit(
        unit_id="U000001",
        name="安澜医院",
        name_en="Anlan Hospital",
        district="sample",
        town="T001",
        community="云澜社区",
        category="HOSPITAL",
        address="",
        key_unit=True,
        auto_fire_facilities=True,
        crowded_place=True,
        flammable_place=False,
        fire_alarm_system=True,
        commissioned_on=date(2025, 1, 1),
    )
    return replace(hospital, **changes)


def gateway(**changes: Any) -> Gateway:
    return replace(Gateway("G000001", "U000001", "carrier-a"), **changes)


def contact(**changes: Any) -> Contact:
    return replace(
        Contact("C-1", "health", ContactRole.OFFICE, "值班室", email="health@demo.firenet.example"), **changes
    )


def street(code: str = "T001") -> Body:
    return Body(code, BodyKind.STREET, "云澜街道", "Yunlan Street", "", "003 street 5")


DEPARTMENTS_CSV = "code,kind,name_zh,name_en,matters,clause\nT001,street,云澜街道,Yunlan Street,,003 street 5\n"
UNITS_HEADING = (
    "unit_id,name,district,town,community,category,key_unit,auto_fire_facilities,crowded_place,flammable_place,"
    "fire_alarm_system,construction,commissioned_on,valid_from"
)


def unit_row(unit_id: str = "U000001", **changes: str) -> str:
    cells = {
        "unit_id": unit_id, "name": "安澜医院", "district": "sample", "town": "T001", "community": "云澜社区",
        "category": "HOSPITAL", "key_unit": "是", "auto_fire_facilities": "是", "crowded_place": "是",
        "flammable_place": "否", "fire_alarm_system": "是", "construction": "", "commissioned_on": "2025-01-01",
        "valid_from": "",
    } | changes  # fmt: skip
    return ",".join(cells[name] for name in UNITS_HEADING.split(","))


def units_csv(*rows: str) -> str:
    return "\n".join([UNITS_HEADING, *rows]) + "\n"
