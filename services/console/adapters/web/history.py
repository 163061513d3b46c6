"""JSON API of the page of rates by day, and the same figures as a file."""

import asyncio
from datetime import date
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import Response

from services.console.adapters import history_rows, spreadsheet
from services.console.adapters.web import texts
from services.console.adapters.web.api import Api, as_json
from services.console.adapters.web.guard import session_of
from services.console.domain.history import DIMENSIONS, MAX_DAYS, HistoryQuery, Subject
from services.console.ports.district import ReadModel
from services.console.ports.reports import Histories
from services.kernel.words import Dimension, Language
from services.runtime.logging import get_logger

FIRST_DAY = date(2000, 1, 1)
LAST_DAY = date(2999, 12, 31)
Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}$")]


class HistoryParameters(BaseModel):
    """Whose rate, in which scope, on which days. An unknown parameter is an error."""

    model_config = ConfigDict(extra="forbid")

    of: Dimension
    value: Code
    scope: Code
    first: date = Field(alias="from", ge=FIRST_DAY, le=LAST_DAY)
    last: date = Field(alias="to", ge=FIRST_DAY, le=LAST_DAY)

    @model_validator(mode="after")
    def bounded(self) -> Self:
        if self.of not in DIMENSIONS:
            raise ValueError("no history is kept by that")
        if not 0 <= (self.last - self.first).days < MAX_DAYS:
            raise ValueError(f"1 to {MAX_DAYS} days, the first not after the last")
        return self

    def query(self) -> HistoryQuery:
        return HistoryQuery(Subject(self.of, self.value), self.scope, self.first, self.last)


class ExportParameters(HistoryParameters):
    format: Literal["csv", "xlsx"]
    lang: Language = Language.ZH


class HistoryApi:
    """The handlers. Who may see whose is decided by the worker behind the port."""

    def __init__(self, api: Api, histories: Histories, read: ReadModel) -> None:
        self.signed_in = api.signed_in
        self._histories = histories
        self._read = read
        self._texts = texts.load()

    async def subjects(self, request: Request) -> Response:
        found = await self._histories.subjects(session_of(request).viewer)
        names = await self._read.names()
        return as_json(
            {
                "subjects": found,
                "scopes": dict(names.scopes),
                "names": dict(names.bodies),
                "district": names.district,
                "longest": MAX_DAYS,
            }
        )

    async def days(self, request: Request, asked: Annotated[HistoryParameters, Query()]) -> Response:
        query = asked.query()
        found = await self._histories.history(session_of(request).viewer, query)
        return as_json(history_rows.as_document(query, found, await self._read.names()))

    async def export(self, request: Request, asked: Annotated[ExportParameters, Query()]) -> Response:
        query, viewer = asked.query(), session_of(request).viewer
        found = await self._histories.history(viewer, query)
        names = await self._read.names()
        header, rows = history_rows.as_table(query, found, names, self._texts, asked.lang)
        if asked.format == "csv":
            content, media = spreadsheet.as_csv(header, rows), spreadsheet.CSV
        else:
            content = await asyncio.to_thread(spreadsheet.as_xlsx, query.scope, header, rows)
            media = spreadsheet.XLSX
        subject = query.subject
        get_logger().info(
            "history_exported", username=viewer.username, dimension=subject.dimension.value, value=subject.value,
            days=len(rows), format=asked.format,
        )  # fmt: skip
        name = f"rate-{subject.dimension}-{subject.value}-{query.scope}-{query.first}-{query.last}.{asked.format}"
        return Response(content, media_type=media, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def history_routes(api: HistoryApi) -> APIRouter:
    """Return the routes; every one of them asks for a session first."""
    router = APIRouter(prefix="/api/v1/history", dependencies=[Depends(api.signed_in)])
    router.add_api_route("", api.days, methods=["GET"])
    router.add_api_route("/subjects", api.subjects, methods=["GET"])
    router.add_api_route("/export", api.export, methods=["GET"])
    return router
