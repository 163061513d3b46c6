"""Taking a case belongs to the centre, signing for a notice to its addressee: neither is done by the other."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from services.alerts.domain.case.case import Receipt
from services.alerts.domain.case.event import Happening
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.reply import Reply
from services.alerts.domain.case.who import Who
from services.alerts.domain.delivery.attempts import Outcome
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.escalation.steps import LadderStep
from services.alerts.domain.ids import BodyCode, CaseId
from services.alerts.worker.acknowledgement import may_touch
from services.kernel.words import Recipient, StepExit
from tests.fakes.alerts_store import states
from tests.unit.alerts.build import FIRE_LADDER, RULES, at, case, event, step
from tests.unit.alerts.harness import Harness

CENTRE = Who("officer", None, "console")
HEALTH = Who("clerk", "health", "console")
STREET = Who("dongjie", "T1", "console")
UNTIL_SEEN = (StepExit.CASE_CLOSED, StepExit.ACKNOWLEDGED)


def ladder(*steps: LadderStep, kind: CaseKind = CaseKind.CONNECTION_LOST) -> Harness:
    return Harness(ladders={**RULES.ladders, kind: steps})


async def burning(harness: Harness) -> CaseId:
    await harness.take(event(Happening.FIRED, kind=CaseKind.FIRE, cause="s1", point="1"), topic="alarms")
    (case_id,) = harness.store.tables.cases
    return case_id


async def lost(harness: Harness) -> CaseId:
    await harness.take(event())
    await harness.pass_time(60, every=30)
    (case_id,) = harness.store.tables.cases
    return case_id


@pytest.mark.parametrize(
    ("body_code", "allowed"), [(None, True), ("health", True), ("T1", True), ("T9", True), ("education", False)]
)
def test_a_body_answers_what_it_leads_what_it_is_copied_to_and_what_lies_in_it(
    body_code: str | None, allowed: bool
) -> None:
    one = case()
    one = replace(one, facts=replace(one.facts, town="T9", copy_departments=("T1",)))
    assert may_touch(one, body_code) is allowed


async def test_a_department_that_signs_takes_no_fire_and_no_notice_of_it_back() -> None:
    to_health = (*FIRE_LADDER, step("F1", 0, Recipient.DEPARTMENT))
    harness = ladder(*to_health, kind=CaseKind.FIRE)
    harness.carrier.answers = [Outcome(Reason.TIMEOUT)] * 4
    case_id = await burning(harness)
    await harness.work()
    assert states(harness.store)["F1"] == ["pending", "pending"]
    assert await harness.acknowledgements.acknowledge(case_id, HEALTH, "收到") is Reply.DONE
    assert harness.store.tables.cases[case_id].acknowledged is None
    await harness.pass_time(120, every=30)
    assert states(harness.store)["F1"] == ["accepted", "accepted"]
    assert await harness.acknowledgements.acknowledge(case_id, CENTRE, "") is Reply.DONE, "the centre still has to"


async def test_signing_twice_for_a_step_is_one_receipt_and_the_next_step_asks_for_another() -> None:
    harness = Harness()
    case_id = await lost(harness)
    assert await harness.acknowledgements.acknowledge(case_id, HEALTH, "收到") is Reply.DONE
    assert await harness.acknowledgements.acknowledge(case_id, HEALTH, "again") is Reply.ALREADY
    assert await harness.acknowledgements.acknowledge(case_id, STREET, "") is Reply.DONE
    await harness.pass_time(25 * 3600)
    assert await harness.acknowledgements.acknowledge(case_id, HEALTH, "办理中") is Reply.DONE
    kept = harness.store.tables.cases[case_id].receipts
    assert [(one.body_code, one.step, one.note) for one in kept] == [
        ("health", "H0", "收到"),
        ("T1", "H0", ""),
        ("health", "H4", "办理中"),
    ]
    signed = [entry for entry in harness.store.tables.audit if entry.action == "signed"]
    assert [(entry.actor, entry.detail["body"]) for entry in signed] == [
        ("clerk", "health"), ("dongjie", "T1"), ("clerk", "health"),
    ]  # fmt: skip


async def test_signing_takes_back_the_reminders_of_the_one_body_alone() -> None:
    harness = ladder(step("H0", 0, Recipient.DEPARTMENT, Recipient.STREET))
    harness.carrier.answers = [Outcome(Reason.TIMEOUT)] * 4
    case_id = await lost(harness)
    assert states(harness.store)["H0"] == ["pending", "pending"]
    assert await harness.acknowledgements.acknowledge(case_id, HEALTH, "") is Reply.DONE
    await harness.pass_time(3600)
    kept = {row.notice.to.body_code: row.state for row in harness.store.tables.notices.values()}
    assert kept == {"health": "cancelled", "T1": "accepted"}


@pytest.mark.parametrize(("signers", "recipients"), [([HEALTH], ["street"]), ([HEALTH, STREET], [])])
async def test_a_step_that_ends_with_the_acknowledgement_passes_over_who_signed(
    signers: Sequence[Who], recipients: list[str]
) -> None:
    harness = ladder(step("H0", 0, Recipient.CENTRE), step("H1", 1, Recipient.DEPARTMENT, exits=UNTIL_SEEN))
    case_id = await lost(harness)
    for who in signers:
        await harness.acknowledgements.acknowledge(case_id, who, "")
    await harness.pass_time(2 * 3600)
    assert harness.recipients("H1") == recipients
    taken = harness.store.tables.steps[case_id, "H1"]
    assert taken.nobody == (None if recipients else "signed"), "no centre stands in for who has signed"


async def test_a_step_without_that_exit_is_told_to_who_signed_as_well() -> None:
    harness = ladder(step("H0", 0, Recipient.CENTRE), step("H1", 1, Recipient.DEPARTMENT))
    case_id = await lost(harness)
    await harness.acknowledgements.acknowledge(case_id, HEALTH, "")
    await harness.pass_time(2 * 3600)
    assert harness.recipients("H1") == ["health", "street"]


def test_a_receipt_of_before_the_trouble_began_again_stops_nothing() -> None:
    signed = replace(case(), receipts=(Receipt(BodyCode("health"), "H0", at(5), "clerk", "console", ""),))
    assert (signed.signed_at("health"), set(signed.signers)) == (at(5), {"health"})
    again = replace(signed, detected_at=at(60))
    assert (again.signed_at("health"), set(again.signers)) == (None, set())


async def test_a_fire_that_ended_untaken_is_acknowledged_afterwards_and_nothing_is_sent() -> None:
    harness = Harness()
    case_id = await burning(harness)
    await harness.work()
    await harness.take(event(Happening.RESTORED, kind=CaseKind.FIRE, cause="s1", seconds=1), topic="alarms")
    await harness.pass_time(60, every=30)
    before = [(key, row.state, row.attempts) for key, row in harness.store.tables.notices.items()]
    assert await harness.acknowledgements.acknowledge(case_id, HEALTH, "") is Reply.CLOSED
    assert await harness.acknowledgements.acknowledge(case_id, CENTRE, "误报，已电话核实") is Reply.DONE
    await harness.pass_time(60, every=30)
    assert [(key, row.state, row.attempts) for key, row in harness.store.tables.notices.items()] == before
    found = harness.store.tables.cases[case_id]
    assert found.acknowledged is not None
    assert (found.is_open, found.acknowledged.note) == (False, "误报，已电话核实")
    assert harness.store.tables.audit[-1].action == "acknowledged_after_end"


async def test_a_fire_that_was_taken_before_it_ended_is_closed_for_good() -> None:
    harness = Harness()
    case_id = await burning(harness)
    await harness.acknowledgements.acknowledge(case_id, CENTRE, "")
    harness.clock.forward(5)
    await harness.take(event(Happening.RESTORED, kind=CaseKind.FIRE, cause="s1", seconds=1), topic="alarms")
    assert await harness.acknowledgements.acknowledge(case_id, CENTRE, "") is Reply.CLOSED
