"""The pure decisions: figures, verdicts, slices, freshness, accounts."""

from datetime import timedelta

import pytest

from services.console.domain.accounts import BadAccount, checked_account, checked_password, lock_until
from services.console.domain.freshness import Freshness, PartitionVisibility, data_age
from services.console.domain.rates import RateCounts, worst_first
from services.console.domain.viewer import BodyCode, Role, Slice, Username, Viewer
from services.kernel.ratio import Ratio
from services.kernel.words import VisibilityState
from tests.fakes.console import T0


def test_boards_show_the_worst_first_and_leave_out_who_has_no_rate() -> None:
    rows = [
        RateCounts("S1", "a", online=9, offline=1),
        RateCounts("S1", "b", online=90, never=10),
        RateCounts("S1", "c"),
        RateCounts("S1", "d", late=1, offline=3),
        RateCounts("S1", "e", exempt=2),
    ]
    assert [row.value for row in worst_first(rows)] == ["d", "b", "a"]


def test_connected_are_those_online_and_late_of_all_that_are_not_exempt() -> None:
    row = RateCounts("S1", "", online=5, late=1, offline=2, unknown=3, never=4, commissioning=6, exempt=7)
    assert row.ratio == Ratio(numerator=6, denominator=21, unknown=3, exempt=7)


def test_a_department_sees_what_it_leads_and_what_it_is_copied_on() -> None:
    slice_ = Slice(BodyCode("health"))
    assert slice_.holds("health", (), "dongjie")
    assert slice_.holds("civil-affairs", ("health",), "dongjie")
    assert not slice_.holds("education", ("civil-affairs",), "dongjie")


def test_a_street_sees_everything_in_its_area() -> None:
    slice_ = Slice(BodyCode("dongjie"))
    assert slice_.holds("education", (), "dongjie")
    assert not slice_.holds("education", (), "nanjie")


@pytest.mark.parametrize("role", [Role.BRIGADE, Role.CENTRE])
def test_brigade_and_centre_see_everything(role: Role) -> None:
    assert Viewer(Username("x"), role, None, "x").slice.whole


def test_a_department_account_without_a_code_sees_nothing() -> None:
    slice_ = Viewer(Username("x"), Role.DEPARTMENT, None, "x").slice
    assert not slice_.whole
    assert not slice_.holds("health", ("brigade",), "dongjie")


def test_the_page_is_as_old_as_its_oldest_partition() -> None:
    old = T0 - timedelta(seconds=4)
    age = data_age(
        [PartitionVisibility(0, T0, VisibilityState.CLEAR), PartitionVisibility(1, old, VisibilityState.CLEAR)], T0
    )
    assert (age.state, age.as_of) == (Freshness.LIVE, old)


@pytest.mark.parametrize(
    ("visibilities", "state"),
    [
        ([], Freshness.NO_DATA),
        ([(None, VisibilityState.BLIND)], Freshness.NO_DATA),
        ([(T0, VisibilityState.BLIND), (T0, VisibilityState.BLIND)], Freshness.BLIND),
        ([(T0, VisibilityState.CLEAR), (None, VisibilityState.BLIND)], Freshness.PARTLY_BLIND),
        ([(T0, VisibilityState.CLEAR), (T0, VisibilityState.IMPAIRED)], Freshness.IMPAIRED),
        ([(T0 + timedelta(seconds=5), VisibilityState.CLEAR)], Freshness.LIVE),
        ([(T0, VisibilityState.CLEAR), (T0 + timedelta(hours=1), VisibilityState.CLEAR)], Freshness.AHEAD),
        ([(T0 + timedelta(hours=1), VisibilityState.IMPAIRED)], Freshness.IMPAIRED),
    ],
)
def test_one_partition_in_the_dark_is_enough_to_say_so(
    visibilities: list[tuple[None, VisibilityState]], state: Freshness
) -> None:
    parts = [PartitionVisibility(number, mark, visibility) for number, (mark, visibility) in enumerate(visibilities)]
    assert data_age(parts, T0).state is state


def test_five_failures_are_free_then_the_wait_doubles_up_to_fifteen_minutes() -> None:
    waits = [lock_until(failures, T0) for failures in (4, 5, 6, 9, 10, 500)]
    assert waits[0] is None
    assert [wait - T0 for wait in waits[1:] if wait] == [
        timedelta(seconds=30), timedelta(seconds=60), timedelta(minutes=8), timedelta(minutes=15),
        timedelta(minutes=15),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("username", "role", "department", "name"),
    [
        ("Bad Name", "centre", None, "x"),
        ("a" * 65, "centre", None, "x"),
        ("ok", "root", None, "x"),
        ("ok", "department", None, "x"),
        ("ok", "centre", "health", "x"),
        ("ok", "department", "a b", "x"),
        ("ok", "centre", None, ""),
        ("ok", "centre", None, "line\nbreak"),
    ],
)
def test_an_account_that_breaks_a_rule_is_refused_with_its_reason(
    username: str, role: str, department: str | None, name: str
) -> None:
    with pytest.raises(BadAccount, match=r"username|role|department|display name"):
        checked_account(username, role, department, name)


def test_short_passwords_are_refused() -> None:
    with pytest.raises(BadAccount):
        checked_password("123456789")
    assert checked_password("1234567890") == "1234567890"
