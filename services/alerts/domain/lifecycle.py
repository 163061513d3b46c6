"""The life of a case as decisions: (what stands, what happened, now) -> what becomes of it and why."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.alerts.domain.ladder import Pace, clock_from, fallback_ladder
from services.alerts.domain.values import (
    EVERY_COMPONENT,
    Case,
    CaseKind,
    Event,
    Happening,
    PackRules,
    Place,
    UnitFacts,
    case_id_of,
)

WHOLE_UNIT = "*"


class Action(StrEnum):
    """What was decided. One closed set for the audit log and the metric."""

    OPENED = "opened"
    REOPENED = "reopened"
    SIGHTED = "sighted"
    POINT_ADDED = "point_added"
    POINT_ENDED = "point_ended"
    CLOSED = "closed"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Decision:
    """`case` is the case afterwards; None when there is none and none is needed."""

    action: Action
    reason: str
    case: Case | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What the book holds for an event: the open case of its unit and kind, the one its finding once opened (open or
    closed), and the one of that unit and kind that closed last."""

    open: Case | None = None
    same: Case | None = None
    last_closed: Case | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds on the day: the pack's rules, the unit's facts and the pace of our clock."""

    rules: PackRules
    unit: UnitFacts
    pace: Pace


def decide(known: Known, event: Event, terms: Terms, now: datetime) -> Decision:
    """Return what becomes of the case when `event` is taken in at `now`."""
    if event.happening in (Happening.ENDED, Happening.RESTORED):
        return _over(known.open, event, now)
    if known.open is not None:
        return _again(known, known.open, event)
    if known.same is not None:  # whatever finding it went on under: a second case of this one would have its id
        return Decision(Action.IGNORED, "case_already_closed", known.same)
    recent = known.last_closed
    if recent is not None and _reopens(recent, event, terms):
        return Decision(Action.REOPENED, "dropped_again", _reopen(recent, event, terms, now))
    return Decision(Action.OPENED, event.cause, open_case(event, terms, now))


def open_case(event: Event, terms: Terms, now: datetime) -> Case:
    """Return a new open case whose clock is set; the ladder is copied so that a later pack does not change it."""
    rules = terms.rules
    ladder = rules.ladders.get(event.kind) or fallback_ladder(event.kind)
    case = Case(
        case_id=case_id_of(event.finding_id),
        kind=event.kind,
        unit=terms.unit,
        finding_id=event.finding_id,
        effective_at=event.effective_at,
        detected_at=event.detected_at,
        opened_at=now,
        last_sighting_at=now,
        pack_id=rules.pack_id,
        pack_version=rules.version,
        clause=event.clause or ladder[0].clause,
        proof=event.proof,
        ladder=ladder,
        burning=frozenset({_point_key(event)}) if event.kind is CaseKind.FIRE else frozenset(),
        alarms=1 if event.kind is CaseKind.FIRE else 0,
    )
    return clock_from(case, now, rules.group_wait, terms.pace)


def _point_key(event: Event) -> str:
    return event.place.key if event.place is not None else WHOLE_UNIT


def _again(known: Known, case: Case, event: Event) -> Decision:
    if known.same is not None and known.same.case_id != case.case_id:
        # a finding that lags behind the fire lane: its own fire is over, this one is the next
        return Decision(Action.IGNORED, "case_already_closed", case)
    seen = replace(case, sightings=case.sightings + 1, last_sighting_at=max(case.last_sighting_at, event.detected_at))
    if event.happening is not Happening.FIRED:
        # rules may know this trouble under another finding (a record that we never saw): its end must close the case
        return Decision(Action.SIGHTED, "joined", replace(seen, finding_id=event.finding_id))
    key = _point_key(event)
    if key in case.burning:
        return Decision(Action.SIGHTED, "same_point", seen)
    added = replace(seen, burning=case.burning | {key}, alarms=case.alarms + 1)
    return Decision(Action.POINT_ADDED, "further_point", added)


def _over(case: Case | None, event: Event, now: datetime) -> Decision:
    if case is None:
        return Decision(Action.IGNORED, "no_open_case")
    if event.happening is Happening.ENDED:
        if case.finding_id != event.finding_id:
            return Decision(Action.IGNORED, "another_finding", case)
        return Decision(Action.CLOSED, event.cause, close(case, event.cause, now))
    if event.detected_at < case.detected_at:
        # the fire lane lags behind rules: this ended the fire before; where clocks differ, rules ends this one too
        return Decision(Action.IGNORED, "older_than_the_fire", case)
    left = frozenset() if event.place is None else case.burning - _ended(event.place, case.burning)
    if left == case.burning:
        return Decision(Action.IGNORED, "unknown_point", case)
    if left:
        return Decision(Action.POINT_ENDED, "other_points_burn", replace(case, burning=left))
    return Decision(Action.CLOSED, "restored", close(replace(case, burning=left), "restored", now))


def _ended(place: Place, burning: frozenset[str]) -> frozenset[str]:
    """Return which of the burning points an end at `place` covers: itself, or every component of its system."""
    if place.address != EVERY_COMPONENT:
        return frozenset({place.key})
    return frozenset(key for key in burning if key.startswith(place.system_key))


def close(case: Case, reason: str, now: datetime) -> Case:
    """Return the case closed: no step follows, nothing is held."""
    return replace(
        case,
        is_open=False,
        closed_at=now,
        close_reason=reason,
        next_step=None,
        next_step_at=None,
        held_until=None,
        burning=frozenset(),
    )


def _reopens(recent: Case, event: Event, terms: Terms) -> bool:
    """A fire is never a repetition of an old fire: it always gets a case, and notices, of its own."""
    if event.kind is CaseKind.FIRE or recent.closed_at is None:
        return False
    return event.detected_at - recent.closed_at <= terms.rules.reopen_within


def _reopen(case: Case, event: Event, terms: Terms, now: datetime) -> Case:
    """Steps that were taken stay taken; the clock of the others starts anew, for the cure in between was real."""
    opened = replace(
        case,
        is_open=True,
        closed_at=None,
        close_reason=None,
        finding_id=event.finding_id,
        effective_at=event.effective_at,
        detected_at=event.detected_at,
        last_sighting_at=now,
        proof=event.proof,
        drops=case.drops + 1,
        sightings=case.sightings + 1,
        unit=replace(
            terms.unit, lead_department=case.unit.lead_department, copy_departments=case.unit.copy_departments
        ),
        common_case_id=None,
        held_until=None,
        acknowledged=None,
    )
    return clock_from(opened, now, terms.rules.group_wait, terms.pace)
