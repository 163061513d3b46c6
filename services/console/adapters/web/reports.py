"""JSON API of reports, and the same words as PDF and as XLSX."""

import asyncio
from datetime import date
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import Response

from services.console.adapters import report_sheet, spreadsheet
from services.console.adapters.report_files import workbook_of
from services.console.adapters.web import texts
from services.console.adapters.web.api import Api, as_json
from services.console.adapters.web.guard import session_of
from services.console.adapters.web.history import FIRST_DAY, LAST_DAY, Code
from services.console.domain.history import DIMENSIONS, Subject
from services.console.domain.report import Sheet
from services.console.domain.viewer import Viewer
from services.console.ports.district import ReadModel
from services.console.ports.reports import Reports
from services.kernel.words import Dimension, Language, Period
from services.runtime.logging import get_logger

PDF = "application/pdf"


class SubjectParameters(BaseModel):
    """Whose reports. An unknown parameter is an error."""

    model_config = ConfigDict(extra="forbid")

    of: Dimension
    value: Code

    @model_validator(mode="after")
    def known(self) -> Self:
        if self.of not in DIMENSIONS:
            raise ValueError("no report is made by that")
        return self

    def subject(self) -> Subject:
        return Subject(self.of, self.value)


class ReportParameters(SubjectParameters):
    """`first`: the day on which the period begins."""

    period: Period
    first: date = Field(alias="from", ge=FIRST_DAY, le=LAST_DAY)
    lang: Language = Language.ZH


class ExportParameters(ReportParameters):
    format: Literal["pdf", "xlsx"]


class ReportsApi:
    """The handlers. Who may see whose is decided by the worker behind the port."""

    def __init__(self, api: Api, reports: Reports, read: ReadModel) -> None:
        self.signed_in = api.signed_in
        self._reports = reports
        self._read = read
        self._texts = texts.load()

    async def periods(self, request: Request, asked: Annotated[SubjectParameters, Query()]) -> Response:
        return as_json({"periods": await self._reports.periods(session_of(request).viewer, asked.subject())})

    async def one(self, request: Request, asked: Annotated[ReportParameters, Query()]) -> Response:
        return as_json(await self._sheet(session_of(request).viewer, asked))

    async def export(self, request: Request, asked: Annotated[ExportParameters, Query()]) -> Response:
        viewer = session_of(request).viewer
        sheet = await self._sheet(viewer, asked)
        if asked.format == "pdf":
            content, media, how = await self._reports.printed(sheet), PDF, "inline"
        else:
            content, media, how = await asyncio.to_thread(workbook_of, sheet), spreadsheet.XLSX, "attachment"
        get_logger().info(
            "report_exported", username=viewer.username, dimension=asked.of.value, value=asked.value,
            period=asked.period.value, first=asked.first.isoformat(), format=asked.format,
        )  # fmt: skip
        name = f"report-{asked.of}-{asked.value}-{asked.period}-{asked.first}.{asked.lang}.{asked.format}"
        return Response(content, media_type=media, headers={"Content-Disposition": f'{how}; filename="{name}"'})

    async def _sheet(self, viewer: Viewer, asked: ReportParameters) -> Sheet:
        report = await self._reports.report(viewer, asked.subject(), asked.period, asked.first)
        names = await self._read.names()
        # of some 50 000 outages: the page of fires is served by the same loop
        return await asyncio.to_thread(report_sheet.sheet_of, report, names, self._texts, asked.lang)


def report_routes(api: ReportsApi) -> APIRouter:
    """Return the routes; every one of them asks for a session first."""
    router = APIRouter(prefix="/api/v1/reports", dependencies=[Depends(api.signed_in)])
    router.add_api_route("", api.periods, methods=["GET"])
    router.add_api_route("/one", api.one, methods=["GET"])
    router.add_api_route("/export", api.export, methods=["GET"])
    return router
