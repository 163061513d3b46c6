"""Documents as they are read: a snapshot of each in both languages, in tests/unit/documents/letters/.

A change of a wording is a new version of it: raise it in the catalogue, keep the old file, and write the snapshots anew
with `python -m tests.unit.documents.test_letters`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from services.documents.adapters.renderer import TemplateRenderer
from services.documents.domain.document import Rendition
from services.documents.domain.request import Request
from services.kernel.words import FindingKind, Language
from tests.unit.documents.build import NUMBER, T0, at, request

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
    }


def renditions(wanted: Request) -> dict[Language, Rendition]:
    return {one.language: one for one in RENDERER.render(wanted, NUMBER, "I1@1", T0)}


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("name", list(requests()))
def test_a_document_reads_as_it_was_agreed(name: str, language: Language) -> None:
    wanted = (FOLDER / f"{name}.{language}.txt").read_text(encoding="utf-8")
    assert renditions(requests()[name])[language].text == wanted


@pytest.mark.parametrize("name", list(requests()))
def test_a_document_holds_no_internal_word(name: str) -> None:
    for one in renditions(requests()[name]).values():
        said = one.text.partition("----")[0]
        assert not re.search(r"\bH\d\b|\bI\d\b|proposal|offset|firenet|003|street 6", said), one.language


@pytest.mark.parametrize("name", list(requests()))
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
