"""The district as the CSV files that `python -m services.registry import` takes."""

import csv
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

from services.simulator.domain.district import District, Speech

Cell = str | bool | date | None


def write_tables(district: District, folder: Path) -> list[Path]:
    """Write departments.csv, units.csv, gateways.csv and contacts.csv; return their paths in the order of import."""
    folder.mkdir(parents=True, exist_ok=True)
    begun = district.valid_from
    departments = (
        (town.code, "street", town.name_zh, town.name_en, "辖区全部单位", "003 street 5-17", begun)
        for town in district.towns
    )
    units = (
        (
            unit.unit_id, unit.name, unit.name_en, district.code, unit.town, unit.community, unit.category,
            unit.address, unit.key_unit, unit.auto_fire_facilities, unit.crowded_place, unit.flammable_place,
            unit.fire_alarm_system, unit.construction, unit.accepted_on, unit.commissioned_on,
            made_up_phone(unit.unit_id, 1), "责任人", made_up_phone(unit.unit_id, 2),
            unit.address_en, *_degrees(unit.position), begun,
        )
        for unit in district.units
    )  # fmt: skip
    gateways = (
        (each.gateway_id, each.unit_id, each.carrier, each.vendor, *_speech(each.device), begun)
        for each in district.gateways
    )
    contacts = (
        (
            each.contact_id,
            each.body_code,
            each.role,
            each.name,
            each.email,
            each.webhook_url,
            each.webhook_secret_ref,
            begun,
        )
        for each in district.contacts
    )
    return [
        _write(folder / "departments.csv", "code,kind,name_zh,name_en,matters,clause,valid_from", departments),
        _write(
            folder / "units.csv",
            "unit_id,name,name_en,district,town,community,category,address,key_unit,auto_fire_facilities,"
            "crowded_place,flammable_place,fire_alarm_system,construction,accepted_on,commissioned_on,"
            "control_room_phone,responsible_person,responsible_phone,address_en,longitude,latitude,valid_from",
            units,
        ),
        _write(
            folder / "gateways.csv",
            "gateway_id,unit_id,carrier,vendor,device_profile,device_address,networks,valid_from",
            gateways,
        ),
        _write(
            folder / "contacts.csv",
            "contact_id,body_code,role,name,email,webhook_url,webhook_secret_ref,valid_from",
            contacts,
        ),
    ]


def made_up_phone(unit_id: str, line: int) -> str:
    """Return a number that nobody has: there is no area code 0300."""
    digits = "".join(char for char in unit_id if char.isdigit())[-6:]
    return f"0300-2{line}{digits:0>6}"


def _degrees(position: tuple[float, float] | None) -> tuple[Cell, Cell]:
    return (None, None) if position is None else (f"{position[0]:.6f}", f"{position[1]:.6f}")


def _speech(device: Speech | None) -> tuple[Cell, Cell, Cell]:
    return (None, None, None) if device is None else (device.make, f"raw:{device.address.hex()}", device.calls_from)


def _write(path: Path, heading: str, rows: Iterable[Sequence[Cell]]) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # the mark makes Excel read it as UTF-8
        writer = csv.writer(file)
        writer.writerow(heading.split(","))
        writer.writerows([_text(cell) for cell in row] for row in rows)
    return path


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "是" if cell else "否"
    return cell if isinstance(cell, str) else cell.isoformat()
