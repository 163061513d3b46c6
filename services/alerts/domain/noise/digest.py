"""Digests: what waits for one address at the same time leaves in one mail, by clocks that each address has.

                 first notice: wait_until set          wait_until passed: fewer than `least` wait
    +-------+  ------------------------------> +-------+ ------------------------------> each leaves alone
    | quiet |                                  | waits |
    +-------+ <------------------------------  +-------+ ------------------------------> one digest leaves
        ^        quiet_until set (interval)        |       as many as `least`, or more
        +------------------------------------------+
           a further notice waits until both clocks have passed

Nothing urgent ever comes here, nor the notice of a common cause: `may_group` is asked when a notice is written.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.alerts.domain.case.case import Case
from services.alerts.domain.delivery.notice import Notice
from services.alerts.domain.escalation.ladder import Pace
from services.alerts.domain.escalation.pack_rules import GroupingRules
from services.alerts.domain.ids import NoticeId, digest
from services.alerts.domain.routing.contacts import Address
from services.kernel.words import Channel, Purpose

MAX_MEMBERS = 2000
"""Notices in one digest; of more the rest makes a second one."""
READ_BY_PEOPLE = frozenset({Channel.EMAIL, Channel.ROBOT, Channel.APPRISE})
"""A webhook is read by a machine, which wants each case as data of its own."""


class GroupState(StrEnum):
    """How a notice stands to digests; one that none may hold has no such state."""

    WAITS = "waits"
    ALONE = "alone"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True)
class GroupClocks:
    """Of one address: what is due by `wait_until` leaves together, nothing more leaves before `quiet_until`."""

    wait_until: datetime | None = None
    quiet_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class WaitingNotice:
    """A notice that is due and of which nobody has decided yet how it leaves."""

    notice_id: NoticeId
    to: Address
    due_at: datetime
    district: str


@dataclass(frozen=True, slots=True)
class Digest:
    """One mail for many notices; `named` of them are told one by one, the others counted."""

    digest_id: NoticeId
    to: Address
    members: tuple[NoticeId, ...]
    named: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DigestItem:
    """What a digest says of one notice, as its case stands when it is sent."""

    case: Case
    notice_id: NoticeId
    step: str
    purpose: Purpose
    document_number: str | None


@dataclass(frozen=True, slots=True)
class DigestLetter:
    """Everything that the template of a digest may say: `named` items, and how many there are of each purpose."""

    to: Address
    named: tuple[DigestItem, ...]
    notices: int
    all_clears: int

    @property
    def others(self) -> int:
        """How many are counted only."""
        return self.notices + self.all_clears - len(self.named)


@dataclass(frozen=True, slots=True)
class Grouped:
    """What becomes of the notices to one address: until when they wait, or how they leave."""

    clocks: GroupClocks
    until: datetime | None = None
    alone: tuple[NoticeId, ...] = ()
    digests: tuple[Digest, ...] = ()


def may_group(case: Case, to: Address, rules: GroupingRules | None) -> bool:
    """Say whether a notice of the case may leave in a digest: no urgent one, and no common cause, ever does."""
    return rules is not None and to.channel in READ_BY_PEOPLE and not case.is_urgent and not case.is_common


def group(
    waiting: Sequence[WaitingNotice], clocks: GroupClocks, rules: GroupingRules, pace: Pace, now: datetime
) -> Grouped:
    """Return what becomes of all that waits for one address; `waiting` is not empty."""
    first = min(one.due_at for one in waiting)
    if clocks.wait_until is None or clocks.wait_until < first:  # a former wait, whose notices were taken back
        until = max(first + pace.observed(rules.wait), clocks.quiet_until or first)
        clocks = replace(clocks, wait_until=until)
    assert clocks.wait_until is not None, "set above"
    if clocks.wait_until > now:
        return Grouped(clocks, until=clocks.wait_until)
    left = GroupClocks(None, now + pace.observed(rules.interval))
    ids = tuple(one.notice_id for one in waiting)
    if len(ids) < rules.least:
        return Grouped(left, alone=ids)
    parts = [ids[at : at + MAX_MEMBERS] for at in range(0, len(ids), MAX_MEMBERS)]
    return Grouped(left, digests=tuple(_digest(waiting[0].to, part, rules, now) for part in parts))


def _digest(to: Address, members: tuple[NoticeId, ...], rules: GroupingRules, now: datetime) -> Digest:
    return Digest(NoticeId(digest(16, "digest", *sorted(members))), to, members, rules.named, now)


def letter_of(to: Address, items: Sequence[DigestItem], named: int) -> DigestLetter:
    """Return the letter over `items`: trouble before all-clears, what began last first, as bounded as `named` says."""
    trouble = sorted(
        (item for item in items if item.purpose is Purpose.NOTICE), key=lambda item: item.case.detected_at, reverse=True
    )
    clears = [item for item in items if item.purpose is Purpose.ALL_CLEAR]
    return DigestLetter(to, (*trouble, *clears)[:named], len(trouble), len(clears))


def digest_item(notice: Notice, case: Case) -> DigestItem:
    return DigestItem(case, notice.notice_id, notice.step, notice.purpose, notice.document_number)
