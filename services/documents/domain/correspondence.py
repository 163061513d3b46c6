"""What becomes of a document after its issue, as decisions: (what stands, what somebody does, now) -> what is then.

                  signed for (签收)            reply handed in (回函)            reply accepted
    +--------+   by an addressee  +----------+ -----------------> +---------+ --------------> +--------+
    | issued | -----------------> | received |                    | replied |                 | closed |
    +--------+                    +----------+ <----------------- +---------+                 +--------+
                                       |         reply returned        |                          ^
                                       |         with reasons          |                          |
                                       +-------------------------------+--------------------------+
                                                     appeal upheld

Whoever has a copy (抄送) signs as well; that is written down and moves nothing. An appeal (申诉) stands beside: handed
in and decided by itself, it holds nothing up. Upheld, it closes the document: what was demanded falls away.

    reply:   submitted -> accepted | returned          appeal:  submitted -> upheld | dismissed

One of a kind is undecided at a time. What was decided stays, a further one is a further row.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from types import MappingProxyType
from typing import Literal

from services.documents.domain.errors import NotPossible
from services.documents.domain.uploads import Upload
from services.kernel.ids import derive
from services.kernel.words import DocumentEvent, DocumentState, SubmissionKind, SubmissionState

Via = Literal["console", "link", "mail"]


@dataclass(frozen=True, slots=True)
class Recipient:
    """A contact that the document went to. `party` is a body's code, or the part that the contact has in the unit."""

    contact_id: str
    party: str
    is_addressee: bool
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it: `by` is the account or the contact whose link it is, `name` the person who signs."""

    party: str
    by: str
    name: str
    via: Via


@dataclass(frozen=True, slots=True)
class Receipt:
    party: str
    at: datetime
    name: str
    by: str
    via: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file as it is kept: by its content, under a name that is safe to show."""

    sha256: str
    name: str
    media_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Written:
    """What somebody hands in. `measures` say what is done, `done_by` until when; a reply that only informs has none.

    `seen` is how many submissions there were on the page that it was written on: the same page sent twice, or one that
    somebody kept, hands in nothing.
    """

    kind: SubmissionKind
    seen: int
    text: str
    measures: str = ""
    done_by: date | None = None
    files: tuple[Upload, ...] = ()


@dataclass(frozen=True, slots=True)
class Submission:
    """A reply or an appeal, handed in and, some time, decided."""

    submission_id: str
    kind: SubmissionKind
    party: str
    text: str
    measures: str
    done_by: date | None
    name: str
    by: str
    via: str
    at: datetime
    attachments: tuple[Attachment, ...] = ()
    state: SubmissionState = SubmissionState.SUBMITTED
    decided_at: datetime | None = None
    decided_by: str | None = None
    reasons: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What has happened, for the others to hear of."""

    what: DocumentEvent
    party: str
    by: str
    via: str
    at: datetime
    submission_id: str | None = None
    reasons: str = ""


@dataclass(frozen=True, slots=True)
class Correspondence:
    """All that stands of one document after its issue."""

    document_id: str
    request_id: str
    case_id: str
    unit_id: str
    state: DocumentState
    recipients: tuple[Recipient, ...]
    receipts: tuple[Receipt, ...] = ()
    submissions: tuple[Submission, ...] = ()

    def concerns(self, party: str) -> bool:
        """Say whether it went to this party at all."""
        return any(one.party == party for one in self.recipients)

    def addresses(self, party: str) -> bool:
        """Say whether this party is an addressee, and not one that has a copy."""
        return any(one.party == party and one.is_addressee for one in self.recipients)

    def has_signed(self, party: str) -> bool:
        return any(one.party == party for one in self.receipts)

    def undecided(self, kind: SubmissionKind) -> Submission | None:
        waiting = (one for one in self.submissions if one.kind is kind and one.state is SubmissionState.SUBMITTED)
        return next(waiting, None)


DECISIONS: Mapping[SubmissionState, tuple[SubmissionKind, DocumentEvent]] = MappingProxyType(
    {
        SubmissionState.ACCEPTED: (SubmissionKind.REPLY, DocumentEvent.REPLY_ACCEPTED),
        SubmissionState.RETURNED: (SubmissionKind.REPLY, DocumentEvent.REPLY_RETURNED),
        SubmissionState.UPHELD: (SubmissionKind.APPEAL, DocumentEvent.APPEAL_UPHELD),
        SubmissionState.DISMISSED: (SubmissionKind.APPEAL, DocumentEvent.APPEAL_DISMISSED),
    }
)
"""What may be decided, of which kind, and how it is told."""
WITH_REASONS = frozenset({SubmissionState.RETURNED, SubmissionState.UPHELD, SubmissionState.DISMISSED})
"""Decisions that nobody would understand without a word."""
_AFTER = {
    SubmissionState.ACCEPTED: DocumentState.CLOSED,
    SubmissionState.RETURNED: DocumentState.RECEIVED,
    SubmissionState.UPHELD: DocumentState.CLOSED,
}
_EVENT = {
    SubmissionKind.REPLY: DocumentEvent.REPLY_SUBMITTED,
    SubmissionKind.APPEAL: DocumentEvent.APPEAL_SUBMITTED,
}


def sign(now_stands: Correspondence, actor: Actor, now: datetime) -> tuple[Correspondence, Change | None]:
    """Sign for it. Twice by the same party changes nothing: (as it was, None). Raises NotPossible."""
    if not now_stands.concerns(actor.party):
        raise NotPossible("not_a_recipient")
    if now_stands.state is DocumentState.DRAFT:
        raise NotPossible("not_issued")
    if now_stands.has_signed(actor.party):
        return now_stands, None
    if not actor.name:
        raise NotPossible("no_name")
    receipt = Receipt(actor.party, now, actor.name, actor.by, actor.via)
    moves = now_stands.addresses(actor.party) and now_stands.state is DocumentState.ISSUED
    signed = replace(
        now_stands,
        receipts=(*now_stands.receipts, receipt),
        state=DocumentState.RECEIVED if moves else now_stands.state,
    )
    return signed, Change(DocumentEvent.SIGNED, actor.party, actor.name, actor.via, now)


def submit(now_stands: Correspondence, actor: Actor, written: Written, now: datetime) -> tuple[Correspondence, Change]:
    """Hand in a reply or an appeal; whoever does has signed before. Raises NotPossible."""
    if not now_stands.addresses(actor.party):
        raise NotPossible("not_an_addressee")
    if not now_stands.has_signed(actor.party):
        raise NotPossible("not_signed")
    if now_stands.state is DocumentState.CLOSED:
        raise NotPossible("closed")
    if now_stands.undecided(written.kind) is not None:
        raise NotPossible("undecided")
    if written.seen != len(now_stands.submissions):
        raise NotPossible("changed")
    if not written.text or not actor.name:
        raise NotPossible("no_text")
    submission = Submission(
        submission_id=derive("submission", now_stands.document_id, written.kind, str(len(now_stands.submissions))),
        kind=written.kind,
        party=actor.party,
        text=written.text,
        measures=written.measures,
        done_by=written.done_by,
        name=actor.name,
        by=actor.by,
        via=actor.via,
        at=now,
        attachments=tuple(Attachment(one.sha256, one.name, one.media_type, one.size) for one in written.files),
    )
    handed_in = replace(
        now_stands,
        submissions=(*now_stands.submissions, submission),
        state=DocumentState.REPLIED if written.kind is SubmissionKind.REPLY else now_stands.state,
    )
    what = _EVENT[written.kind]
    return handed_in, Change(what, actor.party, actor.name, actor.via, now, submission.submission_id)


def decide(
    now_stands: Correspondence, submission_id: str, verdict: SubmissionState, by: str, reasons: str, now: datetime
) -> tuple[Correspondence, Change]:
    """Accept or return a reply, uphold or dismiss an appeal. Raises NotPossible."""
    found = next((one for one in now_stands.submissions if one.submission_id == submission_id), None)
    kind, what = DECISIONS.get(verdict, (None, None))
    if found is None or kind is not found.kind or what is None:
        raise NotPossible("no_such_submission")
    if found.state is not SubmissionState.SUBMITTED:
        raise NotPossible("decided")
    if verdict in WITH_REASONS and not reasons:
        raise NotPossible("no_reasons")
    decided = replace(found, state=verdict, decided_at=now, decided_by=by, reasons=reasons)
    others = tuple(decided if one.submission_id == submission_id else one for one in now_stands.submissions)
    # of a document that an appeal has closed a reply may still be decided: it stays closed
    open_ = now_stands.state is not DocumentState.CLOSED
    state = _AFTER.get(verdict, now_stands.state) if open_ else now_stands.state
    change = Change(what, found.party, by, "console", now, submission_id, reasons)
    return replace(now_stands, submissions=others, state=state), change


def change_id_of(document_id: str, change: Change) -> str:
    """Return the id under which a change is told: each can happen once."""
    return derive("change", document_id, change.what, change.party, change.submission_id or "")
