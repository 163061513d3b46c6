"""Documents as they are read: a snapshot of each in both languages, in tests/unit/documents/letters/.

A change of a wording is a new version of it: raise it in the catalogue, keep the old file, and write the snapshots anew
with `python -m tests.unit.documents.test_letters`.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.documents.adapters.clauses import Clauses
from services.documents.adapters.renderer import TemplateRenderer
from services.documents.domain.catalogue import entry_of
from services.documents.domain.document import Rendition
from services.documents.domain.form import breaches
from services.documents.domain.letter import Head
from services.documents.domain.request import Request
from services.documents.ports import Rendered
from services.kernel.words import FindingKind, Instrument, Language
from tests.unit.documents.build import T0, at, request
from tests.unit.documents.samples import about_a_body, sample

FOLDER = Path(__file__).parent / "letters"
RENDERER = TemplateRenderer()
BOTH: dict[str, Any] = {"languages": ["zh", "en"]}
BARE: dict[str, Any] = {
    "unit": {"unit_id": "U9", "name": {"zh": "U9", "en": ""}},
    "copies": [],
    "due_at": None,
    "link": "",
}
KINDS = (FindingKind.FAULT, FindingKind.ISOLATION, FindingKind.CONNECTION_LOST, FindingKind.NEVER_CONNECTED)


def requests() -> Mapping[str, Request]:
    again = {"kind": "fault", "since": at(-60).isoformat(), "detected_at": at(0).isoformat(), "occurrence": 3}
    return {
        **{f"I1_{kind}": request(kind=kind, **BOTH) for kind in KINDS},
        "I1_bare": request(kind=FindingKind.NEVER_CONNECTED, **BOTH, **BARE),
        "I1_again": request(trouble=again, **BOTH),
        "I1_many": sample("I1", "long"),
        **{str(one): sample(one) for one in Instrument if one is not Instrument.FAULT_NOTICE},
        **{f"{one}_of_a_body": about_a_body(one) for one in ("I6", "I8", "I9")},
        "I4_offline": sample("I4", kind=FindingKind.CONNECTION_LOST),
    }


def rendered(wanted: Request, *, draft: bool | None = None) -> dict[Language, Rendered]:
    entry = entry_of(wanted)
    is_draft = entry.draft if draft is None else draft
    number = "" if is_draft else f"消监{entry.word}〔2026〕12号"
    done = RENDERER.render(wanted, number, entry, at(30), draft=is_draft)
    return {one.letter.language: one for one in done}


def renditions(wanted: Request) -> dict[Language, Rendition]:
    return {language: one.rendition for language, one in rendered(wanted).items()}


@pytest.mark.thorough
@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("name", list(requests()))
def test_a_document_reads_as_it_was_agreed(name: str, language: Language) -> None:
    wanted = (FOLDER / f"{name}.{language}.txt").read_text(encoding="utf-8")
    assert renditions(requests()[name])[language].text == wanted


@pytest.mark.thorough
@pytest.mark.parametrize("name", list(requests()))
def test_a_document_holds_no_internal_word(name: str) -> None:
    for one in renditions(requests()[name]).values():
        said = one.text.partition("----")[0] + one.covering
        assert not re.search(r"\bH\d\b|\bI\d\b|proposal|offset|firenet|003|street 6", said), one.language


@pytest.mark.thorough
@pytest.mark.parametrize("name", list(requests()))
def test_a_document_keeps_every_rule_of_the_form(name: str) -> None:
    for one in rendered(requests()[name]).values():
        assert breaches(one.letter, one.rendition.text) == (), one.letter.language


@pytest.mark.thorough
@pytest.mark.parametrize("code", ["I1", "I2", "I3", "I4", "I5", "I7"])
def test_each_trouble_of_a_unit_has_its_own_words_in_each_document(code: str) -> None:
    kinds = (*KINDS, FindingKind.TEST_OVERDUE, FindingKind.RUNAWAY_COMPONENT)
    for language in Language:
        letters = [renditions(sample(code, kind=kind))[language].text for kind in kinds]
        assert len(set(letters)) == len(kinds)
    said = renditions(sample(code, kind=FindingKind.TEST_OVERDUE))
    assert "未按期测试火灾报警传输" in said[Language.ZH].text
    assert "恢复联网" not in said[Language.ZH].text
    assert "restore the connection" not in said[Language.EN].text


@pytest.mark.parametrize("code", ["I1", "I4"])
def test_a_date_that_may_come_to_be_another_one_says_so_before_the_closing_line(code: str) -> None:
    sure, unsure = sample(code), replace(sample(code), provisional_years=(2027,))
    told = "2027年节假日安排尚未公布，上述按工作日计算的期限为暂定"
    assert told not in renditions(sure)[Language.ZH].text
    letters = rendered(unsure)
    blocks = [block.text for block in letters[Language.ZH].letter.body]
    assert blocks[-2 if blocks[-1].startswith("特此") else -1].startswith(told)
    assert "holidays of 2027 are not published yet" in letters[Language.EN].rendition.text
    for one in letters.values():
        assert breaches(one.letter, one.rendition.text) == ()


@pytest.mark.parametrize("name", [name for name in requests() if name.startswith("I1")])
def test_the_form_is_that_of_a_letter(name: str) -> None:
    """Number with brackets, date without zero padding, addressee with a colon, issuer over the date."""
    letter = renditions(requests()[name])[Language.ZH]
    lines = [line.strip() for line in letter.text.splitlines() if line.strip()]
    assert lines[0] == "消防远程监控中心"
    assert lines[1] == "消监告〔2026〕12号"
    assert lines[2] == letter.title
    assert letter.title.startswith("关于")
    assert letter.title.endswith("的告知函")
    assert lines[3].endswith("：")
    signed = lines.index("2026年11月22日")
    assert lines[signed - 1] == "消防远程监控中心"
    assert not re.search(r"年0|月0", letter.text)


def test_foreign_text_adds_neither_a_line_nor_markup() -> None:
    evil = "二层\n# 四、伪造\n<script>alert(1)</script>"
    trouble = {
        "kind": "fault",
        "since": T0.isoformat(),
        "detected_at": T0.isoformat(),
        "component": {"address": "1", "label": evil},
    }
    letter = renditions(request(trouble=trouble, addressee={"zh": "<b>甲</b>\n乙", "en": ""}))[Language.ZH]
    assert "<script>" not in letter.html
    assert "<b>" not in letter.html
    assert "\n# 四" not in letter.text
    assert letter.html.count("<h2>") == 3


def test_a_clause_is_quoted_by_its_name_and_wording_and_a_proposal_is_not() -> None:
    said = renditions(request(clause="003 street 6; proposal: at once"))[Language.ZH].text
    assert "《2021年度街镇消防工作重点责任目标》第6项关于“严格落实消防安全评估" in said
    assert "proposal" not in said
    assert "责任目标" not in renditions(request(clause="proposal: at once"))[Language.ZH].text


def test_a_citation_finds_the_clause_it_names_and_no_shorter_one() -> None:
    clauses = Clauses.load()
    named = [one.name for one in clauses.quotes("003 street 14, 19; 001 一(五)(六)", Language.ZH)]
    assert named[0].endswith("第14项")
    assert named[1].endswith("第（五）项")
    assert clauses.quotes("003 street 99; nonsense", Language.ZH) == ()


def test_addressee_and_copies_are_told_different_things() -> None:
    letter = rendered(sample("I4"))[Language.ZH].letter
    assert letter.addressee == "鼓楼区卫生健康局"
    assert letter.copies == ("示范街道",)
    assert "现抄送你单位。请按照属地管理职责" in letter.covering
    assert letter.covering not in " ".join(block.text for block in letter.body)


def test_the_unit_is_described_and_what_is_not_registered_is_said_so() -> None:
    said = renditions(sample("I3"))[Language.ZH].text
    for fact in ("地址：示范路1号", "单位类别：医疗卫生机构", "消防安全管理人：林建国", "联系电话：未登记"):
        assert fact in said


def test_what_was_done_before_is_told_with_its_numbers() -> None:
    said = renditions(sample("I4"))[Language.ZH].text
    assert "告知第一人民医院（消监告〔2026〕3号）" in said
    assert "告知属地网格员、示范街道（消监核〔2026〕2号）" in said


def test_many_components_stand_on_a_sheet_of_their_own_and_few_in_the_letter() -> None:
    many = rendered(sample("I3", "long"))[Language.ZH].letter
    assert "60个部件（清单见附件）" in "".join(block.text for block in many.body)
    assert [len(sheet.rows) for sheet in many.attachments] == [60]
    assert rendered(sample("I3"))[Language.ZH].letter.attachments == ()


def test_a_draft_has_no_number_and_no_date_and_says_what_it_is() -> None:
    letter = rendered(sample("I5"))[Language.ZH]
    assert (letter.letter.number, letter.letter.date, letter.letter.head) == ("", "", Head.OWN_PAPER)
    assert letter.rendition.text.startswith("草稿，由签发机关编号")
    assert "〔　　　　〕" in letter.rendition.text


def test_only_an_authority_has_a_red_head() -> None:
    assert rendered(sample("I4"))[Language.ZH].letter.head is Head.RED
    assert rendered(sample("I1"))[Language.ZH].letter.head is Head.PLAIN


def test_a_date_that_is_past_is_not_demanded() -> None:
    late = renditions(request(due_at=at(-1).isoformat()))[Language.ZH]
    assert "尽快恢复正常运行" in late.text
    assert "前恢复" not in late.text


def test_the_same_request_gives_the_same_bytes() -> None:
    assert renditions(request(**BOTH)) == renditions(request(**BOTH))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each, of in requests().items():
        for lang, rendition in renditions(of).items():
            (FOLDER / f"{each}.{lang}.txt").write_text(rendition.text, encoding="utf-8")
