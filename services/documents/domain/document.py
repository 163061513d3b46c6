"""A document and its life.

    draft --numbered, dated--> issued --> what becomes of it then: `correspondence`
                                 |
                                 +---------- withdrawn by its issuer, with a document of its own: not yet

What we issue ourselves is born issued; what an authority must issue is born a draft, and waits for its number and
date. The other arrows come with receipts and replies.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from services.documents.domain.errors import NotNumbered
from services.documents.domain.form import is_number
from services.documents.domain.numbering import Number
from services.documents.domain.request import Request
from services.kernel.calendar import CHINA
from services.kernel.ids import derive
from services.kernel.words import DocumentState, FileKind, Language


@dataclass(frozen=True, slots=True)
class Rendition:
    """The document in one language: its title, as plain text, and as a whole HTML page.

    `covering` stands before the text for whoever has a copy.
    """

    language: Language
    title: str
    text: str
    html: str
    covering: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """The document to be printed or written on."""

    language: Language
    kind: FileKind
    content: bytes


@dataclass(frozen=True, slots=True)
class Document:
    """What was issued, or is to be. Of an issued one nothing changes but its state.

    A draft has no `number`. One that its issuer numbered has an `own_number` and no place in a series of ours.
    `files_due`: there was no time for its files, they are made afterwards.
    """

    document_id: str
    request: Request
    number: Number | None
    template: str
    issued_at: datetime
    renditions: tuple[Rendition, ...]
    state: DocumentState = DocumentState.ISSUED
    files: tuple[File, ...] = ()
    own_number: str = ""
    files_due: bool = False

    @property
    def number_text(self) -> str:
        """The number as it is written; "" of a draft."""
        return self.own_number or (self.number.text if self.number else "")

    @property
    def event_id(self) -> str:
        """The id under which it is told of: a draft that became a document is told of once more."""
        return derive("numbered", self.document_id) if self.own_number else self.document_id


def document_id_of(source: str, request_id: str) -> str:
    """Return the id of the document that this request becomes: the same at every delivery and in every replay."""
    return derive("document", source, request_id)


def numbered(draft: Document, number: str, issued_at: datetime) -> Document:
    """Return the draft as its issuer issued it. Its texts are still those of the draft.

    Raises NotNumbered when it is no draft, the number is not written as numbers are, of another year than the date, or
    the date lies before what the document tells of.
    """
    fact = draft.request.latest_fact_at
    if draft.state is not DocumentState.DRAFT:
        raise NotNumbered(f"{draft.document_id} is {draft.state}")
    if not is_number(number) or f"〔{issued_at.astimezone(CHINA).year}〕" not in number:
        raise NotNumbered(f"{number!r} is not written as 机关代字〔{issued_at.astimezone(CHINA).year}〕12号")
    if fact is not None and issued_at.astimezone(CHINA).date() < fact.astimezone(CHINA).date():
        raise NotNumbered("the date lies before what the document tells of")
    return replace(draft, state=DocumentState.ISSUED, own_number=number, issued_at=issued_at)


def languages_of(request: Request) -> tuple[Language, ...]:
    """Return in which languages it is rendered: in Chinese always, that text is the document."""
    return (Language.ZH, *(one for one in dict.fromkeys(request.languages) if one is not Language.ZH))
