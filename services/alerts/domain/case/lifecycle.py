"""The life of a case as decisions: (what stands, what happened, now) -> what becomes of it and why.

    nothing known
        | began, fired: OPENED, step clock set
        v
    +---------------------------------------------+   ended; last component over; an alarm that only a person can look
    | open                                        |   into acknowledged; all members of a common case back: CLOSED,
    |   again: SIGHTED, COMPONENT_ADDED or _ENDED |   step clock stopped
    |   acknowledged: stays open, clock runs on,  +-------------------------------------------+
    |     but for steps that name it as an exit   |                                           |
    |   flapping: ended, KEPT_OPEN until it is    |
    |     quiet for long enough, then CLOSED      |
    |   common cause: held, no step before the    |     dropped again within `reopen_within`: v
    |     hold ends                               |     REOPENED, step clock anew  +----------------+
    |   step due: taken, next clock set           |<-------------------------------+ closed         |
    +---------------------------------------------+     (never an urgent kind)     | belated words: |
                                                                                   | RECORDED       |
                                                                                   +----------------+

The clocks themselves: `case.clocks`; when a step falls due and what it does: `escalation.ladder`.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from services.alerts.domain.case.belated import WHOLE_UNIT, covered, is_belated, with_end, with_sighting
from services.alerts.domain.case.case import Case, Closure, Grouping, Sightings, case_id_of
from services.alerts.domain.case.closes import Close, remembered
from services.alerts.domain.case.event import Event, Happening
from services.alerts.domain.case.fire import FireState
from services.alerts.domain.case.kinds import PASSING, URGENT, CaseKind
from services.alerts.domain.case.subject import SubjectFacts
from services.alerts.domain.escalation.guarded import GuardedTime
from services.alerts.domain.escalation.ladder import Pace, clock_from, fallback_ladder, held_back
from services.alerts.domain.escalation.pack_rules import PackRules
from services.alerts.domain.noise.flapping import Flapping
from services.kernel.words import ClockKind

REGISTRY = "registry"
"""The cause of an end that rules took from the register."""


class Action(StrEnum):
    """What was decided. One closed set for the audit log and the metric."""

    OPENED = "opened"
    REOPENED = "reopened"
    SIGHTED = "sighted"
    KEPT_OPEN = "kept_open"
    """Over for now, but it flaps: closed when it stays quiet. Or it is listed: closed with its listing."""
    COMPONENT_ADDED = "component_added"
    COMPONENT_ENDED = "component_ended"
    CLOSED = "closed"
    RECORDED = "recorded"
    """Belongs to a case that is over: written down there, and nobody is told."""
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Decision:
    """`case` is the case afterwards; None when there is none and none is needed. `begins_anew`: its trouble was over,
    or quiet, and is back: what somebody has put out of sight is in sight again."""

    action: Action
    reason: str
    case: Case | None = None
    begins_anew: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What the book holds for an event: the open case of its unit and kind, the one its finding once opened (open or
    closed), the one of that unit and kind that closed last, and of an alarm `older_than_last` the one it fell into."""

    open: Case | None = None
    same: Case | None = None
    last_closed: Case | None = None
    earlier: Case | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds on the day: the pack's rules, the subject's facts and the pace of our clock."""

    rules: PackRules
    facts: SubjectFacts
    pace: Pace


def decide(known: Known, event: Event, terms: Terms, now: datetime) -> Decision:
    """Return what becomes of the case when `event` is taken in at `now`."""
    if event.happening in (Happening.ENDED, Happening.RESTORED):
        return _over(known, event, terms, now)
    recent = known.last_closed
    if known.same is None and recent is not None and _is_past(recent, event):
        return _belated(known.earlier or recent, event)
    if known.open is not None:
        return _again(known, known.open, event, terms, now)
    if known.same is not None:  # whatever finding it went on under: a second case of this one would have its id
        return Decision(Action.IGNORED, "case_already_closed", known.same)
    if recent is not None and _reopens(recent, event, terms):
        case = _reopen(recent, event, terms, now)
        return Decision(
            Action.REOPENED, "flapping" if case.flapping.holds_open else "dropped_again", case, begins_anew=True
        )
    return Decision(Action.OPENED, event.cause, open_case(event, terms, now))


def older_than_last(known: Known, event: Event) -> bool:
    """Say whether the fire lane brings an alarm of a fire before the one that closed last."""
    last = known.last_closed
    if event.happening is not Happening.FIRED or known.same is not None or last is None:
        return False
    return event.detected_at < last.detected_at and _is_past(last, event)


def _belated(case: Case, event: Event) -> Decision:
    """A component that nobody was told of is told, as one whose fire is over; all else is written down."""
    reason = "older_than_the_last_end"
    key = _component_key(event)
    if event.happening is Happening.FIRED and key not in case.fire.reported:
        return Decision(
            Action.COMPONENT_ADDED, reason, replace(with_sighting(case, event), fire=case.fire.with_alarm(key))
        )
    if event.detected_at < case.detected_at:  # of a fire before that one: no case of it is at hand
        return Decision(Action.IGNORED, reason, case)
    return Decision(Action.RECORDED, reason, with_sighting(case, event))


def _is_past(recent: Case, event: Event) -> bool:
    """Say whether what begins here was over, or seen by somebody, when `recent` was closed."""
    if event.kind is CaseKind.FIRE:
        return is_belated(recent, event)
    # the other lane has brought this very alarm into the case before somebody acknowledged it
    return event.kind in PASSING and event.detected_at <= recent.sightings.last_at


def open_case(event: Event, terms: Terms, now: datetime) -> Case:
    """Return a new open case whose clock is set; the ladder is copied so that a later pack does not change it."""
    rules = terms.rules
    ladder = rules.ladders.get(event.kind) or fallback_ladder(event.kind)
    case = Case(
        case_id=case_id_of(event.finding_id),
        kind=event.kind,
        facts=terms.facts,
        finding_id=event.finding_id,
        effective_at=event.effective_at,
        detected_at=event.detected_at,
        opened_at=now,
        sightings=Sightings(now),
        pack_id=rules.pack_id,
        pack_version=rules.version,
        clause=event.clause or ladder[0].clause,
        proof=event.proof,
        ladder=ladder,
        component=event.component,
        fire=_fire_at(_component_key(event)) if event.kind is CaseKind.FIRE else FireState(),
        flapping=_begun(Flapping(), event, rules),
        closes=_closes((), event),
        guarded=rules.spans_of(event.kind, terms.facts.town, event.detected_at),
    )
    return clock_from(case, now, rules.first_wait(event.kind), terms.pace)


def _closes(known: tuple[Close, ...], event: Event) -> tuple[Close, ...]:
    return known if event.close is None else remembered(known, event.close)


def _fire_at(component: str) -> FireState:
    return FireState(burning=frozenset({component})).with_alarm(component)


def _component_key(event: Event) -> str:
    return event.component.key if event.component is not None else WHOLE_UNIT


def _begun(flapping: Flapping, event: Event, rules: PackRules) -> Flapping:
    return Flapping() if event.kind in URGENT else flapping.begun(event.detected_at, rules.flapping)


def _again(known: Known, case: Case, event: Event, terms: Terms, now: datetime) -> Decision:
    if known.same is not None and known.same.case_id != case.case_id:
        # a finding that lags behind the fire lane: its own fire is over, this one is the next
        return Decision(Action.IGNORED, "case_already_closed", case)
    seen = replace(case, sightings=case.sightings.again(event.detected_at))
    if event.happening is not Happening.FIRED:
        # rules may know this trouble under another finding (a record that we never saw): its end must close the case
        seen = replace(seen, finding_id=event.finding_id, closes=_closes(seen.closes, event))
        if case.cured_at is not None:
            return Decision(Action.SIGHTED, "listed", _flaps(seen, event, terms, now), begins_anew=True)
        if case.flapping.quiet_until is None:
            return Decision(Action.SIGHTED, "joined", seen)
        return Decision(Action.SIGHTED, "flapping", _flaps(seen, event, terms, now), begins_anew=True)
    key = _component_key(event)
    if key in case.fire.burning:
        return Decision(Action.SIGHTED, "same_component", seen)
    fire = replace(case.fire.with_alarm(key), burning=case.fire.burning | {key})
    return Decision(Action.COMPONENT_ADDED, "further_component", replace(seen, fire=fire))


def _flaps(case: Case, event: Event, terms: Terms, now: datetime) -> Case:
    """Return the case that was quiet, or over, and is not any more; steps that fell due meanwhile are due now."""
    seen = replace(
        case,
        effective_at=event.effective_at,
        sightings=replace(case.sightings, drops=case.sightings.drops + 1),
        proof=event.proof,
        component=event.component,
        flapping=_begun(case.flapping, event, terms.rules),
        cured_at=None,
    )
    return clock_from(seen, now, terms.rules.first_wait(event.kind), terms.pace)


def cured(case: Case, at: datetime, now: datetime, pace: Pace) -> Case:
    """Return the listed case whose trouble is over: it stays open, and no step but for its deadline is taken of it."""
    return clock_from(replace(case, cured_at=at, flapping=case.flapping.closed()), now, timedelta(0), pace)


def _over(known: Known, event: Event, terms: Terms, now: datetime) -> Decision:
    case = known.open
    if event.happening is Happening.ENDED:
        if case is None or case.finding_id != event.finding_id:
            return _past_end(known, event, "no_open_case" if case is None else "another_finding")
        # 销案: a listed case ends by evidence, re-check and approval only; that it is over is evidence
        if case.is_listed:
            over = replace(with_end(case, event), closes=_closes(case.closes, event))
            return Decision(Action.KEPT_OPEN, "listed", cured(over, event.detected_at, now, terms.pace))
        # what the register ends (retired, moved, exempt) does not come back by itself
        if case.flapping.holds_open and terms.rules.flapping is not None and event.cause != REGISTRY:
            until = terms.pace.observed(terms.rules.flapping.quiet)
            return Decision(Action.KEPT_OPEN, "flapping", _quiet(case, case.flapping.ended(now, until)))
        ended = replace(with_end(case, event), closes=_closes(case.closes, event))
        return Decision(Action.CLOSED, event.cause, close(ended, event.cause, now))
    if case is None:
        return _past_end(known, event, "no_open_case")
    if event.detected_at < case.detected_at:
        # the fire lane lags behind rules: this ended the fire before; where clocks differ, rules ends this one too
        return _past_end(known, event, "older_than_the_fire")
    case = with_end(case, event)
    burning = case.fire.burning
    left = burning - covered(event.component, burning)
    if left == burning:
        return Decision(Action.RECORDED, "unknown_component", case)
    if left:
        return Decision(
            Action.COMPONENT_ENDED, "other_components_burn", replace(case, fire=replace(case.fire, burning=left))
        )
    return Decision(Action.CLOSED, "restored", close(case, "restored", now))


def _past_end(known: Known, event: Event, reason: str) -> Decision:
    """Let the case that this ended remember it, so that what comes later still is known to be over."""
    if event.kind is not CaseKind.FIRE:
        return Decision(Action.IGNORED, reason, known.open)
    past = known.last_closed
    if event.happening is Happening.ENDED and known.same is not None and not known.same.is_open:
        past = known.same
    if past is None or event.detected_at < past.detected_at:
        return Decision(Action.IGNORED, reason, known.open)
    return Decision(Action.RECORDED, reason, with_end(past, event))


def _quiet(case: Case, flapping: Flapping) -> Case:
    """Return the case that is over for now: no step is taken while it may still be closed."""
    clock, until = case.clocks.step, flapping.quiet_until
    assert until is not None, "an end says until when"
    waits = None if clock is None else replace(clock, due_at=max(clock.due_at, until))
    return replace(case, flapping=flapping, clocks=case.clocks.set(ClockKind.STEP, waits))


def close(case: Case, reason: str, now: datetime) -> Case:
    """Return the case closed: no step follows, nothing is held."""
    return replace(
        case,
        closure=Closure(now, reason),
        clocks=case.clocks.set(ClockKind.STEP, None).set(ClockKind.UN_ACKNOWLEDGE, None),
        grouping=replace(case.grouping, held_until=None),
        fire=replace(case.fire, burning=frozenset()),
        flapping=case.flapping.closed(),
    )


def lapsed(case: Case, now: datetime, pace: Pace) -> Case:
    """Return the case that somebody took and that did not end in time: nobody has taken it, and of the steps that were
    not taken for that the first is due again, the others in the pack's distance from it, though none before a hold or
    a quiet time ends."""
    free = replace(case, acknowledged=None, clocks=case.clocks.set(ClockKind.UN_ACKNOWLEDGE, None))
    free = replace(free, lapse_delay=free.lapse_delay + held_back(free, now, pace))
    again = clock_from(free, now, timedelta(0), pace)
    return again if again.flapping.quiet_until is None else _quiet(again, again.flapping)


def _reopens(recent: Case, event: Event, terms: Terms) -> bool:
    """A fire is never a repetition of an old fire: it always gets a case, and notices, of its own.

    Nor is an alarm that nobody could read or whose gateway nobody knows.
    """
    if event.kind in URGENT or recent.closed_at is None:
        return False
    return event.detected_at - recent.closed_at <= terms.rules.reopen_within


def _reopen(case: Case, event: Event, terms: Terms, now: datetime) -> Case:
    """Steps that were taken stay taken; the clock of the others starts anew, for the cure in between was real."""
    opened = replace(
        case,
        closure=None,
        finding_id=event.finding_id,
        effective_at=event.effective_at,
        detected_at=event.detected_at,
        sightings=Sightings(now, case.sightings.count + 1, case.sightings.drops + 1),
        proof=event.proof,
        component=event.component,
        facts=replace(
            terms.facts, lead_department=case.facts.lead_department, copy_departments=case.facts.copy_departments
        ),
        grouping=Grouping(case.grouping.cause_key),
        acknowledged=None,
        lapse_delay=timedelta(0),
        clocks=case.clocks.set(ClockKind.UN_ACKNOWLEDGE, None),
        flapping=_begun(case.flapping, event, terms.rules),
        closes=_closes(case.closes, event),
        guarded=case.guarded + _declared_since(case, event, terms),
    )
    return clock_from(opened, now, terms.rules.first_wait(event.kind), terms.pace)


def _declared_since(case: Case, event: Event, terms: Terms) -> tuple[GuardedTime, ...]:
    """Return the area events that a case that begins anew falls into; its guarded times stay those of its opening."""
    spans = terms.rules.spans_of(event.kind, terms.facts.town, event.detected_at)
    return tuple(one for one in spans if one.times == 0 and one not in case.guarded)
