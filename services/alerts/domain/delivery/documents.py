"""Documents that the documents service makes for us: what we ask for, and how one comes into the notices that wait.

A notice that a document is wanted for is written with our own short text and falls due a bounded time later. The
document, when it comes, takes that text's place and makes the notice due at once; when it does not come the notice
leaves as it is. So nothing has to notice that documents is away: time passes, and that is all.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.alerts.domain.case.case import Case
from services.alerts.domain.case.subject import SubjectKind
from services.alerts.domain.escalation.steps import LadderStep
from services.alerts.domain.ids import CaseId, NoticeId, RequestId, digest
from services.kernel.words import INSTRUMENTS_ISSUED, Channel, Instrument, Language, Recipient


@dataclass(frozen=True, slots=True)
class Named:
    """A name in both languages; `en` is "" where the register has none."""

    zh: str
    en: str = ""


@dataclass(frozen=True, slots=True)
class Particulars:
    """What the register says of a unit beside its route, and which body issues documents in its district.

    `bodies` has the names of those among the recipients that are bodies, by their codes.
    """

    issuer_code: str
    issuer: Named
    name: Named
    address: str = ""
    category: Named | None = None
    town: Named | None = None
    bodies: Mapping[str, Named] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DocumentTerms:
    """How long a notice waits for its document; zero: none is asked for. `console_url` is where its link leads."""

    wait: timedelta = timedelta(0)
    console_url: str = ""


@dataclass(frozen=True, slots=True)
class DocumentRequest:
    """The facts of one document. `due_at` is when the next step falls due: until then the addressee must have acted."""

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


@dataclass(frozen=True, slots=True)
class Rendition:
    """A document in one language."""

    title: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class IssuedDocument:
    """A document as it was issued. `event_id` is the deduplication key."""

    event_id: str
    request_id: RequestId
    document_id: str
    case_id: CaseId
    number: str
    template: str
    issued_at: datetime
    renditions: Mapping[str, Rendition]

    def in_language(self, lang: str) -> Rendition:
        """Return it in this language, else in Chinese: that text is the document."""
        return self.renditions.get(lang) or self.renditions[Language.ZH]


@dataclass(frozen=True, slots=True)
class AwaitingNotice:
    """A notice that was never tried and has no document yet."""

    notice_id: NoticeId
    case_id: CaseId
    request_id: RequestId
    channel: Channel
    lang: str
    body: str


@dataclass(frozen=True, slots=True)
class Attached:
    """A notice with its document in the place of the short text; due at once."""

    notice_id: NoticeId
    subject: str
    body: str
    html: str
    template: str
    number: str


_ROLES = {
    Recipient.MAINTENANCE: Named("维护保养单位", "maintenance firm"),
    Recipient.GRID_OFFICER: Named("属地网格员", "grid officer"),
}
"""Recipients without a code in the register, as a letter names them; the unit's own people are the addressee."""


def is_issued_for(case: Case, step: LadderStep) -> bool:
    """Say whether documents makes the paper of this step; what is urgent or about no unit never waits for one."""
    of_unit = case.subject.kind is SubjectKind.UNIT  # the papers are about a unit and its equipment
    return of_unit and step.document in INSTRUMENTS_ISSUED and not case.is_urgent and not case.is_common


def request_id_of(case_id: CaseId, step: str) -> RequestId:
    """Return the id of a step's document: a step is taken once in a case, so it has one."""
    return RequestId(digest(16, "document", case_id, step))


def copies_of(recipients: Iterable[str], particulars: Particulars) -> tuple[Named, ...]:
    """Return who has a copy (抄送): who is told beside the unit itself and the issuer."""
    named = (_ROLES.get(Recipient(one)) if one in _ROLES else particulars.bodies.get(one) for one in recipients)
    return tuple(one for one in named if one is not None and one != particulars.issuer)
