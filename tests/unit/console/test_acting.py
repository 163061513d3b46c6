"""What is told of an order at the page, whatever came of it."""

import pytest
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request

from services.console.adapters.web.acting import acting
from services.console.domain.accounts import Session
from services.console.domain.errors import Forged, TooBusy
from services.console.domain.viewer import Role, Username, Viewer
from tests.fakes.console import T0

SESSION = Session(Viewer(Username("li"), Role.CENTRE, None, "Li"), "csrf", T0)


def request(**headers: str) -> Request:
    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": sent, "state": {"session": SESSION}})


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(TooBusy(), TooBusy.code), (RequestValidationError([]), "bad_request"), (RuntimeError("ours"), "internal")],
)
async def test_an_order_that_ends_with_an_error_is_never_told_as_done(error: Exception, outcome: str) -> None:
    told: list[tuple[str, str]] = []
    with pytest.raises(type(error)):
        async with acting(request(x_csrf_token="csrf"), lambda *said: told.append(said)):
            raise error
    assert told == [("li", outcome)]


async def test_an_order_that_is_done_is_told_once_with_who_gave_it() -> None:
    told: list[tuple[str, str]] = []
    async with acting(request(x_csrf_token="csrf"), lambda *said: told.append(said)) as session:
        assert session is SESSION
    assert told == [("li", "ok")]


@pytest.mark.parametrize("headers", [{}, {"x_csrf_token": "other"}, {"x_csrf_token": "csrf", "origin": "http://else"}])
async def test_what_another_site_caused_never_begins(headers: dict[str, str]) -> None:
    with pytest.raises(Forged):
        async with acting(request(**headers), lambda *said: pytest.fail(str(said))):
            pytest.fail("it began")
