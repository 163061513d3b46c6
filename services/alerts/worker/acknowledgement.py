"""What people do to a case: take it, or sign for what it told them."""

from dataclasses import replace
from datetime import datetime

from services.alerts.domain.audit.entry import AuditEntry, Detail
from services.alerts.domain.case.case import Acknowledgement, Case, Receipt
from services.alerts.domain.case.clocks import Clock as Deadline
from services.alerts.domain.case.kinds import PASSING
from services.alerts.domain.case.lifecycle import close
from services.alerts.domain.case.reply import Reply
from services.alerts.domain.case.who import Who
from services.alerts.domain.case.work import Owner
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.errors import NoPack
from services.alerts.domain.escalation.ladder import Pace, past_exits
from services.alerts.domain.ids import BodyCode, CaseId
from services.alerts.ports import CaseStore, Changes, Directory
from services.kernel.words import ClockKind, Role
from services.runtime.clock import Clock

ACTING = (Role.CENTRE, Role.BRIGADE)
"""Roles of the accounts that take and verify cases; a body of a kind has the same name."""


def may_touch(case: Case, body_code: str | None) -> bool:
    """Say whether this body may see and answer the case: whom it leads or is copied to, and the street it lies in."""
    facts = case.facts
    return body_code is None or body_code in (facts.lead_department, facts.town, *facts.copy_departments)


class AcknowledgementService:
    """Who takes a case (接警, 确认) and who signs for it (签收); neither is done in place of the other.

    Whoever takes a case works on it from then on.
    Taking stops reminders and what waits to be sent for the steps so far; the clock goes on. Steps that name it as
    their exit are passed over. It stops no first notice of a fire, and closes the case of an alarm that only a person
    can look into. A case that ended before anybody took it can still be taken: that is written down, nothing is sent.

    What somebody took and did not end within the pack's time is nobody's again (`ClockKind.UN_ACKNOWLEDGE`); that time
    is a person's, and runs no faster where ladders do.

    Signing does the same for the notices to the one body alone; of a fire it takes back none. The case stays untaken.
    """

    def __init__(self, *, store: CaseStore, directory: Directory, clock: Clock, pace: Pace) -> None:
        self._store = store
        self._directory = directory
        self._clock = clock
        self._pace = pace

    async def acknowledge(self, case_id: CaseId, who: Who, note: str, *, alone: bool = True) -> Reply:
        """Raises StoreUnavailable. Doing it twice for the same step changes nothing.

        Not `alone`: one of many that somebody answers at once, among which none may burn.
        """
        async with self._store.transaction() as transaction:
            case = await transaction.case(case_id)
            if case is None or not may_touch(case, who.body_code):
                return Reply.NOT_FOUND
            if case.is_urgent and not alone:
                return Reply.ALONE
            changes = Changes()
            if who.body_code is not None:
                reply = self._sign(changes, case, BodyCode(who.body_code), who, note)
            elif case.is_open:
                reply = self._take(changes, case, who, note)
            else:
                reply = self._take_ended(changes, case, who, note)
            await transaction.save(changes)
        return reply

    def _take(self, changes: Changes, case: Case, who: Who, note: str) -> Reply:
        seen = case.acknowledged
        if seen is not None and seen.step == case.step:
            return Reply.ALREADY
        now = self._clock.now()
        case = replace(
            case,
            acknowledged=Acknowledgement(now, who.account, who.via, note, case.step),
            clocks=case.clocks.set(ClockKind.UN_ACKNOWLEDGE, self._lapses(case, now)),
        )
        closes = case.kind in PASSING  # nothing else would: no signal says that such an alarm is over
        changes.put(close(case, "acknowledged", now) if closes else past_exits(case, now, self._pace))
        changes.cancelled[case.case_id] = Reason.ACKNOWLEDGED
        if not closes:
            changes.owned[case.case_id] = Owner.of(case.case_id, who.account, now)
        self._note(changes, "acknowledged", case, who, note)
        return Reply.DONE

    def _take_ended(self, changes: Changes, case: Case, who: Who, note: str) -> Reply:
        seen = case.acknowledged
        if seen is not None:
            return Reply.ALREADY if case.closed_at is not None and seen.at > case.closed_at else Reply.CLOSED
        changes.put(
            replace(case, acknowledged=Acknowledgement(self._clock.now(), who.account, who.via, note, case.step))
        )
        self._note(changes, "acknowledged_after_end", case, who, note)
        return Reply.DONE

    def _lapses(self, case: Case, now: datetime) -> Deadline | None:
        """Return when the acknowledgement of now lapses; where no pack says, or is known, it does not."""
        try:
            span = self._directory.rules(now, case.facts.district).un_acknowledge.get(case.kind)
        except NoPack:
            return None
        return None if span is None else Deadline(now + span, case.step or "")

    def _sign(self, changes: Changes, case: Case, body: BodyCode, who: Who, note: str) -> Reply:
        if not case.is_open:
            return Reply.CLOSED
        step = case.step or ""
        if any(one.body_code == body and one.step == step for one in case.receipts):
            return Reply.ALREADY
        receipt = Receipt(body, step, self._clock.now(), who.account, who.via, note)
        changes.put(replace(case, receipts=(*case.receipts, receipt)))
        if not case.is_urgent:
            changes.signed[case.case_id] = body
        self._note(changes, "signed", case, who, note)
        return Reply.DONE

    def bodies(self, case: Case) -> Detail:
        """Return the bodies that an account of each role acts for: it proves nothing of a notice to others."""
        return {f"bodies_{role}": [*self._directory.bodies(role, case.facts.district)] for role in ACTING}

    def _note(self, changes: Changes, action: str, case: Case, who: Who, note: str) -> None:
        detail: Detail = {"step": case.step, "via": who.via, "note": note, "body": who.body_code}
        if who.body_code is None:
            detail |= self.bodies(case)
        changes.audit.append(AuditEntry(self._clock.now(), who.account, action, case.case_id, {**detail}))
