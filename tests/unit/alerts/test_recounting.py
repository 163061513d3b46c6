"""Clocks counted by working days, counted again when the calendar is known better."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from services.alerts.adapters.calendar import ChinaCalendar
from services.alerts.domain.case.case import Case, Grouping
from services.alerts.domain.case.clocks import Clock, Clocks
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.escalation.ladder import Pace
from services.alerts.domain.escalation.recounting import recount
from services.alerts.domain.escalation.triggers import WorkingDays, WorkingTime
from services.kernel.calendar import CHINA
from services.kernel.words import ClockKind, WorkingCalendarName
from tests.fakes.calendar import WeekdayCalendar
from tests.unit.alerts.build import T0, case, step

MONDAY = datetime(2026, 2, 9, 10, tzinfo=CHINA)
CN = WorkingCalendarName.CN


FREE = {date(2026, 2, 11)}
NEW = Pace(calendar=WeekdayCalendar(2, FREE))


def counted(*, step_due: datetime | None = None, reply_due: datetime | None = None, version: str = "1") -> Case:
    """Return a case of Monday, 10 o'clock: H4 after two working days, its reply within three."""
    ladder = (
        step("H0", 0),
        replace(step("H4", 0), trigger=WorkingDays(2, CN), reply_working_days=3),
        replace(step("H5", 0), trigger=WorkingTime(timedelta(hours=20), CN)),
    )
    clocks = Clocks()
    if step_due is not None:
        clocks = clocks.set(ClockKind.STEP, Clock(step_due, "H4", version, MONDAY))
    if reply_due is not None:
        clocks = clocks.set(ClockKind.REPLY, Clock(reply_due, "H4", version, MONDAY))
    return case(CaseKind.FAULT, ladder=ladder, step="H0", detected_at=MONDAY, clocks=clocks)


def midnight(day: int) -> datetime:
    return datetime(2026, 2, day, tzinfo=CHINA)


def test_what_is_due_later_by_the_new_calendar_is_put_off() -> None:
    one = counted(step_due=midnight(12), reply_due=midnight(13))
    after, moved = recount(one, MONDAY, NEW)
    assert [(each.kind, each.after.due_at) for each in moved] == [
        (ClockKind.STEP, midnight(13)),
        (ClockKind.REPLY, midnight(14)),
    ]
    assert after.clocks.running == {each.kind: each.after for each in moved}
    assert {clock.calendar_version for clock in after.clocks.running.values()} == {"2"}


def test_what_is_due_earlier_comes_earlier_but_never_in_the_past() -> None:
    one = counted(step_due=midnight(18), reply_due=midnight(19))
    for now, due in ((MONDAY, [midnight(13), midnight(14)]), (midnight(17), [midnight(17)] * 2)):
        assert [each.after.due_at for each in recount(one, now, NEW)[1]] == due


def test_what_is_due_already_stays_so() -> None:
    after, moved = recount(counted(step_due=midnight(12)), midnight(12), NEW)
    assert (after.next_step_at, [each.moved for each in moved]) == (midnight(12), [False])
    assert recount(after, midnight(12), NEW)[1] == [], "and is not looked at again"


def test_no_step_that_was_taken_is_to_be_taken_again() -> None:
    one = replace(counted(), step="H4", clocks=Clocks({ClockKind.STEP: Clock(midnight(14), "H5", "1", MONDAY)}))
    after, _ = recount(one, midnight(13), NEW)
    assert (after.step, after.next_step) == ("H4", "H5")
    assert after.next_step_at == midnight(13), "its time had passed before H4 was taken: due now, not then"


def test_working_time_is_counted_again_too() -> None:
    one = replace(counted(), step="H4", clocks=Clocks({ClockKind.STEP: Clock(midnight(19), "H5", "1", MONDAY)}))
    after, _ = recount(one, MONDAY, Pace(calendar=WeekdayCalendar(2, {date(2026, 2, 10)})))
    assert after.next_step_at == datetime(2026, 2, 11, 6, tzinfo=CHINA)


@pytest.mark.parametrize("version", ["2", "3"])
def test_clocks_of_the_same_or_a_later_calendar_stay(version: str) -> None:
    one = counted(step_due=midnight(12), reply_due=midnight(13), version=version)
    assert recount(one, MONDAY, NEW) == (one, [])


def test_a_clock_that_counted_no_working_days_stays() -> None:
    one = case()
    assert recount(one, T0, NEW) == (one, [])


def test_a_member_of_a_common_case_goes_on_waiting() -> None:
    one = replace(counted(step_due=midnight(20)), grouping=Grouping(held_until=midnight(20)))
    assert recount(one, MONDAY, NEW)[0].next_step_at == midnight(20)


def test_a_reply_of_which_nobody_knows_from_when_it_was_counted_stays() -> None:
    clocks = Clocks({ClockKind.REPLY: Clock(midnight(13), "H4", "1")})
    after, moved = recount(replace(counted(), clocks=clocks), MONDAY, NEW)
    assert (after.reply_due_at, [each.moved for each in moved]) == (midnight(13), [False])


def test_calendars_of_china_are_ordered_by_year_and_then_by_release() -> None:
    ours = ChinaCalendar(2026, "0.100")
    assert ours.supersedes("CN 2025 holidays-0.101")
    assert ours.supersedes("CN 2026 holidays-0.99")
    assert ours.supersedes("weekdays")
    assert not ours.supersedes("CN 2026 holidays-0.100")
    assert not ours.supersedes("CN 2026 holidays-0.100.1")
    assert not ours.supersedes("CN 2027 holidays-0.99")
    assert ChinaCalendar().version.startswith("CN "), "as the package names itself"
    assert not ChinaCalendar().supersedes(ChinaCalendar().version)
