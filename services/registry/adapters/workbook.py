"""The first visible sheet of an XLSX file, as text. An XLSX is a ZIP of XML from a stranger: weighed, then opened."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from itertools import islice
from typing import Any
from xml.etree.ElementTree import ParseError
from xml.parsers import expat

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from services.registry.domain.errors import FileRefused, RowError, shortened
from services.registry.domain.table import CellProblem, Row
from services.registry.domain.words import Said

MAX_PARTS = 2_000
_CELLS = {"worksheet": "c", "sst": "si"}
_HELD_AT_ONCE = {"worksheet": "row", "sst": "si"}
"""Parts that are read piece by piece: what their cells and their pieces are called."""
_PER_CELL = 4
"""Elements that one cell may be made of."""
MAX_OTHER_BYTES = 16 * 1024 * 1024
"""So large may a part be that is held in memory as a whole: styles, relations, names."""
MAX_CELLS_OF_A_ROW = 16_384
"""What a spreadsheet has room for; the reader holds one row at a time."""
MAX_OTHER_ELEMENTS = 250_000
"""A format becomes an object of a thousand bytes; a spreadsheet has room for 65 490 of them."""
MAX_PROBLEMS = 10_000
MAX_TAG = 1024 * 1024
"""So much text may go by without a tag that ends: a name or an attribute without end is held as a whole."""
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

    @property
    def cells(self) -> int:
        """Most cells of one part, empty ones counted."""
        return self.rows * self.columns // 2


def read_workbook(raw: bytes, limits: WorkbookLimits) -> tuple[list[Row], list[CellProblem]]:
    """Return (row number, texts) of the first visible sheet, and the cells that hold no usable text.

    Numbers and dates become the text that a CSV would hold. Formulas are not calculated and their stored result may
    be old: each is a problem.
    Raises:  FileRefused.
    """
    try:
        _weigh(raw, limits)
        return _cells(raw, limits)
    except FileRefused:
        raise
    except _BROKEN as error:
        found = Said(f"damaged: {type(error).__name__}", f"文件损坏：{type(error).__name__}")
        raise _refusal(Said("an XLSX file", "XLSX 文件"), found) from error


def _weigh(raw: bytes, limits: WorkbookLimits) -> None:
    """Refuse a bomb by what the directory of the ZIP declares; the ZIP reader itself never unpacks beyond that.

    Then every part that is XML, whatever its name, is looked through once before anything is built of it.
    """
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        parts = archive.infolist()
        unpacked = sum(part.file_size for part in parts)
        if len(parts) > MAX_PARTS or unpacked > limits.unpacked_bytes:
            mib = limits.unpacked_bytes // 1024 // 1024
            raise _refusal(
                Said(f"at most {mib} MiB after unpacking", f"解压后不超过 {mib} MiB"),
                Said(
                    f"{unpacked // 1024 // 1024} MiB in {len(parts)} parts",
                    f"{len(parts)} 个部件共 {unpacked // 1024 // 1024} MiB",
                ),
            )
        for part in parts:
            with archive.open(part) as stream:
                _Scan(limits).look_through(iter(partial(stream.read, 65536), b""), part.file_size)


class _Scan:
    """One look through a part of the archive, without building anything of it."""

    def __init__(self, limits: WorkbookLimits) -> None:
        self._limits = limits
        self._root = ""
        self._elements = 0
        self._cells = 0
        self._held = 0
        self._since = 0
        self._parser = expat.ParserCreate()
        self._parser.StartDoctypeDeclHandler = self._on_doctype
        self._parser.StartElementHandler = self._on_element

    def look_through(self, chunks: Iterator[bytes], size: int) -> None:
        for chunk in chunks:
            try:
                self._parser.Parse(chunk)
            except expat.ExpatError:
                return  # a picture; or a damaged part, which the reader will say
            self._since += len(chunk)
            if self._since > MAX_TAG:
                if not self._root:
                    return
                raise _refusal(Said("cells of a bounded length", "长度有限的单元格"), Said("one beyond it", "超长内容"))
            if self._root and not self._holds_cells and size > MAX_OTHER_BYTES:
                raise _laden()

    def _on_doctype(self, *_: object) -> None:
        """Entities can make a small XML large; a spreadsheet has no use for the declaration that brings them."""
        raise _refusal(
            Said("an XLSX file without document type declarations", "不含文档类型声明的 XLSX 文件"),
            Said("one with them", "含有该声明"),
        )

    @property
    def _holds_cells(self) -> bool:
        return self._root in _CELLS

    def _on_element(self, name: str, _: object) -> None:
        local = name.rpartition(":")[2]
        self._root = self._root or local
        self._since = 0
        self._elements += 1
        self._cells += local in _CELLS.values()
        if not self._holds_cells or (self._root == "sst" and local in ("row", "c")):
            if self._elements > MAX_OTHER_ELEMENTS or self._holds_cells:
                raise _laden()
            return
        self._held = 0 if local == _HELD_AT_ONCE[self._root] else self._held + 1
        limit = MAX_CELLS_OF_A_ROW
        if self._held > _PER_CELL * limit:
            expected = Said(f"at most {limit} cells in a row", f"每行不超过 {limit} 个单元格")
            raise _refusal(expected, Said("more", "更多"))
        limit = self._limits.cells if self._root == "worksheet" else self._limits.cells // 4
        if self._cells > limit or self._elements > _PER_CELL * limit:
            expected = Said(f"at most {limit} cells, empty ones counted", f"单元格（含空白）不超过 {limit} 个")
            raise _refusal(expected, Said("more", "更多"))


def _laden() -> FileRefused:
    expected = Said("a workbook with less formatting", "格式信息较少的工作簿")
    return _refusal(expected, Said("more than a sheet can show", "格式信息过多"))


def _cells(raw: bytes, limits: WorkbookLimits) -> tuple[list[Row], list[CellProblem]]:
    workbook = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=False, keep_links=False)
    try:
        sheets = [sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible"]
        if not sheets:
            raise _refusal(Said("a visible sheet with rows", "有数据的可见工作表"), Said("none", "没有"))
        problems: list[CellProblem] = []
        rows = list(_read(sheets[0], limits, problems))
        filled = {texts for _, texts in rows[:LOOKED_AT] if sum(map(bool, texts)) > 1}
        for sheet in sheets[1:]:
            if _goes_on(sheet, filled, limits):
                title = shortened(sheet.title)
                found = Said(f"more under the same heading on {title!r}", f"工作表“{title}”在同样的表头下还有数据")
                raise _refusal(Said("all rows on the first sheet", "所有数据都在第一个工作表"), found)
        return rows, problems
    finally:
        workbook.close()


def _read(sheet: Any, limits: WorkbookLimits, problems: list[CellProblem]) -> Iterator[Row]:
    for number, row in enumerate(_rows(sheet, limits), start=1):
        if number > limits.rows:
            raise _refusal(Said(f"at most {limits.rows} rows", f"不超过 {limits.rows} 行"), Said("more", "更多"))
        texts: list[str] = []
        for place, cell in enumerate(row):
            text, problem = _text(cell.value, kind=cell.data_type, limit=limits.cell)
            if problem and len(problems) < MAX_PROBLEMS:
                problems.append(CellProblem(number, place, *problem))
            texts.append(text)
        while texts and not texts[-1]:
            texts.pop()
        if len(texts) > limits.columns:
            expected = Said(f"at most {limits.columns} columns", f"不超过 {limits.columns} 列")
            problems.append(CellProblem(number, None, expected, Said("more", "更多")))
        if texts:
            yield number, tuple(texts)


def _rows(sheet: Any, limits: WorkbookLimits) -> Iterator[tuple[Any, ...]]:
    sheet.reset_dimensions()  # what the file claims of its size is not to be trusted
    rows: Iterator[tuple[Any, ...]] = sheet.iter_rows(max_col=limits.columns + 1)
    return rows


def _goes_on(sheet: Any, firsts: set[tuple[str, ...]], limits: WorkbookLimits) -> bool:
    """Return whether a sheet holds rows under the same heading: to read the first sheet only would lose them.

    `firsts` are the first rows of that one, its heading among them. Notes and lists of words on a sheet of their own
    are nobody's loss.
    """
    begun = False
    for row in islice(_rows(sheet, limits), LOOKED_AT):
        texts = [_text(cell.value, kind=cell.data_type, limit=limits.cell)[0] for cell in row]
        while texts and not texts[-1]:
            texts.pop()
        if begun and texts:
            return True
        begun = begun or tuple(texts) in firsts
    return False


def _text(value: object, *, kind: str, limit: int) -> tuple[str, tuple[Said, str] | None]:
    """Return the text of a cell and, when it cannot be used, what was expected and what was found."""
    if kind == "f":
        return "", (Said("a value; formulas are not calculated", "填写的值（公式不予计算）"), Said("a formula", "公式"))
    if value is None:
        return "", None
    if isinstance(value, bool):
        return ("yes" if value else "no"), None
    if kind == "e":
        return "", (Said("a value", "填写的值"), shortened(str(value)))
    if isinstance(value, int | float) and abs(value) >= FIRST_INEXACT:
        return "", (
            Said(
                "text: a spreadsheet keeps 15 digits of a number and loses the rest",
                "文本格式（表格软件只保留数字的前 15 位）",
            ),
            Said(f"the number {value:.0f}"[:40], f"数字 {value:.0f}"[:40]),
        )
    if isinstance(value, float) and value.is_integer():
        return str(int(value)), None
    if isinstance(value, datetime):
        return (value.date() if value.time() == datetime.min.time() else value).isoformat(), None
    if isinstance(value, date | int | float):
        return (value.isoformat() if isinstance(value, date) else str(value)), None
    text = str(value)
    if len(text) > limit:
        return "", too_long(len(text), limit)
    return text, None


def too_long(length: int, limit: int) -> tuple[Said, Said]:
    """Return what is expected of a cell's length, and what was found."""
    return Said(f"at most {limit} characters", f"最多 {limit} 个字符"), Said(f"{length} characters", f"{length} 个字符")


def _refusal(expected: Said, found: Said) -> FileRefused:
    return FileRefused([RowError(0, "", expected, found)])
