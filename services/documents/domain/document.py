"""A document and its life.

    draft --numbered, dated--> issued --> what becomes of it then: `correspondence`
                                 |
                                 +---------- withdrawn by its issuer, with a document of its own: not yet

What we issue ourselves is born issued; a draft that an authority must number itself waits for that number.
"""

from dataclasses import dataclass
from datetime import datetime

from services.documents.domain.numbering import Number
from services.documents.domain.request import Request
from services.kernel.ids import derive
from services.kernel.words import DocumentState, Language


@dataclass(frozen=True, slots=True)
class Rendition:
    """The document in one language: its title, as plain text, and as a whole HTML page."""

    language: Language
    title: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Document:
    """What was issued. Nothing of it changes afterwards but its state."""

    document_id: str
    request: Request
    number: Number
    template: str
    issued_at: datetime
    renditions: tuple[Rendition, ...]
    state: DocumentState = DocumentState.ISSUED


def document_id_of(source: str, request_id: str) -> str:
    """Return the id of the document that this request becomes: the same at every delivery and in every replay."""
    return derive("document", source, request_id)


def languages_of(request: Request) -> tuple[Language, ...]:
    """Return in which languages it is rendered: in Chinese always, that text is the document."""
    return (Language.ZH, *(one for one in dict.fromkeys(request.languages) if one is not Language.ZH))
