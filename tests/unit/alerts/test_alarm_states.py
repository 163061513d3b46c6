"""Un-acknowledge timer, shelving, the next step now, a case put to its cause: what stops and what does not."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.alerts.domain.audit.entry import Detail
from services.alerts.domain.case.case import Case
from services.alerts.domain.case.event import Happening
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.reply import Reply
from services.alerts.domain.case.who import Who
from services.alerts.domain.errors import NoPack
from services.alerts.domain.escalation.pack_rules import FlappingRules, GroupingRules
from services.alerts.domain.escalation.triggers import Overdue
from services.alerts.domain.ids import CaseId
from services.alerts.worker.case_work import CaseWorkService
from services.kernel.words import ClockKind, Recipient, StepExit
from tests.fakes.alerts_store import states
from tests.unit.alerts.build import T0, event, step
from tests.unit.alerts.harness import Harness

CENTRE, HEALTH = Who("officer", None, "console"), Who("clerk", "health", "console")
HOUR = 3600.0
UNTIL_TAKEN = (StepExit.CASE_CLOSED, StepExit.ACKNOWLEDGED)
LOST = (step("H0", 0, Recipient.CENTRE), step("H1", 2, Recipient.BRIGADE, exits=UNTIL_TAKEN))
FIRE = (step("F0", 0, Recipient.CENTRE), step("F1", 2, Recipient.BRIGADE, exits=UNTIL_TAKEN))
LAPSES = dict.fromkeys((CaseKind.CONNECTION_LOST, CaseKind.FIRE), timedelta(hours=8))


def made(**rules: Any) -> Harness:
    return Harness("U1", "U2", ladders={CaseKind.CONNECTION_LOST: LOST, CaseKind.FIRE: FIRE}, **rules)


def work_on(harness: Harness) -> CaseWorkService:
    return CaseWorkService(store=harness.store, clock=harness.clock, acknowledgements=harness.acknowledgements)


async def lost(harness: Harness, of: str = "U1") -> CaseId:
    await harness.take(event(of=of, cause=f"lost-{of}"))
    await harness.work()
    return next(one.case_id for one in harness.store.tables.cases.values() if one.subject.id == of)


async def burning(harness: Harness) -> CaseId:
    await harness.take(event(Happening.FIRED, kind=CaseKind.FIRE, cause="s1", point="1"), topic="alarms")
    await harness.work()
    return next(one.case_id for one in harness.store.tables.cases.values() if one.is_fire)


def stands(harness: Harness, case_id: CaseId) -> Case:
    return harness.store.tables.cases[case_id]


def entries(harness: Harness, action: str) -> list[Detail]:
    return [entry.detail for entry in harness.store.tables.audit if entry.action == action]


async def test_what_somebody_took_and_did_not_end_in_time_is_nobody_s_again_and_its_ladder_goes_on() -> None:
    for begin in (lost, burning):
        harness = made(un_acknowledge=LAPSES)
        case_id = await begin(harness)
        await harness.acknowledgements.acknowledge(case_id, CENTRE, "已派人")
        await harness.pass_time(7 * HOUR, every=HOUR)
        assert stands(harness, case_id).acknowledged is not None
        assert len(harness.store.tables.steps) == 1, "the reminder is not sent while somebody has it"
        await harness.pass_time(1.5 * HOUR, every=HOUR / 2)
        assert stands(harness, case_id).acknowledged is None
        assert {code for _, code in harness.store.tables.steps} == {"H0", "H1"} or begin is burning
        assert len(harness.store.tables.steps) == 2, "whoever was not told because somebody had it is told now"
        (entry,) = entries(harness, "acknowledgement_lapsed")
        assert entry["by"] == "officer"
        assert await harness.acknowledgements.acknowledge(case_id, CENTRE, "again") is Reply.DONE
        assert ClockKind.UN_ACKNOWLEDGE in stands(harness, case_id).clocks.running, "its time begins anew"


@pytest.mark.thorough
async def test_a_fire_or_fault_whose_restore_never_comes_is_reminded_of_and_never_over_by_silence() -> None:
    kinds = dict.fromkeys((CaseKind.FIRE, CaseKind.FAULT), timedelta(hours=8))
    fault = (step("H0", 0, Recipient.CENTRE), step("H1", 2, Recipient.UNIT_MANAGER), step("H4", 24, Recipient.STREET))
    harness = Harness(ladders={CaseKind.FIRE: FIRE, CaseKind.FAULT: fault}, un_acknowledge=kinds)
    await harness.take(event(Happening.FIRED, kind=CaseKind.FIRE, cause="s1", point="1"), topic="alarms")
    await harness.take(event(kind=CaseKind.FAULT, cause="f1", point="2"))
    await harness.work()
    for case_id in list(harness.store.tables.cases):
        await harness.acknowledgements.acknowledge(case_id, CENTRE, "")
    await harness.pass_time(60 * 24 * HOUR, every=HOUR)
    cases = list(harness.store.tables.cases.values())
    assert [(one.is_open, one.acknowledged) for one in cases] == [(True, None)] * 2, "in sight again"
    assert len(entries(harness, "acknowledgement_lapsed")) == 2
    assert {code for _, code in harness.store.tables.steps} == {"F0", "F1", "H0", "H1", "H4"}


async def test_after_a_lapse_steps_keep_the_distance_of_the_pack_and_hold_up_none_that_waits_for_nobody() -> None:
    """Taken at once they told manager, street and department together, or six times the same."""
    ladder = (
        step("H0", 0, Recipient.CENTRE),
        step("H1", 1, Recipient.UNIT_MANAGER, exits=UNTIL_TAKEN),
        step("H2", 3, Recipient.STREET, exits=UNTIL_TAKEN),
        step("H3", 7, Recipient.BRIGADE, exits=UNTIL_TAKEN),
        step("H4", 14, Recipient.DEPARTMENT),
        step("H5", 15, Recipient.DEPARTMENT, exits=UNTIL_TAKEN),
    )
    harness = Harness("U1", ladders={CaseKind.CONNECTION_LOST: ladder}, un_acknowledge=LAPSES)
    case_id = await lost(harness)
    await harness.acknowledgements.acknowledge(case_id, CENTRE, "")
    await harness.pass_time(26 * HOUR, every=HOUR / 8)
    taken = {one.step: round((one.taken_at - T0) / timedelta(hours=1)) for one in harness.store.tables.steps.values()}
    # lapsed after 8 hours: seven hours late, but H4 comes in its time, and H3 before it
    assert taken == {"H0": 0, "H1": 8, "H2": 10, "H3": 14, "H4": 14, "H5": 22}


async def test_a_lapse_of_a_common_cause_does_not_send_all_its_repeats_at_once() -> None:
    grouping = GroupingRules(timedelta(seconds=10), timedelta(seconds=300), timedelta(hours=4), least=3, named=2)
    lapses = {CaseKind.COMMON_CAUSE: timedelta(hours=24)}
    harness = Harness("U1", "U2", "U3", grouping=grouping, un_acknowledge=lapses)
    await harness.take(*[event(of=name, cause=f"lost-{name}") for name in ("U1", "U2", "U3")])
    await harness.pass_time(60, every=10)
    common = next(one for one in harness.store.tables.cases.values() if one.is_common)
    await harness.acknowledgements.acknowledge(common.case_id, CENTRE, "")

    def repeats() -> list[str]:
        return [code for case_id, code in harness.store.tables.steps if case_id == common.case_id and ".r" in code]

    await harness.pass_time(25 * HOUR, every=HOUR / 2)
    assert stands(harness, common.case_id).acknowledged is None
    assert len(repeats()) == 1
    await harness.pass_time(4 * HOUR, every=HOUR / 2)
    assert len(repeats()) == 2


async def test_without_a_time_in_the_pack_or_without_a_pack_it_stays_taken() -> None:
    harness = made()
    case_id = await lost(harness)

    def gone(now: object, district: object) -> None:
        raise NoPack("none")

    rules, harness.directory.rules = harness.directory.rules, gone  # type: ignore[method-assign,assignment]
    assert await harness.acknowledgements.acknowledge(case_id, CENTRE, "") is Reply.DONE
    harness.directory.rules = rules  # type: ignore[method-assign]
    await harness.pass_time(100 * HOUR, every=24 * HOUR)
    assert stands(harness, case_id).acknowledged is not None


async def test_the_timer_ends_with_the_case_and_with_its_reopening() -> None:
    harness = made(un_acknowledge=LAPSES)
    case_id = await lost(harness)
    await harness.acknowledgements.acknowledge(case_id, CENTRE, "")
    await harness.take(event(Happening.ENDED, cause="lost-U1"))
    assert not stands(harness, case_id).clocks.running
    assert not entries(harness, "acknowledgement_lapsed")


async def test_a_signature_of_a_department_neither_sets_nor_stops_the_timer() -> None:
    harness = made(un_acknowledge=LAPSES)
    case_id = await lost(harness)
    assert await harness.acknowledgements.acknowledge(case_id, HEALTH, "收到") is Reply.DONE
    assert ClockKind.UN_ACKNOWLEDGE not in stands(harness, case_id).clocks.running
    await harness.acknowledgements.acknowledge(case_id, CENTRE, "")
    await harness.pass_time(9 * HOUR, every=HOUR)
    assert [one.body_code for one in stands(harness, case_id).receipts] == ["health"], "a receipt does not lapse"


async def test_any_case_that_came_back_untaken_can_be_taken_and_nothing_is_sent() -> None:
    harness = made()
    case_id = await lost(harness)
    await harness.take(event(Happening.ENDED, cause="lost-U1"))
    await harness.pass_time(60)
    before = states(harness.store)
    assert await work_on(harness).acknowledge_all([case_id], CENTRE, "看过") == {case_id: Reply.DONE}
    assert await harness.acknowledgements.acknowledge(case_id, CENTRE, "") is Reply.ALREADY
    await harness.work()
    assert states(harness.store) == before
    assert len(entries(harness, "acknowledged_after_end")) == 1


async def test_shelving_ends_by_its_time_stops_nothing_and_is_never_for_what_burns() -> None:
    harness = made()
    case_id, fire, work = await lost(harness), await burning(harness), work_on(harness)
    assert await work.shelve(fire, CENTRE, timedelta(hours=1), "") is Reply.ALONE
    assert await work.shelve(case_id, HEALTH, timedelta(hours=1), "") is Reply.NOT_FOUND
    assert await work.shelve(case_id, CENTRE, timedelta(hours=4), "等运营商") is Reply.DONE
    assert list(harness.store.tables.shelved) == [case_id]
    await harness.pass_time(3 * HOUR, every=HOUR)
    assert (case_id, "H1") in harness.store.tables.steps, "the ladder goes on"
    async with harness.store.transaction() as transaction:
        assert (await transaction.work(case_id, harness.clock.now())).shelved_until is not None
    await harness.pass_time(1.5 * HOUR, every=HOUR)
    async with harness.store.transaction() as transaction:
        assert (await transaction.work(case_id, harness.clock.now())).shelved_until is None
    assert await work.unshelve(case_id, CENTRE) is Reply.ALREADY
    assert await work.shelve(case_id, CENTRE, timedelta(days=30), "") is Reply.DONE
    assert harness.store.tables.shelved[case_id].until - harness.clock.now() == timedelta(hours=24)
    assert await work.unshelve(case_id, CENTRE) is Reply.DONE
    assert [one["note"] for one in entries(harness, "shelved")] == ["等运营商", ""]


async def test_what_is_shelved_is_in_sight_again_when_its_trouble_begins_anew() -> None:
    """Also of a case that flaps, which stays the same case from its first drop on."""
    flapping = FlappingRules(2, timedelta(hours=1), timedelta(hours=2), (Recipient.CENTRE,), "proposal")
    for rules in ({}, {"flapping": flapping}):
        harness = made(**rules)
        case_id, work = await lost(harness), work_on(harness)
        for drop in range(3):
            assert await work.shelve(case_id, CENTRE, timedelta(hours=24), "") is Reply.DONE
            await harness.pass_time(60)
            await harness.take(event(Happening.ENDED, cause=f"lost-{drop or 'U1'}", seconds=harness.clock.monotonic()))
            await harness.pass_time(60)
            assert stands(harness, case_id).is_open is (bool(rules) and drop > 0)
            # two clocks: found, by the one of rules, before it was shelved
            await harness.take(event(cause=f"lost-{drop + 1}", seconds=harness.clock.monotonic() - 300))
            assert stands(harness, case_id).is_open
            async with harness.store.transaction() as transaction:
                assert (await transaction.work(case_id, harness.clock.now())).shelved_until is None, drop


async def test_the_next_step_is_taken_now_when_somebody_says_so_but_none_that_would_say_what_is_not() -> None:
    harness = made()
    case_id, work = await lost(harness), work_on(harness)
    await harness.pass_time(60)
    assert await work.escalate(case_id, HEALTH, "H1", "") is Reply.NOT_FOUND
    assert await work.escalate(case_id, CENTRE, "H1", "节日") is Reply.DONE
    assert await work.escalate(case_id, CENTRE, "H1", "") is Reply.ALREADY
    await harness.pass_time(1)
    assert (case_id, "H1") in harness.store.tables.steps
    assert await work.escalate(case_id, CENTRE, "H1", "") is Reply.ALREADY, "the ladder has ended"
    assert [one["step"] for one in entries(harness, "escalated")] == ["H1"]
    waits = (
        LOST[0],
        step("H1", 0, Recipient.CENTRE, reply_working_days=5),
        step("H2", 0, Recipient.BRIGADE, trigger=Overdue(ClockKind.REPLY)),
    )
    harness.directory.pack.ladders[CaseKind.CONNECTION_LOST] = waits
    other = await lost(harness, "U2")
    await harness.pass_time(120)
    assert await work.escalate(other, CENTRE, "H2", "") is Reply.NOTHING_NEXT, "the reply is not overdue"


async def test_a_click_that_comes_twice_or_from_two_people_takes_one_step() -> None:
    harness = made()
    harness.directory.pack.ladders[CaseKind.CONNECTION_LOST] = (*LOST, step("H2", 20, Recipient.DEPARTMENT))
    case_id, work = await lost(harness), work_on(harness)
    await harness.pass_time(60)
    seen = stands(harness, case_id).next_step
    assert seen == "H1"
    assert await work.escalate(case_id, CENTRE, seen, "") is Reply.DONE
    await harness.pass_time(1)
    assert stands(harness, case_id).next_step == "H2"
    for who in (CENTRE, Who("colleague", None, "console")):
        assert await work.escalate(case_id, who, seen, "") is Reply.ALREADY
    await harness.pass_time(60)
    assert [code for _, code in harness.store.tables.steps] == ["H0", "H1"]
    assert len(entries(harness, "escalated")) == 1


async def test_a_case_put_to_a_common_cause_is_one_of_its_members() -> None:
    harness = made()
    case_id, fire, work = await lost(harness), await burning(harness), work_on(harness)
    now = harness.clock.now()
    common = replace(
        stands(harness, case_id), case_id=CaseId("CC"), kind=CaseKind.COMMON_CAUSE,
        grouping=replace(stands(harness, case_id).grouping, cause_key="carrier:x", held_until=now + timedelta(hours=3)),
    )  # fmt: skip
    harness.store.tables.cases[common.case_id] = common
    assert await work.merge(case_id, common.case_id, HEALTH) is Reply.NOT_FOUND
    assert await work.merge(fire, common.case_id, CENTRE) is Reply.UNFIT
    assert await work.merge(case_id, fire, CENTRE) is Reply.UNFIT
    assert await work.merge(case_id, common.case_id, CENTRE) is Reply.DONE
    assert await work.merge(case_id, common.case_id, CENTRE) is Reply.ALREADY
    held = stands(harness, case_id)
    assert (held.grouping.common_case_id, held.next_step_at) == ("CC", now + timedelta(hours=3))
    assert await work.escalate(case_id, CENTRE, "H0", "") is Reply.NOTHING_NEXT, "it is held with the others"
    assert len(entries(harness, "merged")) == 2
