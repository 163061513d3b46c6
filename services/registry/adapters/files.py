"""CSV and XLSX as people make them, within bounds; and YAML packs."""

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml
from pydantic import EmailStr, TypeAdapter, ValidationError

from schemas.pack import Pack
from schemas.registry import WebhookUrl
from services.registry.adapters.wire import policy_of
from services.registry.adapters.workbook import WorkbookLimits, read_workbook
from services.registry.domain.cells import BadCell, clean
from services.registry.domain.errors import ErrorList, FileRefused, RowError, shortened
from services.registry.domain.policy import Policy
from services.registry.ports import Sheet

MAX_COLUMNS = 64
MAX_CELL = 2_000
_XLSX = b"PK\x03\x04"
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_OTHER_MARKS = {";": "semicolons", "\t": "tabs", "；": "full-width semicolons", "，": "full-width commas"}
_EMAIL: TypeAdapter[str] = TypeAdapter(EmailStr)
_URL: TypeAdapter[object] = TypeAdapter(WebhookUrl)
_PLAIN_LOCAL = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*")
_MAX_LOCAL = 64
_MAX_EMAIL = 254


class LocalFiles:
    """Files on this machine. Nothing in them is executed, evaluated or fetched."""

    def __init__(self, *, max_file_mb: int = 32, max_unpacked_mb: int = 256, max_rows: int = 200_000) -> None:
        self._max_bytes = max_file_mb * 1024 * 1024
        self._limits = WorkbookLimits(
            unpacked_bytes=max_unpacked_mb * 1024 * 1024, rows=max_rows, columns=MAX_COLUMNS, cell=MAX_CELL
        )
        self._max_rows = max_rows
        self._domains: dict[str, str] = {}

    def email(self, text: str) -> str:
        local, _, domain = text.rpartition("@")
        known = self._domains.get(domain)
        if known and len(local) <= _MAX_LOCAL and len(text) <= _MAX_EMAIL and _PLAIN_LOCAL.fullmatch(local):
            return f"{local}@{known}"  # the full check takes a tenth of a millisecond, mostly for the domain
        try:
            valid = _EMAIL.validate_python(text)
        except ValidationError:
            raise BadCell("an e-mail address such as duty@health.example.cn") from None
        self._domains[domain] = valid.rpartition("@")[2]
        return valid

    def web_address(self, text: str) -> str:
        try:
            return str(_URL.validate_python(text))
        except ValidationError:
            raise BadCell("an address that begins with https:// or http://, at most 400 characters") from None

    def read_sheet(self, path: str) -> Sheet:
        raw = self._read(path)
        rows = read_workbook(raw, self._limits) if raw.startswith(_XLSX) else self._csv_rows(raw)
        filled = [(number, cells) for number, cells in rows if any(clean(cell) for cell in cells)]
        if not filled:
            raise _refusal("a heading row and data rows", "no text at all")
        (heading_row, heading), *data = filled
        if len(heading) == 1 and (
            found := next((word for mark, word in _OTHER_MARKS.items() if mark in heading[0]), "")
        ):
            raise FileRefused([RowError(heading_row, "", "commas between the cells", found)])
        return Sheet(heading_row, heading, data, hashlib.sha256(raw).hexdigest())

    def read_pack(self, path: str) -> tuple[Policy, str]:
        raw = self._read(path)
        try:
            content = yaml.load(raw, Loader=_StrictLoader)  # noqa: S506 - derived from SafeLoader
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = 0 if mark is None else mark.line + 1
            raise FileRefused([RowError(line, "", "YAML", shortened(_first_line(error)))]) from error
        except (RecursionError, ValueError) as error:
            raise _refusal("YAML without deep nesting or impossible dates", _first_line(error)) from error
        try:
            pack = Pack.model_validate(content)
        except ValidationError as error:
            raise FileRefused(_pack_errors(error)) from error
        return policy_of(pack), hashlib.sha256(raw).hexdigest()

    def _read(self, path: str) -> bytes:
        try:
            with Path(path).open("rb") as file:
                raw = file.read(self._max_bytes + 1)
        except OSError as error:
            raise _refusal("a file that can be read", error.strerror or type(error).__name__) from error
        if len(raw) > self._max_bytes:
            raise _refusal(f"a file of at most {self._max_bytes // 1024 // 1024} MiB", "a larger one")
        if raw.startswith(_OLD_EXCEL):
            raise _refusal("XLSX or CSV", "an old or a password-protected Excel file; save it as XLSX without password")
        return raw

    def _csv_rows(self, raw: bytes) -> list[tuple[int, tuple[str, ...]]]:
        rows: list[tuple[int, tuple[str, ...]]] = []
        errors = ErrorList()
        for number, cells in _parsed(_decoded(raw)):
            if len(rows) > self._max_rows:
                raise _refusal(f"at most {self._max_rows} rows", "more")
            errors.add(*cell_errors(number, cells))
            rows.append((number, tuple(cells[:MAX_COLUMNS])))
        errors.refuse_if_any()
        return rows


def cell_errors(number: int, cells: Sequence[str]) -> Iterator[RowError]:
    """Yield what is beyond the bounds in a row of any kind of file."""
    if len(cells) > MAX_COLUMNS:
        yield RowError(number, "", f"at most {MAX_COLUMNS} columns", f"{len(cells)} columns")
    for place, cell in enumerate(cells, start=1):
        if len(cell) > MAX_CELL:
            yield RowError(number, f"column {place}", f"at most {MAX_CELL} characters", f"{len(cell)} characters")


def _decoded(raw: bytes) -> str:
    """Return the text of a CSV: UTF-8 with or without a mark, or GB18030 as Chinese Excel writes it."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _refusal("UTF-8 or GB18030 text", "UTF-16; save the file as 'CSV UTF-8'")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            raise _refusal("text", "zero bytes; this is no CSV file")
        return text
    raise _refusal("UTF-8 or GB18030 text", "bytes that are neither")


def _parsed(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    start = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise FileRefused([RowError(start, "", "a row of CSV", shortened(str(error)))]) from error
        yield start, cells
        start = reader.line_num + 1


class _StrictLoader(yaml.SafeLoader):
    """Plain YAML in which a key that stands twice is an error and aliases (which can multiply) are not allowed."""

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]  # in the stubs
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed", event.start_mark)
        node: yaml.Node | None = super().compose_node(parent, index)  # type: ignore[arg-type]  # stubs say int
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = key_node.value
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", key_node.start_mark)
            seen.add(key)
        result: dict[object, object] = super().construct_mapping(node, deep=deep)
        return result


def _pack_errors(error: ValidationError) -> list[RowError]:
    found = error.errors(include_url=False, include_context=False)
    errors: list[RowError] = []
    for each in found:
        path = ".".join(str(part) for part in each["loc"]) or "(whole pack)"
        errors.append(RowError(0, path, each["msg"], shortened(repr(each["input"]))))
    return errors  # fmt: skip


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _refusal(expected: str, found: str) -> FileRefused:
    return FileRefused([RowError(0, "", expected, found)])
