"""What was meant to be JSON, read as far as it can be: for messages that the strict reading refused.

Nothing here says what a message means. It takes quotes of either kind, names without quotes, comments, control
characters, missing and doubled commas, text behind the end, and an end that never came; it never fails. Time and
memory grow with the length alone, up to `MAX_TOKENS` and `MAX_DEPTH`; beyond them a text is read as if it were cut.
"""

import re
from typing import NamedTuple

MAX_TOKENS = 2048
MAX_DEPTH = 16
MAX_DOCUMENTS = 16

_TOKEN = re.compile(
    r"""
      (?P<gap>[\s,;\x00-\x1f\x7f\ufeff]++|//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+(?:\*/)?)
    | "(?P<double>(?:[^"\\]++|\\.)*+)(?P<end>"|\\?\Z)
    | '(?P<single>(?:[^'\\]++|\\.)*+)(?P<end1>'|\\?\Z)
    | (?P<mark>[{}\[\]:])
    | (?P<bare>[^\s,;:{}\[\]"'\x00-\x1f\x7f\ufeff]++)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_OPENING = frozenset("{[")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class Quoted(NamedTuple):
    """A text as it was meant; lone surrogates are left in it. Not `whole`: the text ended before its quote did."""

    text: str
    whole: bool


class Bare(NamedTuple):
    """What stood without quotes: a number, a word."""

    text: str


class Array(NamedTuple):
    items: "list[Value]"
    whole: bool


class Members(NamedTuple):
    """An object. A name may stand there more than once."""

    pairs: "list[tuple[str, Value]]"
    whole: bool

    def named(self, name: str) -> "list[Value]":
        """Return every value under a name, however that is written."""
        return [value for key, value in self.pairs if key.strip().casefold() == name]


Value = Quoted | Bare | Array | Members


class Documents(NamedTuple):
    """`rest`: something else stands among them that belongs to none."""

    values: list[Value]
    rest: bool


def read_loosely(text: str) -> Documents:
    """Return what stands in `text` one after the other: objects, arrays, and texts that hold some themselves."""
    return _Reader(text).documents()


class _Cut(Exception):
    """No more tokens, or too deep: everything that is open ends here."""


class _Tokens:
    """Marks and texts in their order; raises _Cut where there are no more, or too many."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._read_so_far = 0
        self._next: str | Value | None = None

    def give_back(self, token: str | Value) -> None:
        """Let the token that was taken last be taken again."""
        self._next = token

    def give_up(self) -> None:
        """Read nothing more."""
        self._read_so_far = MAX_TOKENS

    def peek(self) -> str | Value:
        if self._next is None:
            self._next = self._read()
        return self._next

    def take(self) -> str | Value:
        piece = self.peek()
        self._next = None
        return piece

    def _read(self) -> str | Value:
        while self._read_so_far < MAX_TOKENS:
            found = _TOKEN.match(self._text, self._at)
            if found is None:
                break
            self._at = found.end()
            self._read_so_far += 1
            if found["mark"] is not None:
                return found["mark"]
            if found["bare"] is not None:
                return Bare(found["bare"])
            if found["gap"] is None:
                double = found["double"] is not None
                return Quoted(
                    unescaped(found["double"] if double else found["single"]),
                    bool(found["end"] == '"' if double else found["end1"] == "'"),
                )
        raise _Cut


class _Reader:
    """Tokens to documents. A container never raises: where its end is missing it is not whole."""

    def __init__(self, text: str) -> None:
        self._tokens = _Tokens(text)

    def documents(self) -> Documents:
        values: list[Value] = []
        rest = False
        try:
            while len(values) < MAX_DOCUMENTS:
                piece = self._tokens.take()
                if piece == "{" or piece == "[":
                    values.append(self._container(piece, 1))
                elif isinstance(piece, Quoted) and piece.text.lstrip()[:1] in _OPENING:
                    values.append(piece)
                else:
                    rest = True
        except _Cut:
            pass
        return Documents(values, rest)

    def _container(self, opened: str | Value, depth: int) -> Value:
        if depth > MAX_DEPTH:
            self._tokens.give_up()  # what follows must not be taken for members of what is around
            raise _Cut
        return self._members(depth) if opened == "{" else self._array(depth)

    def _array(self, depth: int) -> Array:
        items: list[Value] = []
        try:
            while (piece := self._tokens.take()) != "]":
                if piece == "{" or piece == "[":
                    items.append(self._container(piece, depth + 1))
                elif not isinstance(piece, str):
                    items.append(piece)
                elif piece == "}":  # closes what is outside
                    self._tokens.give_back(piece)
                    return Array(items, whole=False)
        except _Cut:
            return Array(items, whole=False)
        return Array(items, whole=True)

    def _members(self, depth: int) -> Members:
        pairs: list[tuple[str, Value]] = []
        whole = True
        try:
            while (piece := self._tokens.take()) != "}":
                if piece == "]":
                    self._tokens.give_back(piece)
                    return Members(pairs, whole=False)
                if isinstance(piece, Quoted | Bare) and self._tokens.peek() == ":":
                    self._tokens.take()
                    self._value(piece.text, pairs, depth)
                else:
                    whole = False  # a word that is no name: something before it is not what it seems
                    if piece == "{" or piece == "[":
                        self._container(piece, depth + 1)
        except _Cut:
            return Members(pairs, whole=False)
        return Members(pairs, whole)

    def _value(self, name: str, pairs: list[tuple[str, Value]], depth: int) -> None:
        piece = self._tokens.peek()
        if piece == "{" or piece == "[":
            self._tokens.take()
            pairs.append((name, self._container(piece, depth + 1)))
        elif not isinstance(piece, str):
            self._tokens.take()
            pairs.append((name, piece))


def unescaped(raw: str) -> str:
    """Return a text without its escapes; pairs of surrogates are joined, lone ones stay."""
    if "\\" not in raw:
        return raw
    text = _ESCAPE.sub(_meant, raw)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _meant(escape: re.Match[str]) -> str:
    code, one = escape.groups()
    return chr(int(code, 16)) if code else _ESCAPED.get(one, one)
