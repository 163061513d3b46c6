"""CSV, XLSX and YAML from strangers: encodings, bounds, formulas, bombs."""

import io
import zipfile
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest

from services.registry.adapters.files import LocalFiles
from services.registry.domain.errors import ErrorList, FileRefused, RowError
from services.registry.domain.words import Said
from tests.unit.registry.builders import PACK_FILE

TEXT = "装置编号,单位编号,运营商\nG1,U1,电信𠮷\n"


def write(folder: Path, content: bytes, name: str = "gateways.csv") -> str:
    path = folder / name
    path.write_bytes(content)
    return str(path)


def refusal(path: str, files: LocalFiles | None = None) -> list[tuple[int, str, str, str]]:
    with pytest.raises(FileRefused) as caught:
        (files or LocalFiles()).read_sheet(path)
    return [(error.row, error.column, error.expected, error.found) for error in caught.value.errors]


def problems(path: str) -> list[tuple[int, int | None, str]]:
    return [(each.row, each.place, each.found) for each in LocalFiles().read_sheet(path).problems]


def workbook(rows: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_csv_of_each_encoding_reads_alike(tmp_path: Path, encoding: str) -> None:
    sheet = LocalFiles().read_sheet(write(tmp_path, TEXT.encode(encoding)))
    assert sheet.rows == [(1, ("装置编号", "单位编号", "运营商")), (2, ("G1", "U1", "电信𠮷"))]
    assert sheet.doubt is None


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (TEXT.encode("utf-16"), "UTF-16"),
        (b"\xff\xff\xff,\x80\n", "neither"),
        (b"a,b\0c\n", "zero bytes"),
        (b"", "no text"),
        (b",,\n \n", "no text"),
        (b"\xd0\xcf\x11\xe0rest", "old or a password-protected"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes, found: str) -> None:
    ((row, _, _, said),) = refusal(write(tmp_path, content))
    assert row == 0
    assert found in said


def test_missing_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    assert refusal(str(tmp_path / "nowhere.csv"))[0][3] == "No such file or directory"


def test_rows_have_the_numbers_of_a_spreadsheet_over_blank_lines_and_line_breaks_in_cells(tmp_path: Path) -> None:
    sheet = LocalFiles().read_sheet(write(tmp_path, b'\na,b\n\n"x\ny",1\nz,2\n'))
    assert [number for number, _ in sheet.rows] == [2, 4, 5]


def test_open_quote_is_told_at_its_row_and_line(tmp_path: Path) -> None:
    ((row, _, expected, _),) = refusal(write(tmp_path, b'a,b\n"1\n1",2\n"x,3\n'))
    assert (row, expected) == (3, "a row of CSV; it begins at line 4 of the text")


@pytest.mark.parametrize(
    ("content", "files"),
    [
        (b"a\n" + b"x" * (1024 * 1024), LocalFiles(max_file_mb=1)),
        (b"a\n" + b"x\n" * 12, LocalFiles(max_rows=10)),
        (b"a\n" + b"x" * 200_000 + b"\n", LocalFiles()),
    ],
    ids=["bytes", "rows", "beyond the csv module"],
)
def test_bounds_hold(tmp_path: Path, content: bytes, files: LocalFiles) -> None:
    assert refusal(write(tmp_path, content), files)


@pytest.mark.parametrize(
    ("line", "place"), [(b"," * 65 + b"x", None), (b"y," + b"x" * 2001, 1)], ids=["columns", "cell"]
)
def test_bounds_of_rows_and_cells_hold(tmp_path: Path, line: bytes, place: int | None) -> None:
    ((row, where, _),) = problems(write(tmp_path, b"a,b\n" + line + b"\n"))
    assert (row, where) == (2, place)


def test_xlsx_cells_become_the_text_of_a_csv(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["a", "b", "c", "d", "e", "f"],
        ["文", 5, 5.5, True, datetime(2026, 1, 31), date(2026, 2, 1)],  # noqa: DTZ001 - spreadsheets know no zones
    ]
    sheet = LocalFiles().read_sheet(write(tmp_path, workbook(rows), "gateways.xlsx"))
    assert sheet.rows[1:] == [(2, ("文", "5", "5.5", "yes", "2026-01-31", "2026-02-01"))]


def test_each_formula_cell_is_a_problem(tmp_path: Path) -> None:
    path = write(tmp_path, workbook([["a", "b"], ["=1+1", "x"], ["y", "=HYPERLINK(A1)"]]), "x.xlsx")
    assert problems(path) == [(2, 0, "a formula"), (3, 1, "a formula")]


def of_sheets(*sheets: tuple[str, list[list[object]]]) -> bytes:
    """Return a workbook of (state, rows)."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for number, (state, rows) in enumerate(sheets, start=1):
        sheet = book.create_sheet(f"表{number}")
        sheet.sheet_state = state
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_what_a_workbook_hides_is_not_taken_for_what_it_shows(tmp_path: Path) -> None:
    old: list[list[object]] = [["a"], ["old"]]
    path = write(tmp_path, of_sheets(("hidden", old), ("veryHidden", old), ("visible", [["a"], ["new"]])), "x.xlsx")
    assert LocalFiles().read_sheet(path).rows == [(1, ("a",)), (2, ("new",))]


def test_rows_that_go_on_upon_another_sheet_are_not_passed_over(tmp_path: Path) -> None:
    first: list[list[object]] = [["a", "b"], ["1", "2"]]
    more: list[list[object]] = [[], ["a", "b"], ["3", "4"]]
    path = write(tmp_path, of_sheets(("visible", first), ("visible", more)), "x.xlsx")
    assert refusal(path) == [(0, "", "all rows on the first sheet", "more under the same heading on '表2'")]


def test_notes_an_empty_form_and_a_hidden_copy_on_other_sheets_do_no_harm(tmp_path: Path) -> None:
    first: list[list[object]] = [["a", "b"], ["1", "2"]]
    notes: list[list[object]] = [["how to fill this in"], ["a: a number"]]
    path = write(
        tmp_path, of_sheets(("visible", first), ("visible", notes), ("visible", first[:1]), ("hidden", first)), "x.xlsx"
    )
    assert LocalFiles().read_sheet(path).rows == [(1, ("a", "b")), (2, ("1", "2"))]


def test_a_number_that_the_spreadsheet_has_cut_is_refused(tmp_path: Path) -> None:
    rows: list[list[object]] = [["a", "b"], [1.3e12, 123456789012345], [1.23456789012346e16, 911101080000000001]]
    told = problems(write(tmp_path, workbook(rows), "x.xlsx"))
    assert [(row, place) for row, place, _ in told] == [(3, 0), (3, 1)]


def test_every_error_value_of_a_spreadsheet_is_refused(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["A1"], sheet["A2"], sheet["A3"] = "a", "#N/A", "#SPILL!"
    sheet["A3"].data_type = "e"
    out = io.BytesIO()
    book.save(out)
    assert problems(write(tmp_path, out.getvalue(), "x.xlsx")) == [(2, 0, "#N/A"), (3, 0, "#SPILL!")]


def test_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", b"<Types/>")
        archive.writestr("xl/worksheets/sheet1.xml", b" " * (3 * 1024 * 1024))
    ((_, _, expected, found),) = refusal(write(tmp_path, out.getvalue(), "x.xlsx"), LocalFiles(max_unpacked_mb=2))
    assert (expected, found) == ("at most 2 MiB after unpacking", "3 MiB in 2 parts")


def test_too_many_parts_are_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(2001):
            archive.writestr(f"{number}.xml", b"<a/>")
    assert refusal(write(tmp_path, out.getvalue(), "x.xlsx"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_document_type_declaration_is_refused(tmp_path: Path, encoding: str) -> None:
    bomb = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'.encode(encoding)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("xl/workbook.xml", bomb)
    assert "document type" in refusal(write(tmp_path, out.getvalue(), "x.xlsx"))[0][2]


def test_damaged_xlsx_is_refused(tmp_path: Path) -> None:
    good = workbook([["a"], ["b"]])
    for cut in (10, len(good) // 2, len(good) - 5):
        assert refusal(write(tmp_path, good[:cut], "x.xlsx"))[0][2] == "an XLSX file"


def test_row_far_down_cannot_make_a_sheet_huge(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["A1"], sheet["A1000000"] = "a", "b"
    out = io.BytesIO()
    book.save(out)
    assert "rows" in refusal(write(tmp_path, out.getvalue(), "x.xlsx"), LocalFiles(max_rows=1000))[0][2]


def pack_errors(folder: Path, *replacements: tuple[str, str]) -> tuple[RowError, ...]:
    """Return each error of the sample pack with some of its text replaced, once each."""
    text = PACK_FILE.read_text(encoding="utf-8")
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(FileRefused) as caught:
        LocalFiles().read_pack(write(folder, text.encode(), "pack.yaml"))
    return caught.value.errors


def pack_refusal(folder: Path, *replacements: tuple[str, str]) -> list[tuple[int, int, str]]:
    """Return line, column and path of each error."""
    return [(error.row, error.char, error.column) for error in pack_errors(folder, *replacements)]


PACK_ERRORS = [
    ("version: 1", "version: none", "version", "version"),
    ("lead: education", "lead: educashun", "routes.0.lead", "lead"),
    ("copies: [police]", "copies: [police, polise]", "routes.6.copies.1", "polise"),
    ("misses: 3", "misses: 0", "profiles.CN-FAST.misses", "misses"),
    ("after_s: 3600", "after_s: -1", "ladders.hazard.steps.1.after_s", "after_s"),
    ("after_s: 3600", "after_s: 20000", "ladders.hazard.steps.2.after_s", "after_s"),
    ("code: H1", "code: H0", "ladders.hazard.steps.1.code", "code"),
    ("default_profile: CN-FAST", "default_profile: CN-SLOW", "default_profile", "default_profile"),
    ("scope: KEY", "scope: KYE", "targets.T04.scope", "scope"),
    ("valid_to: 2026-12-31", "valid_to: 2025-12-31", "valid_to", "valid_to"),
    ("lead: null, street_leads: true", "lead: police, street_leads: true", "routes.37.street_leads", "street_leads"),
    ("code: VOCATIONAL", "code: SCHOOL", "routes.1.code", "code"),
    ("all: [key_unit]", "all: [key_unitt]", "scopes.KEY.all.0", "key_unitt"),
    ("any: [crowded_place", "any: [crowded_plaze", "scopes.S1.all.2.any.0", "crowded_plaze"),
    ("kinds: [fire]", "kinds: [fire, flood]", "ladders.fire.kinds.1", "flood"),
    ("kinds: [fire]", "kinds: [fire, fault]", "ladders.fire.kinds.1", "fault"),
    ("union: [S1, S2]", "union: [S1, S9]", "union.1", "S9"),
    ("union: [S1, S2]", "union: [S1, S1]", "union.1", "S1"),
    ("dimensions: [district, town, department", "dimensions: [town, department", "dimensions", "dimensions"),
    ("department, category]", "department, kategory]", "dimensions.3", "kategory"),
    ("group_wait_s: 30", "group_wayt_s: 30", "group_wayt_s", "group_wayt_s"),
]


@pytest.mark.thorough
@pytest.mark.parametrize(("old", "new", "path", "key"), PACK_ERRORS)
def test_pack_error_names_its_path_line_and_column(tmp_path: Path, old: str, new: str, path: str, key: str) -> None:
    text = PACK_FILE.read_text(encoding="utf-8").replace(old, new, 1)
    found = {named: (line, char) for line, char, named in pack_refusal(tmp_path, (old, new))}
    assert path in found
    line, char = found[path]
    assert text.splitlines()[line - 1][char - 1 :].startswith(key)
    wrong_at = text.index(new)
    assert line >= text.count("\n", 0, wrong_at) + 1


@pytest.mark.thorough
@pytest.mark.parametrize(("old", "new", "path", "key"), PACK_ERRORS[:-1])
def test_one_mistake_in_a_pack_is_one_error(tmp_path: Path, old: str, new: str, path: str, key: str) -> None:
    assert [named for _, _, named in pack_refusal(tmp_path, (old, new))] == [path]


def test_several_mistakes_in_a_pack_are_all_told_in_the_order_of_the_text(tmp_path: Path) -> None:
    found = pack_refusal(tmp_path, *((old, new) for old, new, *_ in PACK_ERRORS[:4]))
    assert [path for *_, path in found] == ["version", "routes.0.lead", "routes.6.copies.1", "profiles.CN-FAST.misses"]
    assert found == sorted(found)


@pytest.mark.parametrize(
    ("text", "place"),
    [("a: 1\nb: [\n", (3, 1)), ("a: 1\na: 2\n", (2, 1)), ("a: 1\nb: 2026-13-01\n", (2, 4)), ("a: 1\n  b: 2\n", (2, 4))],
    ids=["open bracket", "key twice", "no such day", "indented"],
)
def test_broken_yaml_is_told_at_its_line_and_column(tmp_path: Path, text: str, place: tuple[int, int]) -> None:
    with pytest.raises(FileRefused) as caught:
        LocalFiles().read_pack(write(tmp_path, text.encode(), "pack.yaml"))
    (error,) = caught.value.errors
    assert (error.row, error.char) == place


H1 = "ladders.hazard.steps.1"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("said", "path", "sentence"),
    [
        ("trigger: {period_close: {period: fortnight}}", f"{H1}.trigger.period_close.period", "'day', 'week'"),
        ("trigger: {condition: {name: below}}", f"{H1}.trigger.condition.name", "one of: 'two_years_running'"),
        (
            "trigger: {condition: {name: two_years_running}}",
            f"{H1}.trigger.condition",
            "a trigger that a case of a unit has",
        ),
        ("trigger: {}", f"{H1}.trigger", "exactly one of: elapsed, working_time"),
        (
            "trigger: {elapsed: {after_s: 1}, event: {kind: reopened}}",
            f"{H1}.trigger",
            "exactly one of: elapsed, working_time",
        ),
        (
            "trigger: {event: {kind: opened}}",
            f"{H1}.trigger.event.kind",
            "'reopened', 'component_added' or 'component_ended'",
        ),
        (
            "trigger: {working_time: {calendar: CN}}",
            f"{H1}.trigger.working_time",
            "either `working_days` or `working_s`",
        ),
        (
            "trigger: {working_time: {working_days: 3, calendar: DE}}",
            f"{H1}.trigger.working_time.calendar",
            "one of: 'CN'",
        ),
        ("after_s: 3600, trigger: {elapsed: {after_s: 3600}}", H1, "either `after_s` or `trigger`"),
        ("board_only: false", H1, "either `after_s` or `trigger`"),
        ("trigger: {event: {kind: reopened}}", "ladders.hazard", "steps that wait for an event stand last"),
        ("after_s: 3600, exit: [case_closed, replied]", f"{H1}.exit.1", "no step before it wants a reply"),
        (
            "trigger: {overdue: {clock: receipt}}",
            f"{H1}.trigger.overdue.clock",
            "a step before it sets (`receipt_working_days`)",
        ),
        ("trigger: {overdue: {clock: step}}", f"{H1}.trigger.overdue.clock", "'receipt', 'reply' or 'listing'"),
        ("after_s: 3600, exit: [case_closed, condition_over]", f"{H1}.exit", "no step can end by condition_over"),
        ("after_s: 3600, exit: [acknowledged]", f"{H1}.exit", "`exit` must name case_closed"),
        ("after_s: 3600, exit: [tired]", f"{H1}.exit.0", "'case_closed'"),
    ],
)
def test_trigger_or_exit_that_nothing_would_ever_fire_is_refused_with_its_place(
    tmp_path: Path, said: str, path: str, sentence: str
) -> None:
    found = [error for error in pack_errors(tmp_path, ("after_s: 3600", said)) if error.column == path]
    assert [sentence in str(error.expected) for error in found] == [True]


def test_first_step_of_a_ladder_waits_for_no_event(tmp_path: Path) -> None:
    (found,) = pack_errors(tmp_path, ("{code: F0, after_s: 0", "{code: F0, trigger: {event: {kind: reopened}}"))
    assert (found.column, "cannot wait for an event" in str(found.expected)) == ("ladders.fire", True)


@pytest.mark.parametrize("broken", ["a: [", "a: 1\na: 2\n", "a: &x 1\nb: *x\n", "!!python/object:os.system {}", "42"])
def test_yaml_that_is_broken_doubled_aliased_or_tagged_is_refused(tmp_path: Path, broken: str) -> None:
    with pytest.raises(FileRefused):
        LocalFiles().read_pack(write(tmp_path, broken.encode(), "pack.yaml"))


def test_errors_beyond_what_anybody_reads_are_counted_only() -> None:
    errors = ErrorList(keep=3)
    errors.add(*(RowError(row, "a", Said("b", "乙"), "c") for row in range(5)))
    errors.add(RowError(9, "a", Said("b", "乙"), "c"))
    with pytest.raises(FileRefused) as caught:
        errors.refuse_if_any()
    assert ([error.row for error in caught.value.errors], caught.value.total) == ([0, 1, 2], 6)
