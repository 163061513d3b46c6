"""What is ordered at the page: only by the page of the one who is signed in, and told how it ended."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import Request
from fastapi.exceptions import RequestValidationError

from services.console.adapters.web.guard import CSRF_HEADER, check_csrf, check_origin, session_of
from services.console.domain.accounts import Session
from services.console.domain.errors import ConsoleError


@asynccontextmanager
async def acting(request: Request, tell: Callable[[str, str], None]) -> AsyncIterator[Session]:
    """Yield the session of who orders something; afterwards `tell(username, outcome)`, whatever came of it.

    `outcome` is "ok", the code of the refusal, "bad_request" for a body that cannot be read, or "internal".

    Raises:  Forged for an order that another site caused; that is told to nobody.
    """
    session = session_of(request)
    check_origin(request)
    check_csrf(session, request.headers.get(CSRF_HEADER))
    outcome = "internal"
    try:
        yield session
        outcome = "ok"
    except ConsoleError as error:
        outcome = error.code
        raise
    except RequestValidationError:
        outcome = "bad_request"
        raise
    finally:
        tell(session.viewer.username, outcome)
