"""Files for people and for the next import: CSV or XLSX for rows, YAML for packs."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import yaml
from openpyxl.cell import WriteOnlyCell

from services.registry.adapters.secret_files import replace_all
from services.registry.domain.entities import Kind
from services.registry.domain.errors import CredentialsRefused, ExportRefused
from services.registry.domain.policy import Policy
from services.registry.domain.writing import Written

_NAMES = {Kind.DEPARTMENT: "departments", Kind.UNIT: "units", Kind.GATEWAY: "gateways", Kind.CONTACT: "contacts"}
XLSX_ROWS = 1_048_576


class FolderSheets:
    """Writes into one folder. Only their owner may read the files: contacts are people."""

    def __init__(self, folder: Path, form: str) -> None:
        self._folder = folder
        self._form = form

    def write(self, written: Sequence[Written], packs: Sequence[Policy]) -> list[tuple[str, int]]:
        render = FORMS[self._form]
        files = {f"{_NAMES[each.kind]}.{self._form}": (render(each), len(each.rows)) for each in written if each.rows}
        files |= {f"{pack.pack_id}.yaml": (pack_yaml(pack), 1) for pack in packs}
        try:
            replace_all(self._folder, {name: content for name, (content, _) in files.items()})
        except CredentialsRefused as error:
            raise ExportRefused(str(error)) from error
        return [(str(self._folder / name), count) for name, (_, count) in files.items()]


def _csv(written: Written) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(written.headings)
    writer.writerows(written.rows)
    return out.getvalue().encode("utf-8-sig")  # the mark makes a spreadsheet read it as UTF-8


def _xlsx(written: Written) -> bytes:
    if len(written.rows) >= XLSX_ROWS:
        raise ExportRefused(f"{len(written.rows)} rows are more than one sheet can have; export as csv")
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(_NAMES[written.kind])
    for row in (written.headings, *written.rows):
        sheet.append([_text_cell(sheet, text) for text in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _text_cell(sheet: Any, text: str) -> Any:
    """Return a cell that holds text, whatever it looks like: 007 keeps its noughts, =1 is no formula."""
    if not text:
        return None
    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"
    return cell


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True  # a pack may not have them


def pack_yaml(pack: Policy) -> bytes:
    """Return a pack as the file that an import takes back."""
    document = json.loads(pack.document)
    text = yaml.dump(document, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=120)
    return text.encode()


FORMS: Mapping[str, Callable[[Written], bytes]] = {"csv": _csv, "xlsx": _xlsx}
