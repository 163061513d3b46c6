"""Ids that people take for one another are asked about, in the file and against the register."""

import pytest

from services.registry.domain.twins import look
from services.registry.worker.importing import Importer
from tests.unit.registry.builders import unit_row, units_csv
from tests.unit.registry.test_importing import Office, office

__all__ = ["office"]


@pytest.mark.parametrize(
    ("one", "other"), [("U900001", "u900001"), ("UO1", "U01"), ("U1", "Ul"), ("UI", "U1"), ("A-1", "A_1")]
)
def test_ids_that_look_alike(one: str, other: str) -> None:
    assert look(one) == look(other)


@pytest.mark.parametrize(("one", "other"), [("U1", "U2"), ("U-1", "U1"), ("U10", "U1"), ("G8", "GB"), ("U5", "US")])
def test_ids_that_do_not(one: str, other: str) -> None:
    assert look(one) != look(other)


def meaning_it(office: Office) -> Office:
    files = office.importer._files
    importer = Importer(files=files, store=office.store, clock=office.clock, twins_meant=True)
    return Office(office.store, office.clock, importer, office.folder)


@pytest.mark.parametrize("twin", ["u000001", "U00000l", "UOO0001", "U00000I"])
async def test_a_twin_in_the_file_is_asked_about_and_nothing_is_taken(office: Office, twin: str) -> None:
    report = await office.take("units.csv", units_csv(unit_row(), unit_row("U000002"), unit_row(twin)))
    assert [(error.row, error.column, error.found) for error in report.errors] == [(4, "unit_id", twin)]
    assert "U000001 (in row 2)" in report.errors[0].expected
    assert "--yes" in report.errors[0].expected
    assert (report.asks, office.versions()) == (True, [])
    assert not (await meaning_it(office).take("units.csv", units_csv(unit_row(), unit_row(twin)))).refused
    assert office.versions(twin)


async def test_a_twin_of_the_register_is_asked_about_once(office: Office) -> None:
    await office.take("units.csv", units_csv(unit_row()))
    report = await office.take("units.csv", units_csv(unit_row("u000001")))
    assert "U000001 (in the register)" in report.errors[0].expected
    await meaning_it(office).take("units.csv", units_csv(unit_row("u000001")))
    again = await office.take("units.csv", units_csv(unit_row("u000001", name="更名医院"), unit_row()))
    assert (again.refused, again.changed) == (False, 1)


async def test_twins_of_gateways_contacts_and_departments_are_asked_about(office: Office) -> None:
    await office.take("units.csv", units_csv(unit_row()))
    gateways = "gateway_id,unit_id,carrier\nG1,U000001,carrier-a\ng1,U000001,carrier-a\n"
    contacts = "contact_id,body_code,role,name,email\n" + "".join(
        f"{each},health,office,x,a@example.com\n" for each in ("C-O", "C-0")
    )
    departments = "code,kind,name_zh,name_en,clause\nt001,street,街,Street,003\n"
    for name, text in (("gateways.csv", gateways), ("contacts.csv", contacts), ("departments.csv", departments)):
        report = await office.take(name, text)
        assert (report.asks, report.total_errors) == (True, 1), name


async def test_other_errors_come_first_and_are_no_questions(office: Office) -> None:
    report = await office.take("units.csv", units_csv(unit_row(), unit_row("u000001", town="T999")))
    assert (report.asks, [error.column for error in report.errors]) == (False, ["town"])


async def test_a_reference_that_is_nearly_right_is_answered_with_the_right_one(office: Office) -> None:
    await office.take("units.csv", units_csv(unit_row()))
    report = await office.take("gateways.csv", "gateway_id,unit_id,carrier\nG1,UOO0001,carrier-a\n")
    assert "did you mean U000001?" in report.errors[0].expected
    assert "是否应为 U000001" in report.errors[0].expected.zh


async def test_a_full_width_id_is_refused_with_its_plain_form(office: Office) -> None:
    report = await office.take("units.csv", units_csv(unit_row(), unit_row("Ｕ000001")))
    assert [(error.row, error.column) for error in report.errors] == [(3, "unit_id")]
    assert "plain letters and digits, U000001" in report.errors[0].expected
