"""What makes a step of a ladder due."""

from dataclasses import dataclass
from datetime import timedelta

from services.kernel.words import CaseCondition, CaseEvent, ClockKind, Period, WorkingCalendarName


@dataclass(frozen=True, slots=True)
class Elapsed:
    """So long after the case's clock started, in the pack's own time (before any clock rate)."""

    after: timedelta


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """At the end of the so-many-th working day after the day on which the case's clock started."""

    days: int
    calendar: WorkingCalendarName


@dataclass(frozen=True, slots=True)
class WorkingTime:
    """So long after the case's clock started, of which only working days count, each from 0:00 to 24:00."""

    span: timedelta
    calendar: WorkingCalendarName


@dataclass(frozen=True, slots=True)
class OnEvent:
    """The first time that this happens to the case once all steps before are taken."""

    kind: CaseEvent


@dataclass(frozen=True, slots=True)
class Overdue:
    """When the receipt or reply clock of the case passes. Where it does not run, nothing is missing: no such step."""

    clock: ClockKind


@dataclass(frozen=True, slots=True)
class PeriodClose:
    """Of a unit: at the end of the calendar's period in which the case's clock started.

    Of a body: at the first close that says it is below a target, of a period so long or longer.
    """

    period: Period


@dataclass(frozen=True, slots=True)
class OnCondition:
    """At the close of a body with which this holds."""

    name: CaseCondition


Trigger = Elapsed | WorkingDays | WorkingTime | OnEvent | Overdue | PeriodClose | OnCondition
