"""The ladder: which step is next, when it falls due in real time, and what taking it changes.

Steps are taken in their order, each at most once in a case, one at a time. The next one is the first behind the last
taken of which no exit holds. Its trigger makes it due: time sets the step clock of the case, an event (`awaited`) sets
none. What waits for an event stands behind all that time makes due (the check of the pack sees to that), so that an
event that never comes holds nothing up.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from services.alerts.domain.case.case import Case
from services.alerts.domain.case.clocks import Clock
from services.alerts.domain.case.kinds import PASSING, CaseKind
from services.alerts.domain.escalation.deadlines import WEEKDAYS, Calendar, reply_due, working_time_end
from services.alerts.domain.escalation.steps import LadderStep
from services.alerts.domain.escalation.triggers import Elapsed, OnEvent, WorkingDays, WorkingTime
from services.kernel.words import ClockKind, Recipient, StepExit


@dataclass(frozen=True, slots=True)
class Pace:
    """How time passes for ladders: by which working days, and how many of the pack's seconds in one real second.

    `rate` is 1 in service, more in a demo.
    """

    rate: float = 1.0
    calendar: Calendar = WEEKDAYS

    def real(self, wait: timedelta) -> timedelta:
        return wait / self.rate


def step_of(case: Case, code: str | None) -> LadderStep | None:
    """Return the step with this code in the case's own ladder."""
    return next((step for step in case.ladder if step.code == code), None)


def following(case: Case) -> LadderStep | None:
    """Return the next step, None when the ladder has ended."""
    codes = [step.code for step in case.ladder]
    first = codes.index(case.step) + 1 if case.step in codes else 0
    return next((step for step in case.ladder[first:] if not has_exited(case, step)), None)


def has_exited(case: Case, step: LadderStep) -> bool:
    """Say whether something holds that this step is not taken for."""
    return any(_holds(each, case) for each in step.exits)


def _holds(exit_: StepExit, case: Case) -> bool:
    match exit_:
        case StepExit.CASE_CLOSED:
            return not case.is_open
        case StepExit.ACKNOWLEDGED:
            return case.acknowledged is not None
        case StepExit.REPLIED | StepExit.CONDITION_OVER:
            return False  # nothing tells of these yet; the check of the pack refuses them
        case _:
            assert_never(exit_)


def awaited(case: Case, event: str) -> LadderStep | None:
    """Return the step that is taken now because `event` has just happened to the case; most events are no triggers."""
    step = following(case)
    if step is None or not isinstance(step.trigger, OnEvent) or step.trigger.kind != event:
        return None
    return step


def clock_from(case: Case, now: datetime, group_wait: timedelta, pace: Pace) -> Case:
    """Return the case with the clock of its next step set, counted from `detected_at`.

    The first step of a case also waits `group_wait` from `now`, time for a common cause to show; a member of one waits
    until `held_until`. An urgent case never waits.
    """
    step = following(case)
    clock = None if step is None else clock_of(case, step, pace)
    if clock is not None:
        at = clock.due_at
        if not case.is_urgent:
            if case.step is None:
                at = max(at, now) + pace.real(group_wait)
            if case.grouping.held_until is not None:
                at = max(at, case.grouping.held_until)
        clock = replace(clock, due_at=at)
    return replace(case, clocks=case.clocks.set(ClockKind.STEP, clock))


def clock_of(case: Case, step: LadderStep, pace: Pace) -> Clock | None:
    """Return when time makes the step due, None when time does not."""
    start, calendar = case.detected_at, pace.calendar
    match step.trigger:
        case Elapsed(after):
            return Clock(start + pace.real(after), step.code)
        case WorkingDays(days, _):
            end = reply_due(start, days, calendar.is_working)
            return Clock(start + pace.real(end - start), step.code, calendar.version, start)
        case WorkingTime(span, _):
            end = working_time_end(start, span, calendar.is_working)
            return Clock(start + pace.real(end - start), step.code, calendar.version, start)
        case OnEvent():
            return None
        case _:
            assert_never(step.trigger)


def climb(case: Case, step: LadderStep, now: datetime, pace: Pace) -> Case:
    """Return the case after `step` was taken; the clock of the rest is unchanged (acknowledged or not)."""
    return clock_from(replace(case, step=step.code), now, timedelta(0), pace)


def is_due(case: Case, now: datetime) -> bool:
    """Say whether the next step may be taken now. Taking is asked anew under the row's lock."""
    return case.is_open and case.next_step_at is not None and case.next_step_at <= now


def past_exits(case: Case, now: datetime, pace: Pace) -> Case:
    """Return the case with its clock moved past the step that it was set for, when that is not taken any more."""
    clock = case.clocks.step
    step = None if clock is None else step_of(case, clock.step)
    if step is None or not has_exited(case, step):
        return case
    return clock_from(case, now, timedelta(0), pace)


AT_ONCE = Elapsed(timedelta(0))


def fallback_ladder(kind: CaseKind) -> tuple[LadderStep, ...]:
    """Return what is done for a kind that the pack has no ladder for: the monitoring centre is told, once."""
    if kind in PASSING:
        return (
            LadderStep(
                code="U0",
                trigger=AT_ONCE,
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
            trigger=AT_ONCE,
            tells=(Recipient.CENTRE, Recipient.UNIT_CONTROL_ROOM) if fire else (Recipient.CENTRE,),
            document="FIRE" if fire else "I1",
            name_zh="火警" if fire else "告知",
            name_en="Fire alarm" if fire else "Notice",
            clause="no ladder in the policy pack for this kind",
        ),
    )
