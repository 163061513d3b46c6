"""JSON API under /api/v1 and the live stream. Same session, same slice, typed errors."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field, field_validator
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.console.adapters.encode import dumps
from services.console.adapters.web.acting import acting
from services.console.adapters.web.guard import SESSION_HEADER, Cookies, check_mark, session_of
from services.console.domain.accounts import Session
from services.console.domain.case_list import CasePlace, CaseQuery, CaseSort, CaseView
from services.console.domain.errors import ConsoleError, NotSignedIn
from services.console.domain.screens import may_read
from services.console.domain.units import UnitQuery
from services.console.domain.viewer import Slice, Username
from services.console.metrics import Metrics
from services.console.ports.accounts import Authentication
from services.console.ports.district import CaseCommands, Live, LiveEvent, ReadModel
from services.kernel.words import AlarmState, Connection, Health
from services.runtime.clock import Clock
from services.runtime.logging import get_logger

MAX_NOTE = 500
MAX_OFFSET = 1_000_000
HISTORY = timedelta(hours=24)
PING_S = 15
RETRY_MS = 2000
SEND_DEADLINE_S = 10.0
RECHECK_BEATS = 10

Section = Literal["rates", "boards", "tally", "fires", "names"]
CaseId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$")]
CaseKindName = Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")]
UnitId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


class UnitParameters(BaseModel):
    """Filters of the unit list; an unknown parameter is an error, not a filter that silently does nothing."""

    model_config = ConfigDict(extra="forbid")

    conn: list[Connection] = Field(default=[], max_length=len(Connection))
    health: list[Health] = Field(default=[], max_length=len(Health))
    town: str | None = Field(default=None, max_length=64)
    department: str | None = Field(default=None, max_length=64)
    category: str | None = Field(default=None, max_length=64)
    scope: str | None = Field(default=None, max_length=64)
    q: str = Field(default="", max_length=64)
    troubled: bool = False
    offset: int = Field(default=0, ge=0, le=MAX_OFFSET)
    limit: int = Field(default=100, ge=1, le=200)

    def query(self) -> UnitQuery:
        return UnitQuery(
            connection=tuple(sorted(set(self.conn))),
            health=tuple(sorted(set(self.health))),
            town=_clean(self.town),
            department=_clean(self.department),
            category=_clean(self.category),
            scope=_clean(self.scope),
            text=_search_text(self.q),
            troubled=self.troubled,
            offset=self.offset,
            limit=self.limit,
        )


class CaseParameters(BaseModel):
    """Filters of the list of cases, and where the page begins: `next` of the page before."""

    model_config = ConfigDict(extra="forbid")

    state: CaseView = CaseView.OPEN
    sort: CaseSort = CaseSort.PRESSING
    kind: list[CaseKindName] = Field(default=[], max_length=20)
    alarm_state: AlarmState | None = None
    step: str | None = Field(default=None, max_length=64)
    town: str | None = Field(default=None, max_length=64)
    department: str | None = Field(default=None, max_length=64)
    q: str = Field(default="", max_length=64)
    after: CasePlace | None = None
    limit: int = Field(default=60, ge=1, le=200)

    @field_validator("after", mode="before")
    @classmethod
    def _place(cls, value: object) -> object:
        return CasePlace.parse(value) if isinstance(value, str) else value

    def query(self, reader: Username) -> CaseQuery:
        return CaseQuery(
            view=self.state,
            sort=self.sort,
            reader=reader,
            kinds=tuple(sorted(set(self.kind))),
            alarm_state=self.alarm_state,
            step=_clean(self.step),
            town=_clean(self.town),
            department=_clean(self.department),
            text=_search_text(self.q),
            after=self.after,
            limit=self.limit,
        )


class AcknowledgeBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    note: str = Field(default="", max_length=MAX_NOTE)


def _clean(code: str | None) -> str | None:
    # NUL cannot be a parameter of PostgreSQL; such a code matches nothing anyway.
    return None if code is None else code.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _search_text(text: str) -> str:
    # A character that no name has matches nothing; PostgreSQL would not even take a NUL.
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text).strip()


def as_json(value: Any) -> Response:
    return Response(value if isinstance(value, str) else dumps(value), media_type="application/json")


class Api:
    """The handlers. Whatever reads takes the slice from the session, never from the request."""

    def __init__(
        self,
        *,
        authenticator: Authentication,
        live: Live,
        read: ReadModel,
        commands: CaseCommands,
        cookies: Cookies,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._authenticator = authenticator
        self._live = live
        self._read = read
        self._commands = commands
        self._cookies = cookies
        self._clock = clock
        self._metrics = metrics

    async def signed_in(self, request: Request) -> None:
        """Run before every handler: no session, no answer; nor for a page of another one."""
        request.state.session = await self._session(request)
        check_mark(request.state.session, request.headers.get(SESSION_HEADER))
        may_read(request.state.session.viewer, request.url.path)

    async def me(self, request: Request) -> Response:
        session = session_of(request)
        return as_json({"account": session.viewer, "expires_at": session.expires_at})

    async def section(self, request: Request, name: Section) -> Response:
        return as_json(await self._live.section(slice_of(request), name))

    async def units(self, request: Request, asked: Annotated[UnitParameters, Query()]) -> Response:
        return as_json(await self._read.units(slice_of(request), asked.query()))

    async def unit(self, request: Request, unit_id: UnitId) -> Response:
        # Whole minutes, so that equal questions share one answer.
        since = (self._clock.now() - HISTORY).replace(second=0, microsecond=0)
        return as_json(await self._read.unit(slice_of(request), unit_id, since))

    async def cases(self, request: Request, asked: Annotated[CaseParameters, Query()]) -> Response:
        viewer = session_of(request).viewer
        return as_json(await self._read.cases(viewer.slice, asked.query(viewer.username)))

    async def case(self, request: Request, case_id: CaseId) -> Response:
        return as_json(await self._read.case(slice_of(request), case_id))

    async def acknowledge(self, request: Request, case_id: CaseId, body: AcknowledgeBody) -> Response:
        def tell(username: str, outcome: str) -> None:
            self._metrics.acknowledgements.labels(outcome).inc()
            get_logger().info("acknowledge", case_id=case_id, username=username, outcome=outcome)

        async with acting(request, tell) as session:
            await self._read.case(session.viewer.slice, case_id)  # not in the slice: NotFound, like no case at all
            await self._commands.acknowledge(case_id, session.viewer, one_text(body.note))
        return as_json({"acknowledged": True})

    async def stream(
        self,
        request: Request,
        session: Annotated[str | None, Query(max_length=64)] = None,
        last_event_id: Annotated[str | None, Header(max_length=100)] = None,
    ) -> Response:
        """Tell what changes. `session` is here, because a browser's event source sends no headers of ours."""
        check_mark(session_of(request), session)
        held = AsyncExitStack()
        events = await held.enter_async_context(self._live.follow(session_of(request).viewer, last_event_id))

        async def content() -> AsyncIterator[ServerSentEvent]:
            async with aclosing(self._while_signed_in(request, events)) as checked:
                async for event in checked:
                    yield ServerSentEvent(event.body, event=event.kind, id=event.id, retry=RETRY_MS, sep="\n")

        return LiveResponse(content(), held.aclose)

    async def _session(self, request: Request) -> Session:
        return await self._authenticator.session(request.cookies.get(self._cookies.session))

    async def _while_signed_in(
        self, request: Request, events: AsyncIterator[LiveEvent]
    ) -> AsyncGenerator[LiveEvent, None]:
        """End the stream when the session ended: the browser then asks anew and is sent to sign in."""
        beats = 0
        async for event in events:
            beats += event.kind == "beat"
            if beats % RECHECK_BEATS == 0 and event.kind == "beat":
                try:
                    await self._session(request)
                except NotSignedIn:
                    return
                except ConsoleError:
                    pass  # the database is away, which the beat already says
            yield event


class LiveResponse(EventSourceResponse):
    """A stream that gives its place back however it ends: a client may be gone before the first byte."""

    def __init__(self, content: AsyncIterator[ServerSentEvent], release: Callable[[], Awaitable[None]]) -> None:
        super().__init__(content, ping=PING_S, send_timeout=SEND_DEADLINE_S)
        self._release = release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            get_logger().info("stream_dropped", reason="slow_client")
        finally:
            await self._release()


def api_routes(api: Api) -> APIRouter:
    """Return the routes of the API; every one of them asks for a session first."""
    router = APIRouter(prefix="/api/v1", dependencies=[Depends(api.signed_in)])
    for path, handler in (
        ("/me", api.me),
        ("/summary/{name}", api.section),
        ("/units", api.units),
        ("/units/{unit_id}", api.unit),
        ("/cases", api.cases),
        ("/cases/{case_id}", api.case),
        ("/stream", api.stream),
    ):
        router.add_api_route(path, handler, methods=["GET"])
    router.add_api_route("/cases/{case_id}/acknowledge", api.acknowledge, methods=["POST"])
    return router


def slice_of(request: Request) -> Slice:
    """Return what the signed-in account may see; nothing in the request can widen it."""
    return session_of(request).viewer.slice


def one_text(note: str) -> str:
    """Return the note without control characters (line breaks become spaces): it goes into letters and logs."""
    return "".join(char if char.isprintable() else " " for char in note).strip()
