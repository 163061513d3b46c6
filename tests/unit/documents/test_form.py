"""The checker of the form: each rule finds what breaks it, and a letter as it should be breaks none."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

import schemas.document
from services.documents.adapters.renderer import TemplateRenderer
from services.documents.domain.catalogue import CATALOGUE
from services.documents.domain.form import MAX_CONTENT, breaches, is_number, is_too_long
from services.documents.domain.letter import Block, BlockKind, Letter, Sheet
from services.documents.domain.reasons import FormRule
from services.kernel.words import Language
from tests.unit.documents.build import at, request
from tests.unit.documents.samples import sample

NUMBER = "消监抄〔2026〕12号"
RENDERER = TemplateRenderer()
PARAGRAPH, HEADING = BlockKind.PARAGRAPH, BlockKind.HEADING


def good(language: Language = Language.ZH) -> tuple[Letter, str]:
    done = RENDERER.render(sample("I4"), NUMBER, CATALOGUE[sample("I4").instrument], at(60), draft=False)
    (one,) = [each for each in done if each.letter.language is language]
    return one.letter, one.rendition.text


def broken(**changes: Any) -> tuple[FormRule, ...]:
    letter, text = good()
    return tuple(rule for rule in breaches(replace(letter, **changes), text) if rule is not FormRule.ORDER)


@pytest.mark.parametrize("language", list(Language))
def test_a_letter_as_it_should_be_breaks_no_rule(language: Language) -> None:
    assert breaches(*good(language)) == ()


BODY = good()[0].body
BROKEN: list[tuple[FormRule, dict[str, Any]]] = [
    (FormRule.NUMBER_MISSING, {"number": ""}),
    (FormRule.NUMBER_FORM, {"number": "消监抄[2026]12号"}),
    (FormRule.NUMBER_FORM, {"number": "消监抄〔2026〕第12号"}),
    (FormRule.NUMBER_FORM, {"number": "消监抄〔2026〕012号"}),
    (FormRule.NUMBER_FORM, {"number": "〔2026〕12号"}),
    (FormRule.NUMBER_YEAR, {"number": "消监抄〔2025〕12号"}),
    (FormRule.NUMBER_OF_A_DRAFT, {"draft": True, "date": ""}),
    (FormRule.TITLE, {"title": " "}),
    (FormRule.TITLE, {"title": "关于抄告的函。"}),
    (FormRule.ADDRESSEE, {"addressee": ""}),
    (FormRule.BODY, {"body": ()}),
    (FormRule.BODY, {"body": (Block(HEADING, "一、情况"), Block(PARAGRAPH, "文"))}),
    (FormRule.BODY, {"body": (Block(PARAGRAPH, "文"), Block(HEADING, "一、情况"))}),
    (FormRule.BODY, {"body": (*BODY, Block(PARAGRAPH, " "))}),
    (FormRule.LEVELS, {"body": (*BODY, Block(HEADING, "六、漏了五"), Block(PARAGRAPH, "文"))}),
    (FormRule.ATTACHMENTS, {"attachments": (Sheet("", (("1",),), ("序号",)),)}),
    (FormRule.ATTACHMENTS, {"attachments": (Sheet("清单", (("1", "2"),), ("序号",)),)}),
    (FormRule.SIGNATURE, {"issuer": ""}),
    (FormRule.DATE_FORM, {"date": "2026年01月22日"}),
    (FormRule.DATE_FORM, {"date": ""}),
    (FormRule.DATE_BEFORE_FACTS, {"latest_fact_at": at(2 * 86400)}),
    (FormRule.DEADLINE_PAST, {"due_at": at(0)}),
    (FormRule.COPIES, {"copies": ("示范街道", "示范街道")}),
    (FormRule.COPIES, {"copies": ("鼓楼区卫生健康局",)}),
    (FormRule.INTERNAL_WORDS, {"body": (*BODY, Block(PARAGRAPH, "现进入 H4 步"))}),
    (FormRule.INTERNAL_WORDS, {"body": (*BODY, Block(PARAGRAPH, "依据 003 street 6"))}),
    (FormRule.INTERNAL_WORDS, {"covering": "状态 connection_lost"}),
    (FormRule.INTERNAL_WORDS, {"title": "关于 I4 的函"}),
    (FormRule.UNFILLED, {"body": (*BODY, Block(PARAGRAPH, "地址：None"))}),
]


@pytest.mark.parametrize(("rule", "changes"), BROKEN, ids=[f"{n}-{rule}" for n, (rule, _) in enumerate(BROKEN)])
def test_each_rule_finds_what_breaks_it(rule: FormRule, changes: dict[str, Any]) -> None:
    assert broken(**changes) == (rule,)


def test_every_rule_but_those_of_text_and_page_has_an_example_here() -> None:
    others = {FormRule.ORDER, FormRule.BODY_NOT_ON_FIRST_PAGE, FormRule.TOO_LONG}
    assert {rule for rule, _ in BROKEN} == set(FormRule) - others


def test_what_no_record_has_room_for_is_too_long() -> None:
    assert MAX_CONTENT == schemas.document.MAX_CONTENT
    assert not is_too_long("x" * MAX_CONTENT)
    assert is_too_long("", "x" * (MAX_CONTENT + 1))


def test_the_parts_follow_each_other_in_the_text() -> None:
    letter, text = good()
    head, _, rest = text.partition(letter.addressee)
    moved = head + rest.replace("特此函告", letter.addressee)
    assert breaches(letter, moved) == (FormRule.ORDER,)
    assert breaches(letter, text.replace(letter.date, "")) == (FormRule.ORDER,)


def test_a_ward_called_like_a_step_costs_no_document() -> None:
    trouble = {
        "kind": "fault",
        "since": at(-60).isoformat(),
        "detected_at": at(0).isoformat(),
        "component": {"address": "003 street_x", "system": "H2", "label": "H4 区 I5 号楼 None"},
    }
    wanted = request(trouble=trouble, languages=["zh", "en"])
    entry = CATALOGUE[wanted.instrument]
    for one in RENDERER.render(wanted, "消监告〔2026〕1号", entry, at(60), draft=False):
        assert breaches(one.letter, one.rendition.text) == ()


@pytest.mark.parametrize("text", ["消监抄〔2026〕1号", "闽消限〔2030〕120号", "350102-brigade告〔2026〕1号"])
def test_a_number_is_written_as_the_standard_has_it(text: str) -> None:
    assert is_number(text)


def test_a_draft_needs_neither_number_nor_date() -> None:
    assert broken(draft=True, number="", date="") == ()
    assert broken(draft=True, number="", date="", issued_at=good()[0].issued_at - timedelta(days=90)) == ()
