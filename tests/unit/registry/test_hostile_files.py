"""Packs and workbooks made to fill memory or to pass for another: refused before anything is built of them."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from schemas import strict_yaml
from services.registry.adapters import workbook
from services.registry.adapters.files import LocalFiles
from services.registry.adapters.strict_yaml import read_yaml
from services.registry.domain.errors import FileRefused
from tests.unit.registry.builders import PACK_FILE

SHEET = "xl/worksheets/sheet1.xml"
STRINGS = "xl/sharedStrings.xml"
STRINGS_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def found_in_yaml(text: str) -> str:
    with pytest.raises(FileRefused) as caught:
        read_yaml(text)
    return caught.value.errors[0].found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: [" + "1," * 3_000_000 + "]", "a larger one"),
        ("a: [" + "1," * 30_000 + "]", "more than 20000 values"),
        ("[" * 100_000, "nested deeper than 24"),
        ("\n".join(" " * depth + "a:" for depth in range(100)), "nested deeper than 24"),
        ("a: " + "x" * 4_001, "a text of more than 4000 characters"),
        ("a: |\n" + " x\n" * 2_001, "a text of more than 4000 characters"),
        ("a: &a [1]\nb: [*a, *a]", "aliases are not allowed"),
        ("a: 1\n<<: {a: 2}", "a key that is not text; put it in quotes"),
        ("1: x", "a key that is not text; put it in quotes"),
        ("yes: x", "a key that is not text; put it in quotes"),
        ("? [a]\n: 1", "a key that is not text; put it in quotes"),
        ("a: 1\n'a': 2", "key 'a' stands twice"),
        ("a: {b: 1, b: 2}", "key 'b' stands twice"),
        ("a: !!binary aGk=", "the tag tag:yaml.org,2002:binary is not…"),
        ("!!python/object:os.system {}", "the tag tag:yaml.org,2002:python/object…"),
        ("a: 1\n---\nb: 2", "but found another document"),
        ("a: 2026-13-45", "month must be in 1..12"),
    ],
)  # fmt: skip
def test_yaml_beyond_the_bounds_is_refused(text: str, found: str) -> None:
    assert found_in_yaml(text) == found


def test_keys_are_counted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strict_yaml, "MAX_NODES", 100)
    assert found_in_yaml("{" + ",".join(f"k{number}: 1" for number in range(60)) + "}") == "more than 100 values"


def test_refused_yaml_is_told_at_its_line() -> None:
    with pytest.raises(FileRefused) as caught:
        read_yaml("a: 1\nb: 2\na: 3\n")
    assert caught.value.errors[0].row == 3


def test_the_sample_pack_is_far_within_the_bounds() -> None:
    text = PACK_FILE.read_text(encoding="utf-8")
    assert len(text) * 10 < strict_yaml.MAX_CHARS
    assert read_yaml(text)[0]


def test_a_pack_of_three_million_values_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pack.yaml"
    path.write_bytes(b"a: [" + b"1," * 3_000_000 + b"]")
    with pytest.raises(FileRefused) as caught:
        LocalFiles().read_pack(str(path))
    assert caught.value.errors[0].found == "a larger one"


@pytest.mark.thorough
def test_thousands_of_errors_of_a_pack_are_all_counted(tmp_path: Path) -> None:
    text = PACK_FILE.read_text(encoding="utf-8")
    strangers = ", ".join(f"stranger{number}" for number in range(8_000))
    extra = "".join(f"extra{number}: 1\n" for number in range(4_000))
    path = tmp_path / "pack.yaml"
    path.write_text(text.replace("copies: [brigade]", f"copies: [{strangers}]") + extra, encoding="utf-8")
    with pytest.raises(FileRefused) as caught:
        LocalFiles().read_pack(str(path))
    assert caught.value.total == 12_000


@pytest.mark.parametrize("seconds", ["1e300", ".inf", "1e12"])
def test_a_span_that_no_clock_has_is_refused_with_its_place(tmp_path: Path, seconds: str) -> None:
    path = tmp_path / "pack.yaml"
    text = PACK_FILE.read_text(encoding="utf-8").replace("after_s: 3600", f"after_s: {seconds}", 1)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FileRefused) as caught:
        LocalFiles().read_pack(str(path))
    assert "after_s" in caught.value.errors[0].column


def archive(changes: dict[str, Callable[[bytes], bytes]], renamed: dict[str, str] | None = None) -> bytes:
    """Return a small workbook in which parts are changed or have another name."""
    book = openpyxl.Workbook()
    book.worksheets[0].append(["a", "b"])
    plain = io.BytesIO()
    book.save(plain)
    out = io.BytesIO()
    names = renamed or {}
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        parts = {part.filename: source.read(part) for part in source.infolist()}
        parts.setdefault(STRINGS, f'<sst xmlns="{NAMESPACE}"></sst>'.encode())
        override = f'<Override PartName="/{STRINGS}" ContentType="{STRINGS_TYPE}"/></Types>'.encode()
        if STRINGS.encode() not in parts["[Content_Types].xml"]:
            parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace(b"</Types>", override)
        for name, content in parts.items():
            changed = changes.get(name, bytes)(content)
            for old, new in names.items():
                changed = changed.replace(Path(old).name.encode(), Path(new).name.encode())
            target.writestr(names.get(name, name), changed)
    return out.getvalue()


def before(end: bytes, xml: bytes) -> Callable[[bytes], bytes]:
    return lambda content: content.replace(end, xml + end)


def read(folder: Path, raw: bytes, *, max_rows: int = 200_000) -> str:
    """Return what was found wrong, "" for a workbook that was read."""
    path = folder / "gateways.xlsx"
    path.write_bytes(raw)
    try:
        LocalFiles(max_rows=max_rows).read_sheet(str(path))
    except FileRefused as refusal:
        return f"{refusal.errors[0].expected}; {refusal.errors[0].found}"
    return ""


ROW = b'<row r="3">'


def test_an_honest_workbook_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, archive({})) == ""
    cells = ROW + b"<c/>" * 16_000 + b"</row>"
    assert read(tmp_path, archive({SHEET: before(b"</sheetData>", cells)})) == ""


def test_a_row_of_millions_of_empty_cells_is_refused(tmp_path: Path) -> None:
    raw = archive({SHEET: before(b"</sheetData>", ROW + b"<c/>" * 1_000_000 + b"</row>")})
    assert read(tmp_path, raw) == "at most 16384 cells in a row; more"


def test_millions_of_empty_cells_in_many_rows_are_refused(tmp_path: Path) -> None:
    rows = b"".join(b"<row>" + b"<c/>" * 200 + b"</row>" for _ in range(100))
    raw = archive({SHEET: before(b"</sheetData>", rows)})
    assert read(tmp_path, raw, max_rows=500) == "at most 16000 cells, empty ones counted; more"
    assert read(tmp_path, raw) == ""


def test_shared_strings_without_end_are_refused(tmp_path: Path) -> None:
    raw = archive({STRINGS: before(b"</sst>", b"<si><t/></si>" * 20_000)})
    assert read(tmp_path, raw, max_rows=2_000) == "at most 16000 cells, empty ones counted; more"


def test_shared_strings_that_pose_as_a_sheet_are_refused(tmp_path: Path) -> None:
    raw = archive({STRINGS: before(b"</sst>", b"<row/>")})
    assert read(tmp_path, raw).startswith("a workbook with less formatting")


def test_formats_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "MAX_OTHER_ELEMENTS", 5_000)
    raw = archive({"xl/styles.xml": before(b"</cellXfs>", b"<xf/>" * (workbook.MAX_OTHER_ELEMENTS + 1))})
    assert read(tmp_path, raw).startswith("a workbook with less formatting")


@pytest.mark.parametrize(
    "xml", [b'<row><c a="%s"/></row>', b"<row><c><is><t>%s</t></is></c></row>", b"<row><!--%s--></row>"]
)
def test_a_text_without_end_is_refused(tmp_path: Path, xml: bytes) -> None:
    raw = archive({SHEET: before(b"</sheetData>", xml % (b"x" * 2 * workbook.MAX_TAG))})
    assert read(tmp_path, raw) == "cells of a bounded length; one beyond it"


def test_a_declaration_of_entities_is_refused_whatever_its_part_is_called(tmp_path: Path) -> None:
    def declared(content: bytes) -> bytes:
        return (
            b'<!DOCTYPE a [<!ENTITY b "c">]>' + content.partition(b"?>")[2]
            if b"?>" in content
            else (b'<!DOCTYPE a [<!ENTITY b "c">]>' + content)
        )

    raw = archive({SHEET: declared}, {SHEET: "xl/worksheets/sheet1.dat"})
    assert read(tmp_path, raw) == "an XLSX file without document type declarations; one with them"


@pytest.mark.parametrize(
    "cell",
    [
        b'<c r="ZZZZZZ3"><v>1</v></c>', b'<c r="A3" t="s"><v>99999</v></c>', b'<c r="A3"><v>nan</v></c>',
        b'<c r="A3" t="d"><v>9999-99-99</v></c>', b'<c r="A3"><v>' + b"9" * 5000 + b"</v></c>",
    ],
)  # fmt: skip
def test_cells_that_cannot_be_are_a_sentence(tmp_path: Path, cell: bytes) -> None:
    raw = archive({SHEET: before(b"</sheetData>", ROW + cell + b"</row>")})
    assert read(tmp_path, raw).startswith("an XLSX file; damaged")
