"""Sheets as people lay them out: titles, notes, totals; and answers with the headings and in the language of each."""

import io
from contextlib import suppress
from datetime import date
from pathlib import Path

import openpyxl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.registry.adapters.files import LocalFiles
from services.registry.adapters.printing import Printer
from services.registry.domain.cells import clean
from services.registry.domain.entities import Kind
from services.registry.domain.errors import FileRefused
from services.registry.domain.reports import ImportReport
from services.registry.domain.table import lay_out, letter
from services.registry.worker.importing import Importer
from tests.unit.registry.test_importing import Office, office

__all__ = ["office"]

FIELD = Path(__file__).parent / "field"
HEADING = "装置编号,单位编号,运营商"
ROWS = "G1,U000001,电信\nG2,U000001,联通\n"
UNITS = (
    "单位编号（必填）,单位名称,区县,街镇,社区,场所类别,消防安全重点单位,自动消防设施,人员密集场所,易燃易爆场所,"
    "火灾自动报警系统,联网验收日期"
)
UNIT = "U000001,安澜医院,sample,T001,云澜社区,HOSPITAL,是,有,√,否,1,2026.1.5"


async def take(office: Office, name: str, text: str) -> tuple[ImportReport, str]:
    report = await office.take(name, text)
    out = io.StringIO()
    Printer(out).report(report, dry_run=False)
    return report, out.getvalue().replace(f"{office.folder}/", "")


async def with_unit(office: Office) -> Office:
    assert not (await office.take("units.csv", f"{UNITS}\n{UNIT}\n")).refused
    return office


async def test_everyday_words_and_dates_are_understood(office: Office) -> None:
    (version,) = (await with_unit(office)).versions()
    unit = version.facts
    assert (unit.auto_fire_facilities, unit.crowded_place, unit.fire_alarm_system) == (True, True, True)
    assert unit.commissioned_on == date(2026, 1, 5)


GATEWAYS = "装置编号,单位编号,运营商\nG1,U000001,carrier-a\nG2,U000001,carrier-a\n"


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        (f"云澜街道装置登记表,,\n\n填表说明：带*为必填项,,\n{GATEWAYS}", "1、3"),
        (f"填报单位：云澜街道,填报日期：2026-1-5,联系人：张三\n{GATEWAYS}", "1"),
        (GATEWAYS.replace("\n", "\n必填,必填,选填\n", 1), "2"),
        (GATEWAYS.replace("\n", "\n1,2,3\n", 1), "2"),
        (GATEWAYS.replace("\n", "\ngateway_id,unit_id,carrier\n", 1), "2"),
        (f"{GATEWAYS}合计,2,\n", "4"),
        (f"{GATEWAYS},,\n填表人：张三,审核人：李四,\n日期：2026年1月5日,,\n", "5、6"),
        (f"{GATEWAYS}注：以上为一季度数据,,\n,,\n , ,\u3000\n", "4"),
        (f"{GATEWAYS}装置编号,单位编号,运营商\n", "4"),
    ],
    ids=["title and note", "who filled it in", "notes below", "numbers of columns", "other language below", "total",
         "signature", "remark", "headings again"],
)  # fmt: skip
async def test_what_stands_around_the_list_is_passed_over_and_said(office: Office, text: str, passed: str) -> None:
    report, said = await take(await with_unit(office), "gateways.csv", text)
    assert (report.refused, report.rows, report.changed) == (False, 2, 2), said
    assert f"gateways.csv：第 {passed} 行不是数据，已略过\n" in said
    assert {key for key in office.store.versions if key[0] is Kind.GATEWAY} == {
        (Kind.GATEWAY, "G1"), (Kind.GATEWAY, "G2"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (GATEWAYS.replace("G2", "小计,1,\nG2"), "第 3 行：应为数据行（合计、签字等请放在表格末尾）；实际为小计，1"),
        (
            f"{GATEWAYS}云澜街道,,\nG3,U000001,carrier-a\n",
            "第 4 行：应为数据行（本行只填了一个单元格）；实际为云澜街道",
        ),
        (
            GATEWAYS.replace("\n", "\n示例,,,厂家甲\n", 1).replace("运营商", "运营商,厂家"),
            "第 2 行：应为数据行（本行缺少编号和大部分必填内容）；实际为示例，厂家甲",
        ),
        (f"G0,U000001,carrier-a\n{GATEWAYS}", "第 1 行：应为表头在所有数据行之上；实际为G0，U000001，carrier-a"),
        ("G1,U000001,carrier-a\n", "第 1 行：应为表头行：装置编号、单位编号、运营商；实际为G1，U000001，carrier-a"),
        (
            GATEWAYS.replace("运营商", "运营商,").replace("carrier-a\nG2", "carrier-a,13800000000\nG2"),
            "第 2 行“D”列：应为该列有表头（备注列请写“备注”）；实际为13800000000",
        ),
        (GATEWAYS.replace(",", ";"), "第 1 行：应为单元格之间用半角逗号分隔；实际为分号"),
        (GATEWAYS.replace(",", "\t"), "第 1 行：应为单元格之间用半角逗号分隔；实际为制表符"),
        (GATEWAYS.replace(",", "，"), "第 1 行：应为单元格之间用半角逗号分隔；实际为全角逗号"),
    ],
    ids=[
        "total between",
        "one cell",
        "example",
        "headings below data",
        "no headings",
        "no heading above",
        "semicolons",
        "tabs",
        "full-width commas",
    ],
)
async def test_what_is_no_list_is_said_in_one_sentence(office: Office, text: str, sentence: str) -> None:
    before = dict((await with_unit(office)).store.versions)
    report, said = await take(office, "装置.csv", text)
    assert report.total_errors == 1, said
    assert f"装置.csv，{sentence}\n" in said
    assert said.endswith("装置.csv：未导入，共 1 处问题；文件内容均未写入\n")
    assert office.store.versions == before


async def test_an_error_names_row_and_heading_as_the_file_has_them(office: Office) -> None:
    bad = UNIT.replace("2026.1.5", "05/01/2026").replace("安澜医院", '"安澜\n医院"')
    heading = UNITS.replace("联网验收日期", "联网日期(必填)")
    second = UNIT.replace("U000001", "U000002").replace("√", "?")
    text = f"云澜单位表\n{heading}\n{bad}\n{second}\n"
    report, said = await take(office, "units.csv", text)
    assert [(error.row, error.column) for error in report.errors] == [
        (3, "单位名称"), (3, "联网日期(必填)"), (4, "人员密集场所"),
    ]  # fmt: skip
    assert "units.csv，第 3 行“单位名称”列：应为单行文字（单元格内有换行）；实际为安澜 医院\n" in said
    assert "units.csv，第 4 行“人员密集场所”列：应为“是”或“否”；实际为?\n" in said


async def test_a_file_with_english_headings_is_answered_in_english(office: Office) -> None:
    _, said = await take(office, "gateways.csv", "Gateway ID*,unit_id,carrier\nG1,U9,carrier-a\nG 2,U000001,a\n")
    assert "gateways.csv, row 3, column Gateway ID*: expected an id" in said
    assert "nothing of it was taken" in said


async def test_nothing_is_told_of_the_rows_below_headings_that_are_wrong(office: Office) -> None:
    report, _ = await take(office, "gateways.csv", "装置编号,单位,运营商\nG 1,U000001,x y\nG2,U000001,\n")
    assert [(error.row, error.column) for error in report.errors] == [(1, "单位编号"), (1, "单位")]


async def test_a_file_whose_language_does_not_show_is_answered_in_both(office: Office) -> None:
    (office.folder / "gateways.csv").write_bytes(b"\xff\xff,")
    (report,) = await office.importer.import_files([(str(office.folder / "gateways.csv"), None)])
    out = io.StringIO()
    Printer(out).report(report, dry_run=False)
    assert "expected UTF-8 or GB18030 text; found bytes that are neither" in out.getvalue()
    assert "应为UTF-8 或 GB18030 编码的文本" in out.getvalue()


async def test_a_code_that_is_nearly_right_is_answered_with_the_right_one(office: Office) -> None:
    report, said = await take(office, "units.csv", f"{UNITS}\n{UNIT.replace('HOSPITAL', 'hospital')}\n")
    assert report.total_errors == 1
    assert "是否应为 HOSPITAL" in said


async def test_a_missing_column_is_named_as_in_the_template_of_the_language(office: Office) -> None:
    _, said = await take(office, "gateways.csv", "装置编号,单位编号\nG1,U000001\n")
    assert "第 1 行“运营商”列：应为表头为“运营商”的一列；实际为空白" in said


@pytest.mark.parametrize(
    ("kind", "name"),
    [(Kind.DEPARTMENT, "base-departments"), (Kind.UNIT, "base-units"), (Kind.GATEWAY, "base-gateways"),
     (Kind.CONTACT, "base-contacts")],
)  # fmt: skip
def test_files_of_the_field_are_laid_out_whole(kind: Kind, name: str) -> None:
    table = lay_out(kind, LocalFiles().read_sheet(str(FIELD / f"{name}.csv")).rows)
    assert (table.errors, table.passed, table.heading_row, table.chinese) == ([], [], 1, True)


async def test_line_breaks_in_cells_of_the_field_are_told_at_the_spreadsheets_rows(office: Office) -> None:
    (report,) = await office.importer.import_files([(str(FIELD / "f05a-newline-units.csv"), None)])
    assert [(error.row, error.column) for error in report.errors] == [(2, "单位名称"), (3, "地址")]


async def test_the_name_of_the_field_that_is_utf_8_too_is_read_as_chinese_and_said(office: Office) -> None:
    files = [(str(FIELD / f"{name}.csv"), None) for name in ("base-departments", "base-units")]
    assert not any(report.refused for report in await office.importer.import_files(files))
    path = str(FIELD / "f01d-english-headings-gbk-contacts.csv")
    (report,) = await office.importer.import_files([(path, None)])
    assert not report.refused
    assert "¬ΰ" in report.notes[0]
    contact = office.store.versions[(Kind.CONTACT, "C-amb")][0].facts
    assert getattr(contact, "name", None) == "卢伟"
    named = Importer(files=LocalFiles(encoding="utf-8"), store=office.store, clock=office.clock)
    await named.import_files([(path, None)])
    contact = office.store.versions[(Kind.CONTACT, "C-amb")][-1].facts
    assert getattr(contact, "name", None) == "¬ΰ"


async def test_a_pack_in_gbk_is_read_as_chinese_too(office: Office) -> None:
    text = "".join(char for char in (FIELD.parents[3] / "deploy/packs/sample-2026.yaml").read_text(encoding="utf-8"))
    path = office.folder / "pack.yaml"
    path.write_bytes(text.replace("version: 1\n", "version: 2\n").encode("gb18030"))
    report = await office.importer.import_pack(str(path))
    assert not report.refused, report.errors


def workbook(rows: list[list[object]], *merged: str) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in rows:
        sheet.append(row)
    for cells in merged:
        sheet.merge_cells(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


async def test_a_workbook_with_a_merged_title_and_formulas_beside_the_list(office: Office) -> None:
    await with_unit(office)
    path = office.folder / "gateways.xlsx"
    path.write_bytes(
        workbook(
            [["云澜街道装置表", None, None, None], ["=TODAY()"], ["序号", "装置编号", "单位编号", "运营商", "备注"],
             [1, "G1", "U000001", "carrier-a", "=A4"], [2, "G2", "U000001", "carrier-a"],
             ["合计", "=COUNTA(B4:B5)"], ["填表人：张三"]],
            "A1:D1",
        )
    )  # fmt: skip
    (report,) = await office.importer.import_files([(str(path), None)])
    assert (report.errors, report.changed) == ((), 2)
    assert report.notes[0].zh == "第 1、6、7 行不是数据，已略过"


async def test_a_formula_in_the_list_is_told_once_with_its_heading(office: Office) -> None:
    await with_unit(office)
    path = office.folder / "gateways.xlsx"
    path.write_bytes(workbook([["装置表"], [*HEADING.split(",")], ["G1", "=A1", "carrier-a"], ["=B1", "=B1", "=B1"]]))
    (report,) = await office.importer.import_files([(str(path), None)])
    assert [(error.row, error.column, error.found) for error in report.errors] == [
        (3, "单位编号", "a formula"), (4, "装置编号", "a formula"), (4, "单位编号", "a formula"),
        (4, "运营商", "a formula"),
    ]  # fmt: skip


@pytest.mark.parametrize(("place", "name"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA")])
def test_columns_without_a_heading_have_a_letter(place: int, name: str) -> None:
    assert letter(place) == name


CELLS = st.sampled_from(
    [
        "", " ", "装置编号", "单位编号*", "运营商（必填）", "gateway_id", "unit_id", "carrier", "备注", "序号", "合计",
        "小计", "填表人：", "必填", "G1", "g1", "Ｇ1", "U000001", "u000001", "carrier-a", "=1+1", "2026.1.5", "x\ny",
        "表", "(", "\u3000",
    ]
)  # fmt: skip
GRID = st.lists(st.lists(CELLS, max_size=6), max_size=4)
TEXT = st.text(max_size=40)


@settings(max_examples=60, deadline=None)
@given(GRID, st.permutations(["装置编号", "单位编号", "运营商", "备注"]), GRID)
@example([["", "装置编号", "单位编号*", "运营商（必填）"]], ["装置编号", "单位编号", "运营商", "备注"], [])
def test_every_filled_row_is_data_or_passed_over_or_an_error(
    above: list[list[str]], heading: list[str], below: list[list[str]]
) -> None:
    grid = [*above, heading, *below]
    rows = [(number, tuple(row)) for number, row in enumerate(grid, start=1) if any(clean(cell) for cell in row)]
    table = lay_out(Kind.GATEWAY, rows)
    if any(error.row == table.heading_row for error in table.errors):
        return
    # an error about one cell (a value where no heading stands) is about a row of data
    told = {*table.passed, table.heading_row, *(error.row for error in table.errors if not error.column)}
    data = {number for number, _ in table.rows}
    assert {number for number, _ in rows} == told | data
    assert not told & data


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80) | TEXT.map(str.encode) | TEXT.map(lambda text: text.encode("gb18030", "ignore")))
def test_any_bytes_are_rows_or_a_sentence(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any-gateways.csv"
    path.write_bytes(raw)
    with suppress(FileRefused):
        lay_out(Kind.GATEWAY, LocalFiles().read_sheet(str(path)).rows)
