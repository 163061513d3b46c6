"""Windows of the calendar of Asia/Shanghai: periods, spans that end at an instant, due days. In microseconds."""

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from services.kernel.calendar import DAY, date_of, day_number, day_of, days_of, midnight
from services.kernel.words import Period

_DUE = re.compile(r"(\d{2})-(\d{2})")


class Window(NamedTuple):
    """A period of the calendar, [start, end) as instants. Periods of one kind follow each other without a gap."""

    kind: Period
    start: int
    end: int


def window_of(kind: Period, day: int) -> Window:
    """Return the period of a kind that holds a day. Weeks begin on Monday."""
    first, after = days_of(kind, day)
    return Window(kind, midnight(first), midnight(after))


def windows_between(kind: Period, first: int, last: int) -> Iterator[Window]:
    """Yield the periods of a kind that hold a day from `first` to `last`, in order."""
    day = first
    while day <= last:
        window = window_of(kind, day)
        yield window
        day = day_of(window.end)


def days_before(at: int, days: int) -> int:
    return at - days * DAY


def months_before(at: int, months: int) -> int:
    """Return the same wall time so many months earlier, its day cut to that month's last.

    Raises ValueError before the year 1.
    """
    today = date_of(day_of(at))
    year, month = divmod(today.year * 12 + today.month - 1 - months, 12)
    return midnight(_day(year, month + 1, today.day)) + at - midnight(day_of(at))


def year_start(at: int) -> int:
    """Return 1 January 00:00 of the year of `at`."""
    return midnight(_day(date_of(day_of(at)).year, 1, 1))


def due_end(at: int, due: str) -> int | None:
    """Return the end of the due day (MM-DD) in the year of `at`, None for what names no day of the year."""
    named = _DUE.fullmatch(due)
    if named is None or not 1 <= int(named[1]) <= 12 or int(named[2]) < 1:
        return None
    return midnight(_day(date_of(day_of(at)).year, int(named[1]), int(named[2])) + 1)


def _day(year: int, month: int, day: int) -> int:
    """Return a day, the month's last where it has no such. Raises ValueError outside the years 1 to 9999."""
    if year < 1:
        raise ValueError("before the year 1")
    return day_number(date(year, month, min(day, monthrange(year, month)[1])))
