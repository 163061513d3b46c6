"""Which text a file's bytes are. Several readings may be possible; what counts is which of them people would write."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.registry.domain.words import Said

ENCODINGS = ("utf-8", "gb18030", "big5", "utf-16", "cp1252")
"""What somebody who knows better may name."""

_BY_ITSELF = ("utf-8", "gb18030")
"""What a file is taken for when nobody names it. The others are only looked at to notice that it may be neither."""

_PRIOR: Mapping[str, float] = {"utf-8": 0, "gb18030": 0, "big5": 20, "cp1252": 20}
CLEAR = 6
"""So much (in bits) must the likelier reading be ahead; below it we ask."""
WORTH_SAYING: Mapping[str, float] = {"utf-8": 30, "gb18030": 30, "big5": 15, "cp1252": 15}
"""A lead below this over another reading is mentioned."""
_SAMPLE = 2_000
_LONGEST = 64
"""So many words, and so much of each, are weighed; of a large file that settles it."""

_WORD = re.compile(r"[^\x00-\x7f]+")
_RARE = 18.0
"""Bits for a character that nobody expects: the price of a Chinese one outside the two common sets."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Text of a file. `doubt` says what else it could have been, where that was close."""

    text: str
    encoding: str
    doubt: Said | None = None


class Undecided(Exception):
    """Nobody but its author can say what the text is; `expected` and `found` say between what we cannot choose."""

    def __init__(self, expected: Said, found: str) -> None:
        super().__init__(expected)
        self.expected = expected
        self.found = found


def read(raw: bytes) -> Reading | None:
    """Return the likely reading of `raw`, None when it is no text of the encodings that we know.

    Raises:  Undecided when two readings are about as likely.
    """
    if raw.startswith(b"\xef\xbb\xbf") and (text := _decoded(raw, "utf-8-sig")) is not None:
        return Reading(text, "utf-8")
    if raw.isascii():
        return Reading(raw.decode("ascii"), "utf-8")
    readings = {name: text for name in _PRIOR if (text := _decoded(raw, name)) is not None}
    if not any(name in readings for name in _BY_ITSELF):
        return None
    costs = sorted((_PRIOR[name] + _cost(text), name) for name, text in readings.items())
    (least, best), *others = costs
    if best not in _BY_ITSELF or (others and others[0][0] - least < CLEAR):
        raise _undecided(readings, [name for _, name in costs[:2]])
    doubt = None
    if others and others[0][0] - least < WORTH_SAYING[others[0][1]]:
        doubt = _doubt(readings, best, others[0][1])
    return Reading(readings[best], best, doubt)


def decoded(raw: bytes, encoding: str) -> Reading | None:
    """Return the text of `raw` in an encoding that somebody named, None when it is not in it."""
    text = _decoded(raw, "utf-8-sig" if encoding == "utf-8" else encoding)
    return None if text is None else Reading(text, encoding)


def _undecided(readings: Mapping[str, str], names: Sequence[str]) -> Undecided:
    shown = [f"{name} '{_beyond_ascii(readings[name])}'" for name in names]
    expected = Said(
        f"one encoding; the text may be {' or '.join(shown)}: say which with --encoding",
        f"能确定的编码；这段文字可能是 {'，也可能是 '.join(shown)}，请用 --encoding 指明",
    )
    return Undecided(expected, Said("text that can be read in two ways", "有两种读法的文字"))


def _doubt(readings: Mapping[str, str], best: str, other: str) -> Said:
    ours, theirs = (_beyond_ascii(readings[name]) for name in (best, other))
    return Said(
        f"read as {best} ('{ours}'), though it could be {other} ('{theirs}'); --encoding says otherwise",
        f"按 {best} 读取（“{ours}”），也可能是 {other}（“{theirs}”）；如不对请用 --encoding 指明",
    )


def _beyond_ascii(text: str) -> str:
    """Return the first place of a text that is not ASCII, with the word around it."""
    found = _WORD.search(text)
    if found is None:
        return ""
    start, end = found.start(), found.start() + 12
    before = re.search(r"\w*$", text[max(start - 8, 0) : start], re.ASCII)
    behind = re.match(r"[\w\x80-\U0010ffff]*", text[start:end], re.ASCII)
    shown = (before.group() if before else "") + (behind.group() if behind else "")
    return "".join(char if char.isprintable() else "?" for char in shown)


def _decoded(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeError:
        return None


def _cost(text: str) -> float:
    """Return how unlikely a text is, in bits, by its words with characters beyond ASCII."""
    words = Counter(_words(text))
    scripts = {_script(char) for word, _, _ in words for char in word if not char.isascii()}
    begun = sum(_LETTERS[script].begun for script in scripts if script in _LETTERS)
    return begun + sum(_cost_of_word(*word) * count for word, count in words.items())


def _words(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield (word, character before, character behind) of the first words with characters beyond ASCII."""
    for count, found in enumerate(_WORD.finditer(text)):
        if count == _SAMPLE:
            return
        start, end = found.span()
        yield found.group()[:_LONGEST], text[max(start - 1, 0) : start], text[end : end + 1]


@dataclass(frozen=True, slots=True)
class _Alphabet:
    """Its letters that people use, and bits for its being in a Chinese register at all."""

    common: Callable[[str], bool]
    begun: float


_LETTERS: Mapping[str, _Alphabet] = {
    "greek": _Alphabet(lambda char: "Α" <= char <= "ώ" and char not in "ΰΐϊϋΪΫ", 12),
    "cyrillic": _Alphabet(lambda char: "\u0400" <= char <= "\u045f" or char in "ҐґҒғҚқҢңҮүҰұӨөҺһӘә", 12),
    "hebrew": _Alphabet(lambda char: "\u05d0" <= char <= "\u05ea", 12),
    "arabic": _Alphabet(lambda char: "\u0621" <= char <= "\u064a" or "\u06f0" <= char <= "\u06f9", 12),
}
_RANGES = (
    (0x0080, 0x009F, "control"), (0x00A0, 0x00BF, "mark"),
    (0x00C0, 0x024F, "latin"), (0x0300, 0x036F, "accent"), (0x0370, 0x03FF, "greek"),
    (0x0400, 0x052F, "cyrillic"), (0x0590, 0x05FF, "hebrew"), (0x0600, 0x06FF, "arabic"), (0x1E00, 0x1EFF, "latin"),
    (0x2010, 0x203F, "chinese mark"), (0x2150, 0x218F, "chinese mark"), (0x2460, 0x24FF, "chinese mark"),
    (0x3001, 0x303F, "chinese mark"), (0x3040, 0x30FF, "kana"), (0x3400, 0x9FFF, "chinese"), (0xAC00, 0xD7AF, "hangul"),
    (0xFF01, 0xFF5E, "chinese mark"), (0x1F300, 0x1FAFF, "emoji"), (0x20000, 0x3FFFF, "chinese"),
)  # fmt: skip


def _script(char: str) -> str:
    code = ord(char)
    return next((name for first, last, name in _RANGES if first <= code <= last), "strange")


def _cost_of_word(word: str, before: str, behind: str) -> float:
    around = f"{before or ' '}{word}{behind or ' '}"
    return sum(
        _cost_of_char(around[at - 1], around[at], around[at + 1])
        for at in range(1, len(around) - 1)
        if not around[at].isascii()
    )


def _cost_of_char(before: str, char: str, behind: str) -> float:
    script = _script(char)
    beside = (before.isascii() and before.isalpha()) + (behind.isascii() and behind.isalpha())
    match script:
        case "chinese":
            # Chinese does not run into small Latin letters as `M眉ller` does; a capital or a digit beside it is usual
            return (
                _cost_of_chinese(char)
                + 4 * (before.isascii() and before.islower())
                + 4 * (behind.isascii() and behind.islower())
            )
        case "latin":
            return _cost_of_latin(char, beside, joined=_script(before) == "latin" or _script(behind) == "latin")
        case "mark":
            return _cost_of_mark(before, char, behind)
        case "accent":
            return 5 if before.isalpha() else _RARE + 4
        case "chinese mark":
            return 8
        case "kana" | "hangul":
            return 12
        case "emoji":
            return 14
        case "control":
            return 3 * _RARE
        case "strange":
            return _RARE + 4
        case _:
            return _cost_of_letter(script, before, char, behind)


def _cost_of_latin(char: str, beside: int, *, joined: bool) -> float:
    """An accented letter stands in a word of plain ones."""
    if not any(_encodes(char, encoding) for encoding in ("cp1252", "cp1250", "cp1254", "cp1257", "cp1258")) and not (
        "\u1ea0" <= char <= "\u1ef9"
    ):
        return _RARE
    return 4 if beside else 16 if joined else _RARE + 1


def _cost_of_letter(script: str, before: str, char: str, behind: str) -> float:
    if not _LETTERS[script].common(char):
        return _RARE
    neighbours = (_script(before) == script) + (_script(behind) == script)
    jump = char.isupper() and before.islower()  # a capital within a word
    return (11, 7, 5)[neighbours] + 6 * jump


def _cost_of_mark(before: str, char: str, behind: str) -> float:
    if char == "\u00b7":  # divides the parts of a name
        return 5 if before.isalpha() and behind.isalpha() else _RARE
    if char == "°" and before.isdigit():
        return 2
    if char in "²³±×µ" and before.isascii() and (before.isalnum() or behind.isdigit()):
        return 5
    return 14 if before.isalnum() or behind.isalnum() else _RARE


def _encodes(char: str, encoding: str) -> bool:
    try:
        char.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _cost_of_chinese(char: str) -> float:
    """Return the bits of a character: those of GB 2312's first level are the ones that people write."""
    for encoding, ends, bits in (("gb2312", (0xD7, 0xF7), (9.0, 14.0)), ("big5", (0xC6, 0xF9), (11.0, 16.0))):
        if _encodes(char, encoding):
            lead = char.encode(encoding)[0]
            return bits[0] if lead <= ends[0] else bits[1] if lead <= ends[1] else _RARE
    return _RARE
