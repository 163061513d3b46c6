"""A table as CSV or XLSX that a spreadsheet opens without running anything in it."""

import csv
import io
from collections.abc import Sequence

import openpyxl

Value = str | int | None
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a spreadsheet take a text for a formula; some take the full-width forms too."""
CSV = "text/csv; charset=utf-8"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MAX_CELL = 1000


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


def as_xlsx(title: str, header: Sequence[str], rows: Sequence[Sequence[Value]]) -> bytes:
    """Return a workbook of one sheet; its first row stays in sight."""
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = title[:31]
    sheet.freeze_panes = "A2"
    for number, row in enumerate((header, *rows), start=1):
        for column, value in enumerate(row, start=1):
            cell = sheet.cell(number, column, harmless(value))
            if isinstance(value, str):
                cell.data_type = "s"  # openpyxl itself would make a formula of what begins with "="
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()
