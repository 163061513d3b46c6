"""The ladder: which step is next, when it falls due in real time, and what taking it changes.

Steps are taken in their order, each at most once in a case, one at a time. The next one is the first behind the last
taken of which no exit holds. Its trigger makes it due: time sets the step clock of the case; an event (`awaited`) and
the close of a period of a body (`reached`) set none. What waits for these stands behind all that time makes due (the
check of the pack sees to that), so that what never comes holds nothing up.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from services.alerts.domain.case.case import Case
from services.alerts.domain.case.clocks import Clock
from services.alerts.domain.case.closes import Close, holds
from services.alerts.domain.case.kinds import PASSING, CaseKind
from services.alerts.domain.case.subject import SubjectKind
from services.alerts.domain.escalation.deadlines import WEEKDAYS, Calendar, reply_due, working_time_end
from services.alerts.domain.escalation.guarded import elapsed_end
from services.alerts.domain.escalation.steps import LadderStep
from services.alerts.domain.escalation.triggers import (
    Elapsed,
    OnCondition,
    OnEvent,
    Overdue,
    PeriodClose,
    WorkingDays,
    WorkingTime,
)
from services.kernel.calendar import CHINA, midnight, moment, period_days
from services.kernel.words import ClockKind, Recipient, StepExit


@dataclass(frozen=True, slots=True)
class Pace:
    """How time passes for ladders: by which working days, and how many of the pack's seconds in one real second.

    `rate` is 1 in service, more in a demo. What waits for further losses, or for company, goes by `supervision_rate`,
    at which deadlines of supervision pass: losses do not come closer together because ladders are climbed faster.
    """

    rate: float = 1.0
    calendar: Calendar = WEEKDAYS
    supervision_rate: float | None = None

    def real(self, wait: timedelta) -> timedelta:
        return wait / self.rate

    def observed(self, wait: timedelta) -> timedelta:
        return wait / (self.supervision_rate or self.rate)


def step_of(case: Case, code: str | None) -> LadderStep | None:
    """Return the step with this code in the case's own ladder."""
    return next((step for step in case.ladder if step.code == code), None)


def following(case: Case) -> LadderStep | None:
    """Return the next step, None when the ladder has ended."""
    return next((step for step in ladder_behind(case) if not has_exited(case, step)), None)


def ladder_behind(case: Case) -> tuple[LadderStep, ...]:
    """Return the steps behind the last one taken."""
    return case.ladder[len(taken(case)) :]


def taken(case: Case) -> tuple[LadderStep, ...]:
    """Return the steps up to the last one taken."""
    if case.step is None:
        return ()
    codes = [step.code for step in case.ladder]
    return case.ladder[: codes.index(case.step) + 1] if case.step in codes else ()


def has_exited(case: Case, step: LadderStep) -> bool:
    """Say whether something holds that this step is not taken for.

    A step for what is overdue is not taken while nothing is waited for: it was given, or the letter was never sent.
    None but that for the deadline of its listing is taken of a case whose trouble is over.
    """
    if case.cured_at is not None and step.trigger != Overdue(ClockKind.LISTING):
        return True
    if isinstance(step.trigger, Overdue) and step.trigger.clock not in case.clocks.running:
        return True
    return any(_holds(each, case) for each in step.exits)


def _holds(exit_: StepExit, case: Case) -> bool:
    match exit_:
        case StepExit.CASE_CLOSED:
            return not case.is_open
        case StepExit.ACKNOWLEDGED:
            return case.acknowledged is not None
        case StepExit.REPLIED:
            return ClockKind.REPLY not in case.clocks.running and any(one.reply_working_days for one in taken(case))
        case StepExit.CONDITION_OVER:
            return (
                False  # a step for a condition is taken with it or not at all; the check of the pack refuses this exit
            )
        case _:
            assert_never(exit_)


def awaited(case: Case, event: str) -> LadderStep | None:
    """Return the step that is taken now because `event` has just happened to the case; most events are no triggers."""
    if not any(isinstance(step.trigger, OnEvent) for step in case.ladder):
        return None  # as in most ladders: what has been taken and what has exited need not be asked
    step = following(case)
    if step is None or not isinstance(step.trigger, OnEvent) or step.trigger.kind != event:
        return None
    return step


def reached(case: Case, close: Close) -> LadderStep | None:
    """Return the step of a body's case that is taken now because of this close; after it there may be another.

    Only a close that says for certain that the body is below a target makes anything due. Steps for what is overdue
    that stand before are passed over: what the close says weighs more than what is still missing.
    """
    if not case.is_open or not close.is_missed:
        return None
    for step in ladder_behind(case):
        if isinstance(step.trigger, Overdue) or has_exited(case, step):
            continue
        match step.trigger:
            case PeriodClose(period) if close.reaches(period):
                return step
            case OnCondition(name) if holds(name, case.closes, close):
                return step
            case _:
                return None
    return None


def clock_from(case: Case, now: datetime, first_wait: timedelta, pace: Pace) -> Case:
    """Return the case with the clock of its next step set, counted from `detected_at`.

    The first step of a case also waits `first_wait` from `now`, time for a common cause to show; a member of one waits
    until `held_until`. An urgent case never waits.
    """
    step = following(case)
    clock = None if step is None else clock_of(case, step, pace)
    if clock is not None:
        at = clock.due_at
        if not case.is_urgent:
            if case.step is None:
                at = max(at, now) + pace.observed(first_wait)
            if case.grouping.held_until is not None and not case.is_common:  # it says how long its members wait
                at = max(at, case.grouping.held_until)
        clock = replace(clock, due_at=at)
    return replace(case, clocks=case.clocks.set(ClockKind.STEP, clock))


def clock_of(case: Case, step: LadderStep, pace: Pace) -> Clock | None:
    """Return when time makes the step due, None when time does not.

    A step that acknowledgements held back which lapsed comes later by that, so that it keeps the pack's distance from
    the one before; it never holds up a step behind it that waits for nobody's acknowledgement.
    """
    clock = _planned(case, step, pace)
    if clock is None or not case.lapse_delay or not _waits_while_taken(step):
        return clock
    others = (one for one in case.ladder[case.ladder.index(step) + 1 :] if not _waits_while_taken(one))
    limits = [planned.due_at for one in others if (planned := _planned(case, one, pace)) is not None]
    return replace(clock, due_at=max(clock.due_at, min((clock.due_at + case.lapse_delay, *limits))))


def _waits_while_taken(step: LadderStep) -> bool:
    return StepExit.ACKNOWLEDGED in step.exits


def held_back(case: Case, now: datetime, pace: Pace) -> timedelta:
    """Return for how long the next step of a case that nobody has taken any more has been overdue for that."""
    step = following(case)
    clock = None if step is None or not _waits_while_taken(step) else clock_of(case, step, pace)
    return timedelta(0) if clock is None else max(timedelta(0), now - clock.due_at)


def _planned(case: Case, step: LadderStep, pace: Pace) -> Clock | None:
    start, calendar = case.detected_at, pace.calendar
    match step.trigger:
        case Elapsed(after):
            if case.is_common:
                return Clock(start + pace.observed(after), step.code)
            return Clock(start + pace.real(elapsed_end(start, after, case.guarded) - start), step.code)
        case WorkingDays(days, _):
            end = reply_due(start, days, calendar.is_working, case.guarded)
            return Clock(start + pace.real(end - start), step.code, calendar.version, start)
        case WorkingTime(span, _):
            end = working_time_end(start, span, calendar.is_working, case.guarded)
            return Clock(start + pace.real(end - start), step.code, calendar.version, start)
        case PeriodClose(period) if case.subject.kind is not SubjectKind.BODY:
            _, after_it = period_days(period, start.astimezone(CHINA).date())
            return Clock(start + pace.real(moment(midnight(after_it)) - start), step.code)
        case PeriodClose() | OnCondition() | OnEvent():
            return None
        case Overdue(kind):
            waits = case.clocks.running.get(kind)
            return None if waits is None else Clock(waits.due_at, step.code, waits.calendar_version)
        case _:
            assert_never(step.trigger)


def climb(case: Case, step: LadderStep, now: datetime, pace: Pace) -> Case:
    """Return the case after `step` was taken; the clock of the rest is unchanged (acknowledged or not)."""
    return clock_from(replace(case, step=step.code), now, timedelta(0), pace)


def is_due(case: Case, now: datetime) -> bool:
    """Say whether the next step may be taken now. Taking is asked anew under the row's lock."""
    return case.is_open and case.next_step_at is not None and case.next_step_at <= now


def hurried(case: Case, now: datetime) -> Case | None:
    """Return the case with its next step due now; the same case when it is due, None when it waits for no time of its
    own or is held: by a common cause, or because it is quiet for the moment."""
    clock = case.clocks.step
    step = None if clock is None else step_of(case, clock.step)
    held = case.grouping.holds(now) and not case.is_common and not case.is_urgent
    if clock is None or step is None or held or case.flapping.quiet_until is not None:
        return None
    if not isinstance(step.trigger, (Elapsed, WorkingDays, WorkingTime)):
        return None
    return case if clock.due_at <= now else replace(case, clocks=case.clocks.set(ClockKind.STEP, Clock(now, step.code)))


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
