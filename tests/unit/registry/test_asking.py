"""Explain and check: who would be told, and where nobody would."""

from datetime import timedelta

import pytest

from services.kernel.words import ContactRole
from services.registry.domain.entities import Facts, Kind, Version
from services.registry.domain.routing import resolve
from services.registry.worker.asking import Answers
from tests.fakes.registry import MemoryStore, SetClock
from tests.unit.registry.builders import DAY, T0, contact, gateway, policy, street, unit

PEOPLE = [
    contact(contact_id=f"C-{code}", body_code=code) for code in ("health", "T001", "centre", "brigade", "police")
] + [
    contact(contact_id=f"C-U-{role.value}", body_code="U000001", role=role)
    for role in ContactRole
    if role is not ContactRole.OFFICE
]


async def register(*facts: Facts) -> tuple[Answers, MemoryStore]:
    store = MemoryStore()
    kinds = {"Unit": Kind.UNIT, "Gateway": Kind.GATEWAY, "Contact": Kind.CONTACT, "Body": Kind.DEPARTMENT}
    async with store.transaction() as open_register:
        await open_register.add(Kind.PACK, [Version(policy(), policy().valid_from, T0)], None)
        for each in facts:
            route = resolve(each, policy(), DAY) if isinstance(each, type(unit())) else None
            await open_register.add(kinds[type(each).__name__], [Version(each, DAY, T0, route)], None)
    store.unpublished.clear()
    return Answers(store=store, clock=SetClock()), store


async def test_explain_names_everybody_at_each_step() -> None:
    answers, _ = await register(unit(), gateway(), street(), *PEOPLE)
    found = await answers.explain("U000001")
    assert found is not None
    told = {step.code: [(each.body_code, each.contacts) for each in step.told] for step in found.steps}
    assert told["F0"] == [("centre", ("C-centre",)), ("U000001", ("C-U-control_room",))]
    assert told["H1"] == [("U000001", ("C-U-manager",)), ("U000001", ("C-U-grid_officer",))]
    assert told["H4"] == [("health", ("C-health",)), ("T001", ("C-T001",))]


async def test_explain_of_a_stranger_is_none() -> None:
    answers, _ = await register()
    assert await answers.explain("U9") is None


async def test_register_in_order_is_clean() -> None:
    answers, _ = await register(unit(), gateway(), street(), *PEOPLE)
    report = await answers.check()
    assert (report.clean, report.units, report.unrouted, report.without_gateway) == (True, 1, [], 0)


@pytest.mark.parametrize("missing", ["C-health", "C-T001", "C-centre", "C-U-manager", "C-U-control_room"])
async def test_each_missing_reader_is_a_gap(missing: str) -> None:
    answers, _ = await register(unit(), gateway(), street(), *(each for each in PEOPLE if each.contact_id != missing))
    report = await answers.check()
    assert len(report.gaps) == 1
    assert report.gaps[0].example == "U000001"
    assert not report.clean


async def test_retired_contact_is_nobody() -> None:
    people = [each for each in PEOPLE if each.contact_id != "C-health"]
    gone = contact(contact_id="C-health", retired_on=DAY - timedelta(days=1))
    answers, _ = await register(unit(), gateway(), street(), *people, gone)
    assert "health" in (await answers.check()).gaps[0].what


async def test_board_entry_needs_no_reader() -> None:
    answers, _ = await register(
        unit(), gateway(), street(), *(each for each in PEOPLE if each.contact_id != "C-brigade")
    )
    assert (await answers.check()).clean


async def test_unrouted_units_and_those_without_a_gateway_are_counted_but_leave_a_reader() -> None:
    answers, _ = await register(unit(category="OFFICE"), street(), *PEOPLE)
    report = await answers.check()
    assert (report.unrouted, report.without_gateway, report.clean) == (["U000001"], 1, True)


async def test_retired_unit_needs_nobody() -> None:
    answers, _ = await register(unit(retired_on=DAY), street())
    report = await answers.check()
    assert (report.units, report.gaps) == (0, [])


async def test_pack_that_ran_out_is_told() -> None:
    _, store = await register(unit(), gateway(), street(), *PEOPLE)
    clock = SetClock()
    clock.pass_days(400)
    report = await Answers(store=store, clock=clock).check()
    assert report.expired == ["sample-2026 of district sample ran out on 2026-12-31"]
    assert not report.clean


async def test_what_is_not_published_is_told() -> None:
    answers, store = await register(unit(), gateway(), street(), *PEOPLE)
    store.unpublished.add((Kind.UNIT, "U000001"))
    assert (await answers.check()).unpublished == 1


async def test_show_and_list() -> None:
    answers, _ = await register(unit(), street())
    shown = await answers.show(Kind.UNIT, "U000001")
    assert shown is not None
    assert [version.facts.id for version in shown.versions] == ["U000001"]
    assert await answers.show(Kind.UNIT, "U9") is None
    assert [version.facts.id for version in await answers.everything(Kind.DEPARTMENT)] == ["T001"]
