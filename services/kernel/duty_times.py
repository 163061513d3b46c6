"""When somebody is on duty: days of the week and hours, Asia/Shanghai: `Mo-Fr 08:30-17:30; Sa,Su 09:00-12:00`.

Written in one form: entries apart by `; `, each days, a space, hours. Days are two letters, spans of them and lists
(`Mo-We,Fr`; `Sa-Mo` goes over the end of the week). Hours are spans and lists of them; one that ends before it begins
goes on until the next day (`Fr 20:00-08:00` ends on Saturday), and 24:00 ends a day. Holidays are days like others.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from services.kernel.calendar import CHINA

MAX_LENGTH = 120
DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_DAY = 24 * 60
_WEEK = 7 * _DAY
_ONE = rf"(?:{'|'.join(DAYS)})"
_SPAN = rf"{_ONE}(?:-{_ONE})?"
_HOURS = r"[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}"
_ENTRY = re.compile(rf"({_SPAN}(?:,{_SPAN})*) ({_HOURS}(?:,{_HOURS})*)")


@dataclass(frozen=True, slots=True)
class DutyTimes:
    """`spans` are where each begins and how long it lasts, in minutes since Monday 00:00. There is at least one."""

    spans: tuple[tuple[int, int], ...]

    def on_duty(self, at: datetime) -> bool:
        """Say whether an aware time lies in a span; its end is no part of it."""
        minute = _minute_of_week(at)
        return any((minute - begin) % _WEEK < length for begin, length in self.spans)

    def off_until(self, at: datetime) -> datetime | None:
        """Return when somebody who is off duty at `at` is on duty next, to the minute; None while on duty."""
        if self.on_duty(at):
            return None
        minute = _minute_of_week(at)
        wait = min((begin - minute) % _WEEK for begin, _ in self.spans)
        return at.astimezone(CHINA).replace(second=0, microsecond=0) + timedelta(minutes=wait)


@lru_cache(maxsize=4096)
def parse(text: str) -> DutyTimes:
    """Return the duty times that a text in the one form says. Raises ValueError for any other text."""
    if len(text) > MAX_LENGTH:
        raise ValueError(f"longer than {MAX_LENGTH} characters")
    spans: list[tuple[int, int]] = []
    for entry in text.split("; "):
        found = _ENTRY.fullmatch(entry)
        if found is None:
            raise ValueError("an entry is days, a space and hours, such as Mo-Fr 08:30-17:30")
        hours = [_hours(one) for one in found[2].split(",")]
        spans += [(day * _DAY + begin, length) for day in _days(found[1]) for begin, length in hours]
    return DutyTimes(tuple(sorted(set(spans))))


def _days(text: str) -> Iterator[int]:
    for span in text.split(","):
        first, _, last = span.partition("-")
        begin = DAYS.index(first)
        for step in range((DAYS.index(last or first) - begin) % 7 + 1):
            yield (begin + step) % 7


def _hours(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    begin, end = _minute(first), _minute(last)
    if begin in (end, _DAY):
        raise ValueError("hours begin before 24:00 and do not end when they begin; a whole day is 00:00-24:00")
    return begin, (end - begin) if end > begin else end + _DAY - begin


def _minute(text: str) -> int:
    hour, minute = int(text[:2]), int(text[3:])
    if minute > 59 or hour * 60 + minute > _DAY:
        raise ValueError("a time is 00:00 to 24:00")
    return hour * 60 + minute


def _minute_of_week(at: datetime) -> int:
    here = at.astimezone(CHINA)
    return here.weekday() * _DAY + here.hour * 60 + here.minute
