"""Reports as PDF: the console says what stands in one, in words, and has back how it is printed. Nothing is kept."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from starlette.responses import Response

from services.documents.domain.errors import FilesUnavailable
from services.documents.domain.report import Report, ReportSection, ReportTable
from services.documents.ports import Typesetter
from services.kernel.words import Language
from services.runtime.logging import get_logger

PATH = "/reports/pdf"
MAX_REPORT_BYTES = 512 * 1024
MAX_SECTIONS = 40
MAX_ROWS = 500
MAX_COLUMNS = 12
Text = Annotated[str, Field(max_length=600)]
Cell = Annotated[Text | int, Field()]


class TableBody(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: tuple[Text, ...] = Field(min_length=1, max_length=MAX_COLUMNS)
    rows: tuple[tuple[Cell, ...], ...] = Field(max_length=MAX_ROWS)
    numeric: tuple[Annotated[int, Field(ge=0, lt=MAX_COLUMNS)], ...] = Field(max_length=MAX_COLUMNS)

    @model_validator(mode="after")
    def rectangular(self) -> Self:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError("a row has other cells than there are columns")
        return self

    def table(self) -> ReportTable:
        return ReportTable(self.columns, tuple(tuple(str(cell) for cell in row) for row in self.rows), self.numeric)


class SectionBody(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    key: Text
    heading: Text
    notes: tuple[Text, ...] = Field(max_length=MAX_ROWS)
    table: TableBody | None

    def section(self) -> ReportSection:
        return ReportSection(self.heading, self.notes, None if self.table is None else self.table.table())


class ReportBody(BaseModel):
    """A report in words; an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    language: Language
    title: Text
    state: Text
    made_at: AwareDatetime
    head: tuple[tuple[Text, Text], ...] = Field(max_length=MAX_SECTIONS)
    sections: tuple[SectionBody, ...] = Field(max_length=MAX_SECTIONS)
    foot: tuple[Text, ...] = Field(max_length=MAX_SECTIONS)

    def report(self) -> Report:
        made_at: datetime = self.made_at
        sections = tuple(one.section() for one in self.sections)
        return Report(self.language, self.title, self.state == "provisional", made_at, self.head, sections, self.foot)


class ReportApi:
    """The handler. Without a typesetter there is no PDF, as there is none of letters."""

    def __init__(self, typesetter: Typesetter | None) -> None:
        self._typesetter = typesetter

    async def pdf(self, body: ReportBody) -> Response:
        try:
            if self._typesetter is None:
                return JSONResponse({"reason": "no_pdf"}, 503)
            return Response(await self._typesetter.report(body.report()), media_type="application/pdf")
        except FilesUnavailable as error:
            get_logger().warning("report_without_pdf", reason=error.reason)
            return JSONResponse({"reason": str(error.reason)}, 503)


def report_routes(api: ReportApi) -> APIRouter:
    router = APIRouter(prefix="/v1")
    router.add_api_route(PATH, api.pdf, methods=["POST"])
    return router
