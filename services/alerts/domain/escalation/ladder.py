"""The ladder's timing: which step is next, when it falls due in real time, and what taking it changes."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.alerts.domain.case.case import Case
from services.alerts.domain.case.kinds import PASSING, CaseKind
from services.alerts.domain.escalation.steps import LadderStep
from services.kernel.words import Recipient


@dataclass(frozen=True, slots=True)
class Pace:
    """How many seconds of the pack's waits pass in one real second; 1 in service, more in a demo."""

    rate: float = 1.0

    def real(self, wait: timedelta) -> timedelta:
        return wait / self.rate


def step_of(case: Case, code: str | None) -> LadderStep | None:
    """Return the step with this code in the case's own ladder."""
    return next((step for step in case.ladder if step.code == code), None)


def following(case: Case) -> LadderStep | None:
    """Return the first step that was not yet taken, None when the ladder has ended."""
    codes = [step.code for step in case.ladder]
    index = codes.index(case.step) + 1 if case.step in codes else 0
    return case.ladder[index] if index < len(case.ladder) else None


def clock_from(case: Case, now: datetime, group_wait: timedelta, pace: Pace) -> Case:
    """Return the case with its next step set, counted from `detected_at`.

    The first step of a case also waits `group_wait` from `now`, time for a common cause to show; never an urgent one.
    """
    step = following(case)
    if step is None:
        return replace(case, next_step=None, next_step_at=None)
    at = case.detected_at + pace.real(step.after)
    if case.step is None and not case.is_urgent:
        at = max(at, now) + pace.real(group_wait)
    if case.held_until is not None:
        at = max(at, case.held_until)
    return replace(case, next_step=step.code, next_step_at=at)


def climb(case: Case, step: LadderStep, now: datetime, pace: Pace) -> Case:
    """Return the case after `step` was taken; the clock of the rest is unchanged (acknowledged or not)."""
    return clock_from(replace(case, step=step.code), now, timedelta(0), pace)


def is_due(case: Case, now: datetime) -> bool:
    """Say whether the next step may be taken now. Taking is asked anew under the row's lock."""
    return case.is_open and case.next_step_at is not None and case.next_step_at <= now


def held(case: Case, until: datetime, common: Case) -> Case:
    """Return a member of a common case: no step before `until`. A fire is never held."""
    if case.is_urgent:
        return case
    waits = None if case.next_step_at is None else max(case.next_step_at, until)
    return replace(case, held_until=until, common_case_id=common.case_id, next_step_at=waits)


def ended_ladder(case: Case) -> bool:
    return following(case) is None


def fallback_ladder(kind: CaseKind) -> tuple[LadderStep, ...]:
    """Return what is done for a kind that the pack has no ladder for: the monitoring centre is told, once."""
    if kind in PASSING:
        return (
            LadderStep(
                code="U0",
                after=timedelta(0),
                tells=(Recipient.CENTRE,),
                document="FIRE",
                name_zh="报警无法识读" if kind is CaseKind.UNREADABLE_ALARM else "未登记网关报警",
                name_en="Unreadable alarm" if kind is CaseKind.UNREADABLE_ALARM else "Alarm of an unregistered gateway",
                clause="no ladder in the policy pack for this kind",
            ),
        )
    fire = kind is CaseKind.FIRE
    return (
        LadderStep(
            code="F0" if fire else "N0",
            after=timedelta(0),
            tells=(Recipient.CENTRE, Recipient.UNIT_CONTROL_ROOM) if fire else (Recipient.CENTRE,),
            document="FIRE" if fire else "I1",
            name_zh="火警" if fire else "告知",
            name_en="Fire alarm" if fire else "Notice",
            clause="no ladder in the policy pack for this kind",
        ),
    )
