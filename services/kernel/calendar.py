"""Days of Asia/Shanghai (UTC+8, always) as whole numbers since 1970-01-01; instants as microseconds since then, UTC."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Decimal

SECOND = 1_000_000
DAY = 86_400 * SECOND
OFFSET = 8 * 3600 * SECOND
CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")
"""The zone of all calendars; without summer time since 1991, so that no table of zones is needed."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST = date(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)


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
