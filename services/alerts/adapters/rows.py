"""Rows of the alerts schema to domain values and back. Rows travel as JSON, so one statement writes many."""

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import Any, assert_never

from services.alerts.domain.audit.entry import AuditEntry
from services.alerts.domain.case.case import Acknowledgement, Case, Closure, Grouping, Receipt, Sightings
from services.alerts.domain.case.clocks import Clock, Clocks
from services.alerts.domain.case.closes import Close
from services.alerts.domain.case.event import Component, Proof
from services.alerts.domain.case.fire import FireState
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.subject import Subject, SubjectFacts, SubjectKind
from services.alerts.domain.delivery.documents import Attached, File, IssuedDocument
from services.alerts.domain.delivery.interim import InterimRow
from services.alerts.domain.delivery.notice import About, Notice, due_at
from services.alerts.domain.escalation.guarded import GuardedTime
from services.alerts.domain.escalation.steps import LadderStep, StepTaken
from services.alerts.domain.escalation.triggers import (
    Elapsed,
    OnCondition,
    OnEvent,
    Overdue,
    PeriodClose,
    Trigger,
    WorkingDays,
    WorkingTime,
)
from services.alerts.domain.ids import BodyCode, CaseId
from services.alerts.domain.noise.digest import GroupState
from services.alerts.domain.noise.flapping import Flapping
from services.kernel.words import (
    CaseCondition,
    CaseEvent,
    ClockKind,
    Period,
    Recipient,
    StepExit,
    WorkingCalendarName,
)
from services.runtime.postgres import json_text

Row = dict[str, Any]
LADDERS_KNOWN = 256
"""Ladders that are kept beside their text. A pack has a few, and open cases hold those of the packs before."""


def to_json(rows: list[Row]) -> str:
    """Return the rows as one JSON array that PostgreSQL takes."""
    return json_text(rows, _plain)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


class Ladders:
    """The ladders of the cases that one statement writes, each once, as a row names them by number."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._ladders: list[tuple[LadderStep, ...]] = []

    def number(self, ladder: tuple[LadderStep, ...]) -> int:
        """Return its place. Cases of one pack, and those that were read, share the object: no step is compared."""
        number = self._numbers.setdefault(id(ladder), len(self._ladders))
        if number == len(self._ladders):
            self._ladders.append(ladder)  # held, so that its id is nobody else's
        return number

    def json(self) -> str:
        return f"[{','.join(map(ladder_text, self._ladders))}]"


@lru_cache(maxsize=LADDERS_KNOWN)
def ladder_text(ladder: tuple[LadderStep, ...]) -> str:
    return to_json([step_json(step) for step in ladder])


@lru_cache(maxsize=LADDERS_KNOWN)
def ladder_of(text: str) -> tuple[LadderStep, ...]:
    """Return the ladder that a case keeps as JSON; the same one for all cases whose text is the same."""
    return tuple(step_of_json(step) for step in json.loads(text))


OWN = (
    "case_id",
    "subject_id",
    "finding_id",
    "effective_at",
    "detected_at",
    "opened_at",
    "unit_name",
    "unit_name_en",
    "town",
    "category",
    "lead_department",
    "copy_departments",
    "route_clause",
    "last_sighting_at",
    "evidence",
    "carriers",
    "place",
    "begins",
)
"""The columns of a new case that are its own; `shared_names` in `sql/cases.sql`: all others but guards and ladder."""
_own, _OWN_NAMES = itemgetter(*OWN), frozenset(OWN)


def opened_rows(cases: Iterable[Case], ladders: Ladders) -> tuple[list[Row], list[Row]]:
    """Return the rows of new cases: whole ones, and what is their own of those that are alike to one of them.

    Alike are cases that have all in common but the columns of `OWN`, as thousands have that one cause opens. Those
    under one pack share ladder and guarded times as objects, so that neither is compared.
    """
    firsts: dict[tuple[int, int], tuple[CaseId, list[object]]] = {}
    whole, alike = [], []
    for case in cases:
        columns = _columns(case)
        shared = [value for name, value in columns.items() if name not in _OWN_NAMES]
        first, of_first = firsts.setdefault((id(case.ladder), id(case.guarded)), (case.case_id, shared))
        if first != case.case_id and of_first == shared:
            alike.append({"first": first, **dict(zip(OWN, _own(columns), strict=True))})
        else:
            whole.append(_whole_row(case, columns, ladders.number(case.ladder)))
    return whole, alike


def case_row(case: Case, ladder: int | None) -> Row:
    """Return the row of a case. `ladder` is its number among `Ladders`, None where it is not written."""
    return _whole_row(case, _columns(case), ladder)


def _whole_row(case: Case, columns: Row, ladder: int | None) -> Row:
    return {**columns, "guarded": [_guarded_json(one) for one in case.guarded], "ladder": ladder}


def _columns(case: Case) -> Row:
    """Return all but guarded times and ladder."""
    facts, ack = case.facts, case.acknowledged
    return {
        "case_id": case.case_id,
        "kind": str(case.kind),
        "subject_kind": str(case.subject.kind),
        "subject_id": case.subject.id,
        "finding_id": case.finding_id,
        "state": "open" if case.is_open else "closed",
        "effective_at": case.effective_at,
        "detected_at": case.detected_at,
        "opened_at": case.opened_at,
        "closed_at": case.closed_at,
        "close_reason": case.close_reason,
        "unit_name": facts.name,
        "unit_name_en": facts.name_en,
        "district": facts.district,
        "town": facts.town,
        "category": facts.category,
        "lead_department": facts.lead_department,
        "copy_departments": list(facts.copy_departments),
        "route_clause": facts.route_clause,
        "cause_key": case.grouping.cause_key,
        "common_case_id": case.grouping.common_case_id,
        "sightings": case.sightings.count,
        "drops": case.sightings.drops,
        "last_sighting_at": case.sightings.last_at,
        "pack_id": case.pack_id,
        "pack_version": case.pack_version,
        "clause": case.clause,
        "evidence": proof_json(case.proof),
        "step": case.step,
        "held_until": case.grouping.held_until,
        "acknowledged_at": ack.at if ack else None,
        "acknowledged_by": ack.by if ack else None,
        "acknowledged_via": ack.via if ack else None,
        "acknowledged_note": ack.note if ack else None,
        "acknowledged_step": ack.step if ack else None,
        "carriers": list(facts.carriers),
        "burning": sorted(case.fire.burning),
        "alarms": case.fire.alarms,
        "reported": sorted(case.fire.reported),
        "ended": {key: at.isoformat() for key, at in case.fire.ended.items()},
        "restored_at": case.fire.restored_at,
        "over_at": case.fire.over_at,
        "revision": case.revision,
        "place": _component_json(case.component),
        "begins": list(case.flapping.begins),
        "flapping_since": case.flapping.since,
        "quiet_until": case.flapping.quiet_until,
        "closes": [_close_json(one) for one in case.closes],
        "lapse_delay_s": case.lapse_delay.total_seconds(),
        "listing_due_at": case.clocks.running[ClockKind.LISTING].due_at if case.is_listed else None,
        "listing_id": case.clocks.running[ClockKind.LISTING].step if case.is_listed else None,
        "cured_at": case.cured_at,
    }


def case_of(row: Mapping[str, Any]) -> Case:
    """Return the case of a row with the columns of `whole_case` in `sql/`."""
    acknowledged = None
    if row["acknowledged_at"] is not None:
        acknowledged = Acknowledgement(
            row["acknowledged_at"],
            row["acknowledged_by"] or "",
            row["acknowledged_via"] or "",
            row["acknowledged_note"] or "",
            row["acknowledged_step"],
        )
    return Case(
        case_id=CaseId(row["case_id"]),
        kind=CaseKind(row["kind"]),
        facts=_facts_of(row),
        finding_id=row["finding_id"],
        effective_at=row["effective_at"],
        detected_at=row["detected_at"],
        opened_at=row["opened_at"],
        sightings=Sightings(row["last_sighting_at"], row["sightings"], row["drops"]),
        pack_id=row["pack_id"],
        pack_version=row["pack_version"],
        clause=row["clause"],
        proof=proof_of(row["evidence"]),
        ladder=ladder_of(row["ladder"]),
        closure=Closure(row["closed_at"], row["close_reason"] or "") if row["state"] == "closed" else None,
        grouping=Grouping(
            row["cause_key"], CaseId(row["common_case_id"]) if row["common_case_id"] else None, row["held_until"]
        ),
        step=row["step"],
        clocks=clocks_of(row["clocks"]).set(ClockKind.LISTING, _listing_clock_of(row)),
        acknowledged=acknowledged,
        receipts=receipts_of(row["receipts"]),
        fire=FireState(
            burning=frozenset(row["burning"]),
            alarms=row["alarms"],
            reported=frozenset(row["reported"]),
            ended={key: datetime.fromisoformat(at) for key, at in row["ended"].items()},
            restored_at=row["restored_at"],
            over_at=row["over_at"],
        ),
        revision=row["revision"],
        component=_component_of(row["place"]),
        flapping=Flapping(tuple(row["begins"]), row["flapping_since"], row["quiet_until"]),
        closes=tuple(_close_of(one) for one in row["closes"]),
        guarded=_guarded_of(row["guarded"]),
        lapse_delay=timedelta(seconds=row["lapse_delay_s"]),
        cured_at=row["cured_at"],
    )


def _listing_clock_of(row: Mapping[str, Any]) -> Clock | None:
    """The deadline of a listing stands in columns of the case: a version before knows no clock of this kind."""
    due_at = row["listing_due_at"]
    return None if due_at is None else Clock(due_at, row["listing_id"])


def _close_json(close: Close) -> Row:
    return {
        "period": str(close.period),
        "begins": close.begins.isoformat(),
        "ends": close.ends.isoformat(),
        "metric": close.metric,
        "scope": close.scope,
        "value": close.value,
        "target": close.target,
        "revision": close.revision,
    }


def _close_of(raw: Mapping[str, Any]) -> Close:
    return Close(
        period=Period(raw["period"]),
        begins=datetime.fromisoformat(raw["begins"]),
        ends=datetime.fromisoformat(raw["ends"]),
        metric=raw["metric"],
        scope=raw["scope"],
        value=raw["value"],
        target=raw["target"],
        revision=raw["revision"],
    )


def _guarded_json(one: GuardedTime) -> Row:
    return {
        "name_zh": one.name_zh,
        "name_en": one.name_en,
        "first": one.first.isoformat(),
        "last": one.last.isoformat(),
        "times": one.times,
        "clause": one.clause,
    }


@lru_cache(maxsize=LADDERS_KNOWN)
def _guarded_of(text: str) -> tuple[GuardedTime, ...]:
    return tuple(
        GuardedTime(
            raw["name_zh"],
            raw["name_en"],
            date.fromisoformat(raw["first"]),
            date.fromisoformat(raw["last"]),
            raw["times"],
            raw["clause"],
        )
        for raw in json.loads(text)
    )


CLOCKS = frozenset(kind.value for kind in ClockKind)
"""The clocks that this version knows; others it neither reads nor takes away."""


def clock_rows(cases: Iterable[Case]) -> list[Row]:
    """Return one row for each clock that runs."""
    return [
        {
            "case_id": case.case_id,
            "kind": str(kind),
            "due_at": clock.due_at,
            "step": clock.step,
            "calendar_version": clock.calendar_version,
            "counted_from": clock.counted_from,
        }
        for case in cases
        for kind, clock in case.clocks.running.items()
        if kind is not ClockKind.LISTING  # see `_listing_clock_of`
    ]


def clocks_of(rows: Iterable[Mapping[str, Any]]) -> Clocks:
    """Return the clocks of one case from its rows, as JSON has them; those of the next version are left to it."""
    return Clocks({ClockKind(row["kind"]): _clock_of(row) for row in rows if row["kind"] in CLOCKS})


def _clock_of(row: Mapping[str, Any]) -> Clock:
    since = row["counted_from"]
    return Clock(
        datetime.fromisoformat(row["due_at"]),
        row["step"],
        row["calendar_version"],
        None if since is None else datetime.fromisoformat(since),
    )


def receipt_rows(cases: Iterable[Case]) -> list[Row]:
    """Return one row for each receipt."""
    return [
        {
            "case_id": case.case_id,
            "body_code": one.body_code,
            "step": one.step,
            "at": one.at,
            "by": one.by,
            "via": one.via,
            "note": one.note,
        }
        for case in cases
        for one in case.receipts
    ]


def receipts_of(rows: Iterable[Mapping[str, Any]]) -> tuple[Receipt, ...]:
    """Return the receipts of one case from its rows, as JSON has them."""
    return tuple(
        Receipt(
            BodyCode(row["body_code"]),
            row["step"],
            datetime.fromisoformat(row["at"]),
            row["by"],
            row["via"],
            row["note"],
        )
        for row in rows
    )


def _facts_of(row: Mapping[str, Any]) -> SubjectFacts:
    return SubjectFacts(
        subject=Subject(SubjectKind(row["subject_kind"]), row["subject_id"]),
        name=row["unit_name"],
        name_en=row["unit_name_en"],
        district=row["district"],
        town=row["town"],
        category=row["category"],
        lead_department=row["lead_department"],
        copy_departments=tuple(row["copy_departments"]),
        route_clause=row["route_clause"],
        carriers=tuple(row["carriers"]),
    )


def proof_json(proof: Proof) -> Row:
    found: Row = {"topic": proof.topic, "partition": proof.partition, "offset": proof.offset}
    if proof.signal_id is not None:
        found["signal_id"] = proof.signal_id
    return found


def proof_of(raw: Mapping[str, Any]) -> Proof:
    return Proof(raw["topic"], raw["partition"], raw["offset"], raw.get("signal_id"))


def step_json(step: LadderStep) -> Row:
    """The same fields as a step of the policy pack."""
    return {
        "code": step.code,
        **_trigger_json(step.trigger),
        "tells": [str(role) for role in step.tells],
        "document": step.document,
        "name_zh": step.name_zh,
        "name_en": step.name_en,
        "reply_working_days": step.reply_working_days,
        "receipt_working_days": step.receipt_working_days,
        "board_only": step.board_only,
        "clause": step.clause,
        "exit": [str(one) for one in step.exits],
    }


def _trigger_json(trigger: Trigger) -> Row:
    match trigger:
        case Elapsed(after):
            return {"after_s": after.total_seconds()}
        case WorkingDays(days, calendar):
            said: Row = {"working_time": {"working_days": days, "calendar": str(calendar)}}
        case WorkingTime(span, calendar):
            said = {"working_time": {"working_s": span.total_seconds(), "calendar": str(calendar)}}
        case OnEvent(kind):
            said = {"event": {"kind": str(kind)}}
        case Overdue(clock):
            said = {"overdue": {"clock": str(clock)}}
        case PeriodClose(period):
            said = {"period_close": {"period": str(period)}}
        case OnCondition(name):
            said = {"condition": {"name": str(name)}}
        case _:
            assert_never(trigger)
    return {"trigger": said}


def _trigger_of(raw: Mapping[str, Any]) -> Trigger:
    """Return the trigger of a step; snapshots of former versions have `after_s` only."""
    said = raw.get("trigger")
    if said is None:
        return Elapsed(timedelta(seconds=raw["after_s"]))
    if "event" in said:
        return OnEvent(CaseEvent(said["event"]["kind"]))
    if "overdue" in said:
        return Overdue(ClockKind(said["overdue"]["clock"]))
    if "period_close" in said:
        return PeriodClose(Period(said["period_close"]["period"]))
    if "condition" in said:
        return OnCondition(CaseCondition(said["condition"]["name"]))
    working = said["working_time"]
    calendar = WorkingCalendarName(working["calendar"])
    if "working_days" in working:
        return WorkingDays(working["working_days"], calendar)
    return WorkingTime(timedelta(seconds=working["working_s"]), calendar)


_RECIPIENTS = frozenset(Recipient)


def step_of_json(raw: Mapping[str, Any]) -> LadderStep:
    return LadderStep(
        code=raw["code"],
        trigger=_trigger_of(raw),
        # a word of the next version costs this step that recipient, not all ladders (ADR 107)
        tells=tuple(Recipient(role) for role in raw["tells"] if role in _RECIPIENTS),
        document=raw["document"],
        name_zh=raw["name_zh"],
        name_en=raw["name_en"],
        clause=raw["clause"],
        reply_working_days=raw["reply_working_days"],
        receipt_working_days=raw.get("receipt_working_days"),
        board_only=raw["board_only"],
        exits=tuple(StepExit(one) for one in raw.get("exit", [StepExit.CASE_CLOSED])),
    )


def taken_row(step: StepTaken) -> Row:
    return {
        "case_id": step.case_id,
        "step": step.step,
        "due_at": step.due_at,
        "taken_at": step.taken_at,
        "document": step.document,
        "clause": step.clause,
        "recipients": list(step.recipients),
        "nobody": step.nobody,
    }


def notice_row(
    notice: Notice, leased_until: datetime | None, brought: InterimRow | None, not_before: datetime | None
) -> Row:
    """Return the row of a new notice: due at once, on its way, or as far as it was `brought` without the database."""
    return {
        "notice_id": notice.notice_id,
        "case_id": notice.case_id,
        "step": notice.step,
        "purpose": str(notice.purpose),
        "body_code": notice.to.body_code,
        "contact_id": notice.to.contact_id,
        "channel": str(notice.to.channel),
        "address": notice.to.address,
        "secret_ref": notice.to.secret_ref,
        "lang": notice.to.lang,
        "template": notice.template,
        "subject": notice.subject,
        "body": notice.body,
        "clause": notice.clause,
        "created_at": notice.created_at,
        "caused_at": notice.caused_at,
        "fire": notice.fire,
        "state": "sending" if leased_until else "pending",
        "attempts": 1 if leased_until else 0,
        "next_attempt_at": leased_until or due_at(notice, not_before),
        "lease_until": leased_until,
        "ended_at": None,
        "reason": None,
        "first": notice.first,
        "about": about_json(notice.about),
        "request_id": notice.request_id,
        "is_copy": notice.is_copy if notice.request_id else None,
        "group_state": str(GroupState.WAITS) if notice.groups else None,
        **({} if brought is None else _state_of(brought)),
    }


def _state_of(brought: InterimRow) -> Row:
    ended = brought.state != "pending"
    reason = brought.outcome.reason if brought.outcome else None
    return {
        "state": "sending" if brought.in_flight else brought.state,
        "attempts": brought.attempts,
        "next_attempt_at": None if ended else brought.next_attempt_at,
        "lease_until": brought.next_attempt_at if brought.in_flight else None,
        "ended_at": brought.ended_at if ended else None,
        "reason": str(reason) if reason else None,
    }


def about_json(about: About) -> Row:
    return {
        "evidence": proof_json(about.proof),
        "place": _component_json(about.component),
        "text": about.text,
    }


def about_of(raw: Mapping[str, Any] | None, proof: Proof) -> About:
    """Return what a notice tells of; rows of former versions do not say, their case's `proof` stands in."""
    if raw is None:
        return About(proof)
    return About(proof_of(raw["evidence"]), _component_of(raw["place"]), raw["text"])


def _component_json(component: Component | None) -> Row | None:
    return (
        None
        if component is None
        else {"address": component.address, "system": component.system, "label": component.label}
    )


def _component_of(raw: Mapping[str, str] | None) -> Component | None:
    return None if raw is None else Component(**raw)


def attached_row(attached: Attached) -> Row:
    return {
        "notice_id": attached.notice_id,
        "subject": attached.subject,
        "body": attached.body,
        "html": attached.html,
        "template": attached.template,
        "document_number": attached.number,
        "document_id": attached.signed_document_id,
    }


def issued_row(document: IssuedDocument) -> Row:
    return {
        "request_id": document.request_id,
        "document_id": document.document_id,
        "number": document.number or None,
        "issued_at": document.issued_at,
    }


def file_row(document: IssuedDocument, file: File) -> Row:
    return {
        "request_id": document.request_id,
        "language": file.language,
        "kind": str(file.kind),
        "content": file.content,
    }


def audit_row(entry: AuditEntry) -> Row:
    return {
        "at": entry.at,
        "actor": entry.actor,
        "action": entry.action,
        "case_id": entry.case_id,
        "detail": entry.detail,
    }
