"""`firenet.requests.v1` and `firenet.documents.v1`: what is to be put on paper, and the documents that came of it."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from schemas.base import Event, Evidence, Identifier, PackRef, ShortText, Wire
from services.kernel.words import DocumentEvent, DocumentState, FindingKind, Instrument, Language

MAX_COPIES = 20
MAX_RECIPIENTS = 60

Link = Annotated[str, StringConstraints(max_length=400)]
Content = Annotated[str, StringConstraints(max_length=200_000)]


class Named(Wire):
    """A name in both languages; `en` is "" where the register has none."""

    zh: ShortText
    en: ShortText = ""


class IssuingBody(Wire):
    """Who issues: a body of the register, by its code."""

    code: Identifier
    name: Named


class UnitParticulars(Wire):
    """The unit as the register had it when the request was made; what is not known is left empty."""

    unit_id: Identifier
    name: Named
    address: ShortText = ""
    category: Named | None = None
    town: Named | None = None


class Component(Wire):
    """The device or component that the trouble was first reported of."""

    address: ShortText
    system: ShortText = ""
    label: ShortText = ""


class Trouble(Wire):
    """What is wrong: `since` is when it began, `detected_at` when that was established; `occurrence` counts from 1."""

    kind: FindingKind
    since: AwareDatetime
    detected_at: AwareDatetime
    occurrence: int = Field(default=1, ge=1)
    component: Component | None = None


class DocumentRecipient(Wire):
    """A contact that the document is sent to, and as what: a body's code, or the part it has in the unit.

    Addressees (主送) sign and answer; all others have a copy (抄送) and may sign for it.
    """

    contact_id: Identifier
    party: Identifier
    is_addressee: bool


class DocumentRequestData(Wire):
    """The facts that one document is to state; no wording.

    `due_at` is until when the addressee must have acted; null: at once. `link` leads to the case. `languages` says in
    which the copies are read; the Chinese text is made in any case. `clause`, `pack` and `evidence` are kept with the
    document. `receipt_due_at` and `reply_due_at` say until when the addressees are to sign and to answer.
    """

    request_id: Identifier
    case_id: Identifier
    instrument: Instrument
    issuer: IssuingBody
    addressee: Named
    copies: tuple[Named, ...] = Field(default=(), max_length=MAX_COPIES)
    unit: UnitParticulars
    trouble: Trouble
    due_at: AwareDatetime | None = None
    languages: tuple[Language, ...] = Field(default=(Language.ZH,), min_length=1, max_length=len(Language))
    link: Link = ""
    recipients: tuple[DocumentRecipient, ...] = Field(default=(), max_length=MAX_RECIPIENTS)
    receipt_due_at: AwareDatetime | None = None
    reply_due_at: AwareDatetime | None = None
    clause: ShortText
    pack: PackRef
    evidence: Evidence


class DocumentRequest(Event[DocumentRequestData]):
    """source of whoever wants the document, subject = unit id = record key, id = request_id."""

    type: Literal["cn.firenet.document.requested.v1"] = "cn.firenet.document.requested.v1"


class DocumentNumber(Wire):
    """The number as it is written (文号), and what it is made of. `serial` counts per issuing body, mark and year."""

    text: ShortText
    mark: ShortText
    year: int = Field(ge=2000, le=9999)
    serial: int = Field(ge=1)


class Rendition(Wire):
    """The document in one language: its title, as plain text, and as a whole HTML page."""

    language: Language
    title: ShortText
    text: Content
    html: Content


class DocumentIssuedData(Wire):
    """A document as it was issued; the same request gives the same one for ever."""

    document_id: Identifier
    request_id: Identifier
    case_id: Identifier
    instrument: Instrument
    issuer_code: Identifier
    number: DocumentNumber
    template: ShortText
    issued_at: AwareDatetime
    renditions: tuple[Rendition, ...] = Field(min_length=1, max_length=len(Language))


class DocumentIssued(Event[DocumentIssuedData]):
    """source `/documents`, subject = unit id = record key, id = document_id."""

    type: Literal["cn.firenet.document.issued.v1"] = "cn.firenet.document.issued.v1"


class DocumentChangedData(Wire):
    """What happened to a document after its issue, and its state since.

    `party` is for whom it was done, `by` who did it: an account, or the name that somebody signed with. `reasons` are
    those of a decision; what was handed in stays with documents, by `submission_id`.
    """

    document_id: Identifier
    request_id: Identifier
    case_id: Identifier
    what: DocumentEvent
    state: DocumentState
    party: Identifier
    is_addressee: bool
    by: ShortText
    via: ShortText
    submission_id: Identifier | None = None
    reasons: Annotated[str, StringConstraints(max_length=4000)] = ""


class DocumentChanged(Event[DocumentChangedData]):
    """source `/documents`, subject = unit id = record key, `time` is when it was done."""

    type: Literal["cn.firenet.document.changed.v1"] = "cn.firenet.document.changed.v1"


IssuedOrChanged = Annotated[DocumentIssued | DocumentChanged, Field(discriminator="type")]
