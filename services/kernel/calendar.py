"""Days of Asia/Shanghai (UTC+8, always) as whole numbers since 1970-01-01; instants as microseconds since then, UTC."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Decimal

from services.kernel.words import Period

SECOND = 1_000_000
DAY = 86_400 * SECOND
OFFSET = 8 * 3600 * SECOND
CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")
"""The zone of all calendars; without summer time since 1991, so that no table of zones is needed."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = date(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
_MONTHS = {Period.MONTH: 1, Period.QUARTER: 3, Period.HALF_YEAR: 6, Period.YEAR: 12}


def micros(when: datetime) -> int:
    """Return an aware time as microseconds."""
    return (when - _EPOCH) // _MICROSECOND


def text(at: int) -> str:
    """Return an instant in RFC 3339: UTC, six digits, `Z`. Raises OverflowError outside the years 1 to 9999."""
    return (_EPOCH + timedelta(microseconds=at)).strftime("%Y-%m-%dT%H:%M:%S.%fZ").zfill(27)


def day_number(day: date) -> int:
    return (day - _FIRST).days


def date_of(day: int) -> date:
    """Return a day as a date. Raises OverflowError outside the years 1 to 9999."""
    return _FIRST + timedelta(days=day)


def day_of(at: int) -> int:
    """Return the day that an instant lies in."""
    return (at + OFFSET) // DAY


def midnight(day: int) -> int:
    """Return the instant at which a day begins."""
    return day * DAY - OFFSET


def moment(at: int) -> datetime:
    """Return an instant as an aware time, UTC."""
    return _EPOCH + timedelta(microseconds=at)


def whole_micros(seconds: float) -> int:
    """Return seconds rounded to the nearest microsecond, from the decimal that the number is written as."""
    return int((Decimal(repr(seconds)) * SECOND).to_integral_value(ROUND_HALF_EVEN))


def period_days(kind: Period, day: date) -> tuple[int, int]:
    """Return the first day of the period that holds `day`, and the day after its last. Weeks begin on Monday.

    Raises ValueError for a year that ends after 9999.
    """
    match kind:
        case Period.DAY:
            return day_number(day), day_number(day) + 1
        case Period.WEEK:
            monday = day_number(day) - day.weekday()
            return monday, monday + 7
        case _:
            months = _MONTHS[kind]
            year, month = day.year, day.month - (day.month - 1) % months
            over = month + months - 1
            return day_number(date(year, month, 1)), day_number(date(year + over // 12, over % 12 + 1, 1))
