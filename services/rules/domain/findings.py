"""Writes findings: a problem of one unit began, changed or ended, with the clause it stands on and ids of its cause."""

from services.kernel.ids import derive, finding_id
from services.kernel.words import Connection, FindingKind, Phase
from services.rules.domain.changes import Changes
from services.rules.domain.effects import Effects, Finding, Moment
from services.rules.domain.facts import NO_PACK
from services.rules.domain.unit.state import Unit
from services.rules.domain.unit.testing import Testing
from services.rules.domain.words import CONNECTED, TROUBLES

_ENDS_LOSS = (*CONNECTED, Connection.COMMISSIONING, Connection.EXEMPT, Connection.RETIRED, Connection.NEVER)
"""Not `unknown`: a loss that we stopped seeing is not over."""


class Findings:
    """Adds findings to `effects`. What is open of a unit stands in `Unit.findings`, by kind."""

    def __init__(self, effects: Effects, changes: Changes) -> None:
        self._effects = effects
        self._changes = changes

    def begin(
        self, unit: Unit, kind: FindingKind, problem_id: str, moment: Moment, point: str = "", points: int = 0
    ) -> None:
        """A problem began; it stays open under `problem_id` until it is ended."""
        unit.open_finding(kind, problem_id)
        self._changes.touch(unit)
        self.write(unit, kind, problem_id, Phase.BEGAN, moment, point, points)

    def end(self, unit: Unit, kind: FindingKind, moment: Moment, point: str = "") -> None:
        """End the open problem of this kind, if there is one."""
        problem_id = unit.close_finding(kind)
        if problem_id is not None:
            self._changes.touch(unit)
            self.write(unit, kind, problem_id, Phase.ENDED, moment, point, 0)

    def write(
        self, unit: Unit, kind: FindingKind, problem_id: str, phase: Phase, moment: Moment, point: str, points: int
    ) -> None:
        """Add a finding. Its event id depends on the problem, the phase and the cause, never on when it is told."""
        cause = moment.signal_id or f"{moment.effective}:{moment.detected}"
        event_id = derive("finding-event", "|".join((problem_id, phase, cause)))
        pack = unit.registration.pack
        self._effects.findings.append(
            Finding(
                event_id,
                problem_id,
                unit.unit_id,
                kind,
                phase,
                moment,
                point,
                points,
                clause_of(unit, kind),
                pack.pack_id,
                pack.version,
            )
        )

    def passing(self, unit_id: str, kind: FindingKind, phase: Phase, moment: Moment, point: str) -> None:
        """Add a finding about a unit of which no state is kept."""
        problem_id = finding_id(unit_id, kind, moment.signal_id)
        event_id = derive("finding-event", f"{problem_id}|{phase}|{moment.signal_id}")
        self._effects.findings.append(
            Finding(
                event_id, problem_id, unit_id, kind, phase, moment, point, 1, "no policy pack",
                NO_PACK.pack_id, NO_PACK.version,
            )
        )  # fmt: skip

    def follow_points(self, unit: Unit, kind: FindingKind, moment: Moment, point: str) -> None:
        """Begin, change or end the finding of `kind` as the open points of the unit demand."""
        count = unit.condition.open_points(kind)
        problem_id = unit.findings.get(kind)
        if count and problem_id is None:
            self.begin(unit, kind, finding_id(unit.unit_id, kind, moment.signal_id), moment, point, count)
        elif count and problem_id is not None:
            self.write(unit, kind, problem_id, Phase.CHANGED, moment, point, count)
        else:
            self.end(unit, kind, moment, point)

    def announce(self, unit: Unit, moment: Moment) -> None:
        """A unit is listed: tell the troubles that it had before the registry named it, under the ids kept of them."""
        for kind in TROUBLES:
            problem_id = unit.findings.get(kind)
            if problem_id is not None:
                self.write(unit, kind, problem_id, Phase.BEGAN, moment, "", unit.condition.open_points(kind))

    def follow_connection(self, unit: Unit, moment: Moment) -> None:
        """The connection of the unit changed: begin or end its loss, then what `follow_duty` does."""
        is_open = FindingKind.CONNECTION_LOST in unit.findings
        if is_open and unit.connection.shown in _ENDS_LOSS:
            self.end(unit, FindingKind.CONNECTION_LOST, moment)
        elif not is_open and unit.connection.shown is Connection.OFFLINE:
            cause = f"{moment.effective}:{moment.detected}"
            self.begin(
                unit, FindingKind.CONNECTION_LOST, finding_id(unit.unit_id, FindingKind.CONNECTION_LOST, cause), moment
            )
        self.follow_duty(unit, moment)

    def follow_duty(self, unit: Unit, moment: Moment) -> None:
        """Start or stop the clock of a unit that must be connected and never was."""
        due, connection = must_connect(unit), unit.connection
        if due and connection.never_from == 0:
            connection.never_from, connection.never_since = moment.detected, moment.effective
            self._changes.touch(unit)
        elif not due and connection.never_from:
            connection.never_from = 0
            self._changes.touch(unit)
            self.end(unit, FindingKind.NEVER_CONNECTED, moment)

    def begin_never_connected(self, unit: Unit, moment: Moment) -> None:
        """The clock that `follow_duty` started has run out. The id is that of its start: a new one is a new problem."""
        problem_id = finding_id(unit.unit_id, FindingKind.NEVER_CONNECTED, str(unit.connection.never_from))
        self.begin(unit, FindingKind.NEVER_CONNECTED, problem_id, moment)

    def follow_test_duty(self, unit: Unit, moment: Moment) -> None:
        """Another duty to test holds, or none: what was overdue was so of the one before."""
        duty, testing = unit.registration.test_duty, unit.testing
        held = None if testing is None else testing.duty
        if (None if held is None else held.asked) != (None if duty is None else duty.asked):
            unit.testing = Testing(duty, moment.detected, 0 if testing is None else testing.last)
            self._changes.touch(unit)
            self.end(unit, FindingKind.TEST_OVERDUE, moment)
        elif testing is not None:
            testing.duty = duty  # the same in other words

    def tested(self, unit: Unit, moment: Moment) -> None:
        """A test came: nothing is overdue any more."""
        testing = unit.testing
        if testing is not None and moment.detected > testing.last:
            testing.last = moment.detected
            self._changes.touch(unit)
            self.end(unit, FindingKind.TEST_OVERDUE, moment)

    def begin_test_overdue(self, unit: Unit, moment: Moment) -> None:
        """No test came in time."""
        problem_id = finding_id(unit.unit_id, FindingKind.TEST_OVERDUE, str(moment.detected))
        self.begin(unit, FindingKind.TEST_OVERDUE, problem_id, moment)

    def follow_repeats(self, unit: Unit, moment: Moment, point: str) -> None:
        """Begin, change or end the finding about components that run away, as those that do demand."""
        repeats = unit.repeats
        assert repeats is not None, "what is followed is remembered"
        kind, count = FindingKind.RUNAWAY_COMPONENT, len(repeats.running)
        phase = Phase.CHANGED if count else Phase.ENDED
        if count and not repeats.problem_id:
            repeats.problem_id = finding_id(unit.unit_id, kind, moment.signal_id)
            phase = Phase.BEGAN
        if repeats.problem_id:
            self._changes.touch(unit)
            self.write(unit, kind, repeats.problem_id, phase, moment, point, count)
        if not count:
            repeats.problem_id = ""


def must_connect(unit: Unit) -> bool:
    """Return whether the unit has a duty to be connected and never was."""
    return unit.connection.shown is Connection.NEVER and _in_union(unit)


def _in_union(unit: Unit) -> bool:
    return any(name in unit.registration.scopes for name in unit.registration.pack.union)


def clause_of(unit: Unit, kind: FindingKind) -> str:
    """Return the clause that a finding stands on: the duty to test or to be connected, or the ladder of its kind."""
    if kind is FindingKind.TEST_OVERDUE and unit.testing is not None and unit.testing.duty is not None:
        return unit.testing.duty.clause
    pack, scopes = unit.registration.pack, unit.registration.scopes
    ladder = pack.ladder_clauses.get(kind, "")
    if kind is FindingKind.RUNAWAY_COMPONENT:
        return pack.runaway.clause if pack.runaway is not None else ladder or "no policy pack"
    if ladder and kind in TROUBLES:
        return ladder
    for name in pack.union:
        if name in scopes:
            duty = next((scope for scope in pack.scopes if scope.name == name), None)
            if duty is not None:
                return duty.clause or ladder or "no policy pack"
    return ladder or "no policy pack"
