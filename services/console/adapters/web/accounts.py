"""Page and JSON API of accounts: one's own password and sessions, and for an administrator those of others.

Whoever signed in with a one-time password, or without the second factor that he has to have, may come here, and
nowhere else before that is mended.
"""

from contextlib import AbstractAsyncContextManager
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from services.console.adapters.web.acting import acting
from services.console.adapters.web.api import Api, as_json
from services.console.adapters.web.guard import SESSION_HEADER, Cookies, check_mark, session_of
from services.console.adapters.web.pages import SignedInPages
from services.console.domain.accounts import MAX_PASSWORD, NewAccount, Session
from services.console.domain.identity import MAX_SUBJECT
from services.console.domain.screens import LONGEST_DAYS, NewScreen
from services.console.domain.second_factor import MAX_CODE
from services.console.domain.viewer import Viewer
from services.console.metrics import Metrics
from services.console.ports.accounts import AccountWork, Authentication
from services.kernel.words import Role
from services.runtime.logging import get_logger

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
        viewer, token = await self._own(request)
        async with self._acting(request, "password", viewer.username):
            await self._accounts.change_password(viewer, token, body.current, body.new)
        return as_json({"changed": True})

    async def begin_second_factor(self, request: Request, body: CurrentBody) -> Response:
        viewer, _ = await self._own(request)
        async with self._acting(request, "second_factor_begin", viewer.username):
            return as_json(await self._accounts.begin_second_factor(viewer, body.current))

    async def confirm_second_factor(self, request: Request, body: ConfirmBody) -> Response:
        viewer, token = await self._own(request)
        async with self._acting(request, "second_factor", viewer.username):
            codes = await self._accounts.confirm_second_factor(viewer, token, body.pending, body.code)
        return as_json({"recovery_codes": codes})

    async def remove_second_factor(self, request: Request, body: RemoveBody) -> Response:
        viewer, token = await self._own(request)
        async with self._acting(request, "second_factor_removed", viewer.username):
            await self._accounts.remove_second_factor(viewer, token, body.current, body.code)
        return as_json({"removed": True})

    async def sign_out_everywhere(self, request: Request, body: Nothing) -> Response:
        viewer, _ = await self._own(request)
        async with self._acting(request, "sign_out", viewer.username):
            await self._accounts.sign_out_everywhere(viewer)
        return as_json({"signed_out": True})

    async def listed(self, request: Request) -> Response:
        return as_json({"rows": await self._accounts.listed(session_of(request).viewer)})

    async def create(self, request: Request, body: NewAccountBody) -> Response:
        async with self._acting(request, "create", body.username) as session:
            password = await self._accounts.create(session.viewer, body.described(body.username))
        return as_json({"password": password})

    async def screen(self, request: Request, body: ScreenBody) -> Response:
        async with self._acting(request, "screen", body.name) as session:
            asked = NewScreen(body.name, body.display_name, body.days)
            return as_json(await self._accounts.make_screen(session.viewer, asked))

    async def edit(self, request: Request, username: Username, body: AccountBody) -> Response:
        async with self._acting(request, "edit", username) as session:
            await self._accounts.edit(session.viewer, body.described(username))
        return as_json({"edited": True})

    async def reset(self, request: Request, username: Username, body: Nothing) -> Response:
        async with self._acting(request, "reset", username) as session:
            return as_json({"password": await self._accounts.reset(session.viewer, username)})

    async def disable(self, request: Request, username: Username, body: Nothing) -> Response:
        async with self._acting(request, "disable", username) as session:
            await self._accounts.disable(session.viewer, username)
        return as_json({"disabled": True})

    async def reset_second_factor(self, request: Request, username: Username, body: Nothing) -> Response:
        async with self._acting(request, "second_factor_reset", username) as session:
            await self._accounts.reset_second_factor(session.viewer, username)
        return as_json({"reset": True})

    async def link(self, request: Request, username: Username, body: LinkBody) -> Response:
        async with self._acting(request, "link", username) as session:
            await self._accounts.link(session.viewer, username, body.subject or None)
        return as_json({"linked": True})

    async def sign_out(self, request: Request, username: Username, body: Nothing) -> Response:
        async with self._acting(request, "sign_out", username) as session:
            await self._accounts.sign_out(session.viewer, username)
        return as_json({"signed_out": True})

    async def _own(self, request: Request) -> tuple[Viewer, str]:
        """Return who is signed in and the token, also of who has to mend his account first. Raises NotSignedIn."""
        token = request.cookies.get(self._cookies.session, "")
        session = request.state.session = await self._authenticator.session(token, takes_due=True)
        check_mark(session, request.headers.get(SESSION_HEADER))
        return session.viewer, token

    def _acting(self, request: Request, act: str, about: str) -> AbstractAsyncContextManager[Session]:
        """No password and no code is told."""

        def tell(username: str, outcome: str) -> None:
            self._metrics.account_acts.labels(act, outcome).inc()
            get_logger().info("account_act", act=act, about=about, username=username, outcome=outcome)

        return acting(request, tell)


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
    router.routes.extend(others.routes)
    return router
