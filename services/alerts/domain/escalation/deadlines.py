"""Deadlines in working days, or in the time of working days, of a named calendar."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Protocol

from services.alerts.domain.escalation.guarded import GuardedTime, midnight, pace_on
from services.kernel.calendar import CHINA

LONGEST_BREAK_DAYS = 30
_DAY = timedelta(days=1)


class Calendar(Protocol):
    """Which days are worked; `version` changes with what is known of them."""

    @property
    def version(self) -> str: ...

    def is_working(self, day: date) -> bool: ...

    def supersedes(self, version: str) -> bool:
        """Say whether more is known of the days than in that version; not of a later one, nor of its own."""
        ...


class Weekdays:
    """Monday to Friday, without holidays: where nothing is wired that knows more."""

    version = "weekdays"

    def is_working(self, day: date) -> bool:
        return day.weekday() < 5

    def supersedes(self, version: str) -> bool:
        return False


WEEKDAYS = Weekdays()


def reply_due(
    sent_at: datetime, working_days: int, is_working: Callable[[date], bool], guarded: Sequence[GuardedTime] = ()
) -> datetime:
    """Return the end (24:00 Asia/Shanghai) of the working day number `working_days` after the day of `sent_at`.

    The day of sending does not count, a working day in a `guarded` time counts more than once. Raises ValueError when a
    calendar has no working day within a month.
    """
    day, counted = sent_at.astimezone(CHINA).date(), 0
    while counted < working_days:
        day = _first_working(day + _DAY, is_working)
        counted += pace_on(guarded, day)
    return midnight(day + _DAY)


def working_time_end(
    start: datetime, span: timedelta, is_working: Callable[[date], bool], guarded: Sequence[GuardedTime] = ()
) -> datetime:
    """Return when `span` of the time of working days has passed since `start`, days of 0:00 to 24:00 Asia/Shanghai.

    An end at midnight is that of the working day; time in a `guarded` day counts more than once. Raises ValueError when
    a calendar has no working day within a month.
    """
    day = _first_working(start.astimezone(CHINA).date(), is_working)
    at = max(start, midnight(day))
    while not (pace := pace_on(guarded, day)) or span > (midnight(day + _DAY) - at) * pace:
        span -= (midnight(day + _DAY) - at) * pace
        day = _first_working(day + _DAY, is_working)
        at = midnight(day)
    return at + span / pace


def _first_working(day: date, is_working: Callable[[date], bool]) -> date:
    found = next((later for later in (day + n * _DAY for n in range(LONGEST_BREAK_DAYS)) if is_working(later)), None)
    if found is None:
        raise ValueError(f"no working day within {LONGEST_BREAK_DAYS} days from {day}")
    return found
