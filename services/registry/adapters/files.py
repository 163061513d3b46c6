"""CSV and XLSX as people make them, within bounds; and YAML packs."""

import csv
import hashlib
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import AnyUrl, EmailStr, TypeAdapter, ValidationError

from schemas.registry import WebhookUrl
from services.registry.adapters.pack_file import read_pack_text
from services.registry.adapters.wire import policy_of
from services.registry.adapters.workbook import MAX_PROBLEMS, WorkbookLimits, read_workbook, too_long
from services.registry.domain.cells import BadCell, clean
from services.registry.domain.encodings import Reading, Undecided, decoded, read
from services.registry.domain.errors import FileRefused, RowError, shortened
from services.registry.domain.table import CellProblem, Row
from services.registry.domain.words import Said
from services.registry.ports import PackFile, Sheet
from services.runtime.addresses import Reach, reach_of_host

MAX_COLUMNS = 64
MAX_CELL = 2_000
_XLSX = b"PK\x03\x04"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_TEXT = Said("UTF-8 or GB18030 text", "UTF-8 或 GB18030 编码的文本")
_EMAIL: TypeAdapter[str] = TypeAdapter(EmailStr)
_URL: TypeAdapter[AnyUrl] = TypeAdapter(WebhookUrl)
_PLAIN_LOCAL = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*")
_MAX_LOCAL = 64
_MAX_EMAIL = 254


class LocalFiles:
    """Files on this machine. Nothing in them is executed, evaluated or fetched.

    `encoding` is what somebody says that their text is; without it the likely one is taken.
    """

    def __init__(
        self,
        *,
        max_file_mb: int = 32,
        max_unpacked_mb: int = 256,
        max_rows: int = 200_000,
        encoding: str | None = None,
    ) -> None:
        self._max_bytes = max_file_mb * 1024 * 1024
        self._limits = WorkbookLimits(
            unpacked_bytes=max_unpacked_mb * 1024 * 1024, rows=max_rows, columns=MAX_COLUMNS, cell=MAX_CELL
        )
        self._max_rows = max_rows
        self._encoding = encoding
        self._domains: dict[str, str] = {}

    def email(self, text: str) -> str:
        local, _, domain = text.rpartition("@")
        known = self._domains.get(domain)
        if known and len(local) <= _MAX_LOCAL and len(text) <= _MAX_EMAIL and _PLAIN_LOCAL.fullmatch(local):
            return f"{local}@{known}"  # the full check takes a tenth of a millisecond, mostly for the domain
        try:
            valid = _EMAIL.validate_python(text)
        except ValidationError:
            raise BadCell(
                Said("an e-mail address such as duty@health.example.cn", "邮箱地址，例如 duty@health.example.cn")
            ) from None
        self._domains[domain] = valid.rpartition("@")[2]
        return valid

    def web_address(self, text: str) -> str:
        try:
            url = _URL.validate_python(text)
        except ValidationError:
            raise BadCell(
                Said(
                    "an address that begins with https:// or http://, at most 400 characters",
                    "以 https:// 或 http:// 开头、最长 400 个字符的地址",
                )
            ) from None
        if why_not := _unusable(url):
            raise BadCell(why_not)
        return str(url)

    def read_sheet(self, path: str) -> Sheet:
        raw = self._read(path)
        rows: Sequence[Row]
        problems: Sequence[CellProblem] = ()
        doubt = None
        if raw.startswith(_XLSX):
            rows, problems = read_workbook(raw, self._limits)
        else:
            reading = self._text(raw)
            rows, problems = self._csv_rows(reading.text)
            doubt = reading.doubt
        filled = [(number, cells) for number, cells in rows if any(clean(cell) for cell in cells)]
        if not filled:
            raise _refusal(Said("a heading row and data rows", "表头和数据行"), Said("no text at all", "没有任何文字"))
        return Sheet(filled, problems, hashlib.sha256(raw).hexdigest(), doubt)

    def read_pack(self, path: str) -> PackFile:
        raw = self._read(path)
        reading = self._text(raw)
        pack, place_of = read_pack_text(reading.text)
        return PackFile(policy_of(pack), hashlib.sha256(raw).hexdigest(), place_of, reading.doubt)

    def _bytes(self, path: str) -> bytes:
        """Return the bytes of a file, no more than one above the bound."""
        try:
            with Path(path).open("rb") as file:
                return file.read(self._max_bytes + 1)
        except OSError as error:
            found = error.strerror or type(error).__name__
            raise _refusal(Said("a file that can be read", "可以读取的文件"), found) from error

    def _read(self, path: str) -> bytes:
        raw = self._bytes(path)
        if len(raw) > self._max_bytes:
            mib = self._max_bytes // 1024 // 1024
            raise _refusal(
                Said(f"a file of at most {mib} MiB", f"不超过 {mib} MiB 的文件"), Said("a larger one", "文件更大")
            )
        if raw.startswith(_OLD_EXCEL):
            raise _refusal(
                Said("XLSX or CSV", "XLSX 或 CSV 文件"),
                Said(
                    "an old or a password-protected Excel file; save it as XLSX without password",
                    "旧版或加密的 Excel 文件（请另存为不带密码的 XLSX）",
                ),
            )
        return raw

    def _text(self, raw: bytes) -> Reading:
        """Return the likely text, or that of the encoding which somebody named."""
        reading: Reading | None
        if self._encoding is not None:
            reading = decoded(raw, self._encoding)
        elif raw.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise _refusal(_TEXT, Said("UTF-16; save it as UTF-8 ('CSV UTF-8')", "UTF-16（请另存为“CSV UTF-8”）"))
        else:
            try:
                reading = read(raw)
            except Undecided as undecided:
                raise _refusal(undecided.expected, undecided.found) from None
        if reading is None:
            expected = _TEXT if self._encoding is None else Said(f"{self._encoding} text", f"{self._encoding} 文本")
            raise _refusal(expected, Said("bytes that are neither", "其他字节"))
        if "\0" in reading.text:
            raise _refusal(Said("text", "文本"), Said("zero bytes; this is no CSV file", "含有零字节，不是 CSV 文件"))
        return reading

    def _csv_rows(self, text: str) -> tuple[list[Row], list[CellProblem]]:
        rows: list[Row] = []
        problems: list[CellProblem] = []
        for number, cells in enumerate(_parsed(text), start=1):
            if number > self._max_rows + 1:
                raise _refusal(
                    Said(f"at most {self._max_rows} rows", f"不超过 {self._max_rows} 行"), Said("more", "更多")
                )
            if len(problems) < MAX_PROBLEMS:
                problems.extend(_cell_problems(number, cells))
            rows.append((number, tuple(cells[:MAX_COLUMNS])))
        return rows, problems


class HandedFiles(LocalFiles):
    """One file that came over HTTP. Whatever name it is asked for by, nothing on this machine is opened."""

    def __init__(self, content: bytes, *, max_file_mb: int, max_unpacked_mb: int, max_rows: int) -> None:
        super().__init__(max_file_mb=max_file_mb, max_unpacked_mb=max_unpacked_mb, max_rows=max_rows)
        self._content = content

    def _bytes(self, path: str) -> bytes:
        return self._content


def _unusable(url: AnyUrl) -> Said | None:
    """Return what is expected of a webhook's address that no notice could ever be sent to, None of a good one."""
    if url.username is not None or url.password is not None:
        return Said("an address without user name or password in it", "不含用户名和密码的地址")
    leads = reach_of_host(url.host or "")
    if leads is Reach.NOWHERE or not url.host or url.port == 0:
        return Said("an address that a receiver can have", "接收方可以使用的地址（该地址永远无法送达）")
    if url.scheme != "https" and leads is not Reach.SELF:
        return Said("https:// (http:// goes to this machine itself only)", "以 https:// 开头（http:// 仅可指向本机）")
    return None


def _cell_problems(number: int, cells: Sequence[str]) -> Iterator[CellProblem]:
    """Yield what is beyond the bounds in a row of a CSV."""
    if len(cells) > MAX_COLUMNS and any(cells[MAX_COLUMNS:]):
        expected = Said(f"at most {MAX_COLUMNS} columns", f"不超过 {MAX_COLUMNS} 列")
        yield CellProblem(number, None, expected, Said(f"{len(cells)} columns", f"{len(cells)} 列"))
    for place, cell in enumerate(cells[:MAX_COLUMNS]):
        if len(cell) > MAX_CELL:
            yield CellProblem(number, place, *too_long(len(cell), MAX_CELL))


def _parsed(text: str) -> Iterator[list[str]]:
    """Yield the rows as a spreadsheet counts them: one that runs over several lines is one row, a blank line too."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    for number in itertools.count(1):
        begun = reader.line_num + 1
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            expected = Said(
                f"a row of CSV; it begins at line {begun} of the text", f"一行 CSV 数据（从文本第 {begun} 行开始）"
            )
            raise FileRefused([RowError(number, "", expected, shortened(str(error)))]) from error


def _refusal(expected: Said, found: str) -> FileRefused:
    return FileRefused([RowError(0, "", expected, found)])
