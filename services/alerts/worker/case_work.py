"""Work on cases: ownership, comments, verification, shelving; the next step taken now, a case put to its cause.

None of it answers a case, and nothing of it stops a notice, but that a case put to a cause is held with its members.
"""

from collections.abc import Sequence
from datetime import timedelta

from services.alerts.domain.audit.entry import AuditEntry, Detail
from services.alerts.domain.case.reply import Reply
from services.alerts.domain.case.who import Who
from services.alerts.domain.case.work import MAX_COMMENTS, SHELVED_AT_MOST, Comment, Owner, Shelved, Verified
from services.alerts.domain.escalation.ladder import hurried
from services.alerts.domain.ids import CaseId
from services.alerts.domain.noise.common_cause import joins
from services.alerts.ports import CaseStore, CaseTransaction, Changes
from services.alerts.worker.acknowledgement import AcknowledgementService, may_touch
from services.kernel.words import AlarmCause, Verification
from services.runtime.clock import Clock


class CaseWorkService:
    """Each act is one transaction with its entry in the audit chain. Every method raises StoreUnavailable.

    Brigade and centre own and verify; whoever may see a case may write beside it, also after its end.
    """

    def __init__(self, *, store: CaseStore, clock: Clock, acknowledgements: AcknowledgementService) -> None:
        self._store = store
        self._clock = clock
        self._acknowledgements = acknowledgements

    async def acknowledge_all(self, case_ids: Sequence[CaseId], who: Who, note: str) -> dict[CaseId, Reply]:
        """Acknowledge each case by itself; one that burns, or may, is left for a look of its own."""
        return {
            case_id: await self._acknowledgements.acknowledge(case_id, who, note, alone=False)
            for case_id in dict.fromkeys(case_ids)
        }

    async def own(self, case_id: CaseId, who: Who) -> Reply:
        """Let the account work on the case, in the place of whoever did."""
        async with self._store.transaction() as transaction:
            case = await transaction.case(case_id)
            if case is None or who.body_code is not None:
                return Reply.NOT_FOUND
            if not case.is_open:
                return Reply.CLOSED
            now = self._clock.now()
            before = (await transaction.work(case_id, now)).owner
            changes = Changes()
            owner = changes.owned[case_id] = Owner.of(case_id, who.account, now)
            detail: Detail = {"until": owner.until.isoformat(), "before": before.account if before else None}
            self._note(changes, "owned", case_id, who, detail)
            await transaction.save(changes)
        return Reply.ALREADY if before and before.account == who.account else Reply.DONE

    async def release(self, case_id: CaseId, who: Who) -> Reply:
        """Give the case back. Of somebody else's nothing changes."""
        async with self._store.transaction() as transaction:
            if who.body_code is not None or await transaction.case(case_id) is None:
                return Reply.NOT_FOUND
            owner = (await transaction.work(case_id, self._clock.now())).owner
            if owner is None or owner.account != who.account:
                return Reply.ALREADY
            await self._release(transaction, [case_id], who)
        return Reply.DONE

    async def sign_off(self, who: Who) -> int:
        """Give back all cases of an account whose reader leaves; return how many there were."""
        async with self._store.transaction() as transaction:
            mine = await transaction.owned_by(who.account, self._clock.now())
            if mine:
                await self._release(transaction, mine, who)
        return len(mine)

    async def comment(self, case_id: CaseId, who: Who, text: str) -> Reply:
        async with self._store.transaction() as transaction:
            case = await transaction.case(case_id)
            if case is None or not may_touch(case, who.body_code):
                return Reply.NOT_FOUND
            now = self._clock.now()
            written = (await transaction.work(case_id, now)).comments
            if written >= MAX_COMMENTS:
                return Reply.FULL
            changes = Changes()
            changes.comments.append(Comment(case_id, written + 1, now, who.account, who.body_code or "", text))
            self._note(changes, "commented", case_id, who, {"number": written + 1, "text": text})
            await transaction.save(changes)
        return Reply.DONE

    async def verify(
        self, case_id: CaseId, who: Who, finding: Verification, note: str, cause: AlarmCause | None = None
    ) -> Reply:
        """Write down whether the alarm was one, and why it came; also after the end of the case.

        It takes no case: what nobody has taken goes on sounding.
        """
        async with self._store.transaction() as transaction:
            case = await transaction.case(case_id)
            if case is None or who.body_code is not None or not case.is_urgent:
                return Reply.NOT_FOUND
            now = self._clock.now()
            written = (await transaction.work(case_id, now)).verifications
            if written >= MAX_COMMENTS:
                return Reply.FULL
            changes = Changes()
            changes.verified.append(Verified(case_id, written + 1, now, who.account, finding, note, cause))
            detail: Detail = {"finding": str(finding), "note": note, **self._acknowledgements.bodies(case)}
            if cause is not None:
                detail["cause"] = str(cause)
            self._note(changes, "verified", case_id, who, detail)
            await transaction.save(changes)
        return Reply.DONE

    async def shelve(self, case_id: CaseId, who: Who, span: timedelta, note: str) -> Reply:
        """Put an open case out of sight for a while; what burns, or may, stays. No clock and no notice stops."""
        async with self._store.transaction() as transaction:
            case = await transaction.case(case_id)
            if case is None or who.body_code is not None:
                return Reply.NOT_FOUND
            if case.is_urgent:
                return Reply.ALONE
            if not case.is_open:
                return Reply.CLOSED
            now = self._clock.now()
            changes = Changes()
            until = now + min(span, SHELVED_AT_MOST)
            changes.shelved[case_id] = Shelved(case_id, who.account, now, until, note)
            self._note(changes, "shelved", case_id, who, {"until": until.isoformat(), "note": note})
            await transaction.save(changes)
        return Reply.DONE

    async def unshelve(self, case_id: CaseId, who: Who) -> Reply:
        """Put it back into sight before its time."""
        async with self._store.transaction() as transaction:
            if who.body_code is not None or await transaction.case(case_id) is None:
                return Reply.NOT_FOUND
            if (await transaction.work(case_id, self._clock.now())).shelved_until is None:
                return Reply.ALREADY
            changes = Changes()
            changes.unshelved.append(case_id)
            self._note(changes, "unshelved", case_id, who, {})
            await transaction.save(changes)
        return Reply.DONE

    async def escalate(self, case_id: CaseId, who: Who, step: str, note: str) -> Reply:
        """Have `step`, which is the next one, taken now, that else would wait for its time.

        Where another one is next by now somebody was quicker, or the same click comes twice: nothing more is taken.

        One for what is overdue, a close or an event is not: its paper would say what is not so.
        """
        async with self._store.transaction() as transaction:
            case = await transaction.case(case_id)
            if case is None or who.body_code is not None:
                return Reply.NOT_FOUND
            if not case.is_open:
                return Reply.CLOSED
            if case.next_step != step:
                return Reply.ALREADY
            now = self._clock.now()
            earlier = hurried(case, now)
            if earlier is None:
                return Reply.NOTHING_NEXT
            if earlier is case:
                return Reply.ALREADY
            changes = Changes()
            changes.put(earlier)
            detail: Detail = {"step": step, "was_due_at": str(case.next_step_at), "note": note}
            self._note(changes, "escalated", case_id, who, detail)
            await transaction.save(changes)
        return Reply.DONE

    async def merge(self, case_id: CaseId, into: CaseId, who: Who) -> Reply:
        """Count a lost connection among the members of an open common cause, as if that had been found by itself."""
        async with self._store.transaction() as transaction:
            book = (await transaction.book((), {case_id, into})).by_id
            case, common = book.get(case_id), book.get(into)
            if case is None or common is None or who.body_code is not None:
                return Reply.NOT_FOUND
            if not (case.is_open and common.is_open):
                return Reply.CLOSED
            if case.grouping.common_case_id == into:
                return Reply.ALREADY
            if not joins(case, common):
                return Reply.UNFIT
            await transaction.hold_members(common, [case_id])
            changes = Changes()
            until = str(common.grouping.held_until)
            self._note(changes, "merged", case_id, who, {"into": into, "held_until": until})
            self._note(changes, "merged", into, who, {"member": case_id})
            await transaction.save(changes)
        return Reply.DONE

    async def _release(self, transaction: CaseTransaction, case_ids: Sequence[CaseId], who: Who) -> None:
        changes = Changes()
        changes.released.extend(case_ids)
        for case_id in case_ids:
            self._note(changes, "released", case_id, who, {})
        await transaction.save(changes)

    def _note(self, changes: Changes, action: str, case_id: CaseId, who: Who, detail: Detail) -> None:
        about: Detail = {"via": who.via, "body": who.body_code, **detail}
        changes.audit.append(AuditEntry(self._clock.now(), who.account, action, case_id, about))
