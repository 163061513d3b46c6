"""Cases and notices in memory, for the time in which the database does not answer: ports.InterimStore.

It keeps the promises of the store that the fire lane needs, and no others. Bounded: of more cases or notices the oldest
that have ended are forgotten first, then the oldest of all.
"""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from services.alerts.adapters.interim_notices import LocalInterimNotices, forget
from services.alerts.domain.case.case import Case, begun_last
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.subject import Subject
from services.alerts.domain.ids import CaseId, NoticeId
from services.alerts.domain.routing.contacts import Address
from services.alerts.ports import Changes, LockedCases, PartitionClaim, Retell

MAX_CASES = 5_000
MAX_SEEN = 50_000

FirstRecipients = Callable[[Case], Sequence[Address]]
"""Whom the first step of a case tells; so many may have heard of a case that the database knows."""


class _Transaction:
    """Nothing is changed before `save`; what it decides upon is never awaited in between."""

    def __init__(self, store: "LocalInterimStore") -> None:
        self._store = store
        self.fresh: set[str] = set()

    async def begin(
        self,
        claim: PartitionClaim,
        next_offset: int,
        event_ids: Sequence[str],
        keys: Collection[tuple[Subject, CaseKind]],
        case_ids: Collection[CaseId],
        now: datetime,
    ) -> tuple[set[str], LockedCases]:
        self.fresh = {event_id for event_id in event_ids if event_id not in self._store.seen}
        return self.fresh, LockedCases.of(self._store.cases.values(), keys, case_ids)

    async def case_at(self, subject: Subject, kind: CaseKind, at: datetime) -> Case | None:
        return begun_last(self._store.cases.values(), subject, kind, at)

    async def recipients(self, case_ids: Collection[CaseId]) -> dict[CaseId, list[Address]]:
        return {case_id: self._store.recipients(case_id) for case_id in case_ids}

    async def save(self, changes: Changes) -> set[NoticeId]:
        return self._store.save(changes)


class LocalInterimStore:
    """See ports.InterimStore."""

    def __init__(self, retell: Retell, first_recipients: FirstRecipients) -> None:
        self._first_recipients = first_recipients
        self.seen: dict[str, None] = {}
        self.cases: dict[CaseId, Case] = {}
        self._known: dict[CaseId, int] = {}
        self.notices = LocalInterimNotices(retell, self.cases)
        self._turn = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[_Transaction]:
        transaction = _Transaction(self)
        yield transaction
        self.seen.update(dict.fromkeys(transaction.fresh))
        forget(self.seen, MAX_SEEN, lambda _: True)

    def save(self, changes: Changes) -> set[NoticeId]:
        for case in (*changes.updated.values(), *changes.opened.values()):
            self.cases[case.case_id] = case
        new = self.notices.add(changes)
        forget(self.cases, MAX_CASES, lambda case: not case.is_open)
        return new

    def recipients(self, case_id: CaseId) -> list[Address]:
        recipients = dict.fromkeys(self.notices.recipients(case_id))
        if case_id in self._known:
            recipients |= dict.fromkeys(self._first_recipients(self.cases[case_id]))
        return list(recipients)

    def begin_look(self) -> int:
        self._turn += 1
        return self._turn

    def know(self, case: Case) -> None:
        self.cases[case.case_id] = case
        self._known[case.case_id] = self._turn
        forget(self.cases, MAX_CASES, lambda one: not one.is_open)
        forget(self._known, MAX_CASES, lambda _: True)

    def known(self) -> Collection[CaseId]:
        return [case_id for case_id in self._known if case_id in self.cases]

    def keep_open(self, open_ids: Collection[CaseId], look: int) -> None:
        for case_id in [one for one, turn in self._known.items() if one not in open_ids and turn < look]:
            del self._known[case_id]
            case = self.cases.get(case_id)
            if case is not None and case.is_open:
                del self.cases[case_id]
