"""What people do to a case: acknowledge it."""

from dataclasses import dataclass, replace

from services.alerts.domain.audit.entry import AuditEntry
from services.alerts.domain.case.case import Acknowledgement, Case
from services.alerts.domain.case.kinds import PASSING
from services.alerts.domain.case.lifecycle import close
from services.alerts.domain.case.reply import Reply
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.escalation.ladder import Pace, past_exits
from services.alerts.domain.ids import CaseId
from services.alerts.ports import CaseStore, Changes
from services.runtime.clock import Clock


@dataclass(frozen=True, slots=True)
class Who:
    """`body_code` None may touch every case (brigade, centre)."""

    account: str
    body_code: str | None
    via: str


def may_touch(case: Case, body_code: str | None) -> bool:
    """Say whether this body may see and acknowledge the case."""
    return body_code is None or body_code == case.facts.lead_department or body_code in case.facts.copy_departments


class AcknowledgementService:
    """Acknowledging stops reminders and what waits to be sent for the steps so far; the clock goes on.

    Steps that name it as their exit are passed over. It stops no first notice of a fire, and closes the case of an
    alarm that only a person can look into.
    """

    def __init__(self, *, store: CaseStore, clock: Clock, pace: Pace) -> None:
        self._store = store
        self._clock = clock
        self._pace = pace

    async def acknowledge(self, case_id: CaseId, who: Who, note: str) -> Reply:
        """Raises StoreUnavailable. Doing it twice for the same step changes nothing."""
        async with self._store.transaction() as transaction:
            case = await transaction.case(case_id)
            if case is None or not may_touch(case, who.body_code):
                return Reply.NOT_FOUND
            if not case.is_open:
                return Reply.CLOSED
            seen = case.acknowledged
            if seen is not None and seen.step == case.step:
                return Reply.ALREADY
            now = self._clock.now()
            changes = Changes()
            case = replace(case, acknowledged=Acknowledgement(now, who.account, who.via, note, case.step))
            closes = case.kind in PASSING  # nothing else would: no signal says that such an alarm is over
            changes.put(close(case, "acknowledged", now) if closes else past_exits(case, now, self._pace))
            changes.cancelled[case_id] = Reason.ACKNOWLEDGED
            changes.audit.append(
                AuditEntry(
                    now,
                    who.account,
                    "acknowledged",
                    case_id,
                    {"step": case.step, "via": who.via, "note": note, "body": who.body_code},
                )
            )
            await transaction.save(changes)
        return Reply.DONE
