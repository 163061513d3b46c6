"""Guarded times (重要节日、重大活动): days on which the clocks of a district run faster; area events: days on which the
clocks of a street's troubles stand still.

On such a day each second counts `times`, and so does each working day: a clock of two days that begins a day before a
guarded week at twice the pace is over half a day into it. Days that are not worked still count nothing where working
days are counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from services.alerts.domain.case.kinds import URGENT, CaseKind
from services.kernel.calendar import CHINA

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class GuardedTime:
    """From 0:00 of `first` to 24:00 of `last`, Asia/Shanghai; `times` is at least 2, or 0: nothing of it counts."""

    name_zh: str
    name_en: str
    first: date
    last: date
    times: int
    clause: str


@dataclass(frozen=True, slots=True)
class AreaEvent:
    """Declared by a person (台风、停电): what begins in these streets meanwhile has clocks that stand still.

    `towns` empty: in the whole district. `kinds` are never urgent: a fire is told as ever.
    """

    span: GuardedTime
    towns: frozenset[str]
    kinds: frozenset[CaseKind]

    def holds(self, kind: CaseKind, town: str, begins: datetime) -> bool:
        """Say whether a trouble that begins then and there has clocks that stand still until the event ends."""
        if not self.span.first <= begins.astimezone(CHINA).date() <= self.span.last:
            return False
        return kind in self.kinds - URGENT and (not self.towns or town in self.towns)


def pace_on(guarded: Sequence[GuardedTime], day: date) -> int:
    """Return how many times a second of that day counts; where spans overlap, the fastest, but 0 where one is 0."""
    held = [one.times for one in guarded if one.first <= day <= one.last]
    return 0 if 0 in held else max(held, default=1)


def standing_still(guarded: Sequence[GuardedTime], day: date) -> GuardedTime | None:
    """Return the declared event in which that day lies, None where clocks run."""
    return next((one for one in guarded if one.times == 0 and one.first <= day <= one.last), None)


def elapsed_end(start: datetime, span: timedelta, guarded: Sequence[GuardedTime]) -> datetime:
    """Return when `span` has passed since `start`."""
    if not guarded:
        return start + span
    day, at = start.astimezone(CHINA).date(), start
    while not (pace := pace_on(guarded, day)) or span > (midnight(day + _DAY) - at) * pace:
        span -= (midnight(day + _DAY) - at) * pace
        day += _DAY
        at = midnight(day)
    return at + span / pace


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), CHINA)
