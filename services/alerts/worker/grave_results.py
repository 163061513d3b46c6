"""A grave result through neglect (失职致严重后果), entered by a person: the ladder's step O7 hangs on it.

No figure says it, so nothing but a person begins it, and nothing but a person ends it. What is entered stands in the
case as what its paper cites, and in the audit chain.
"""

from services.alerts.domain.audit.entry import AuditEntry
from services.alerts.domain.case.case import case_id_of
from services.alerts.domain.case.closes import GRAVE_RESULT, Close
from services.alerts.domain.case.event import Event, Happening, Proof
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.lifecycle import Action, Known, Terms, close, decide
from services.alerts.domain.case.reply import Reply
from services.alerts.domain.case.subject import Subject, SubjectKind, body_code
from services.alerts.domain.case.who import Who
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.errors import Conflict
from services.alerts.domain.ids import digest
from services.alerts.ports import CaseStore, Changes, Directory
from services.alerts.worker.notice_composer import NoticeComposer, cancel_waiting
from services.kernel.calendar import CHINA, midnight, moment, period_days
from services.kernel.words import Period
from services.runtime.clock import Clock

MAX_TEXT = 150
"""Characters: it is cited in a paper, whose facts have room for 200."""


class GraveResults:
    """Raises StoreUnavailable, NoPack. Of a body one is open at most."""

    def __init__(self, *, store: CaseStore, directory: Directory, composer: NoticeComposer, clock: Clock) -> None:
        self._store = store
        self._directory = directory
        self._composer = composer
        self._clock = clock

    async def enter(self, body_id: str, who: Who, text: str) -> Reply:
        """Open the case, whose first step falls due at once; `already` where one is open."""
        now = self._clock.now()
        subject = Subject(SubjectKind.BODY, body_id)
        facts = self._directory.facts(subject, now)
        if who.body_code is not None or facts.name in ("", body_code(subject)):  # a body that nobody has a name for
            return Reply.NOT_FOUND
        first, after = period_days(Period.DAY, now.astimezone(CHINA).date())
        said = Close(
            Period.DAY, moment(midnight(first)), moment(midnight(after)), GRAVE_RESULT, "", text[:MAX_TEXT], "", 1
        )
        finding_id = digest(16, GRAVE_RESULT, body_id, now.isoformat())
        event = Event(
            event_id=f"/alerts#{finding_id}",
            happening=Happening.BEGAN,
            subject=subject,
            kind=CaseKind.GRAVE_RESULT,
            finding_id=finding_id,
            effective_at=now,
            detected_at=now,
            cause="person",
            proof=Proof("alerts.audit", 0, 0),
            close=said,
        )
        try:
            async with self._store.transaction() as transaction:
                key = (subject, CaseKind.GRAVE_RESULT)
                book = await transaction.book({key}, {case_id_of(finding_id)})
                if book.open.get(key) is not None:
                    return Reply.ALREADY
                terms = Terms(self._directory.rules(now, facts.district), facts, self._composer.pace)
                decision = decide(Known(), event, terms, now)
                case = decision.case
                assert decision.action is Action.OPENED, "nothing else is known of it"
                assert case is not None, "it was opened"
                changes = Changes()
                changes.opened[case.case_id] = case
                self._composer.note(changes, decision, event, now)
                entry = AuditEntry(
                    now, who.account, "grave_result_entered", case.case_id, {"text": text, "via": who.via}
                )
                changes.audit.append(entry)
                await transaction.save(changes)
        except Conflict:  # somebody else entered one at the same time
            return Reply.ALREADY
        return Reply.DONE

    async def end(self, body_id: str, who: Who, text: str) -> Reply:
        """Close the case, with reasons: the inquiry is over. Who was told of it is told so."""
        now = self._clock.now()
        key = (Subject(SubjectKind.BODY, body_id), CaseKind.GRAVE_RESULT)
        async with self._store.transaction() as transaction:
            case = (await transaction.book({key}, ())).open.get(key)
            if case is None or who.body_code is not None:
                return Reply.NOT_FOUND
            changes, over = Changes(), close(case, "inquiry_over", now)
            changes.put(over)
            cancel_waiting(changes, over, Reason.CASE_CLOSED)
            entry = AuditEntry(now, who.account, "grave_result_ended", case.case_id, {"text": text, "via": who.via})
            closed = AuditEntry(now, "alerts", "case_closed", case.case_id, {"reason": "inquiry_over"})
            changes.audit += [entry, closed]
            told = (await transaction.recipients([case.case_id])).get(case.case_id, [])
            self._composer.all_clear(changes, over, told, now)
            await transaction.save(changes)
        return Reply.DONE
