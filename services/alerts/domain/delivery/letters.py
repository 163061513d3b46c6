"""What is written for a step or an all-clear, before any template: one letter, its addresses, its proofs."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.alerts.domain.case.case import Case
from services.alerts.domain.case.event import Component, Event, Proof
from services.alerts.domain.delivery.notice import Notice
from services.alerts.domain.escalation.ladder import AT_ONCE, following, step_of
from services.alerts.domain.escalation.pack_rules import FlappingRules
from services.alerts.domain.escalation.steps import LadderStep
from services.alerts.domain.routing.contacts import NO_TELEPHONES, Telephones
from services.kernel.words import Purpose

ALL_CLEAR_STEP = "CLEAR"
FLAPPING_STEP = "FLAP"


@dataclass(frozen=True, slots=True)
class Letter:
    """Everything that a template may say. The same letter is rendered for each language and channel.

    `telephones` are those of the unit, and stand in what goes to a monitoring centre alone.
    """

    purpose: Purpose
    case: Case
    step: LadderStep
    step_code: str
    created_at: datetime
    caused_at: datetime
    proof: Proof
    component: Component | None = None
    text: str = ""
    reply_due_at: datetime | None = None
    members: int = 0
    first: bool = False
    telephones: Telephones = NO_TELEPHONES


def component_step(case: Case) -> LadderStep:
    """Return the rung of a further fire point: like the first step's own, numbered."""
    first = case.ladder[0]
    return replace(first, code=f"{first.code}.p{case.fire.alarms}", name_zh="续报火警", name_en="Further fire point")


def flapping_step(rules: FlappingRules) -> LadderStep:
    """Return what is told of a case that flaps; beside its ladder, which goes on."""
    return LadderStep(
        code=FLAPPING_STEP,
        trigger=AT_ONCE,
        tells=rules.tells,
        document="FLAPPING",
        name_zh="频繁波动",
        name_en="Comes and goes",
        clause=rules.clause,
    )


def letter_of_step(
    case: Case, step: LadderStep, now: datetime, *, event: Event | None = None, members: int = 0, first: bool = False
) -> Letter:
    """Return the letter of a step; a fire point's letter cites its own signal, others the case's evidence."""
    return Letter(
        purpose=Purpose.NOTICE,
        case=case,
        step=step,
        step_code=step.code,
        created_at=_after_acknowledgement(case, now),
        caused_at=event.detected_at if event else case.detected_at,
        proof=event.proof if event else case.proof,
        component=event.component if event else None,
        text=event.text if event else "",
        first=first,
        reply_due_at=case.reply_due_at if step.reply_working_days else None,
        members=members,
    )


def letter_again(case: Case, notice: Notice) -> Letter:
    """Return the letter of a notice as the case stands now: of one that is over it says so."""
    first = case.ladder[0]
    step = component_step(case) if notice.step.startswith(f"{first.code}.p") else step_of(case, notice.step) or first
    return Letter(
        purpose=notice.purpose,
        case=case,
        step=step,
        step_code=notice.step,
        created_at=notice.created_at,
        caused_at=notice.caused_at,
        proof=notice.about.proof,
        component=notice.about.component,
        text=notice.about.text,
        first=notice.first,
    )


def _after_acknowledgement(case: Case, now: datetime) -> datetime:
    """Return `now`, moved behind the case's acknowledgement, which did not know of what is written now.

    The order of the two is that of the case's row. `now` may lie before all the same: read a moment earlier, or by the
    clock of another machine.
    """
    return now if case.acknowledged is None else max(now, case.acknowledged.at + timedelta(microseconds=1))


def letter_of_all_clear(case: Case, now: datetime, *, event: Event | None = None, members: int = 0) -> Letter:
    """Return the all-clear of a closed case; it cites what ended it."""
    step = step_of(case, case.step) or following(case) or case.ladder[0]
    return Letter(
        purpose=Purpose.ALL_CLEAR,
        case=case,
        step=step,
        step_code=ALL_CLEAR_STEP,
        created_at=now,
        caused_at=event.detected_at if event else case.detected_at,
        proof=event.proof if event else case.proof,
        component=event.component if event else None,
        members=members,
    )
