"""Page and JSON API of accounts: one's own password and sessions, and for an administrator those of others.

Whoever signed in with a one-time password, or without the second factor that he has to have, may come here, and
nowhere else before that is mended.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from services.console.adapters.web.api import Api, as_json, session_of
from services.console.adapters.web.guard import (
    CSRF_HEADER,
    SESSION_HEADER,
    Cookies,
    check_csrf,
    check_mark,
    check_origin,
)
from services.console.adapters.web.pages import SignedInPages
from services.console.domain.accounts import MAX_PASSWORD, NewAccount, Session
from services.console.domain.errors import ConsoleError
from services.console.domain.identity import MAX_SUBJECT
from services.console.domain.screens import LONGEST_DAYS, NewScreen
from services.console.domain.second_factor import MAX_CODE
from services.console.metrics import Metrics
from services.console.ports import AccountWork, Authentication
from services.kernel.words import Role
from services.runtime.logging import get_logger

T = TypeVar("T")
NAME = r"^[a-z0-9][a-z0-9_.-]{0,63}$"
Username = Annotated[str, Path(pattern=NAME)]


class PasswordBody(BaseModel):
    """Never in a log: what validation says of a body names fields only."""

    model_config = ConfigDict(extra="forbid")

    current: str = Field(max_length=4 * MAX_PASSWORD, repr=False)
    new: str = Field(max_length=4 * MAX_PASSWORD, repr=False)


class CurrentBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    current: str = Field(max_length=4 * MAX_PASSWORD, repr=False)


class ConfirmBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    pending: str = Field(max_length=1000, repr=False)
    code: str = Field(max_length=2 * MAX_CODE, repr=False)


class RemoveBody(CurrentBody):
    code: str = Field(max_length=2 * MAX_CODE, repr=False)


class LinkBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    subject: str | None = Field(default=None, max_length=MAX_SUBJECT)


class Nothing(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AccountBody(BaseModel):
    """An account without its name."""

    model_config = ConfigDict(extra="forbid")

    role: Role
    department: str | None = Field(default=None, max_length=64)
    display_name: str = Field(min_length=1, max_length=100)
    display_name_en: str = Field(default="", max_length=100)
    administers: bool = False

    def described(self, username: str) -> NewAccount:
        return NewAccount(
            username, self.role, self.department or None, self.display_name, self.administers, self.display_name_en
        )


class NewAccountBody(AccountBody):
    username: str = Field(pattern=NAME)


class ScreenBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=NAME)
    display_name: str = Field(min_length=1, max_length=100)
    days: int = Field(ge=1, le=LONGEST_DAYS)


class AccountApi:
    """The handlers. Who may is decided by the worker behind the port."""

    def __init__(
        self, authenticator: Authentication, accounts: AccountWork, cookies: Cookies, metrics: Metrics
    ) -> None:
        self._authenticator = authenticator
        self._accounts = accounts
        self._cookies = cookies
        self._metrics = metrics

    async def change_password(self, request: Request, body: PasswordBody) -> Response:
        session, token = await self._own(request)
        viewer = session.viewer
        await self._acted(
            request,
            session,
            "password",
            viewer.username,
            lambda: self._accounts.change_password(viewer, token, body.current, body.new),
        )
        return as_json({"changed": True})

    async def begin_second_factor(self, request: Request, body: CurrentBody) -> Response:
        session, _ = await self._own(request)
        viewer = session.viewer
        begun = await self._acted(
            request,
            session,
            "second_factor_begin",
            viewer.username,
            lambda: self._accounts.begin_second_factor(viewer, body.current),
        )
        return as_json(begun)

    async def confirm_second_factor(self, request: Request, body: ConfirmBody) -> Response:
        session, token = await self._own(request)
        viewer = session.viewer
        codes = await self._acted(
            request,
            session,
            "second_factor",
            viewer.username,
            lambda: self._accounts.confirm_second_factor(viewer, token, body.pending, body.code),
        )
        return as_json({"recovery_codes": codes})

    async def remove_second_factor(self, request: Request, body: RemoveBody) -> Response:
        session, token = await self._own(request)
        viewer = session.viewer
        await self._acted(
            request,
            session,
            "second_factor_removed",
            viewer.username,
            lambda: self._accounts.remove_second_factor(viewer, token, body.current, body.code),
        )
        return as_json({"removed": True})

    async def sign_out_everywhere(self, request: Request, body: Nothing) -> Response:
        session, _ = await self._own(request)
        await self._acted(
            request,
            session,
            "sign_out",
            session.viewer.username,
            lambda: self._accounts.sign_out_everywhere(session.viewer),
        )
        return as_json({"signed_out": True})

    async def listed(self, request: Request) -> Response:
        return as_json({"rows": await self._accounts.listed(session_of(request).viewer)})

    async def create(self, request: Request, body: NewAccountBody) -> Response:
        session = session_of(request)
        return as_json(
            {
                "password": await self._acted(
                    request,
                    session,
                    "create",
                    body.username,
                    lambda: self._accounts.create(session.viewer, body.described(body.username)),
                )
            }
        )

    async def screen(self, request: Request, body: ScreenBody) -> Response:
        session = session_of(request)
        asked = NewScreen(body.name, body.display_name, body.days)
        made = await self._acted(
            request, session, "screen", body.name, lambda: self._accounts.make_screen(session.viewer, asked)
        )
        return as_json(made)

    async def edit(self, request: Request, username: Username, body: AccountBody) -> Response:
        session = session_of(request)
        await self._acted(
            request, session, "edit", username, lambda: self._accounts.edit(session.viewer, body.described(username))
        )
        return as_json({"edited": True})

    async def reset(self, request: Request, username: Username, body: Nothing) -> Response:
        session = session_of(request)
        return as_json(
            {
                "password": await self._acted(
                    request, session, "reset", username, lambda: self._accounts.reset(session.viewer, username)
                )
            }
        )

    async def disable(self, request: Request, username: Username, body: Nothing) -> Response:
        session = session_of(request)
        await self._acted(
            request, session, "disable", username, lambda: self._accounts.disable(session.viewer, username)
        )
        return as_json({"disabled": True})

    async def reset_second_factor(self, request: Request, username: Username, body: Nothing) -> Response:
        session = session_of(request)
        await self._acted(
            request,
            session,
            "second_factor_reset",
            username,
            lambda: self._accounts.reset_second_factor(session.viewer, username),
        )
        return as_json({"reset": True})

    async def link(self, request: Request, username: Username, body: LinkBody) -> Response:
        session = session_of(request)
        await self._acted(
            request,
            session,
            "link",
            username,
            lambda: self._accounts.link(session.viewer, username, body.subject or None),
        )
        return as_json({"linked": True})

    async def sign_out(self, request: Request, username: Username, body: Nothing) -> Response:
        session = session_of(request)
        await self._acted(
            request, session, "sign_out", username, lambda: self._accounts.sign_out(session.viewer, username)
        )
        return as_json({"signed_out": True})

    async def _own(self, request: Request) -> tuple[Session, str]:
        """Return the session and its token, also of who has to mend his account first. Raises NotSignedIn."""
        token = request.cookies.get(self._cookies.session, "")
        session = await self._authenticator.session(token, takes_due=True)
        check_mark(session, request.headers.get(SESSION_HEADER))
        return session, token

    async def _acted(
        self, request: Request, session: Session, act: str, about: str, work: Callable[[], Awaitable[T]]
    ) -> T:
        """Let only the page of the one who is signed in act, and write down how it ended; no password, no code."""
        check_origin(request)
        check_csrf(session, request.headers.get(CSRF_HEADER))
        outcome = "ok"
        try:
            return await work()
        except ConsoleError as error:
            outcome = error.code
            raise
        finally:
            self._metrics.account_acts.labels(act, outcome).inc()
            username = session.viewer.username
            get_logger().info("account_act", act=act, about=about, username=username, outcome=outcome)


def account_routes(api: Api, own: AccountApi, pages: SignedInPages) -> APIRouter:
    """Return the routes; those about others ask for a whole session first."""
    roles = [role.value for role in Role if role is not Role.SCREEN]

    async def page(request: Request) -> Response:
        return await pages.show(request, "account.html", takes_due=True, roles=roles, longest=LONGEST_DAYS)

    router = APIRouter()
    router.add_api_route("/account", page, methods=["GET"], include_in_schema=False)
    router.add_api_route("/api/v1/account/password", own.change_password, methods=["POST"])
    router.add_api_route("/api/v1/account/second-factor", own.begin_second_factor, methods=["POST"])
    router.add_api_route("/api/v1/account/second-factor/confirm", own.confirm_second_factor, methods=["POST"])
    router.add_api_route("/api/v1/account/second-factor/remove", own.remove_second_factor, methods=["POST"])
    router.add_api_route("/api/v1/account/sign-out", own.sign_out_everywhere, methods=["POST"])
    others = APIRouter(prefix="/api/v1/accounts", dependencies=[Depends(api.signed_in)])
    others.add_api_route("", own.listed, methods=["GET"])
    others.add_api_route("", own.create, methods=["POST"])
    others.add_api_route("/screens", own.screen, methods=["POST"])
    others.add_api_route("/{username}/edit", own.edit, methods=["POST"])
    others.add_api_route("/{username}/reset", own.reset, methods=["POST"])
    others.add_api_route("/{username}/second-factor-reset", own.reset_second_factor, methods=["POST"])
    others.add_api_route("/{username}/link", own.link, methods=["POST"])
    others.add_api_route("/{username}/disable", own.disable, methods=["POST"])
    others.add_api_route("/{username}/sign-out", own.sign_out, methods=["POST"])
    router.include_router(others)
    return router
