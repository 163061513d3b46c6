"""The form of a document, checked before it is issued: every rule of docs/domain/letters.md, 1, that can be.

Which page a thing stands on only the typesetter knows; `body_not_on_first_page` is found there.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from itertools import pairwise
from types import MappingProxyType

from services.documents.domain.letter import BlockKind, Letter
from services.documents.domain.reasons import FormRule
from services.kernel.calendar import CHINA
from services.kernel.words import Language

MAX_CONTENT = 200_000
"""Characters of a text or page that a record has room for, as schemas.document says."""
NUMBER = re.compile(r"[^\s〔〕\[\]()（）【】第]{1,70}〔(20\d\d)〕[1-9]\d*号")
DATES = {
    Language.ZH: re.compile(r"20\d\d年([1-9]|1[0-2])月([1-9]|[12]\d|3[01])日"),
    Language.EN: re.compile(r"([1-9]|[12]\d|3[01]) [A-Z][a-z]+ 20\d\d"),
}
INTERNAL = re.compile(
    r"\b[HOF]\d\b|\bI[1-9]\b|\bproposal\b|\boffset\b|\bpartition\b|firenet\.|\b00[0-4] |@\d|\b[a-z]+_[a-z_]+\b"
)
"""Codes of steps and documents, places in the log, citations of the pack, and words of the wire."""
UNFILLED = re.compile(r"\{[{%#]|[}%#]\}|\bNone\b|\bTODO\b|\bundefined\b")
ZH_COUNT = "一二三四五六七八九十"


def breaches(letter: Letter, text: str) -> tuple[FormRule, ...]:
    """Return the rules that the finished letter breaks; `text` is its plain form, as it is read from top to bottom."""
    found = tuple(rule for rule, broken in _RULES.items() if broken(letter))
    return (*found, FormRule.ORDER) if _out_of_order(letter, text) else found


def is_too_long(*texts: str) -> bool:
    """Say whether no record has room for it: it would stand before all others in the outbox for ever."""
    return any(len(text) > MAX_CONTENT for text in texts)


def is_number(text: str) -> bool:
    """Say whether it is written as a document's number is: 机关代字〔2026〕12号."""
    return NUMBER.fullmatch(text) is not None


def _number_form(letter: Letter) -> bool:
    return bool(letter.number) and not is_number(letter.number)


def _number_year(letter: Letter) -> bool:
    found = NUMBER.fullmatch(letter.number)
    return found is not None and int(found[1]) != letter.issued_at.astimezone(CHINA).year


def _title(letter: Letter) -> bool:
    return not letter.title.strip() or letter.title.rstrip()[-1] in "。，；：.,;:"


def _body(letter: Letter) -> bool:
    """A heading has something under it, and there is a paragraph at all."""
    kinds = [block.kind for block in letter.body]
    return (
        any(not block.text.strip() for block in letter.body)
        or not kinds
        or kinds[0] is BlockKind.HEADING
        or kinds[-1] is BlockKind.HEADING
        or any(one is BlockKind.HEADING and then is BlockKind.HEADING for one, then in pairwise(kinds))
    )


def _levels(letter: Letter) -> bool:
    """Headings are counted 一、二、三、, in a translation 1. 2. 3., without a gap."""
    headings = [block.text for block in letter.body if block.kind is BlockKind.HEADING]
    if letter.language is Language.ZH:
        return any(not text.startswith(f"{ZH_COUNT[n]}、") for n, text in enumerate(headings))
    return any(not text.startswith(f"{n}. ") for n, text in enumerate(headings, start=1))


def _attachments(letter: Letter) -> bool:
    return any(
        not sheet.title.strip() or not sheet.rows or any(len(row) != len(sheet.columns) for row in sheet.rows)
        for sheet in letter.attachments
    )


def _date_form(letter: Letter) -> bool:
    return not letter.draft and DATES[letter.language].fullmatch(letter.date) is None


def _date_before_facts(letter: Letter) -> bool:
    fact = letter.latest_fact_at
    return fact is not None and not letter.draft and _day(letter.issued_at) < _day(fact)


def _copies(letter: Letter) -> bool:
    copies = letter.copies
    return len(set(copies)) < len(copies) or letter.addressee in copies or any(not one.strip() for one in copies)


def _internal_words(letter: Letter) -> bool:
    return any(INTERNAL.search(text) for text in _own(letter))


def _unfilled(letter: Letter) -> bool:
    return any(UNFILLED.search(text) for text in _own(letter))


def _own(letter: Letter) -> list[str]:
    """Return what the letter says in our own words: a ward called H2 costs no document."""
    foreign = re.compile("|".join(re.escape(one) for one in sorted(letter.foreign, key=len, reverse=True)) or r"(?!)")
    return [foreign.sub("…", text) for text in letter.said()]


def _out_of_order(letter: Letter, text: str) -> bool:
    """Say whether number, title, addressee, body, signature, date and copies do not follow each other in the text."""
    at = 0
    ends = dict.fromkeys(block.text for block in letter.body[:1] + letter.body[-1:])
    for wanted in (letter.number, letter.title, letter.addressee, *ends, letter.issuer, letter.date, *letter.copies):
        found = text.find(wanted, at)
        if found < 0:
            return True
        at = found + len(wanted)
    return False


def _day(instant: datetime) -> date:
    return instant.astimezone(CHINA).date()


_RULES: Mapping[FormRule, Callable[[Letter], bool]] = MappingProxyType(
    {
        FormRule.NUMBER_MISSING: lambda letter: not letter.draft and not letter.number,
        FormRule.NUMBER_FORM: _number_form,
        FormRule.NUMBER_YEAR: _number_year,
        FormRule.NUMBER_OF_A_DRAFT: lambda letter: letter.draft and bool(letter.number),
        FormRule.TITLE: _title,
        FormRule.ADDRESSEE: lambda letter: not letter.addressee.strip(),
        FormRule.BODY: _body,
        FormRule.LEVELS: _levels,
        FormRule.ATTACHMENTS: _attachments,
        FormRule.SIGNATURE: lambda letter: not letter.issuer.strip(),
        FormRule.DATE_FORM: _date_form,
        FormRule.DATE_BEFORE_FACTS: _date_before_facts,
        FormRule.DEADLINE_PAST: lambda letter: letter.due_at is not None and letter.due_at <= letter.issued_at,
        FormRule.COPIES: _copies,
        FormRule.INTERNAL_WORDS: _internal_words,
        FormRule.UNFILLED: _unfilled,
    }
)
