"""What the text of a cell means."""

from datetime import date

import pytest

from services.registry.domain import cells
from services.registry.domain.cells import BadCell


@pytest.mark.parametrize("text", ["是", "yes", "Y", "TRUE", "1", "有", "√", "✓", "Ｙ", "１", "对"])
def test_yes(text: str) -> None:
    assert cells.yes_no(text) is True


@pytest.mark.parametrize("text", ["否", "no", "N", "false", "0", "无", "×", "ｎｏ", "０", "没有"])
def test_no(text: str) -> None:
    assert cells.yes_no(text) is False


@pytest.mark.parametrize("text", ["maybe", "2", "是否"])
def test_neither_yes_nor_no_is_refused(text: str) -> None:
    with pytest.raises(BadCell):
        cells.yes_no(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31", "2026/1/31", "2026.1.31", "2026年1月31日", "20260131", "2026-01-31 00:00:00",
        "2026年01月31日 00:00:00", "2026年1月31日00:00", "2026/1/31 0:00", "2026-01-31T00:00:00", "2026年1月31号",
        "2026 年 1 月 31 日", "２０２６年１月３１日", "２０２６－０１－３１", "２０２６．１．３１", "2026–01–31",
        "2026-01-31 00:00:00.000",
    ],
)  # fmt: skip
def test_dates_as_people_write_them(text: str) -> None:
    assert cells.day(text) == date(2026, 1, 31)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30", "31.01.2026", "2026-1", "1799-01-01", "2026-01-31 08:00", "46053", "2026-1/5", "2026.1",
        "20261", "2026年1月", "26.1.5", "长期", "/", "2026-01-31 00:00:01",
    ],
)  # fmt: skip
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(BadCell, match="2026-01-31"):
        cells.day(text)


@pytest.mark.parametrize("text", ["05/01/2026", "5-1-2026", "31.01.2026", "05/01/26", "０５／０１／２０２６"])
def test_a_date_with_the_year_behind_is_not_guessed(text: str) -> None:
    with pytest.raises(BadCell, match="year first") as caught:
        cells.day(text)
    assert "分不清月和日" in caught.value.expected.zh


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Ｕ９０００１", "U90001"), ("U９0001", "U90001"), ("U–1", "U-1"), ("U9000О1", "CYRILLIC CAPITAL LETTER O"),
        ("9.11101E+17", "shortened"), ("单位一", "1 to 64"),
    ],
)  # fmt: skip
def test_what_only_looks_like_an_id_is_told_how_it_is_written(text: str, said: str) -> None:
    with pytest.raises(BadCell, match=said):
        cells.identifier(text)


def test_a_line_break_in_a_cell_is_called_so() -> None:
    with pytest.raises(BadCell, match="line break") as caught:
        cells.plain_text("试验医院\n二号楼")
    assert "换行" in caught.value.expected.zh


@pytest.mark.parametrize("text", ["U 1", "../etc", "单位一", "-U1", "x" * 65, "a/b", "a:b"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(BadCell):
        cells.identifier(text)


@pytest.mark.parametrize("text", ["=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3"])
def test_text_that_a_spreadsheet_would_calculate_is_refused(text: str) -> None:
    with pytest.raises(BadCell, match="formula"):
        cells.plain_text(text)


@pytest.mark.parametrize("text", ["名\u202e称", "a\u200bb", "a\tb", "a\x07b"])
def test_invisible_characters_are_refused(text: str) -> None:
    with pytest.raises(BadCell, match="invisible"):
        cells.plain_text(text)


def test_rare_characters_of_gb18030_are_kept() -> None:
    assert cells.plain_text("𠮷祥䶮饭店") == "𠮷祥䶮饭店"


def test_text_of_the_longest_length_is_kept_and_one_more_refused() -> None:
    assert len(cells.plain_text("名" * 200)) == 200
    with pytest.raises(BadCell, match="200"):
        cells.plain_text("名" * 201)


def test_clean_takes_chinese_spaces_away_and_joins_accents() -> None:
    assert cells.clean("\u3000 安澜医院\u3000") == "安澜医院"
    assert cells.clean("Cafe\u0301") == "Café"


def test_several_ids_come_with_any_separator_and_each_once() -> None:
    assert cells.identifiers("health；police, health market") == ("health", "police", "market")
