"""`firenet.requests.v1` and `firenet.documents.v1`: what is to be put on paper, and the documents that came of it."""

from datetime import date
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from schemas.base import Event, Evidence, Identifier, PackRef, ShortText, Wire
from services.kernel.words import (
    DocumentEvent,
    DocumentState,
    EvaluationList,
    FileKind,
    FindingKind,
    Grade,
    Instrument,
    Language,
    ListingLevel,
    ScoreGap,
)

MAX_COPIES = 20
MAX_COMPONENTS = 300
MAX_EARLIER = 50
MAX_STANDINGS = 300
MAX_MEASURED = 30
MAX_RECIPIENTS = 60
MAX_FILE_BYTES = 256 * 1024
"""Of one file: two languages and two kinds stay within a message of the topic."""

Link = Annotated[str, StringConstraints(max_length=400)]
MAX_CONTENT = 200_000
Content = Annotated[str, StringConstraints(max_length=MAX_CONTENT)]
Covering = Annotated[str, StringConstraints(max_length=2_000)]


class Named(Wire):
    """A name in both languages; `en` is "" where the register has none."""

    zh: ShortText
    en: ShortText = ""


class IssuingBody(Wire):
    """Who issues: a body of the register, by its code."""

    code: Identifier
    name: Named


class UnitParticulars(Wire):
    """The unit as the register had it when the request was made; what is not known is left empty.

    `responsible` is its fire safety manager (消防安全管理人).
    """

    unit_id: Identifier
    name: Named
    address: ShortText = ""
    category: Named | None = None
    town: Named | None = None
    responsible: ShortText = ""
    telephone: ShortText = ""


class Component(Wire):
    """A device or component as its controller names it, and since when it is in trouble where that is known."""

    address: ShortText
    system: ShortText = ""
    label: ShortText = ""
    since: AwareDatetime | None = None


class Trouble(Wire):
    """What is wrong: `since` is when it began, `detected_at` when that was established; `occurrence` counts from 1.

    `component` is the one that it was first reported of, `components` are all of them where they are known.
    """

    kind: FindingKind
    since: AwareDatetime
    detected_at: AwareDatetime
    occurrence: int = Field(default=1, ge=1)
    component: Component | None = None
    components: tuple[Component, ...] = Field(default=(), max_length=MAX_COMPONENTS)


class Earlier(Wire):
    """What was done before: whom a document or a short text told, and when."""

    at: AwareDatetime
    to: tuple[Named, ...] = Field(default=(), max_length=MAX_COPIES)
    number: ShortText = ""


class Measured(Wire):
    """A part of a body's score, as compliance writes it: a criterion of a month, or a month of a longer period.

    `rate_low` and `rate_high` are percent, "" where no figure gives the points; `low` and `high` are points, "" where
    they are open. `gap` says why something of it is not known.
    """

    what: Named
    rate_low: ShortText = ""
    rate_high: ShortText = ""
    low: ShortText = ""
    high: ShortText = ""
    gap: ScoreGap | None = None
    left_out: bool = False


class Standing(Wire):
    """A body in a circular: its score as compliance published it, in points of 100, by revision.

    `grade` is null where the bounds have different ones, `worst` and `best`. `place` is null where what is open, of it
    or of another body, could still change it. `rule_years`: that many years running not competent, 0 where the pack's
    hard rule does not hold.
    """

    body: Named
    measured: tuple[Measured, ...] = Field(default=(), max_length=MAX_MEASURED)
    low: ShortText = ""
    high: ShortText = ""
    grade: Grade | None = None
    worst: Grade | None = None
    best: Grade | None = None
    provisional: bool
    list: EvaluationList | None = None
    place: int | None = Field(default=None, ge=1)
    gaps: tuple[ScoreGap, ...] = Field(default=(), max_length=len(ScoreGap))
    rule_years: int = Field(default=0, ge=0)
    revision: int = Field(ge=1)


class Circular(Wire):
    """What a circular (通报) about many bodies tells of: their scores by `measure` in `period`, in the order given."""

    period: Named
    measure: Named
    standings: tuple[Standing, ...] = Field(min_length=1, max_length=MAX_STANDINGS)


class Ground(Wire):
    """A fact of the history of a body: the day, what was so, and the number of the document that says so."""

    on: date
    fact: Named
    number: ShortText = ""


class Meeting(Wire):
    """Where and when an interview (约谈) is held."""

    at: AwareDatetime
    place: ShortText


class Listed(Wire):
    """A listed supervision (挂牌督办) that is closed (销案): the decision to list, the re-check (复查), the approval.

    `cured_at`: since when the trouble is over by what was received, null while it stands. `evidence` counts files.
    """

    level: ListingLevel
    number: ShortText
    on: date
    deadline: date
    evidence: int = Field(ge=1)
    inspector: ShortText
    rechecked_on: date
    approved_on: date
    cured_at: AwareDatetime | None


def _is_empty(value: object) -> bool:
    return value == ()


def _is_none(value: object) -> bool:
    return value is None


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
    document. What is about a unit has `unit` and `trouble`; what is about a body (I6, I8, I9) has `circular`, or
    `about` with `grounds` and, for an interview, `meeting`. `receipt_due_at` and `reply_due_at` say until when the
    addressees are to sign and to answer. `evidence` is null of a circular: each score has its revision instead.
    """

    request_id: Identifier
    case_id: Identifier
    instrument: Instrument
    issuer: IssuingBody
    addressee: Named
    copies: tuple[Named, ...] = Field(default=(), max_length=MAX_COPIES)
    unit: UnitParticulars | None = None
    trouble: Trouble | None = None
    earlier: tuple[Earlier, ...] = Field(default=(), max_length=MAX_EARLIER)
    circular: Circular | None = None
    about: Named | None = None
    grounds: tuple[Ground, ...] = Field(default=(), max_length=MAX_EARLIER)
    meeting: Meeting | None = None
    # left out where there is none: a version before, which does not know it, goes on reading all other requests
    listed: Listed | None = Field(default=None, exclude_if=_is_none)
    due_at: AwareDatetime | None = None
    reply_due_at: AwareDatetime | None = None
    languages: tuple[Language, ...] = Field(default=(Language.ZH,), min_length=1, max_length=len(Language))
    link: Link = ""
    recipients: tuple[DocumentRecipient, ...] = Field(default=(), max_length=MAX_RECIPIENTS)
    receipt_due_at: AwareDatetime | None = None
    provisional_years: tuple[int, ...] = Field(
        default=(),
        max_length=3,
        exclude_if=_is_empty,
        description="years of these dates whose holidays were not published when they were counted in working days",
    )
    clause: ShortText
    pack: PackRef
    evidence: Evidence | None


class DocumentRequest(Event[DocumentRequestData]):
    """source of whoever wants the document, subject = unit id = record key, id = request_id."""

    type: Literal["cn.firenet.document.requested.v1"] = "cn.firenet.document.requested.v1"


class DocumentNumber(Wire):
    """The number as it is written (文号), and what it is made of. `serial` counts per issuing body, mark and year.

    One that an authority gave by itself has its text only.
    """

    text: ShortText
    mark: ShortText = ""
    year: int | None = Field(default=None, ge=2000, le=9999)
    serial: int | None = Field(default=None, ge=1)


class Rendition(Wire):
    """The document in one language: its title, as plain text, and as a whole HTML page.

    `covering` is what stands before the text for whoever has a copy of it (抄送).
    """

    language: Language
    title: ShortText
    text: Content
    html: Content
    covering: Covering = ""


class DocumentFile(Wire):
    """The document as a file; the same document has the same bytes for ever."""

    language: Language
    kind: FileKind
    content: Annotated[bytes, Field(max_length=MAX_FILE_BYTES)]


class DocumentIssuedData(Wire):
    """A document as it was issued; the same request gives the same one for ever.

    A draft has no number; once its issuer has numbered it, it comes again, issued. `files` may be missing: the text is
    the document.
    """

    document_id: Identifier
    request_id: Identifier
    case_id: Identifier
    instrument: Instrument
    issuer_code: Identifier
    state: Literal[DocumentState.DRAFT, DocumentState.ISSUED] = DocumentState.ISSUED
    number: DocumentNumber | None
    template: ShortText
    issued_at: AwareDatetime
    renditions: tuple[Rendition, ...] = Field(min_length=1, max_length=len(Language))
    files: tuple[DocumentFile, ...] = Field(default=(), max_length=len(Language) * len(FileKind))


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
