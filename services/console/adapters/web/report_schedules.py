"""Page and JSON API of reports that are sent by mail, and the page behind the link that ends such mails."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse, Response

from services.console.adapters.web.acting import acting
from services.console.adapters.web.api import Api, as_json
from services.console.adapters.web.guard import check_origin, session_of
from services.console.adapters.web.history import Code
from services.console.adapters.web.pages import Pages, SignedInPages
from services.console.adapters.web.reports import SubjectParameters
from services.console.adapters.web.texts import LANGUAGES
from services.console.domain.accounts import Session
from services.console.domain.report_schedules import MAX_RECIPIENTS, NewSchedule, ScheduleAct
from services.console.metrics import Metrics
from services.console.ports.accounts import Throttle
from services.console.ports.district import ReadModel
from services.console.ports.reports import ReportSchedules
from services.kernel.words import Dimension, Period
from services.runtime.logging import get_logger

ScheduleId = Annotated[int, Path(ge=1, le=2**31)]
StopKey = Annotated[str, Path(min_length=20, max_length=100, pattern=r"^[A-Za-z0-9_-]+$")]
Contacts = Annotated[tuple[Code, ...], Field(min_length=1, max_length=MAX_RECIPIENTS)]


class RecipientsBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    contacts: Contacts


class ScheduleBody(SubjectParameters):
    """A report of a subject and a kind of period, to these contacts."""

    period: Period
    contacts: Contacts

    def new(self) -> NewSchedule:
        return NewSchedule(self.subject(), self.period, self.contacts)


class SchedulesApi:
    """The handlers. Who may change what is decided by the worker behind the port."""

    def __init__(self, api: Api, schedules: ReportSchedules, metrics: Metrics) -> None:
        self.signed_in = api.signed_in
        self._schedules = schedules
        self._metrics = metrics

    async def page(self, request: Request) -> Response:
        return as_json(await self._schedules.page(session_of(request).viewer))

    async def contacts(self, request: Request, asked: Annotated[SubjectParameters, Query()]) -> Response:
        found = await self._schedules.contacts(session_of(request).viewer, asked.subject())
        return as_json({"contacts": found})

    async def create(self, request: Request, body: ScheduleBody) -> Response:
        async with self._acting(request, "create", f"{body.of}:{body.value}:{body.period}") as session:
            return as_json({"schedule_id": await self._schedules.create(session.viewer, body.new())})

    async def choose(self, request: Request, schedule_id: ScheduleId, body: RecipientsBody) -> Response:
        async with self._acting(request, "recipients", str(schedule_id)) as session:
            await self._schedules.choose(session.viewer, schedule_id, body.contacts)
            return as_json({})

    async def act(self, request: Request, schedule_id: ScheduleId, act: ScheduleAct) -> Response:
        async with self._acting(request, act.value, str(schedule_id)) as session:
            await self._schedules.act(session.viewer, schedule_id, act)
            return as_json({})

    def _acting(self, request: Request, act: str, about: str) -> AbstractAsyncContextManager[Session]:
        def tell(username: str, outcome: str) -> None:
            self._metrics.schedule_acts.labels(act, outcome).inc()
            get_logger().info("report_schedule_ordered", username=username, act=act, about=about, outcome=outcome)

        return acting(request, tell)


def schedule_routes(api: SchedulesApi, pages: SignedInPages) -> APIRouter:
    """Return the routes; those of the API ask for a session first."""

    async def page(request: Request) -> Response:
        return await pages.show(request, "report_schedules.html", kinds=[kind.value for kind in Period])

    router = APIRouter()
    router.add_api_route("/reports/schedules", page, methods=["GET"], include_in_schema=False)
    ours = APIRouter(prefix="/api/v1/report-schedules", dependencies=[Depends(api.signed_in)])
    ours.add_api_route("", api.page, methods=["GET"])
    ours.add_api_route("", api.create, methods=["POST"])
    ours.add_api_route("/contacts", api.contacts, methods=["GET"])
    ours.add_api_route("/{schedule_id}/recipients", api.choose, methods=["POST"])
    ours.add_api_route("/{schedule_id}/{act}", api.act, methods=["POST"])
    router.routes.extend(ours.routes)
    return router


class StopPages:
    """For a recipient, who may have no account. A GET shows only: mail scanners follow every link. A POST stops."""

    def __init__(
        self,
        pages: Pages,
        schedules: ReportSchedules,
        read: ReadModel,
        throttle: Throttle,
        client_of: Callable[[Request], str],
    ) -> None:
        self._pages = pages
        self._schedules = schedules
        self._read = read
        self._throttle = throttle
        self._client_of = client_of

    async def show(self, request: Request, key: StopKey) -> Response:
        self._throttle.count(self._client_of(request))
        about = await self._schedules.of_key(key)
        names = await self._read.names()
        whole = about.subject.dimension is Dimension.DISTRICT
        name = None if whole else names.bodies.get(about.subject.value, (about.subject.value, ""))
        return self._pages.render(request, "report_stop.html", about=about, name=name)

    async def stop(self, request: Request, key: StopKey) -> Response:
        self._throttle.count(self._client_of(request))
        check_origin(request)
        await self._schedules.stop(key)
        get_logger().info("report_mails_stopped")
        lang = request.query_params.get("lang")
        return RedirectResponse(
            f"/reports/stop/{key}" + (f"?lang={lang}" if lang in LANGUAGES else ""), status_code=303
        )


def stop_routes(pages: StopPages) -> APIRouter:
    router = APIRouter(prefix="/reports/stop/{key}", include_in_schema=False)
    router.add_api_route("", pages.show, methods=["GET"])
    router.add_api_route("", pages.stop, methods=["POST"])
    return router
