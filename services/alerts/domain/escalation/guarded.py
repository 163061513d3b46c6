"""Guarded times (重要节日、重大活动): days on which the clocks of a district run faster.

On such a day each second counts `times`, and so does each working day: a clock of two days that begins a day before a
guarded week at twice the pace is over half a day into it. Days that are not worked still count nothing where working
days are counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from services.kernel.calendar import CHINA

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class GuardedTime:
    """From 0:00 of `first` to 24:00 of `last`, Asia/Shanghai; `times` is at least 2."""

    name_zh: str
    name_en: str
    first: date
    last: date
    times: int
    clause: str


def pace_on(guarded: Sequence[GuardedTime], day: date) -> int:
    """Return how many times a second of that day counts; where spans overlap, the fastest."""
    return max((one.times for one in guarded if one.first <= day <= one.last), default=1)


def elapsed_end(start: datetime, span: timedelta, guarded: Sequence[GuardedTime]) -> datetime:
    """Return when `span` has passed since `start`."""
    if not guarded:
        return start + span
    day, at = start.astimezone(CHINA).date(), start
    while span > (left := (midnight(day + _DAY) - at) * pace_on(guarded, day)):
        span -= left
        day += _DAY
        at = midnight(day)
    return at + span / pace_on(guarded, day)


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), CHINA)
