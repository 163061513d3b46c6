"""A notice: one document to one address."""

from dataclasses import dataclass
from datetime import datetime

from services.alerts.domain.case.event import Component, Proof
from services.alerts.domain.ids import CaseId, NoticeId, RequestId, digest
from services.alerts.domain.routing.contacts import Address
from services.kernel.words import Purpose


@dataclass(frozen=True, slots=True)
class About:
    """What a notice tells of, kept so that it can be written anew when its case is over before it has left."""

    proof: Proof
    component: Component | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """One document to one address. `fire` jumps every queue. `first`, of a fire or a component, is never taken back.

    One that `groups` may leave in a digest. `request_id` names the document that is wanted in place of its text, for
    which it waits until `waits_until`; `document_number` is that of the document once it is in it, and `html` the
    document as a page. `is_copy`: its recipient has a copy of the document, the addressee has it. A notice with a
    `signed_document_id` carries a link by which its reader signs and answers without an account.
    """

    notice_id: NoticeId
    case_id: CaseId
    step: str
    purpose: Purpose
    to: Address
    template: str
    subject: str
    body: str
    clause: str
    created_at: datetime
    caused_at: datetime
    about: About
    fire: bool = False
    first: bool = False
    request_id: RequestId | None = None
    waits_until: datetime | None = None
    document_number: str | None = None
    html: str = ""
    is_copy: bool = False
    signed_document_id: str | None = None
    groups: bool = False


def notice_id_of(case_id: CaseId, step: str, purpose: Purpose, drop: int, to: Address) -> NoticeId:
    """Return the id of one copy; taking the same step again gives the same id, so no second copy can be made.

    An all-clear belongs to one `drop` of the case; a notice to its step alone.
    """
    which = str(drop) if purpose is Purpose.ALL_CLEAR else ""
    return NoticeId(digest(16, "notice", case_id, step, purpose, which, to.contact_id, to.channel, to.address))


def due_at(notice: Notice, not_before: datetime | None = None) -> datetime:
    """Return when a new notice is sent for the first time: at once, but for its document or what holds all back."""
    return max(at for at in (notice.created_at, notice.waits_until, not_before) if at is not None)
