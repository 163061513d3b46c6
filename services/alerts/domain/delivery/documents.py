"""Documents that the documents service makes for us: what we ask for, and how one comes into the notices that wait.

A notice that a document is wanted for is written with our own short text and falls due a bounded time later. The
document, when it comes, takes that text's place and makes the notice due at once; when it does not come the notice
leaves as it is. So nothing has to notice that documents is away: time passes, and that is all.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256

from services.alerts.domain.case.case import Case
from services.alerts.domain.case.closes import Close
from services.alerts.domain.case.subject import SubjectKind, body_code
from services.alerts.domain.escalation.steps import LadderStep
from services.alerts.domain.escalation.triggers import OnCondition, PeriodClose
from services.alerts.domain.ids import CaseId, ContactId, NoticeId, RequestId, digest
from services.alerts.domain.routing.recipients import Recipients
from services.kernel.words import (
    INSTRUMENTS_ISSUED,
    INSTRUMENTS_OF_BODIES,
    Channel,
    DocumentEvent,
    FileKind,
    Instrument,
    Language,
    ListingLevel,
    Period,
    Recipient,
)


@dataclass(frozen=True, slots=True)
class Named:
    """A name in both languages; `en` is "" where the register has none."""

    zh: str
    en: str = ""


@dataclass(frozen=True, slots=True)
class Particulars:
    """What the register says of a unit beside its route, and which body issues documents in its district.

    `responsible` is the name of the unit's fire safety manager, `telephone` by which the unit is called; "" where the
    register has none. `bodies` has the names of those among the recipients that are bodies, by their codes, `scopes`
    those of the pack's scopes, by their names in it.
    """

    issuer_code: str
    issuer: Named
    name: Named
    address: str = ""
    category: Named | None = None
    town: Named | None = None
    responsible: str = ""
    telephone: str = ""
    bodies: Mapping[str, Named] = field(default_factory=dict)
    scopes: Mapping[str, Named] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DocumentTerms:
    """How long a notice waits for its document; zero: none is asked for. `console_url` is where its link leads.

    `issuers` says which body issues a kind of document; those it does not name the centre issues, as the source of what
    was found. Nobody's letter leaves in its name unless it wants that.
    """

    wait: timedelta = timedelta(0)
    console_url: str = ""
    issuers: Mapping[Instrument, Recipient] = field(default_factory=dict)

    def issuer_of(self, instrument: Instrument) -> Recipient:
        return self.issuers.get(instrument, Recipient.CENTRE)


@dataclass(frozen=True, slots=True)
class Earlier:
    """A step taken before: who was told, by code or role, and the number of the document that did, "" for none."""

    at: datetime
    told: tuple[str, ...]
    number: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """A contact that a document is sent to: for which party, and whether as an addressee (主送) or with a copy."""

    contact_id: ContactId
    party: str
    is_addressee: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """A listing that is closed (销案), as its paper tells of it. `evidence` counts files.

    `cured_at`: since when the trouble is over, None while it stands.
    """

    level: ListingLevel
    number: str
    on: date
    deadline: date
    evidence: int
    inspector: str
    rechecked_on: date
    approved_on: date
    cured_at: datetime | None


@dataclass(frozen=True, slots=True)
class DocumentRequest:
    """The facts of one document. `due_at` is when the next step falls due: until then the addressee must have acted.

    `addressee` None is the unit itself. `earlier` is what was done before, with the names of those told.
    `grounds` are what a body has missed, the oldest first. `receipt_due_at` and `reply_due_at` are when its addressees
    are to have signed and answered, as the clocks run. `provisional_years`: of deadlines that were counted in working
    days which were not arranged yet.
    """

    request_id: RequestId
    case: Case
    instrument: Instrument
    particulars: Particulars
    copies: tuple[Named, ...]
    languages: tuple[Language, ...]
    clause: str
    requested_at: datetime
    due_at: datetime | None
    link: str
    addressee: Named | None = None
    earlier: tuple[tuple[Earlier, tuple[Named, ...]], ...] = ()
    recipients: tuple[Sent, ...] = ()
    receipt_due_at: datetime | None = None
    reply_due_at: datetime | None = None
    grounds: tuple[Close, ...] = ()
    listed: Listed | None = None
    provisional_years: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Rendition:
    """A document in one language. `covering` stands before it for those who have a copy."""

    title: str
    text: str
    html: str
    covering: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """The document to be printed, in one language."""

    language: str
    kind: FileKind
    content: bytes

    @property
    def fingerprint(self) -> str:
        """What stands in the audit log: whoever has the file can show that it is the one that was sent."""
        return f"{self.language}.{self.kind} sha256:{sha256(self.content).hexdigest()}"


@dataclass(frozen=True, slots=True)
class IssuedDocument:
    """A document as it was issued, or its draft, which has no number. `event_id` is the deduplication key."""

    event_id: str
    request_id: RequestId
    document_id: str
    case_id: CaseId
    number: str
    template: str
    issued_at: datetime
    renditions: Mapping[str, Rendition]
    files: tuple[File, ...] = ()
    issuer_code: str = ""

    def in_language(self, lang: str) -> Rendition:
        """Return it in this language, else in Chinese: that text is the document."""
        return self.renditions.get(lang) or self.renditions[Language.ZH]


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """What became of a document after its issue. `event_id` is the deduplication key."""

    event_id: str
    request_id: RequestId
    document_id: str
    case_id: CaseId
    what: DocumentEvent
    party: str
    is_addressee: bool
    by: str
    via: str
    at: datetime
    reasons: str = ""


@dataclass(frozen=True, slots=True)
class AwaitingNotice:
    """A notice that was never tried and has no document yet."""

    notice_id: NoticeId
    case_id: CaseId
    request_id: RequestId
    channel: Channel
    lang: str
    body: str
    is_copy: bool = False
    body_code: str = ""


@dataclass(frozen=True, slots=True)
class Attached:
    """A notice with its document in the place of the short text; due at once."""

    notice_id: NoticeId
    subject: str
    body: str
    html: str
    template: str
    number: str
    signed_document_id: str | None = None
    """Set where the notice carries a signed link to the document: of all but who issued it."""


_ROLES = {
    Recipient.MAINTENANCE: Named("维护保养单位", "maintenance firm"),
    Recipient.GRID_OFFICER: Named("属地网格员", "grid officer"),
}
"""Recipients without a code in the register, as a letter names them."""
DISCIPLINE = Named("纪检监察机关", "the discipline inspection and supervision authority")
"""Whom an I9 is addressed to: its issuer, who alone makes a letter of the draft, names the authority."""
GOVERNMENT = Named("本级人民政府", "the government at this level")
"""Whom a proposal to list is addressed to: its issuer knows which one decides."""
_UNIT = frozenset({Recipient.UNIT_CONTROL_ROOM, Recipient.UNIT_MANAGER})
"""The unit's own people, who are named by its name."""


def is_issued_for(case: Case, step: LadderStep) -> bool:
    """Say whether documents makes the paper of this step; what is urgent or about no unit never waits for one."""
    if case.subject.kind is SubjectKind.BODY:
        return step.document in INSTRUMENTS_OF_BODIES and bool(grounds_of(case, step))
    of_unit = case.subject.kind is SubjectKind.UNIT  # the other papers are about a unit and its equipment
    return of_unit and step.document in INSTRUMENTS_ISSUED and not case.is_urgent and not case.is_common


GROUNDS = 20
"""Closes that a document names; of more the newest."""


def grounds_of(case: Case, step: LadderStep) -> tuple[Close, ...]:
    """Return what a body has missed that makes the step due: closes of its period or a longer one, else all of them."""
    match step.trigger:
        case PeriodClose(period):
            found = [one for one in case.closes if one.reaches(period)]
        case OnCondition():
            found = [one for one in case.closes if one.reaches(Period.YEAR)]
        case _:
            found = list(case.closes)
    return tuple(found[-GROUNDS:])


def case_link(console_url: str, case_id: CaseId) -> str:
    """Return where a document leads whoever has an account."""
    return f"{console_url.rstrip('/')}/?case={case_id}"


def request_id_of(case_id: CaseId, step: str) -> RequestId:
    """Return the id of a step's document: a step is taken once in a case, so it has one."""
    return RequestId(digest(16, "document", case_id, step))


def addressees_of(case: Case, instrument: Instrument) -> frozenset[str]:
    """Return as whom those are told whom a document is addressed to (主送); all others have a copy of it (抄送)."""
    if instrument in (Instrument.CIRCULAR, Instrument.INTERVIEW):
        return frozenset({body_code(case.subject)})
    if instrument in (Instrument.ACCOUNTABILITY, Instrument.LISTED_SUPERVISION):
        return frozenset()  # whoever of those told is no issuer answers for it
    if instrument is Instrument.CHECK_TASK:
        return frozenset({Recipient.GRID_OFFICER})
    if instrument is Instrument.COPY_NOTICE and case.facts.lead_department:
        return frozenset({case.facts.lead_department})
    return _UNIT


def name_of(party: str, particulars: Particulars) -> Named | None:
    """Return how a letter names a recipient; None for a body that the register does not name."""
    if party in _UNIT:
        return particulars.name
    return _ROLES.get(Recipient(party)) if party in _ROLES else particulars.bodies.get(party)


def addressee_of(case: Case, instrument: Instrument, particulars: Particulars) -> Named:
    """Return whom a document is addressed to: the unit or body itself, where nobody else is known by name."""
    if instrument is Instrument.ACCOUNTABILITY:
        return DISCIPLINE
    if instrument is Instrument.LISTED_SUPERVISION:
        return GOVERNMENT
    named = (name_of(one, particulars) for one in sorted(addressees_of(case, instrument)))
    return next((one for one in named if one is not None), particulars.name)


def copies_of(recipients: Iterable[str], particulars: Particulars, addressee: Named | None = None) -> tuple[Named, ...]:
    """Return who has a copy (抄送): who is told beside the addressee, without one the unit itself, and the issuer."""
    return tuple(one for one in others_of(recipients, particulars) if one != (addressee or particulars.name))


def others_of(parties: Iterable[str], particulars: Particulars) -> tuple[Named, ...]:
    """Return who was told, by name, each once: that the issuer told itself is no news."""
    named = (name_of(one, particulars) for one in parties)
    return tuple(dict.fromkeys(one for one in named if one is not None and one != particulars.issuer))


def files_for(files: Iterable[File], lang: str) -> tuple[File, ...]:
    """Return what a recipient gets: the Chinese files, which are the document, and those in its own language."""
    return tuple(one for one in files if one.language in (Language.ZH, lang))


def sent_to(recipients: Recipients, issuer_code: str, addressees: frozenset[str]) -> tuple[Sent, ...]:
    """Return whom the document is sent to, its issuer left out.

    Where none of the `addressees` is told, the first that the step names answers for it: somebody has to.
    """
    parties = [name for name in recipients.names if name != issuer_code]
    main = [name for name in parties if name in addressees] or parties[:1]
    return tuple(
        Sent(contact_id, party, party in main)
        for contact_id, party in recipients.parties.items()
        if party != issuer_code
    )
