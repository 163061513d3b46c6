"""What the text of one cell means. Each function returns the value or raises `BadCell` saying what was expected."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import TypeVar

MAX_TEXT = 200
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})-(\d{1,2})|/(\d{1,2})/(\d{1,2})|年(\d{1,2})月(\d{1,2})日|(\d{2})(\d{2}))")
_FIRST_YEAR, _LAST_YEAR = 1900, 2199
_YES = frozenset({"是", "有", "y", "yes", "true", "1", "√"})
_NO = frozenset({"否", "无", "n", "no", "false", "0", "×"})
_FORMULA_STARTS = ("=", "+", "-", "@")
SEPARATORS = re.compile(r"[;；,，、|\s]+")

V = TypeVar("V")


class BadCell(Exception):
    """The text does not mean what its column asks for; `expected` says what would."""

    def __init__(self, expected: str) -> None:
        super().__init__(expected)
        self.expected = expected


def clean(raw: str) -> str:
    """Return the text in one normal form, without the spaces around it."""
    if raw.isascii():
        return raw.strip()
    return unicodedata.normalize("NFC", raw).strip().strip("\u3000\ufeff").strip()


def identifier(text: str) -> str:
    if not _IDENTIFIER.fullmatch(text):
        raise BadCell("an id: 1 to 64 letters, digits, '_', '.' or '-', beginning with a letter or digit")
    return text


def plain_text(text: str) -> str:
    """Return text that is safe to show and to export again.

    Invisible and direction-changing characters are refused (a name could be made to read as another), and so is
    whatever a spreadsheet would take for a formula when the register is exported.
    """
    if len(text) > MAX_TEXT:
        raise BadCell(f"at most {MAX_TEXT} characters")
    if not text.isprintable() and any(unicodedata.category(char) in ("Cc", "Cf", "Cs") for char in text):
        raise BadCell("text without control or invisible characters")
    if len(text) > 1 and text.startswith(_FORMULA_STARTS):
        raise BadCell("text, not a formula: it may not begin with '=', '+', '-' or '@'")
    return text


def yes_no(text: str) -> bool:
    folded = text.casefold()
    if folded in _YES:
        return True
    if folded in _NO:
        return False
    raise BadCell("yes or no (是 or 否)")


def day(text: str) -> date:
    """Return the date in `2026-01-31`, `2026/1/31`, `2026年1月31日` or `20260131`; a midnight behind it is dropped."""
    match = _DATE.fullmatch(text.removesuffix(" 00:00:00").removesuffix("T00:00:00"))
    if match:
        year, month, dom = (int(part) for part in match.groups() if part is not None)
        if _FIRST_YEAR <= year <= _LAST_YEAR:
            try:
                return date(year, month, dom)
            except ValueError:
                pass
    raise BadCell("a date such as 2026-01-31 (2026年1月31日)")


def one_of(text: str, meanings: Mapping[str, V]) -> V:
    """Return what `text` stands for; `meanings` maps every accepted spelling (casefolded) to its value."""
    found = meanings.get(text.casefold())
    if found is None:
        raise BadCell(f"one of: {', '.join(meanings)}")
    return found


def identifiers(text: str) -> tuple[str, ...]:
    """Return several ids, separated by spaces, commas or semicolons (Chinese ones too), each once."""
    found = tuple(dict.fromkeys(identifier(part) for part in SEPARATORS.split(text) if part))
    if len(found) > 10:
        raise BadCell("at most 10 ids")
    return found
