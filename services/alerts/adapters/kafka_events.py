"""Records of the findings and alarms topics to events."""

from schemas import codec
from schemas.body_finding import BodyFinding, Missed
from schemas.gateway import Point
from schemas.signal import Signal, UnregisteredAlarm
from services.alerts.domain.case.closes import Close
from services.alerts.domain.case.event import Component, Event, Happening, Proof
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.seen import event_name
from services.alerts.domain.case.subject import UNREGISTERED, Subject, SubjectKind, unit_subject
from services.kernel.ids import finding_id
from services.kernel.ratio import Verdict
from services.kernel.words import Flag, Restores, SignalKind
from services.runtime.kafka_loop import ConsumedRecord

LONGEST_TEXT = 500
"""Characters of what an unregistered gateway sent that are told; the refusal keeps all."""


def event_of_finding(topic: str, record: ConsumedRecord) -> Event | None:
    """A finding; the proof is the evidence that rules found, not the finding's own place."""
    event = codec.findings.decode(record.value)
    if isinstance(event, BodyFinding):
        return _event_of_body(topic, record, event)
    data = event.data
    return Event(
        event_id=f"{event.source}#{event.id}",
        happening=Happening(data.phase),
        subject=unit_subject(data.unit_id),
        kind=CaseKind(data.kind),
        finding_id=data.finding_id,
        effective_at=data.effective_at,
        detected_at=data.detected_at,
        cause=data.cause,
        proof=Proof(data.evidence.topic, data.evidence.partition, data.evidence.offset, data.signal_id),
        component=_component(data.point),
        clause=data.clause,
    )


def _event_of_body(topic: str, record: ConsumedRecord, event: BodyFinding) -> Event:
    """A body misses a target; the proof is the finding's own place, which names the figure."""
    data = event.data
    return Event(
        event_id=f"{event.source}#{event.id}",
        happening=Happening(data.phase),
        subject=Subject(SubjectKind.BODY, data.subject.id),
        kind=CaseKind(data.kind),
        finding_id=data.finding_id,
        effective_at=data.effective_at,
        detected_at=data.detected_at,
        cause="figure",
        proof=Proof(topic, record.partition, record.offset),
        clause=data.clause,
        close=_close(data.close),
    )


def _close(said: Missed) -> Close:
    return Close(
        period=said.period_kind,
        begins=said.period_from,
        ends=said.period_to,
        metric=said.metric,
        scope=said.scope,
        value=said.value,
        target=said.target,
        revision=said.revision,
        is_missed=said.verdict == Verdict.NON_COMPLIANT,
    )


def _passing(topic: str, record: ConsumedRecord, event: Signal | UnregisteredAlarm) -> Event | None:
    """What no signal ends: an alarm that could not be read, or that of a gateway in no register."""
    if isinstance(event, UnregisteredAlarm):
        kind, unit_id = CaseKind.UNREGISTERED_ALARM, f"{UNREGISTERED}{event.data.gateway_id or ''}"
        component = next((_component(one.point) for one in event.data.signals if one.point is not None), None)
        text = _read_from(event)
    elif event.data.kind is SignalKind.UNREADABLE_ALARM:
        kind, unit_id, component, text = CaseKind.UNREADABLE_ALARM, event.data.unit_id, None, event.data.text or ""
    else:
        return None
    return Event(
        event_id=f"{event.source}#{event.id}",
        happening=Happening.BEGAN,
        subject=unit_subject(unit_id),
        kind=kind,
        finding_id=finding_id(unit_id, kind, event.id),
        effective_at=event.time,
        detected_at=event.time,
        cause="signal",
        proof=Proof(topic, record.partition, record.offset, event.id),
        component=component,
        text=text,
    )


def _read_from(event: UnregisteredAlarm) -> str:
    """Return in one line what the decoders read, and why it was refused."""
    data = event.data
    read = [
        " ".join(filter(None, (str(one.kind), one.point.address if one.point else "", one.text or "")))
        for one in data.signals
    ]
    recipients = [*read, f"{data.reason} {data.detail}".strip(), data.carrier, data.peer or ""]
    return "; ".join(filter(None, recipients)).replace("\0", "")[:LONGEST_TEXT]


def event_of_alarm(topic: str, record: ConsumedRecord) -> Event | None:
    """A fire or its end, with the id of the finding that rules will make of it later, or what only may be a fire."""
    signal = codec.alarms.decode(record.value)
    if not isinstance(signal, Signal) or signal.data.kind is SignalKind.UNREADABLE_ALARM:
        return _passing(topic, record, signal)
    data = signal.data
    if data.kind is SignalKind.FIRE:
        happening = Happening.FIRED
    elif data.kind is SignalKind.RESTORE and data.restores in (Restores.FIRE, Restores.ALL):
        happening = Happening.RESTORED
    else:
        return None
    return Event(
        event_id=event_name(signal.source, signal.id, redelivered=Flag.REDELIVERED in data.flags),
        happening=happening,
        subject=unit_subject(data.unit_id),
        kind=CaseKind.FIRE,
        finding_id=finding_id(data.unit_id, CaseKind.FIRE, signal.id),
        effective_at=signal.time,
        detected_at=signal.time,
        cause="signal",
        proof=Proof(topic, record.partition, record.offset, signal.id),
        component=_component(data.point),
    )


def _component(point: Point | None) -> Component | None:
    """NULs are padding of whoever writes C, and the database keeps none: left in, the end would not fit the fire."""
    if point is None:
        return None
    return Component(*(text.replace("\0", "") for text in (point.address, point.system or "", point.label or "")))
