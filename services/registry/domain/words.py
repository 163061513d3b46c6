"""Sentences in two languages: a file with Chinese headings is answered in Chinese."""

from typing import Self


class Said(str):
    """A sentence: the English one, which also knows the Chinese one."""

    __slots__ = ("zh",)
    zh: str

    def __new__(cls, en: str, zh: str) -> Self:
        said = super().__new__(cls, en)
        said.zh = zh
        return said


NOTHING = Said("nothing", "空白")


def said(text: str, *, chinese: bool) -> str:
    """Return a sentence in the language wanted; what was found in a file is the same in both."""
    return text.zh if chinese and isinstance(text, Said) else str(text)


def is_chinese(text: str) -> bool:
    return any("\u4e00" <= char <= "\u9fff" for char in text)
