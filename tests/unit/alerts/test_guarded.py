"""Guarded times: seconds and working days count more than once on them, and nothing else changes."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from services.alerts.domain.case.case import Case
from services.alerts.domain.case.clocks import Clock
from services.alerts.domain.escalation.deadlines import WEEKDAYS, reply_due, working_time_end
from services.alerts.domain.escalation.guarded import GuardedTime, elapsed_end, midnight, pace_on
from services.alerts.domain.escalation.ladder import Pace, clock_of
from services.alerts.domain.escalation.recounting import recount
from services.alerts.domain.escalation.triggers import Elapsed, PeriodClose, WorkingDays
from services.kernel.calendar import CHINA
from services.kernel.words import ClockKind, Period, Recipient, WorkingCalendarName
from tests.unit.alerts.build import case, step

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
WEEK = GuardedTime("周", "week", date(2026, 3, 9), date(2026, 3, 15), 2, "proposal")
FASTER = GuardedTime("会", "meeting", date(2026, 3, 11), date(2026, 3, 11), 4, "proposal")


def local(day: int, hour: float = 0) -> datetime:
    return datetime(2026, 3, day, tzinfo=CHINA) + timedelta(hours=hour)


@pytest.mark.parametrize(
    ("start", "span", "end"),
    [
        (local(1, 8), 4 * HOUR, local(1, 12)),
        (local(10, 8), 4 * HOUR, local(10, 10)),
        (local(8, 22), 4 * HOUR, local(9, 1)),
        (local(15, 23), 4 * HOUR, local(16, 2)),
        (local(8, 12), 12 * HOUR, local(9)),
        (local(8), 18 * DAY, local(17)),
        (local(10, 12), 24 * HOUR, local(11)),
        (local(11), 24 * HOUR, local(11, 6)),
    ],
    ids=["outside", "inside", "into it", "out of it", "up to its begin", "over it", "to a faster day", "in the faster"],
)
def test_time_in_a_guarded_day_counts_more_than_once(start: datetime, span: timedelta, end: datetime) -> None:
    assert elapsed_end(start, span, (WEEK, FASTER)) == end
    assert elapsed_end(start, span, ()) == start + span


def test_where_guarded_times_overlap_the_fastest_holds() -> None:
    assert [pace_on((WEEK, FASTER), date(2026, 3, day)) for day in (8, 9, 11, 15, 16)] == [1, 2, 4, 2, 1]


def test_working_days_count_twice_and_days_off_still_nothing() -> None:
    assert reply_due(local(6, 9), 4, WEEKDAYS.is_working) == local(13), "Friday: Monday to Thursday"
    assert reply_due(local(6, 9), 4, WEEKDAYS.is_working, (WEEK,)) == local(11), "Monday and Tuesday, each twice"
    assert reply_due(local(6, 9), 3, WEEKDAYS.is_working, (WEEK,)) == local(11), "the second day is begun"
    assert working_time_end(local(7, 9), DAY, WEEKDAYS.is_working, (WEEK,)) == local(9, 12), "begins on a Saturday"


def with_guard(trigger: Elapsed | WorkingDays | PeriodClose) -> tuple[Case, Clock | None]:
    rung = step("H1", 0, Recipient.CENTRE, trigger=trigger)
    one = replace(case(), ladder=(rung,), detected_at=local(9, 8), guarded=(WEEK,))
    return one, clock_of(one, rung, Pace())


def test_clocks_of_a_case_run_by_the_guarded_times_that_it_was_opened_with() -> None:
    _, elapsed = with_guard(Elapsed(4 * HOUR))
    _, days = with_guard(WorkingDays(2, WorkingCalendarName.CN))
    _, month = with_guard(PeriodClose(Period.MONTH))
    assert [one.due_at if one else None for one in (elapsed, days, month)] == [
        local(9, 10), local(11), datetime(2026, 4, 1, tzinfo=CHINA),
    ], "the calendar's month does not end earlier"  # fmt: skip


def test_a_better_calendar_counts_guarded_days_again_in_the_same_way() -> None:
    class Better:
        version = "better"

        def is_working(self, day: date) -> bool:
            return WEEKDAYS.is_working(day) and day != date(2026, 3, 10)

        def supersedes(self, version: str) -> bool:
            return version == "weekdays"

    one, clock = with_guard(WorkingDays(3, WorkingCalendarName.CN))
    assert clock is not None
    before = replace(one, clocks=one.clocks.set(ClockKind.STEP, clock))
    after, (moved,) = recount(before, local(9, 9), Pace(calendar=Better()))
    assert (clock.due_at, moved.after.due_at) == (local(12), local(13))
    assert after.clocks.step == moved.after


def test_midnight_is_that_of_shanghai() -> None:
    assert midnight(date(2026, 3, 9)).isoformat() == "2026-03-09T00:00:00+08:00"
