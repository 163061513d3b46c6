"""Explain and check: who would be told, and where nobody would."""

import io
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.kernel.words import Construction, ContactRole
from services.registry.adapters.files import LocalFiles
from services.registry.adapters.printing import Printer
from services.registry.domain.entities import Facts, Kind, Unit, Version
from services.registry.domain.explain import Directory, find_gaps
from services.registry.domain.policy import Policies, Policy, dated
from services.registry.domain.routing import resolve
from services.registry.domain.scopes import memberships
from services.registry.worker.asking import Answers
from tests.fakes.clock import ManualClock
from tests.fakes.registry import MemoryStore
from tests.unit.registry.builders import (
    DAY,
    PACK_FILE,
    T0,
    contact,
    gateway,
    pack_text_with_acceptance,
    policy,
    street,
    unit,
)

PEOPLE = [
    contact(contact_id=f"C-{code}", body_code=code)
    for code in ("health", "T001", "centre", "brigade", "police", "committee-office", "guidance-centre")
] + [
    contact(contact_id=f"C-U-{role.value}", body_code="U000001", role=role)
    for role in ContactRole
    if role is not ContactRole.OFFICE
]


async def register(*facts: Facts, pack: Policy | None = None) -> tuple[Answers, MemoryStore]:
    store, pack = MemoryStore(), pack or policy()
    kinds = {"Unit": Kind.UNIT, "Gateway": Kind.GATEWAY, "Contact": Kind.CONTACT, "Body": Kind.DEPARTMENT}
    async with store.transaction() as open_register:
        await open_register.add(Kind.PACK, [Version(pack, pack.valid_from, T0)], None)
        for each in facts:
            route = resolve(each, pack, DAY) if isinstance(each, type(unit())) else None
            await open_register.add(kinds[type(each).__name__], [Version(each, DAY, T0, route)], None)
    store.unpublished.clear()
    return Answers(store=store, clock=ManualClock(T0)), store


async def test_explain_names_everybody_at_each_step() -> None:
    answers, _ = await register(unit(), gateway(), street(), *PEOPLE)
    found = await answers.explain("U000001")
    assert found is not None
    told = {step.code: [(each.body_code, each.contacts) for each in step.recipients] for step in found.steps}
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


async def test_the_first_step_of_a_new_building_names_who_accepts_buildings_until_it_is_connected(
    tmp_path: Path,
) -> None:
    path = tmp_path / "pack.yaml"
    path.write_text(pack_text_with_acceptance(), "utf-8")
    pack = LocalFiles().read_pack(str(path)).policy
    for commissioned_on, named in ((None, True), (DAY, False)):
        new = unit(construction=Construction.NEW_BUILD, commissioned_on=commissioned_on)
        lines = await explained(new, street(), pack=pack)
        assert any("acceptance: 建设局 (construction)" in line for line in lines) is named


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


def test_board_entry_needs_no_reader() -> None:
    shown = replace(policy(), ladders={"hazard": [step for step in policy().ladders["hazard"] if step.board_only]})
    assert [step.code for step in shown.ladders["hazard"]] == ["H3", "H8"]
    assert find_gaps([(unit(), resolve(unit(), shown, DAY))], shown, Directory({}, {}), DAY) == []


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
    clock = ManualClock(T0)
    clock.forward(days=400)
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


async def explained(*facts: Facts, unit_id: str = "U000001", pack: Policy | None = None) -> list[str]:
    answers, _ = await register(*facts, pack=pack)
    out = io.StringIO()
    assert Printer(out).explained(await answers.explain(unit_id), unit_id)
    return out.getvalue().splitlines()


async def test_explain_says_in_which_scopes_a_unit_is_why_and_since_when() -> None:
    lines = await explained(unit(), street())
    scopes = [line for line in lines if line.startswith("scope ")]
    names = "Key units with automatic fire facilities that are crowded or flammable places"
    why = "by key_unit, auto_fire_facilities, crowded_place [000 二(二) last item]"
    assert scopes[0] == f"scope S1 {names}: in since 2026-03-02, {why}"
    assert scopes[1].endswith("not in, it lacks extended or new_build or renovated [000 二(二) last item]")


@pytest.mark.parametrize(
    ("day", "said"),
    [
        (None, "not in yet, it has no acceptance date"),
        (DAY + timedelta(days=9), "not in yet, accepted on 2026-03-11"),
        (DAY - timedelta(days=9), "in since 2026-03-02, by new_build, fire_alarm_system"),
    ],
)
async def test_a_scope_by_acceptance_says_what_it_waits_for(day: date | None, said: str) -> None:
    lines = await explained(unit(construction=Construction.NEW_BUILD, accepted_on=day), street())
    assert said in next(line for line in lines if line.startswith("scope S2"))


async def test_explain_says_which_profile_supervises_and_whether_it_is_the_default() -> None:
    default = await explained(unit(), street())
    own = await explained(unit(profile="CN-GB"), street())
    assert any(
        line.startswith("supervised as CN-FAST, the pack's default: a sign of life every 60 s, offline after 240 s")
        for line in default
    )
    assert any(
        line.startswith("supervised as CN-GB: a sign of life every 1800 s, offline after 7200 s") for line in own
    )


async def test_explain_names_the_ladder_of_each_step_and_since_when_the_route_holds() -> None:
    lines = await explained(unit(), street())
    assert "answers for it: health [routed; since 2026-03-02; clause 003 health 二]" in lines
    assert any(line.startswith("ladder hazard, H4 after 24 h 抄告行业主管部门") for line in lines)


def versions(*changes: tuple[date, dict[str, Any]]) -> list[Version[Unit]]:
    return [
        Version(unit(**facts), day, T0 + timedelta(seconds=at), resolve(unit(**facts), policy(), day))
        for at, (day, facts) in enumerate(changes)
    ]


@pytest.mark.parametrize(
    ("changes", "since"),
    [
        ([(date(2026, 1, 5), {}), (date(2026, 2, 1), {"name": "更名"})], date(2026, 1, 5)),
        ([(date(2026, 1, 5), {"key_unit": False}), (date(2026, 2, 1), {})], date(2026, 2, 1)),
        ([(date(2026, 1, 5), {}), (date(2026, 2, 1), {"key_unit": False}), (date(2026, 2, 9), {})], date(2026, 2, 9)),
    ],
    ids=["a new name is no break", "listed later", "left and came back"],
)
def test_since_is_the_first_day_of_the_unbroken_run(changes: list[tuple[date, dict[str, Any]]], since: date) -> None:
    policies = Policies([dated(policy(), policy().valid_from)])
    (first, *_) = memberships(versions(*changes), policies, DAY)
    assert (first.scope.name, first.member, first.since) == ("S1", True, since)


async def test_explain_of_a_pack_says_targets_obligations_who_answers_and_what_is_a_proposal() -> None:
    gulou = LocalFiles().read_pack(str(PACK_FILE.parent / "gulou-2021.yaml")).policy
    store = MemoryStore()
    async with store.transaction() as open_register:
        await open_register.add(Kind.PACK, [Version(gulou, gulou.valid_from, T0)], None)
    answers = Answers(store=store, clock=ManualClock(T0))
    out = io.StringIO()
    assert Printer(out).pack_explained(await answers.explain_pack("gulou-2021"), "gulou-2021")
    lines = out.getvalue().splitlines()
    assert "target T03: access_rate over S3 >= 0.3, due 12-31 [003 brigade 四]" in lines
    assert any(
        line.startswith("obligation T23, not measured: 消防工作站建成率 Fire work stations built 1 of")
        for line in lines
    )
    assert any(line.startswith("health 卫生健康局 answers for HOSPITAL") for line in lines)
    assert "a body below a target is a finding at the close of: month, quarter, half_year, year" in lines
    assert "    O4 约谈（草稿） Draft summons to an interview: I8 -> committee" in [
        line.partition(" [")[0] for line in lines
    ]
    climbs = next(line for line in lines if line.startswith("ladder organisation: "))
    assert climbs.startswith("ladder organisation: O1 at the close of a month, O1S when the receipt is overdue")
    assert any(line.startswith("no department is named, the default route holds, for HOTEL_OTHER") for line in lines)
    at = next(number for number, line in enumerate(lines) if line.startswith("proposals of ours"))
    assert lines[at].endswith(f": {len(gulou.proposals)}")
    assert len(lines) - at - 1 == len(gulou.proposals) > 10


async def test_explain_of_a_pack_names_the_events_that_are_declared(tmp_path: Path) -> None:
    event = "{name_zh: 台风, name_en: Typhoon, towns: [T01], first: 2026-07-01, last: 2026-07-03, clause: x}"
    path = tmp_path / "pack.yaml"
    path.write_text(f"{PACK_FILE.read_text('utf-8')}\narea_events: [{event}]\n", "utf-8")
    declaring = LocalFiles().read_pack(str(path)).policy
    store, out = MemoryStore(), io.StringIO()
    async with store.transaction() as open_register:
        await open_register.add(Kind.PACK, [Version(declaring, declaring.valid_from, T0)], None)
    answers = Answers(store=store, clock=ManualClock(T0))
    assert Printer(out).pack_explained(await answers.explain_pack("sample-2026"), "sample-2026")
    said = "declared 台风 Typhoon: 2026-07-01 to 2026-07-03, T01: nobody is told of connection_lost, fault [x]"
    assert said in out.getvalue().splitlines()


async def test_explain_of_a_pack_names_its_guarded_times() -> None:
    answers, _ = await register()
    out = io.StringIO()
    assert Printer(out).pack_explained(await answers.explain_pack("sample-2026"), "sample-2026")
    days = "2026-02-15 to 2026-02-23"
    assert f"guarded 春节 Spring Festival: {days}, clocks run 2 times as fast" in out.getvalue()
    assert "O6 at a close with which it is two years running" in out.getvalue()


async def test_explain_names_no_step_of_bodies_for_a_unit() -> None:
    answers, _ = await register(unit(), gateway(), street(), *PEOPLE)
    found = await answers.explain("U000001")
    assert found is not None
    assert {step.ladder for step in found.steps} == {"hazard", "fire", "test"}


async def test_explain_of_a_pack_that_is_not_held_is_a_sentence() -> None:
    answers, _ = await register()
    out = io.StringIO()
    assert not Printer(out).pack_explained(await answers.explain_pack("none"), "none")
    assert out.getvalue() == "none is not a policy pack of the register\n"


async def test_the_route_holds_since_it_last_became_this_one() -> None:
    """A new name in February changes no route; the category of January did."""
    answers, store = await register(street())
    changes: list[tuple[date, dict[str, Any]]] = [
        (date(2026, 1, 1), {"category": "SCHOOL"}), (date(2026, 1, 20), {}), (date(2026, 2, 1), {"name": "更名"}),
    ]  # fmt: skip
    async with store.transaction() as open_register:
        await open_register.add(Kind.UNIT, versions(*changes), None)
    found = await answers.explain("U000001")
    assert found is not None
    assert (found.route.lead, found.routed_since) == ("health", date(2026, 1, 20))
