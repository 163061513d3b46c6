"""Clocks that were counted by working days, counted again when the calendar is known better.

Only what is still to come moves. A clock that is due already stays, and one that would be due in the past is due now:
what was taken stays taken, and nothing is ever found to have been late.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from services.alerts.domain.case.case import Case
from services.alerts.domain.case.clocks import Clock
from services.alerts.domain.escalation.deadlines import reply_due
from services.alerts.domain.escalation.ladder import Pace, clock_of, step_of
from services.alerts.domain.escalation.steps import LadderStep
from services.kernel.words import ClockKind

WORKING_DAYS: Mapping[ClockKind, Callable[[LadderStep], int | None]] = {
    ClockKind.RECEIPT: lambda step: step.receipt_working_days,
    ClockKind.REPLY: lambda step: step.reply_working_days,
}
"""Of clocks beside the ladder: how many working days its step gives."""


class Recounted(NamedTuple):
    """One clock before and after."""

    kind: ClockKind
    before: Clock
    after: Clock

    @property
    def moved(self) -> bool:
        return self.before.due_at != self.after.due_at


def recount(case: Case, now: datetime, pace: Pace) -> tuple[Case, Sequence[Recounted]]:
    """Return the case with its clocks as the calendar of `pace` has them, and those that an older one had counted."""
    recounted = [
        Recounted(kind, clock, _recounted(case, kind, clock, now, pace))
        for kind, clock in case.clocks.running.items()
        if clock.calendar_version is not None and pace.calendar.supersedes(clock.calendar_version)
    ]
    clocks = case.clocks
    for one in recounted:
        clocks = clocks.set(one.kind, one.after)
    return replace(case, clocks=clocks), recounted


def _recounted(case: Case, kind: ClockKind, clock: Clock, now: datetime, pace: Pace) -> Clock:
    counted = None if clock.due_at <= now else _due(case, kind, clock, pace)
    due = clock.due_at if counted is None else max(counted, now)
    return replace(clock, due_at=due, calendar_version=pace.calendar.version)


def _due(case: Case, kind: ClockKind, clock: Clock, pace: Pace) -> datetime | None:
    """Return when the clock is due by the calendar of `pace`, None when that cannot be said any more."""
    step = step_of(case, clock.step)
    if step is None:
        return None
    if kind is ClockKind.STEP:
        found = clock_of(case, step, pace)
        held = None if case.is_urgent else case.grouping.held_until
        return None if found is None else max(found.due_at, held or found.due_at)
    days = WORKING_DAYS[kind](step) if kind in WORKING_DAYS else None
    if days is None or clock.counted_from is None:
        return None
    return reply_due(clock.counted_from, days, pace.calendar.is_working, case.guarded)
