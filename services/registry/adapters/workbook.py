"""The first visible sheet of an XLSX file, as text. An XLSX is a ZIP of XML from a stranger: weighed, then opened."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any
from xml.etree.ElementTree import ParseError
from xml.parsers import expat

import openpyxl
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException

from services.registry.domain.errors import ErrorList, FileRefused, RowError, shortened

MAX_PARTS = 2_000
LOOKED_AT = 50
"""Rows of each further sheet that are looked at."""
FIRST_INEXACT = 10**15
_BROKEN = (
    zipfile.BadZipFile, zipfile.LargeZipFile, InvalidFileException, ParseError, expat.ExpatError, zlib.error,
    KeyError, ValueError, TypeError, AttributeError, IndexError, EOFError, OSError, NotImplementedError,
    RuntimeError, OverflowError,
)  # fmt: skip
"""What the ZIP and XLSX readers raise on damaged or hostile files."""


@dataclass(frozen=True, slots=True)
class WorkbookLimits:
    unpacked_bytes: int
    rows: int
    columns: int
    cell: int


def read_workbook(raw: bytes, limits: WorkbookLimits) -> list[tuple[int, tuple[str, ...]]]:
    """Return (row number, texts) of the first visible sheet.

    Numbers and dates become the text that a CSV would hold. Formulas are refused one by one: their stored result
    may be old, and nothing here calculates.
    Raises:  FileRefused.
    """
    try:
        _weigh(raw, limits)
        return _cells(raw, limits)
    except FileRefused:
        raise
    except _BROKEN as error:
        raise FileRefused([RowError(0, "", "an XLSX file", f"damaged: {type(error).__name__}")]) from error


def _weigh(raw: bytes, limits: WorkbookLimits) -> None:
    """Refuse a bomb by what the directory of the ZIP declares; the ZIP reader itself never unpacks beyond that."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        parts = archive.infolist()
        if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > limits.unpacked_bytes:
            found = f"{sum(part.file_size for part in parts) // 1024 // 1024} MiB in {len(parts)} parts"
            limit = f"at most {limits.unpacked_bytes // 1024 // 1024} MiB after unpacking"
            raise FileRefused([RowError(0, "", limit, found)])
        for part in parts:
            if part.filename.endswith((".xml", ".rels")):
                with archive.open(part) as stream:
                    _refuse_doctype(iter(lambda: stream.read(4096), b""))


def _refuse_doctype(chunks: Iterator[bytes]) -> None:
    """Entities can make a small XML large; a spreadsheet has no use for the declaration that brings them."""
    begun: list[str] = []

    def on_doctype(*_: object) -> None:
        raise FileRefused([RowError(0, "", "an XLSX file without document type declarations", "one with them")])

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = on_doctype
    parser.StartElementHandler = lambda name, _: begun.append(name)
    for chunk in chunks:
        parser.Parse(chunk)
        if begun:
            return


def _cells(raw: bytes, limits: WorkbookLimits) -> list[tuple[int, tuple[str, ...]]]:
    workbook = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=False, keep_links=False)
    try:
        sheets = [sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible"]
        if not sheets:
            raise FileRefused([RowError(0, "", "a visible sheet with rows", "none")])
        errors = ErrorList()
        rows = list(_read(sheets[0], limits, errors))
        for sheet in sheets[1:]:
            if rows and _goes_on(sheet, rows[0][1], limits):
                title = shortened(sheet.title)
                errors.add(RowError(0, "", "all rows on the first sheet", f"more under the same heading on {title!r}"))
        errors.refuse_if_any()
        return rows
    finally:
        workbook.close()


def _read(sheet: Any, limits: WorkbookLimits, errors: ErrorList) -> Iterator[tuple[int, tuple[str, ...]]]:
    for number, row in enumerate(_rows(sheet, limits), start=1):
        if number > limits.rows:
            raise FileRefused([RowError(0, "", f"at most {limits.rows} rows", "more")])
        texts: list[str] = []
        for place, cell in enumerate(row, start=1):
            text, problem = _text(cell.value, kind=cell.data_type, limit=limits.cell)
            if problem:
                errors.add(RowError(number, get_column_letter(place), *problem))
            texts.append(text)
        while texts and not texts[-1]:
            texts.pop()
        if len(texts) > limits.columns:
            errors.add(RowError(number, "", f"at most {limits.columns} columns", "more"))
        if texts:
            yield number, tuple(texts)


def _rows(sheet: Any, limits: WorkbookLimits) -> Iterator[tuple[Any, ...]]:
    sheet.reset_dimensions()  # what the file claims of its size is not to be trusted
    rows: Iterator[tuple[Any, ...]] = sheet.iter_rows(max_col=limits.columns + 1)
    return rows


def _goes_on(sheet: Any, heading: tuple[str, ...], limits: WorkbookLimits) -> bool:
    """Return whether a sheet holds rows under the same heading: to read the first sheet only would lose them.

    Notes and lists of words on a sheet of their own are nobody's loss.
    """
    filled: list[list[str]] = []
    for row in islice(_rows(sheet, limits), LOOKED_AT):
        texts = [_text(cell.value, kind=cell.data_type, limit=limits.cell)[0] for cell in row]
        if any(texts):
            filled.append(texts)
    return len(filled) > 1 and tuple(filled[0][: len(heading)]) == heading


def _text(value: object, *, kind: str, limit: int) -> tuple[str, tuple[str, str] | None]:
    """Return the text of a cell and, when it cannot be used, what was expected and what was found."""
    if kind == "f":
        return "", ("a value; formulas are not calculated", "a formula")
    if value is None:
        return "", None
    if isinstance(value, bool):
        return ("yes" if value else "no"), None
    if kind == "e":
        return "", ("a value", shortened(str(value)))
    if isinstance(value, int | float) and abs(value) >= FIRST_INEXACT:
        return "", (
            "text: a spreadsheet keeps 15 digits of a number and loses the rest",
            f"the number {value:.0f}"[:40],
        )
    if isinstance(value, float) and value.is_integer():
        return str(int(value)), None
    if isinstance(value, datetime):
        return (value.date() if value.time() == datetime.min.time() else value).isoformat(), None
    if isinstance(value, date | int | float):
        return (value.isoformat() if isinstance(value, date) else str(value)), None
    text = str(value)
    if len(text) > limit:
        return "", (f"at most {limit} characters", f"{len(text)} characters")
    return text, None
