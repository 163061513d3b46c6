"""Fire, fault and isolation: what signals say about components, turned into health and findings."""

from services.kernel.ids import finding_id
from services.kernel.words import FindingKind, Phase
from services.rules.domain.changes import Changes
from services.rules.domain.effects import Evidence, Moment
from services.rules.domain.findings import Findings
from services.rules.domain.inputs import Signal
from services.rules.domain.time.instants import DAY
from services.rules.domain.transitions import Transitions
from services.rules.domain.unit.points import NOWHERE, WHOLE_UNIT, Position, Trouble
from services.rules.domain.unit.state import Unit
from services.rules.domain.words import TROUBLE_OF, TROUBLES, Anomaly, Cause

BELIEVABLE_LAG = DAY
"""A device clock that is further behind is taken for a reset clock, not for a message that was held back."""

UNREADABLE_ALARM = FindingKind.UNREADABLE_ALARM.value


def event_time(signal: Signal, kind: FindingKind, skew: int) -> int:
    """Return when it happened, as far as that can be believed: the device's time, else when we received it.

    A clock that runs behind cannot be told from a message that came late. For faults and isolations the device's own
    order is kept. A fire and its end are ordered by their arrival then, so that a reset clock never makes a fire look
    older than an end that came before it. What was replayed stands where it would have stood: it arrived long before.
    """
    claimed, received = signal.occurred_at, _arrived(signal)
    if claimed == 0 or signal.clock_ahead or claimed > received + skew:
        return received
    if received - claimed > BELIEVABLE_LAG or (signal.clock_behind and kind is FindingKind.FIRE):
        return received
    return claimed


def _arrived(signal: Signal) -> int:
    return signal.first_received_at or signal.received_at


class Troubles:
    """Lets signals change the open points of units."""

    def __init__(self, changes: Changes, transitions: Transitions, findings: Findings) -> None:
        self._changes = changes
        self._transitions = transitions
        self._findings = findings

    def apply(self, unit: Unit, signal: Signal, evidence: Evidence) -> Anomaly | None:
        """Let a signal change the open points of a unit; return why it changed none, where that is odd.

        Who says the very same again (`again`) may repeat a message that went unanswered, or mean something new that
        looks alike: a clock and a count that begin anew at each start. Where the time that it claims says nothing new
        it counts as of now: what was over is open again, what is open again is over.
        """
        if signal.kind == UNREADABLE_ALARM:
            self._unreadable(unit, signal, evidence)
            return None
        if signal.restores:
            return self._restore(unit, signal, evidence)
        kind = TROUBLE_OF.get(signal.kind)
        return None if kind is None else self._begin(unit, kind, signal, evidence)

    def _begin(self, unit: Unit, kind: FindingKind, signal: Signal, evidence: Evidence) -> Anomaly | None:
        trouble = unit.condition.trouble(kind)
        happened = event_time(signal, kind, unit.registration.profile.skew)
        position = _position(signal, kind, happened)
        if signal.redelivered or signal.replayed:  # it may well have left before what arrived earlier
            position = position._replace(arrived=NOWHERE)
        point, anomaly = signal.point, None
        if not trouble.has_room(point):
            unit.deduplication.overflow += 1
            anomaly = Anomaly.TOO_MANY_POINTS
            if kind is not FindingKind.FIRE:
                return anomaly
            point = WHOLE_UNIT  # a fire is never dropped: beyond the bound it stands for the whole unit
        before = trouble.open_count
        begun = trouble.begin(point, position)
        if not begun and signal.again:
            happened = max(_arrived(signal), trouble.latest())
            begun = trouble.begin(point, _position(signal, kind, happened))
        moment = _moment(signal, happened, evidence)
        if not begun:
            if kind is FindingKind.FIRE:
                self._past_fire(unit, signal, moment)
            return Anomaly.STALE
        self._follow(unit, kind, before, moment, signal)
        return anomaly

    def _unreadable(self, unit: Unit, signal: Signal, evidence: Evidence) -> None:
        """Begin a finding that nothing ends here: what could not be read leaves no state, a person looks at it."""
        if unit.registration.facts is not None:
            problem_id = finding_id(unit.unit_id, FindingKind.UNREADABLE_ALARM, signal.signal_id)
            moment = _moment(signal, _arrived(signal), evidence)
            self._findings.write(unit, FindingKind.UNREADABLE_ALARM, problem_id, Phase.BEGAN, moment, "", 0)

    def _past_fire(self, unit: Unit, signal: Signal, moment: Moment) -> None:
        # The fire lane of alerts acts on the signal alone. What that opened must close when the fire was over before.
        problem_id = finding_id(unit.unit_id, FindingKind.FIRE, signal.signal_id)
        if unit.registration.facts is not None and FindingKind.FIRE not in unit.findings:
            self._findings.write(unit, FindingKind.FIRE, problem_id, Phase.BEGAN, moment, signal.point, 0)
            self._findings.write(unit, FindingKind.FIRE, problem_id, Phase.ENDED, moment, signal.point, 0)

    def _restore(self, unit: Unit, signal: Signal, evidence: Evidence) -> Anomaly | None:
        wanted = TROUBLES if signal.restores == "all" else (TROUBLE_OF.get(signal.restores),)
        changed = False
        for kind in wanted:  # the gravest first, and its transition before the next: each kind has a time of its own
            if kind is None:
                return None  # supervisory: nothing of it is kept open
            happened = event_time(signal, kind, unit.registration.profile.skew)
            trouble = unit.condition.trouble(kind)
            before = trouble.open_count
            heard = _end(trouble, signal, _position(signal, kind, happened))
            if signal.again and trouble.is_open(signal.point, signal.system):
                happened = max(_arrived(signal), trouble.latest())
                heard = _end(trouble, signal, _position(signal, kind, happened)) or heard
            changed = changed or heard
            if heard:
                self._follow(unit, kind, before, _moment(signal, happened, evidence), signal)
        return None if changed else Anomaly.STALE

    def _follow(self, unit: Unit, kind: FindingKind, before: int, moment: Moment, signal: Signal) -> None:
        self._changes.touch(unit)
        self._transitions.write_components(unit, kind, unit.condition.trouble(kind).take_turns(), moment)
        if unit.registration.facts is None:
            _hold_back(unit, kind, signal)
            return
        if unit.condition.open_points(kind) != before:
            self._changes.touch_row(unit)
            self._findings.follow_points(unit, kind, moment, signal.point)
        self._transitions.settle_health(unit, moment)


def _position(signal: Signal, kind: FindingKind, happened: int) -> Position:
    # The end of a fire may be by another clock than the fire: of the panel, of its transmission device, or of one that
    # was set in between. So a fire that arrives after an end burns, whatever they say.
    arrived = _arrived(signal)
    return Position(happened, arrived, arrived if kind is FindingKind.FIRE else NOWHERE)


def _end(trouble: Trouble, signal: Signal, position: Position) -> bool:
    if signal.system:
        return trouble.end_system(signal.system, position)
    return trouble.end(signal.point, position) if signal.point else trouble.end_all(position)


def _hold_back(unit: Unit, kind: FindingKind, signal: Signal) -> None:
    """Keep the id of a problem of a unit that the registry does not name yet: it is told when the unit is listed."""
    if unit.condition.open_points(kind):
        if kind not in unit.findings:
            unit.open_finding(kind, finding_id(unit.unit_id, kind, signal.signal_id))
    else:
        unit.close_finding(kind)


def _moment(signal: Signal, happened: int, evidence: Evidence) -> Moment:
    effective = min(happened, signal.received_at)
    if signal.received_at - effective > BELIEVABLE_LAG:  # replayed after days: what is closed is not written anew
        effective = signal.received_at
    return Moment(effective, signal.received_at, Cause.SIGNAL, evidence, signal.signal_id, signal.body)
