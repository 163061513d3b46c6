"""Screens: how long a key lasts, what it shows, and that it changes nothing."""

from datetime import timedelta

import pytest

from services.console.adapters.web.guard import check_csrf
from services.console.domain.accounts import BadAccount, Session
from services.console.domain.errors import NotAllowed
from services.console.domain.refusals import may_work_refusals
from services.console.domain.screens import LONGEST_DAYS, may_read, new_screen
from services.console.domain.viewer import WHOLE, Role, Username, Viewer
from tests.fakes.clock import ManualClock
from tests.fakes.console import T0

SCREEN = Viewer(Username("hall"), Role.SCREEN, None, "指挥大厅")
CENTRE = Viewer(Username("ann"), Role.CENTRE, None, "Ann")


def test_a_screen_is_an_account_that_no_password_opens() -> None:
    account, lasts = new_screen("hall", "指挥大厅", 365)
    assert account.viewer == SCREEN
    assert not account.password_hash.startswith("$")
    assert lasts == timedelta(days=365)
    assert account.viewer.slice == WHOLE


@pytest.mark.parametrize(("name", "days"), [("hall", 0), ("hall", LONGEST_DAYS + 1), ("Hall!", 10), ("", 10)])
def test_a_screen_has_a_name_and_an_end(name: str, days: int) -> None:
    with pytest.raises(BadAccount):
        new_screen(name, "指挥大厅", days)


@pytest.mark.parametrize("path", ["/api/v1/me", "/api/v1/stream", "/api/v1/summary/rates"])
def test_a_screen_reads_the_live_picture(path: str) -> None:
    may_read(SCREEN, path)


@pytest.mark.parametrize(
    "path",
    ["/api/v1/units", "/api/v1/cases/C1", "/api/v1/refusals", "/api/v1/messages", "/api/v1/summary"],
)
def test_a_screen_reads_nothing_else_and_people_do(path: str) -> None:
    with pytest.raises(NotAllowed):
        may_read(SCREEN, path)
    may_read(CENTRE, path)


def test_a_screen_changes_nothing_even_with_the_right_token() -> None:
    until = ManualClock(T0).now()
    with pytest.raises(NotAllowed):
        check_csrf(Session(SCREEN, "csrf", until), "csrf")
    check_csrf(Session(CENTRE, "csrf", until), "csrf")


def test_a_screen_works_no_refusals() -> None:
    with pytest.raises(NotAllowed):
        may_work_refusals(SCREEN)
