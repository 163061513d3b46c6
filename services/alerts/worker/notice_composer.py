"""Turns a decision into what is written: the step, one notice per address, and the audit entry."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from services.alerts.domain.audit.entry import AuditEntry, Detail
from services.alerts.domain.case.case import Case
from services.alerts.domain.case.clocks import Clock
from services.alerts.domain.case.event import Event
from services.alerts.domain.case.lifecycle import Decision
from services.alerts.domain.delivery.documents import (
    DocumentRequest,
    DocumentTerms,
    Earlier,
    Listed,
    addressee_of,
    addressees_of,
    case_link,
    copies_of,
    grounds_of,
    is_issued_for,
    others_of,
    request_id_of,
    sent_to,
)
from services.alerts.domain.delivery.letters import (
    ALL_CLEAR_STEP,
    Letter,
    component_step,
    flapping_step,
    letter_again,
    letter_of_all_clear,
    letter_of_step,
)
from services.alerts.domain.delivery.notice import About, Notice, notice_id_of
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.escalation.deadlines import reply_due
from services.alerts.domain.escalation.guarded import standing_still
from services.alerts.domain.escalation.ladder import Pace, climb
from services.alerts.domain.escalation.steps import LadderStep, StepTaken
from services.alerts.domain.ids import ContactId
from services.alerts.domain.listing.listing import LadderProposal, may_be_listed
from services.alerts.domain.noise.digest import may_group
from services.alerts.domain.routing.contacts import Address
from services.alerts.domain.routing.recipients import (
    Recipients,
    recipients_of,
    recipients_of_first_step,
    recipients_of_step,
)
from services.alerts.metrics import AlertsMetrics
from services.alerts.ports import Changes, Directory, LetterWriter, WorkingCalendar
from services.kernel.calendar import CHINA
from services.kernel.words import BY_TELEPHONE, ClockKind, Instrument, Language, Recipient

ACTOR = "alerts"


class NoticeComposer:
    """Writes into `Changes`; touches nothing else."""

    def __init__(
        self,
        *,
        directory: Directory,
        writer: LetterWriter,
        calendar: WorkingCalendar,
        metrics: AlertsMetrics,
        pace: Pace,
        documents: DocumentTerms | None = None,
    ) -> None:
        self._directory = directory
        self._writer = writer
        self._calendar = calendar
        self._metrics = metrics
        self.pace = pace
        self._documents = documents or DocumentTerms()

    def take_step(
        self,
        changes: Changes,
        case: Case,
        step: LadderStep,
        now: datetime,
        *,
        members: int = 0,
        event: Event | None = None,
        earlier: Sequence[Earlier] = (),
    ) -> Case:
        """Climb one rung: the step, its notices, the next due time. Returns the case afterwards.

        `earlier` are the steps taken before, which its document tells of.
        """
        # what an event or a close makes due is due now, though the clock waits for a step that it passes over
        due_at = (case.next_step_at if case.next_step == step.code else None) or now
        # the clocks first: a later step may be due when one of them passes
        for kind, days in ((ClockKind.RECEIPT, step.receipt_working_days), (ClockKind.REPLY, step.reply_working_days)):
            if days:
                case = self.with_clock(case, kind, step.code, days, now)
        climbed = climb(case, step, now, self.pace)
        first = case.is_urgent and case.step is None
        recipients = (recipients_of_first_step if first else recipients_of_step)(self._directory, climbed, step, now)
        self._count(climbed, step.code, recipients)
        self._write_step(changes, climbed, step, recipients, due_at, now)
        letter = letter_of_step(climbed, step, now, event=event, members=members, first=first)
        request = self._request(climbed, step, recipients, now, earlier)
        if request is not None:
            changes.requests.append(request)
        self._write_notices(changes, letter, recipients.addresses, request, recipients.parties)
        if step.document == Instrument.LISTED_SUPERVISION and may_be_listed(climbed):
            changes.proposals.append(LadderProposal(climbed.case_id, step.code, now, step.clause))
        changes.put(climbed)
        self._note_calendar(climbed)
        return climbed

    def notify_listing(
        self,
        changes: Changes,
        case: Case,
        step: LadderStep,
        now: datetime,
        earlier: Sequence[Earlier],
        listed: Listed | None = None,
    ) -> None:
        """Ask for the paper of a listing that a person acted on, and tell those whom the step names."""
        recipients = recipients_of_step(self._directory, case, step, now)
        self._count(case, step.code, recipients)
        self._write_step(changes, case, step, recipients, now, now)
        request = self._request(case, step, recipients, now, earlier, listed)
        if request is not None:
            changes.requests.append(request)
        letter = letter_of_step(case, step, now)
        self._write_notices(changes, letter, recipients.addresses, request, recipients.parties)

    def _request(
        self,
        case: Case,
        step: LadderStep,
        recipients: Recipients,
        now: datetime,
        earlier: Sequence[Earlier],
        listed: Listed | None = None,
    ) -> DocumentRequest | None:
        """Return what to ask documents for; None when this step has no document, or nobody who reads or issues it."""
        terms = self._documents
        if not terms.wait or not recipients.addresses or not is_issued_for(case, step):
            return None
        instrument = Instrument(step.document)
        addressees = addressees_of(case, instrument)
        parties = [*recipients.names, *addressees, *(name for one in earlier for name in one.told)]
        particulars = self._directory.particulars(case.facts, parties, now, terms.issuer_of(instrument))
        if particulars is None:
            return None
        addressee = addressee_of(case, instrument, particulars)
        return DocumentRequest(
            request_id=request_id_of(case.case_id, step.code),
            case=case,
            instrument=instrument,
            particulars=particulars,
            copies=copies_of(recipients.names, particulars, addressee),
            languages=tuple(sorted({Language(to.lang) for to in recipients.addresses})),
            clause=step.clause,
            requested_at=now,
            due_at=case.next_step_at,
            link=case_link(terms.console_url, case.case_id),
            addressee=addressee,
            earlier=tuple((one, others_of(one.told, particulars)) for one in earlier),
            recipients=sent_to(recipients, particulars.issuer_code, addressees),
            receipt_due_at=case.clocks.running[ClockKind.RECEIPT].due_at if step.receipt_working_days else None,
            reply_due_at=case.reply_due_at if step.reply_working_days else None,
            grounds=grounds_of(case, step),
            listed=listed,
            provisional_years=self._provisional_years(_dates_of(case, step)),
        )

    def first_recipients(self, case: Case) -> Sequence[Address]:
        """Return whom the first step of an urgent case tells, the same at any hour."""
        return recipients_of_first_step(self._directory, case, case.ladder[0], case.detected_at).addresses

    def notify_component(self, changes: Changes, case: Case, event: Event, now: datetime) -> None:
        """Tell the centre of a further component on fire in the same case."""
        step = component_step(case)
        recipients = recipients_of(self._directory, case, (Recipient.CENTRE,), now)
        if not recipients.addresses:
            recipients = Recipients((), (), recipients.missing, nobody="no_contact:centre")
        self._count(case, "point", recipients)
        self._write_step(changes, case, step, recipients, now, now)
        self._write_notices(changes, letter_of_step(case, step, now, event=event, first=True), recipients.addresses)

    def notify_flapping(self, changes: Changes, case: Case, now: datetime) -> None:
        """Tell once in a case that it flaps: the step has one name, so no second copy can be made."""
        rules = self._directory.rules(now, case.facts.district).flapping
        if rules is None:
            return
        step = flapping_step(rules)
        recipients = recipients_of_step(self._directory, case, step, now)
        self._count(case, step.code, recipients)
        self._write_step(changes, case, step, recipients, now, now)
        self._write_notices(changes, letter_of_step(case, step, now), recipients.addresses)

    def all_clear(
        self, changes: Changes, case: Case, recipients: Sequence[Address], now: datetime, event: Event | None = None
    ) -> None:
        """Tell exactly those who were told that it is over."""
        letter = letter_of_all_clear(case, now, event=event)
        self._write_notices(changes, letter, recipients)
        names = sorted({address.body_code for address in recipients})
        detail: Detail = {"told": list(names), "copies": len(recipients)}
        changes.audit.append(AuditEntry(now, ACTOR, "all_clear", case.case_id, detail))

    def retell(self, notice: Notice, case: Case) -> Notice:
        """Return the notice written anew as its case stands now; its id and its times stay."""
        letter = self._for_reader(letter_again(case, notice), notice.to, self._centres(case))
        subject, body, template = self._writer.write(letter, notice.notice_id, notice.to)
        return replace(notice, subject=subject, body=body, template=template)

    def note(self, changes: Changes, decision: Decision, event: Event, now: datetime) -> None:
        """Write down what was decided about an event, the ignored ones too."""
        case = decision.case
        if case is not None:
            self._note_calendar(case)
        held = None if case is None else standing_still(case.guarded, now.astimezone(CHINA).date())
        changes.audit.append(
            AuditEntry(
                now,
                ACTOR,
                f"case_{decision.action}",
                case.case_id if case else None,
                {
                    "reason": decision.reason,
                    "event": event.event_id,
                    "unit": event.subject.unit_id,
                    "kind": str(event.kind),
                    "evidence": f"{event.proof.topic}/{event.proof.partition}/{event.proof.offset}",
                    "pack": f"{case.pack_id}@{case.pack_version}" if case else None,
                    "clause": case.clause if case else None,
                    # why nobody is told of it yet
                    **({} if held is None else {"declared": f"{held.name_zh} {held.first} - {held.last}"}),
                },
            )
        )

    def with_clock(self, case: Case, kind: ClockKind, code: str, working_days: int, now: datetime) -> Case:
        """Return the case with the clock of a receipt or reply set, counted from now in working days."""
        due = reply_due(now, working_days, self._calendar.is_working, case.guarded)
        return replace(case, clocks=case.clocks.set(kind, Clock(due, code, self._calendar.version, now)))

    def _note_calendar(self, case: Case) -> None:
        """Say so when a deadline was counted by working days that are not arranged yet."""
        if self._provisional_years(case.clocks.running.values()):
            self._metrics.calendar_unconfirmed.set(1)

    def _provisional_years(self, clocks: Iterable[Clock]) -> tuple[int, ...]:
        """Return the years of what was counted in working days that are not arranged yet."""
        years = {clock.due_at.astimezone(CHINA).year for clock in clocks if clock.calendar_version is not None}
        return tuple(sorted(year for year in years if not self._calendar.confirmed(year)))

    def _count(self, case: Case, step: str, recipients: Recipients) -> None:
        self._metrics.steps.labels(case.kind, step if len(step) <= 3 else "other").inc()
        if recipients.missing and (recipients.nobody or recipients.instead):
            self._metrics.nobody.labels(step if len(step) <= 3 else "other").inc()

    def _write_step(
        self, changes: Changes, case: Case, step: LadderStep, recipients: Recipients, due_at: datetime, now: datetime
    ) -> None:
        changes.steps.append(
            StepTaken(
                case.case_id, step.code, due_at, now, step.document, step.clause, recipients.names, recipients.nobody
            )
        )
        detail: Detail = {
            "step": step.code,
            "document": step.document,
            "clause": step.clause,
            "pack": f"{case.pack_id}@{case.pack_version}",
            "told": list(recipients.names),
            "missing": list(recipients.missing),
            "nobody": recipients.nobody,
            "centre_instead": recipients.instead,
        }
        if recipients.off_duty:
            detail["off_duty"] = [
                f"{contact_id} until {until.isoformat(timespec='minutes')}"
                for contact_id, until in recipients.off_duty.items()
            ]
        changes.audit.append(AuditEntry(now, ACTOR, "step_taken", case.case_id, detail))

    def _centres(self, case: Case) -> Sequence[str]:
        return self._directory.bodies(Recipient.CENTRE, case.facts.district) or (Recipient.CENTRE,)

    def _for_reader(self, letter: Letter, to: Address, centres: Sequence[str]) -> Letter:
        """Return the letter as this reader gets it: whoever has to call the unit reads its numbers, nobody else."""
        if to.body_code not in centres:
            return letter
        return replace(letter, telephones=self._directory.telephones(letter.case.subject, letter.created_at))

    def _write_notices(
        self,
        changes: Changes,
        letter: Letter,
        addresses: Iterable[Address],
        request: DocumentRequest | None = None,
        parties: Mapping[ContactId, str] | None = None,
    ) -> None:
        case = letter.case
        code = letter.step_code
        main = addressees_of(case, request.instrument) | {request.particulars.issuer_code} if request else frozenset()
        # of an urgent case nothing is asked that could keep it waiting
        rules = None if case.is_urgent else self._directory.rules(letter.created_at, case.facts.district)
        grouping = rules.grouping if rules else None
        centres = self._centres(case)
        all_of_them = tuple(addresses)
        otherwise = {to.contact_id for to in all_of_them if to.channel not in BY_TELEPHONE}
        for to in all_of_them:
            # whoever has nothing but a telephone is told there all the same: a day's budget holds, nobody is left out
            by_quota = rules is not None and case.kind in rules.over_quota and to.contact_id in otherwise
            if by_quota and to.channel in BY_TELEPHONE:
                self._metrics.over_quota.labels(to.channel).inc()
                continue
            notice_id = notice_id_of(case.case_id, code, letter.purpose, case.sightings.drops, to)
            subject, body, template = self._writer.write(self._for_reader(letter, to, centres), notice_id, to)
            changes.notices.append(
                Notice(
                    notice_id=notice_id,
                    case_id=case.case_id,
                    step=code,
                    purpose=letter.purpose,
                    to=to,
                    template=template,
                    subject=subject,
                    body=body,
                    clause=letter.step.clause,
                    created_at=letter.created_at,
                    caused_at=letter.caused_at,
                    about=About(letter.proof, letter.component, letter.text),
                    fire=case.is_urgent and code != ALL_CLEAR_STEP,
                    first=letter.first,
                    request_id=request.request_id if request else None,
                    waits_until=request.requested_at + self._documents.wait if request else None,
                    is_copy=request is not None and (parties or {}).get(to.contact_id) not in main,
                    groups=may_group(case, to, grouping),
                )
            )


def cancel_waiting(changes: Changes, case: Case, reason: Reason) -> None:
    """Have the notices of this case that were never sent taken back when the changes are saved, not the first ones."""
    changes.cancelled[case.case_id] = reason


def _dates_of(case: Case, step: LadderStep) -> list[Clock]:
    """Return the clocks whose dates stand in the letter of a step."""
    wanted = {
        ClockKind.STEP: True,
        ClockKind.RECEIPT: bool(step.receipt_working_days),
        ClockKind.REPLY: bool(step.reply_working_days),
    }
    return [clock for kind, clock in case.clocks.running.items() if wanted.get(kind)]
