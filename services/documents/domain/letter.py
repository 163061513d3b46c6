"""The content of a document, ready to be set in any form: what stands where, in one language, without any markup.

head      who issues, number
title
addressee (主送)
body      headings and paragraphs
attachments, named under the body, each on a sheet of its own behind the letter
signature and date (落款), with room for a seal that is never drawn
copies (抄送)
slip      the receipt to be sent back (回执), a sheet of its own
evidence  where the facts come from, in our internal words, a sheet of its own
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.kernel.words import Language


class Head(StrEnum):
    """What stands at the top: an authority's red mark, the plain name of who is none, or its own paper's print."""

    RED = "red"
    PLAIN = "plain"
    OWN_PAPER = "own_paper"


class BlockKind(StrEnum):
    HEADING = "heading"
    PARAGRAPH = "paragraph"


@dataclass(frozen=True, slots=True)
class Block:
    kind: BlockKind
    text: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table on pages of its own. Without `columns` its rows are pairs of a label and what it says, often nothing."""

    title: str
    rows: tuple[tuple[str, ...], ...]
    columns: tuple[str, ...] = ()
    intro: str = ""
    foot: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A document in one language.

    A draft has neither `number` nor `date`: its issuer writes them. `covering` stands before the text for those who
    have a copy. `foreign` are the texts in it that are not ours: names, labels, addresses.
    """

    language: Language
    draft: bool
    head: Head
    issuer: str
    number: str
    title: str
    addressee: str
    body: tuple[Block, ...]
    date: str
    copies: tuple[str, ...]
    covering: str
    attachments: tuple[Sheet, ...]
    slip: Sheet | None
    evidence: Sheet
    link: str
    issued_at: datetime
    due_at: datetime | None
    latest_fact_at: datetime | None
    foreign: frozenset[str]

    def said(self) -> Iterator[str]:
        """Yield the texts in which words of ours stand: neither the evidence sheet nor the rows of lists and tables."""
        yield self.title
        yield self.covering
        yield from (block.text for block in self.body)
        for sheet in (*self.attachments, *((self.slip,) if self.slip else ())):
            yield from (sheet.title, sheet.intro, sheet.foot, *sheet.columns)
        for row in self.slip.rows if self.slip else ():
            yield from row
