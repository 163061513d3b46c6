"""The files of a report, and `ReportMaker`: what a scheduled report is sent with."""

import asyncio
from collections.abc import Mapping

from services.console.adapters import report_sheet, spreadsheet
from services.console.domain.report import Report, ReportQuery, Sheet
from services.console.ports.district import ReadModel
from services.console.ports.reports import ReportFacts, ReportFiles, ReportPrinter
from services.kernel.words import Dimension, Language
from services.runtime.clock import Clock


def workbook_of(sheet: Sheet) -> bytes:
    """Return a workbook: a first sheet of what the report is and how it is read, then one for each section."""
    about: list[list[spreadsheet.Value]] = [[sheet.title]]
    about += [list(pair) for pair in sheet.head]
    pages = [spreadsheet.Page(sheet.title, [], [*about, [], *([line] for line in sheet.foot)])]
    for section in sheet.sections:
        table = section.table
        rows: list[list[spreadsheet.Value]] = [list(row) for row in table.rows] if table else []
        rows += [[note] for note in section.notes]
        pages.append(spreadsheet.Page(section.heading, table.columns if table else (), rows))
    return spreadsheet.as_workbook(pages)


class MadeReports:
    """Implements the port `ReportMaker`: the same words as on the page, read anew, in a thread where it takes long."""

    def __init__(
        self,
        facts: ReportFacts,
        read: ReadModel,
        printer: ReportPrinter,
        texts: Mapping[str, Mapping[str, str]],
        clock: Clock,
    ) -> None:
        self._facts = facts
        self._read = read
        self._printer = printer
        self._texts = texts
        self._clock = clock

    async def made(self, query: ReportQuery, language: Language) -> ReportFiles:
        # who is sent a report of the whole district sees the whole: see `may_receive`
        whole = query.subject.dimension is Dimension.DISTRICT
        report: Report = await self._facts.report(query, self._clock.now(), centre=whole)
        names = await self._read.names()
        languages = (language, *(other for other in Language if other is not language))
        sheets = tuple(
            [await asyncio.to_thread(report_sheet.sheet_of, report, names, self._texts, one) for one in languages]
        )
        pdf = await self._printer.pdf(sheets[0])
        xlsx = await asyncio.to_thread(workbook_of, sheets[0])
        return ReportFiles(sheets, report.published, report.closed, pdf, xlsx)
