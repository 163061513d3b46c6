"""Reply deadlines in working days of a named calendar."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta

from services.kernel.calendar import CHINA

LONGEST_BREAK_DAYS = 30


def reply_due(sent_at: datetime, working_days: int, is_working: Callable[[date], bool]) -> datetime:
    """Return the end (24:00 Asia/Shanghai) of the working day number `working_days` after the day of `sent_at`.

    The day of sending does not count. Raises ValueError when a calendar has no working day within a month.
    """
    day = sent_at.astimezone(CHINA).date()
    for _ in range(working_days):
        for _ in range(LONGEST_BREAK_DAYS):
            day += timedelta(days=1)
            if is_working(day):
                break
        else:
            raise ValueError(f"no working day within {LONGEST_BREAK_DAYS} days before {day}")
    return datetime.combine(day + timedelta(days=1), time(0), CHINA)
