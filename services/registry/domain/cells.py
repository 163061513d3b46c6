"""What the text of one cell means. Each function returns the value or raises `BadCell` saying what was expected."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import TypeVar

from services.kernel.synthetic import SYNTHETIC
from services.kernel.words import RobotProvider
from services.registry.domain.words import Said

MAX_TEXT = 200
_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_DATE = re.compile(
    r"(\d{4})(?:-(\d{1,2})-(\d{1,2})|/(\d{1,2})/(\d{1,2})|\.(\d{1,2})\.(\d{1,2})|年(\d{1,2})月(\d{1,2})[日号]|(\d{2})(\d{2}))",
    re.ASCII,
)
_MIDNIGHT = re.compile(r"(?:T|\s|(?<=[日号]))0?0:00(?::00(?:\.0+)?)?$")
_YEAR_LAST = re.compile(r"\d{1,2}([-/.])\d{1,2}\1(?:\d{4}|\d{2})", re.ASCII)
_MONTH_ONLY = re.compile(r"\d{4}(?:[-/.]\d{1,2}|年\d{1,2}月?)", re.ASCII)
_SHORTENED_NUMBER = re.compile(r"\d(?:\.\d+)?E\+\d+", re.ASCII | re.IGNORECASE)
_FIRST_YEAR, _LAST_YEAR = 1900, 2199
_YES = frozenset({"是", "有", "对", "y", "yes", "true", "1", "√", "✓", "✔", "☑"})
_NO = frozenset({"否", "无", "没有", "n", "no", "false", "0", "×", "✗", "✘"})
_FORMULA_STARTS = ("=", "+", "-", "@")
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))
_TOPIC = re.compile(r"(?!firenet/)[A-Za-z0-9_.-][A-Za-z0-9_./-]{0,199}")
_ROBOTS = {"钉钉": "dingtalk", "企业微信": "wecom", "飞书": "feishu"}
SEPARATORS = re.compile(r"[;；,，、|\s]+")

V = TypeVar("V")


class BadCell(Exception):
    """The text does not mean what its column asks for; `expected` says what would."""

    def __init__(self, expected: Said) -> None:
        super().__init__(expected)
        self.expected = expected


def clean(raw: str) -> str:
    """Return the text in one normal form, without the spaces around it."""
    if raw.isascii():
        return raw.strip()
    return unicodedata.normalize("NFC", raw).strip().strip("\u3000\ufeff").strip()


def robot(text: str) -> str:
    """Return a robot as `provider:name`; its address and secret stand in a file of that name, never in a register."""
    provider, colon, name = half_width(text).partition(":")
    provider = _ROBOTS.get(provider.strip().lower(), provider.strip().lower())
    if not colon or provider not in set(RobotProvider) or not _IDENTIFIER.fullmatch(name.strip()):
        raise BadCell(
            Said(
                f"provider:name, the provider one of {', '.join(RobotProvider)}, the name that of a secrets file",
                "“平台:名称”，平台为钉钉（dingtalk）、企业微信（wecom）或飞书（feishu），名称为密钥文件名",
            )
        )
    return f"{provider}:{name.strip()}"


def mqtt_topic(text: str) -> str:
    """Return a topic to publish to: no wildcards, and none below `firenet/`, where what comes is taken for alarms."""
    topic = half_width(text)
    if not _TOPIC.fullmatch(topic):
        raise BadCell(
            Said(
                "a topic in letters, digits and . _ - /, without wildcards, not below firenet/",
                "MQTT主题，只含字母、数字和 . _ - /，不含通配符，且不在 firenet/ 之下",
            )
        )
    return topic


def half_width(text: str) -> str:
    """Return the text as it reads: full-width letters, digits and marks as their plain forms."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def identifier(text: str) -> str:
    """Return an id. What only looks like one is refused, not mended: no device would say what we had made of it."""
    if text.upper() == SYNTHETIC:
        raise BadCell(Said("another id: this one is that of the synthetic alarm", "其他编号：该编号留给系统自检报警"))
    if _IDENTIFIER.fullmatch(text):
        return text
    plain = half_width(text).translate(_DASHES)
    if plain != text and _IDENTIFIER.fullmatch(plain):
        raise BadCell(
            Said(
                f"an id in plain letters and digits, {plain}: this one has full-width ones or another dash",
                f"半角字母和数字组成的编号，即 {plain}（现为全角字符或其他横线）",
            )
        )
    strange = next((char for char in text if char.isalnum() and not char.isascii()), "")
    if strange and unicodedata.category(strange) != "Lo":
        name = unicodedata.name(strange, "?")
        raise BadCell(
            Said(
                f"an id of plain letters and digits; {strange!r} is a {name}",
                f"半角字母和数字组成的编号，其中“{strange}”不是英文字母（{name}）",
            )
        )
    if _SHORTENED_NUMBER.fullmatch(text):
        raise BadCell(
            Said(
                "an id as text; the spreadsheet has shortened this number",
                "文本格式的编号（该数字已被表格软件缩写为科学计数法）",
            )
        )
    raise BadCell(
        Said(
            "an id: 1 to 64 letters, digits, '_', '.' or '-', beginning with a letter or digit",
            "编号：1 至 64 位半角字母、数字、“_”、“.”或“-”，以字母或数字开头",
        )
    )


def plain_text(text: str) -> str:
    """Return text that is safe to show and to export again.

    Invisible and direction-changing characters are refused (a name could be made to read as another), and so is
    whatever a spreadsheet would take for a formula when the register is exported.
    """
    if len(text) > MAX_TEXT:
        raise BadCell(Said(f"at most {MAX_TEXT} characters", f"最多 {MAX_TEXT} 个字符"))
    if "\n" in text or "\r" in text:
        raise BadCell(Said("text on one line; the cell has a line break", "单行文字（单元格内有换行）"))
    if not text.isprintable() and any(unicodedata.category(char) in ("Cc", "Cf", "Cs") for char in text):
        raise BadCell(Said("text without control or invisible characters", "不含控制字符和不可见字符的文字"))
    if len(text) > 1 and text.startswith(_FORMULA_STARTS):
        raise BadCell(
            Said(
                "text, not a formula: it may not begin with '=', '+', '-' or '@'",
                "文字而非公式：不能以“=”“+”“-”“@”开头",
            )
        )
    return text


def yes_no(text: str) -> bool:
    folded = half_width(text).casefold()
    if folded in _YES:
        return True
    if folded in _NO:
        return False
    raise BadCell(Said("yes or no (是 or 否)", "“是”或“否”"))


def day(text: str) -> date:
    """Return the date in `2026-01-31`, `2026/1/31`, `2026.1.31`, `2026年1月31日` or `20260131`.

    Full-width digits and spaces between the parts are read as they are meant, a midnight behind the day is dropped.
    With the year behind nobody can tell the day from the month; such a date is not guessed.
    """
    plain = text
    match = _DATE.fullmatch(text)
    if match is None:
        plain = _MIDNIGHT.sub("", half_width(text).translate(_DASHES).strip())
        plain = re.sub(r"\s*([-/.年月])\s*", r"\1", plain).replace(" 日", "日")
        match = _DATE.fullmatch(plain)
    if match:
        year, month, dom = (int(part) for part in match.groups() if part is not None)
        if _FIRST_YEAR <= year <= _LAST_YEAR:
            try:
                return date(year, month, dom)
            except ValueError:
                pass
    if _YEAR_LAST.fullmatch(plain):
        raise BadCell(
            Said(
                "a date with the year first, such as 2026-01-31 (2026年1月31日): day and month cannot be told apart",
                "年份在前的日期，例如 2026-01-31 或 2026年1月31日（这样写分不清月和日）",
            )
        )
    if _MONTH_ONLY.fullmatch(plain):
        raise BadCell(
            Said(
                "a date with its day, such as 2026-01-31 (2026年1月31日)",
                "完整到日的日期，例如 2026-01-31 或 2026年1月31日",
            )
        )
    raise BadCell(Said("a date such as 2026-01-31 (2026年1月31日)", "日期，例如 2026-01-31 或 2026年1月31日"))


def one_of(text: str, meanings: Mapping[str, V]) -> V:
    """Return what `text` stands for; `meanings` maps every accepted spelling (casefolded) to its value."""
    found = meanings.get(half_width(text).casefold())
    if found is None:
        zh = [word for word in meanings if not word.isascii()] or meanings
        raise BadCell(Said(f"one of: {', '.join(meanings)}", f"以下之一：{'、'.join(zh)}"))
    return found


def identifiers(text: str) -> tuple[str, ...]:
    """Return several ids, separated by spaces, commas or semicolons (Chinese ones too), each once."""
    found = tuple(dict.fromkeys(identifier(part) for part in SEPARATORS.split(text) if part))
    if len(found) > 10:
        raise BadCell(Said("at most 10 ids", "最多 10 个编号"))
    return found
