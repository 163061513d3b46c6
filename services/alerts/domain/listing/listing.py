"""The life of a listing as decisions: (what stands, what somebody does, now) -> what stands then.

    +----------+  declined, withdrawn
    | proposed | ---------------------> (end)
    +----------+
         | listed by the authority
         v        evidence handed in      re-check passed       approved by another person
    +--------+ ---------------> +---------+ ---------> +----------+ ---------> +--------+
    | listed |                  | recheck |            | approval |            | closed |
    +--------+ <--------------- +---------+            +----------+            +--------+
      |    ^    re-check failed                              |
      |    +-------------------------------------------------+ closure refused
      +- extension asked for; granted or refused by another person, before the closure is approved

The authority decides outside; what it decided a person enters. Nothing closes by itself: a trouble that is over is
evidence that may be looked at, never the closure. What was handed in for a re-check that failed, or a closure that was
refused, does for no further one: evidence is handed in anew.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import NewType

from services.alerts.domain.case.case import Case
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.subject import SubjectKind
from services.alerts.domain.escalation.guarded import midnight
from services.alerts.domain.ids import CaseId, digest
from services.kernel.calendar import CHINA
from services.kernel.uploads import Upload
from services.kernel.words import ListingAct, ListingLevel, ListingState

ListingId = NewType("ListingId", str)

BY_LADDER = "ladder"
"""Who proposed what a step of the ladder proposed."""
MAX_ACTS = 100
MAX_EVIDENCE = 20
"""Files of one listing, in all its rounds."""
LONGEST = timedelta(days=3 * 366)
"""A deadline further away is a slip of the keyboard."""
LONGEST_BREAK = 30

HAZARDS = frozenset({CaseKind.CONNECTION_LOST, CaseKind.NEVER_CONNECTED, CaseKind.FAULT, CaseKind.ISOLATION})
"""What may be a major hazard (重大火灾隐患): those of which both papers have words."""
ENDED = frozenset({ListingState.DECLINED, ListingState.WITHDRAWN, ListingState.CLOSED})
IN_FORCE = frozenset({ListingState.LISTED, ListingState.RECHECK, ListingState.APPROVAL})
"""The authority has listed it, and the listing is not closed: its deadline runs, and its case stays open."""

NEXT: Mapping[ListingState, Mapping[ListingAct, ListingState]] = MappingProxyType(
    {
        ListingState.PROPOSED: {
            ListingAct.LIST: ListingState.LISTED,
            ListingAct.DECLINE: ListingState.DECLINED,
            ListingAct.WITHDRAW: ListingState.WITHDRAWN,
        },
        ListingState.LISTED: {
            ListingAct.ASK_EXTENSION: ListingState.LISTED,
            ListingAct.GRANT_EXTENSION: ListingState.LISTED,
            ListingAct.REFUSE_EXTENSION: ListingState.LISTED,
            ListingAct.HAND_IN: ListingState.RECHECK,
        },
        ListingState.RECHECK: {
            ListingAct.GRANT_EXTENSION: ListingState.RECHECK,
            ListingAct.REFUSE_EXTENSION: ListingState.RECHECK,
            ListingAct.HAND_IN: ListingState.RECHECK,
            ListingAct.PASS_RECHECK: ListingState.APPROVAL,
            ListingAct.FAIL_RECHECK: ListingState.LISTED,
        },
        ListingState.APPROVAL: {
            ListingAct.GRANT_EXTENSION: ListingState.APPROVAL,
            ListingAct.REFUSE_EXTENSION: ListingState.APPROVAL,
            ListingAct.APPROVE_CLOSURE: ListingState.CLOSED,
            ListingAct.REFUSE_CLOSURE: ListingState.LISTED,
        },
        ListingState.DECLINED: {},
        ListingState.WITHDRAWN: {},
        ListingState.CLOSED: {},
    }
)
"""What may follow on what. A state without successors is the end."""


class NotPossible(Exception):
    """The act does not fit what stands, or what was said with it is missing or wrong; `reason` is one word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoListing(Exception):
    """There is no such case or listing, or it is another body's."""


@dataclass(frozen=True, slots=True)
class Extension:
    """A later deadline that was asked for and not decided yet."""

    by: str
    at: datetime
    until: date
    reason: str


@dataclass(frozen=True, slots=True)
class Recheck:
    """A re-check (复查) that was passed: `inspector` looked on that day, `by` is the account that entered it."""

    inspector: str
    on: date
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Said:
    """What is said with an act; what is needed depends on the act. `source`: where its files were taken over from."""

    text: str = ""
    level: ListingLevel | None = None
    number: str = ""
    on: date | None = None
    until: date | None = None
    inspector: str = ""
    files: tuple[Upload, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """What stands of one listing. `number` counts those of a case from 1, `acts` what was done with it.

    `document`, `listed_on` are those of the authority's decision; `due_at` is when the day of the `deadline` ends, or
    that of the next working day. `evidence` counts files of this round, `files` those of all rounds. `revision` counts
    with each act: whoever acts on what he saw acts on nothing newer.
    """

    listing_id: ListingId
    case_id: CaseId
    number: int
    state: ListingState
    proposed_at: datetime
    proposed_by: str
    reason: str = ""
    level: ListingLevel | None = None
    document: str = ""
    listed_on: date | None = None
    deadline: date | None = None
    due_at: datetime | None = None
    extension: Extension | None = None
    evidence: int = 0
    files: int = 0
    recheck: Recheck | None = None
    approved_by: str = ""
    ended_at: datetime | None = None
    revision: int = 1

    @property
    def is_active(self) -> bool:
        return self.state not in ENDED

    @property
    def is_in_force(self) -> bool:
        return self.state in IN_FORCE

    def is_overdue(self, now: datetime) -> bool:
        return self.is_in_force and self.due_at is not None and self.due_at <= now


@dataclass(frozen=True, slots=True)
class ListingEntry:
    """One act, as it is kept. `number` is the revision that it made, `due_at` when the deadline passes after it."""

    listing_id: ListingId
    number: int
    at: datetime
    by: str
    body_code: str
    act: ListingAct
    detail: Mapping[str, object] = field(default_factory=dict)
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LadderProposal:
    """A step of a case's ladder proposes its listing. While one is under way already, it proposes nothing new."""

    case_id: CaseId
    step: str
    at: datetime
    clause: str

    @property
    def listing_id(self) -> ListingId:
        return listing_id_of(self.case_id, f"step:{self.step}")


@dataclass(frozen=True, slots=True)
class EvidenceFile:
    """A file that was handed in with the act of this number; `source` names the reply that it was taken over from."""

    listing_id: ListingId
    number: int
    upload: Upload
    source: str = ""


def listing_id_of(case_id: CaseId, what: str) -> ListingId:
    """Return the id of the listing that a step of the ladder proposes, once, or of a case's so-many-th listing."""
    return ListingId("L" + digest(8, "listing", case_id, what))


def may_be_listed(case: Case) -> bool:
    """Say whether it is a hazard of a unit; what burns is nothing to be listed, and a common cause is nobody's."""
    return case.subject.kind is SubjectKind.UNIT and case.kind in HAZARDS


def proposed(case_id: CaseId, number: int, by: str, reason: str, now: datetime) -> Listing:
    """Return a new listing."""
    return Listing(listing_id_of(case_id, str(number)), case_id, number, ListingState.PROPOSED, now, by, reason)


def end_of(deadline: date, is_working: Callable[[date], bool]) -> datetime:
    """Return when a deadline passes: 24:00 Asia/Shanghai of that day, or of the next working day where it is none.

    Raises ValueError when a calendar has no working day within a month.
    """
    days = (deadline + timedelta(days=n) for n in range(LONGEST_BREAK))
    day = next((one for one in days if is_working(one)), None)
    if day is None:
        raise ValueError(f"no working day within {LONGEST_BREAK} days from {deadline}")
    return midnight(day + timedelta(days=1))


def hindrance(listing: Listing, act: ListingAct, by: str | None, now: datetime) -> str | None:
    """Return why the act is refused whatever is said with it, in the word of `NotPossible`; None where it may be done.

    With `by` None, why it is refused to whoever asks: what a page offers is measured by what `after` accepts.
    """
    if act not in NEXT[listing.state]:
        return "not_now"
    if listing.revision >= MAX_ACTS:
        return "full"
    hindered = _HINDERED.get(act)
    return None if hindered is None else hindered(listing, by, now)


def after(
    listing: Listing, act: ListingAct, by: str, said: Said, now: datetime, is_working: Callable[[date], bool]
) -> Listing:
    """Return the listing after the act. Raises NotPossible."""
    if reason := hindrance(listing, act, by, now):
        raise NotPossible(reason)
    to = NEXT[listing.state][act]
    then = _ACTS[act](replace(listing, state=to, revision=listing.revision + 1), by, said, now, is_working)
    return replace(then, ended_at=now) if then.state in ENDED else then


Act = Callable[[Listing, str, Said, datetime, Callable[[date], bool]], Listing]


def _list(listing: Listing, by: str, said: Said, now: datetime, is_working: Callable[[date], bool]) -> Listing:
    if said.level is None:
        raise NotPossible("level_missing")
    if not said.number:
        raise NotPossible("number_missing")
    listed_on = _day(said.on, listing.proposed_at, now)
    deadline = _deadline(said.until, listed_on, now)
    return replace(
        listing,
        level=said.level,
        document=said.number,
        listed_on=listed_on,
        deadline=deadline,
        due_at=end_of(deadline, is_working),
    )


def _ask_extension(listing: Listing, by: str, said: Said, now: datetime, _: Callable[[date], bool]) -> Listing:
    assert listing.deadline is not None, "what is listed has a deadline"
    until = _deadline(said.until, listing.deadline, now)
    return replace(listing, extension=Extension(by, now, until, _reasons(said)))


def _grant_extension(
    listing: Listing, by: str, said: Said, now: datetime, is_working: Callable[[date], bool]
) -> Listing:
    asked = listing.extension
    assert asked is not None, "it was asked for, or it is hindered"
    return replace(listing, deadline=asked.until, due_at=end_of(asked.until, is_working), extension=None)


def _refuse_extension(listing: Listing, by: str, said: Said, now: datetime, _: Callable[[date], bool]) -> Listing:
    _reasons(said)
    return replace(listing, extension=None)


def _hand_in(listing: Listing, by: str, said: Said, now: datetime, _: Callable[[date], bool]) -> Listing:
    if not said.files:
        raise NotPossible("evidence_missing")
    if listing.files + len(said.files) > MAX_EVIDENCE:
        raise NotPossible("full")
    count = len(said.files)
    return replace(listing, evidence=listing.evidence + count, files=listing.files + count)


def _pass_recheck(listing: Listing, by: str, said: Said, now: datetime, _: Callable[[date], bool]) -> Listing:
    return replace(listing, recheck=_looked(listing, by, said, now))


def _fail_recheck(listing: Listing, by: str, said: Said, now: datetime, _: Callable[[date], bool]) -> Listing:
    _looked(listing, by, said, now)
    _reasons(said)
    return _sent_back(listing)


def _approve(listing: Listing, by: str, said: Said, now: datetime, _: Callable[[date], bool]) -> Listing:
    return replace(listing, approved_by=by, extension=None)


def _refuse_closure(listing: Listing, by: str, said: Said, now: datetime, _: Callable[[date], bool]) -> Listing:
    _reasons(said)
    return _sent_back(listing)


def _end_with_reasons(listing: Listing, by: str, said: Said, now: datetime, _: Callable[[date], bool]) -> Listing:
    _reasons(said)
    return listing


_ACTS: Mapping[ListingAct, Act] = MappingProxyType(
    {
        ListingAct.LIST: _list,
        ListingAct.DECLINE: _end_with_reasons,
        ListingAct.WITHDRAW: _end_with_reasons,
        ListingAct.ASK_EXTENSION: _ask_extension,
        ListingAct.GRANT_EXTENSION: _grant_extension,
        ListingAct.REFUSE_EXTENSION: _refuse_extension,
        ListingAct.HAND_IN: _hand_in,
        ListingAct.PASS_RECHECK: _pass_recheck,
        ListingAct.FAIL_RECHECK: _fail_recheck,
        ListingAct.APPROVE_CLOSURE: _approve,
        ListingAct.REFUSE_CLOSURE: _refuse_closure,
    }
)


def _sent_back(listing: Listing) -> Listing:
    return replace(listing, evidence=0, recheck=None)


def _reasons(said: Said) -> str:
    if not said.text:
        raise NotPossible("reasons_missing")
    return said.text


def _day(on: date | None, first: datetime, now: datetime) -> date:
    """Return a day on which something was done: none before the listing began, and none to come."""
    if on is None:
        raise NotPossible("date_missing")
    if not first.astimezone(CHINA).date() <= on <= now.astimezone(CHINA).date():
        raise NotPossible("date_wrong")
    return on


def _deadline(until: date | None, later_than: date, now: datetime) -> date:
    if until is None:
        raise NotPossible("deadline_missing")
    if until <= later_than or until < now.astimezone(CHINA).date():
        raise NotPossible("deadline_past")
    if until > later_than + LONGEST:
        raise NotPossible("deadline_far")
    return until


def _asked_in_time(listing: Listing) -> bool:
    """Whether nobody has decided about a later deadline that was asked for before the deadline passed."""
    return listing.extension is not None and listing.due_at is not None and listing.extension.at < listing.due_at


def _looked(listing: Listing, by: str, said: Said, now: datetime) -> Recheck:
    if not said.inspector:
        raise NotPossible("inspector_missing")
    on = _day(said.on, listing.proposed_at, now)
    assert listing.listed_on is not None, "what is listed has a day"
    if on < listing.listed_on:
        raise NotPossible("date_wrong")
    return Recheck(said.inspector, on, by, now)


Hindrance = Callable[[Listing, str | None, datetime], str | None]


def _no_asking(listing: Listing, by: str | None, now: datetime) -> str | None:
    return None if listing.extension is None else "extension_undecided"


def _no_deciding(listing: Listing, by: str | None, now: datetime) -> str | None:
    if listing.extension is None:
        return "not_now"
    return "same_person" if listing.extension.by == by else None


def _no_granting(listing: Listing, by: str | None, now: datetime) -> str | None:
    asked = listing.extension
    # a day that is over gives nobody time any more, but decides whether what was handed in meanwhile came in time
    late = asked and listing.state is ListingState.LISTED and asked.until < now.astimezone(CHINA).date()
    return _no_deciding(listing, by, now) or ("deadline_past" if late else None)


def _no_handing_in(listing: Listing, by: str | None, now: datetime) -> str | None:
    return "full" if listing.files >= MAX_EVIDENCE else None


def _no_passing(listing: Listing, by: str | None, now: datetime) -> str | None:
    return None if listing.evidence else "evidence_missing"


def _no_closing(listing: Listing, by: str | None, now: datetime) -> str | None:
    assert listing.recheck is not None, "approval comes after a re-check that was passed"
    return "same_person" if listing.recheck.by == by else None


def _no_approving(listing: Listing, by: str | None, now: datetime) -> str | None:
    # once it is closed nobody decides any more, and it would count as late
    return _no_closing(listing, by, now) or ("extension_undecided" if _asked_in_time(listing) else None)


_HINDERED: Mapping[ListingAct, Hindrance] = MappingProxyType(
    {
        ListingAct.ASK_EXTENSION: _no_asking,
        ListingAct.GRANT_EXTENSION: _no_granting,
        ListingAct.REFUSE_EXTENSION: _no_deciding,
        ListingAct.HAND_IN: _no_handing_in,
        ListingAct.PASS_RECHECK: _no_passing,
        ListingAct.APPROVE_CLOSURE: _no_approving,
        ListingAct.REFUSE_CLOSURE: _no_closing,
    }
)
