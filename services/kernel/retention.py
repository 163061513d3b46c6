"""From when on nothing may be forgotten: what alarms and states are kept for at least, and whole years of figures."""

from datetime import datetime

from services.kernel.calendar import date_of, day_number, day_of, micros, midnight, moment

MIN_DAYS = 366
"""A year, also a leap year. docs/domain/gbt26875.md: the records of a centre are kept for a year."""
BEGINNING = moment(0)
CLOSES_WITHIN_DAYS = 60
"""The figure of a year is closed, late data taken in, so long after its end."""


def kept_from(now: datetime, keep_days: int, unclosed_from: datetime | None = None) -> datetime:
    """Return the midnight of Asia/Shanghai before which what has aged may go.

    At least `keep_days` days are kept, the whole of a year until its figure can be closed, and all from
    `unclosed_from` on, where it is known which period is the first that is not closed.
    """
    today = day_of(micros(now))
    year = day_number(date_of(today - CLOSES_WITHIN_DAYS).replace(month=1, day=1))
    kept = moment(midnight(min(today - keep_days, year)))
    return kept if unclosed_from is None else min(kept, unclosed_from)


def whole_years_from(now: datetime, keep_days: int, unclosed_from: datetime | None = None) -> datetime:
    """Return the beginning of a year of Asia/Shanghai before which what figures come from may go.

    It is the year that `kept_from` lies in: of a year that lost its first day none of its longer periods could be
    computed again, while its months still are, and their sums would not be theirs.
    """
    kept = date_of(day_of(micros(kept_from(now, keep_days, unclosed_from))))
    return moment(midnight(day_number(kept.replace(month=1, day=1))))


def archive_from(now: datetime, keep_days: int, needed_from: datetime | None) -> datetime:
    """Return before when files of the archive may go: the longer of what is asked for and what figures need.

    `needed_from`: from when on figures may still be computed from it; None: not known yet, and nothing may go.
    """
    return BEGINNING if needed_from is None else min(whole_years_from(now, keep_days), needed_from)
