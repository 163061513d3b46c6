"""A table as CSV or XLSX that a spreadsheet opens without running anything in it."""

import csv
import io
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import openpyxl
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

Value = str | int | None
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a spreadsheet take a text for a formula; some take the full-width forms too."""
CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MAX_CELL = 1000
MAX_SHEET_NAME = 31


def harmless(value: Value) -> Value:
    """Return a text so that no spreadsheet runs it: an apostrophe goes before what could begin a formula.

    Characters that no XLSX may hold become U+FFFD.
    """
    if not isinstance(value, str):
        return value
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in value[:MAX_CELL])
    return f"'{text}" if value.lstrip(" ").startswith(FORMULA) else text


def as_csv(header: Sequence[str], rows: Sequence[Sequence[Value]]) -> bytes:
    """Return UTF-8 with a byte order mark, without which Excel takes Chinese for something else."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    for row in (header, *rows):
        writer.writerow(["" if value is None else harmless(value) for value in row])
    return text.getvalue().encode("utf-8-sig")


@dataclass(frozen=True, slots=True)
class Page:
    """One sheet of a workbook. Without a header the rows begin at the top."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Value]]


def as_xlsx(title: str, header: Sequence[str], rows: Sequence[Sequence[Value]]) -> bytes:
    """Return a workbook of one sheet; its first row stays in sight."""
    return as_workbook([Page(title, header, rows)])


def as_workbook(pages: Sequence[Page]) -> bytes:
    """Return a workbook with a sheet for each page; a header stays in sight, a title is made to fit."""
    book = openpyxl.Workbook()
    for place, page in enumerate(pages):
        sheet = book.worksheets[0] if place == 0 else book.create_sheet()
        sheet.title = _sheet_name(page.title, {each.title for each in book.worksheets[:place]})
        sheet.freeze_panes = "A2" if page.header else None
        lines = [page.header, *page.rows] if page.header else page.rows
        for number, row in enumerate(lines, start=1):
            for column, value in enumerate(row, start=1):
                cell = sheet.cell(number, column, harmless(value))
                if isinstance(value, str):
                    cell.data_type = "s"  # openpyxl itself would make a formula of what begins with "="
        _widen(sheet, lines)
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


def _sheet_name(title: str, taken: Collection[str]) -> str:
    """Return a name that a sheet may have: 31 characters without `[]:*?/\\`, and no other sheet's."""
    name = re.sub(r"[\[\]:*?/\\]", " ", title)[:MAX_SHEET_NAME].strip("' ") or "1"
    number = 2
    while name in taken:
        name = f"{name[: MAX_SHEET_NAME - 4]} {number}"
        number += 1
    return name


def _widen(sheet: Worksheet, lines: Sequence[Sequence[Value]]) -> None:
    """Make columns as wide as what stands in them; a line of one cell, a sentence, may run over its neighbours."""
    for column in range(max((len(line) for line in lines), default=0)):
        cells = [str(line[column]) for line in lines if len(line) > max(column, 1)]
        width = max((sum(2 if ord(char) > 0x2E7F else 1 for char in cell) for cell in cells), default=8)
        sheet.column_dimensions[get_column_letter(column + 1)].width = min(60, max(8, width + 2))
