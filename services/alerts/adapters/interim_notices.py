"""Notices in memory, for the time in which the database does not answer: ports.InterimNotices."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from services.alerts.domain.case.case import Case
from services.alerts.domain.delivery.attempts import DeliveryState, Outcome, Verdict
from services.alerts.domain.delivery.consent import may_send
from services.alerts.domain.delivery.destinations import Due
from services.alerts.domain.delivery.interim import InterimRow
from services.alerts.domain.delivery.notice import Notice
from services.alerts.domain.ids import CaseId, NoticeId
from services.alerts.domain.routing.contacts import Address
from services.alerts.ports import Changes, ClaimRequest, Ready, Refused, Retell
from services.kernel.words import Purpose

MAX_NOTICES = 20_000

K = TypeVar("K")
V = TypeVar("V")


def forget(rows: dict[K, V], most: int, has_ended: Callable[[V], bool]) -> None:
    """Keep at most so many: the oldest that have ended go first, then the oldest of all."""
    while len(rows) > most:
        del rows[next((key for key, row in rows.items() if has_ended(row)), next(iter(rows)))]


class LocalInterimNotices:
    """See ports.InterimNotices. `cases` are those of the store beside it."""

    def __init__(self, retell: Retell, cases: Mapping[CaseId, Case]) -> None:
        self._retell = retell
        self._cases = cases
        self._rows: dict[NoticeId, InterimRow] = {}

    def add(self, changes: Changes) -> set[NoticeId]:
        """Take in the notices of a transaction; return which of them are new."""
        new = [notice for notice in changes.notices if notice.notice_id not in self._rows]
        for notice in new:
            self._rows[notice.notice_id] = self._new(notice, changes.leased.get(notice.notice_id))
        for row in self._rows.values():  # an all-clear is never taken back: no urgent case is opened again
            withdrawn = row.notice.case_id in changes.cancelled and row.notice.purpose is Purpose.NOTICE
            if withdrawn and not row.attempts and not row.notice.first:
                row.state = "cancelled"
        forget(self._rows, MAX_NOTICES, lambda row: row.state != "pending")
        return {notice.notice_id for notice in new}

    def _new(self, notice: Notice, leased_until: datetime | None) -> InterimRow:
        if leased_until is None:
            return InterimRow(notice, next_attempt_at=notice.created_at)
        is_open = self._cases[notice.case_id].is_open
        return InterimRow(notice, attempts=1, next_attempt_at=leased_until, in_flight=True, alarmed=is_open)

    def recipients(self, case_id: CaseId) -> list[Address]:
        """Return whom a case's notices have reached, or may have."""
        mine = [row.notice for row in self._rows.values() if row.notice.case_id == case_id and row.attempts]
        return [notice.to for notice in mine if notice.purpose is Purpose.NOTICE]

    def rows(self) -> Mapping[NoticeId, InterimRow]:
        return self._rows

    def adopt(self, ready: Ready, outcome: Outcome, verdict: Verdict, now: datetime) -> None:
        if ready.notice is None:
            return
        row = self._rows.setdefault(ready.notice_id, InterimRow(ready.notice, attempts=ready.attempts))
        row.attempts = max(row.attempts, ready.attempts)
        row.alarmed = row.alarmed or ready.over_since is None
        self._end(row, outcome, verdict, now)

    def drop(self, notice_id: NoticeId) -> None:
        self._rows.pop(notice_id, None)

    async def take(self, request: ClaimRequest) -> list[Ready | Refused]:
        due = [
            Due(row.notice.notice_id, row.notice.to.channel, row.notice.to.address, is_retry=row.attempts > 0)
            for row in self._rows.values()
            if row.state == "pending"
            and not row.held
            and row.next_attempt_at is not None
            and row.next_attempt_at <= request.now
            and row.notice.to.address not in request.but_addresses
            and row.notice.to.channel not in request.but_channels
            and (row.attempts == 0 or row.notice.to.channel not in request.but_retries)
        ]
        return [self._answer(self._rows[one.notice_id], request) for one in request.choose(due[: request.limit])]

    def _answer(self, row: InterimRow, request: ClaimRequest) -> Ready | Refused:
        notice, case = row.notice, self._cases.get(row.notice.case_id)
        if case is not None:
            consent = may_send(
                notice.purpose, notice.created_at, case, fire=notice.fire, now=request.now, first=notice.first
            )
            if consent.stop is not None and consent.wait_until is None:
                row.state = "cancelled"
                return Refused(notice.notice_id, notice.case_id, consent)
            if notice.first and not case.is_open:
                notice = row.notice = self._retell(notice, case)
        row.attempts += 1
        row.alarmed = row.alarmed or case is None or case.is_open
        row.next_attempt_at = request.now + request.leases[notice.to.channel]
        row.in_flight = True
        return Ready.of(notice, case, row.attempts)

    async def record(self, ready: Ready, outcome: Outcome, verdict: Verdict, now: datetime) -> None:
        row = self._rows.get(ready.notice_id)
        if row is not None:
            row.attempts = max(row.attempts, ready.attempts)
            self._end(row, outcome, verdict, now)

    @staticmethod
    def _end(row: InterimRow, outcome: Outcome, verdict: Verdict, now: datetime) -> None:
        row.in_flight = False
        row.outcome, row.verdict, row.ended_at = outcome, verdict, now
        row.next_attempt_at = verdict.next_attempt_at
        if verdict.state is not DeliveryState.RETRY:
            row.state = "accepted" if verdict.state is DeliveryState.ACCEPTED else "dead"
