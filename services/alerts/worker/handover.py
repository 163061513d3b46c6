"""What was told without the database comes into it: each notice is written as it was sent, and not sent again."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from services.alerts.domain.audit.entry import AuditEntry, Detail, text_hash
from services.alerts.domain.delivery.interim import InterimRow
from services.alerts.domain.ids import CaseId, NoticeId
from services.alerts.domain.routing.contacts import Address
from services.alerts.ports import Changes, InterimStore
from services.kernel.words import Purpose


@dataclass(slots=True)
class Lent:
    """Notices that a transaction takes over, as they stand; of `in_flight` ones it cannot know what becomes of them.

    `done` once it is committed.
    """

    rows: list[InterimRow] = field(default_factory=list)
    in_flight: set[NoticeId] = field(default_factory=set)
    done: bool = False


def bring(changes: Changes, row: InterimRow) -> None:
    """Have a notice written as it was sent, with its place in the audit log."""
    changes.brought[row.notice.notice_id] = row
    if row.state != "pending" and row.ended_at is not None:
        detail: Detail = {
            "notice": row.notice.notice_id,
            "contact": row.notice.to.contact_id,
            "channel": str(row.notice.to.channel),
            "attempts": row.attempts,
            "reason": str(row.outcome.reason) if row.outcome and row.outcome.reason else None,
            "without_database": True,
            "text_sha256": text_hash(row.notice.subject, row.notice.body),
        }
        changes.audit.append(AuditEntry(row.ended_at, "alerts", f"notice_{row.state}", row.notice.case_id, detail))


class Handover:
    """Between the transactions of the fire lane and what it told from memory. Without a store nothing was told."""

    def __init__(self, store: InterimStore | None = None) -> None:
        self._store = store

    def attempted(self, notice_id: NoticeId) -> bool:
        """Say whether this notice was sent, or is being sent, from memory, and the database does not know it yet."""
        row = self._store.notices.rows().get(notice_id) if self._store is not None else None
        return row is not None and (row.attempts > 0 or row.in_flight)

    def recipients(self, changes: Changes, case_id: CaseId) -> list[Address]:
        """Return whom the notices that are just being written have told, or may have, that the case is open."""
        if self._store is None:
            return []
        rows = [self._store.notices.rows().get(one.notice_id) for one in changes.notices if one.case_id == case_id]
        return [
            row.notice.to for row in rows if row is not None and row.alarmed and row.notice.purpose is Purpose.NOTICE
        ]

    @contextmanager
    def lend(self) -> Iterator[Lent]:
        """Around a transaction: what it takes over is sent by nobody else meanwhile, and forgotten once committed."""
        lent = Lent()
        try:
            yield lent
        finally:
            for row in lent.rows:
                row.held = False
                # what was on its way is forgotten when it has finished and that is written down too
                if lent.done and row.notice.notice_id not in lent.in_flight and self._store is not None:
                    self._store.notices.drop(row.notice.notice_id)

    def settle(self, changes: Changes, lent: Lent) -> None:
        """Have the notices that were told from memory written as they were sent."""
        if self._store is None:
            return
        rows = self._store.notices.rows()
        for number, notice in enumerate(changes.notices):
            row = rows.get(notice.notice_id)
            if row is None:
                continue
            row.held = True
            lent.rows.append(row)
            if row.in_flight:
                lent.in_flight.add(notice.notice_id)
            if row.attempts:
                changes.notices[number] = row.notice
                bring(changes, row)

    def learn(self, changes: Changes) -> None:
        """Know what was committed: the database may be gone the next moment."""
        if self._store is None:
            return
        for case in (*changes.opened.values(), *changes.updated.values()):
            if case.is_urgent:
                self._store.know(case)
