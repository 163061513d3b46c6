"""Instants and durations as whole microseconds since 1970 (UTC): exact, and cheap enough to compare per heartbeat."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from services.kernel.calendar import OFFSET

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 3600 * SECOND
DAY = 24 * HOUR

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()


def micros(instant: datetime) -> int:
    """Return an aware instant as microseconds since 1970."""
    gap = instant - EPOCH
    return (gap.days * 86400 + gap.seconds) * SECOND + gap.microseconds


def instant(at: int) -> datetime:
    """Return microseconds since 1970 as an aware instant in UTC."""
    return EPOCH + timedelta(microseconds=at)


def span(seconds: float) -> int:
    """Return a duration in seconds as microseconds."""
    return round(seconds * SECOND)


@lru_cache(maxsize=4096)
def day_start(day: date) -> int:
    """Return the first instant of `day` in Asia/Shanghai."""
    return (day.toordinal() - _EPOCH_DAY) * DAY - OFFSET


def day_of(at: int) -> date:
    """Return the day of Asia/Shanghai that an instant lies in."""
    return date.fromordinal((at + OFFSET) // DAY + _EPOCH_DAY)


def day_end(day: date) -> int:
    """Return the first instant after `day` in Asia/Shanghai."""
    return day_start(day) + DAY


def floor_to(at: int, step: int) -> int:
    """Return the last whole multiple of `step` that is not after `at`."""
    return at - at % step
