"""Writes down what became of units: transitions, findings and the counters that follow them."""

from collections import defaultdict

from services.kernel.words import Connection, Health, Phase
from services.kernel.words import FindingKind as Kind
from services.rules.domain.effects import Effects, Finding, HourCount, Moment, Transition
from services.rules.domain.ids import derive, finding_id
from services.rules.domain.rate import UNION_OF, RateBook
from services.rules.domain.unit import Unit
from services.rules.domain.words import CONNECTED, TROUBLES, Aspect

UNLISTED = "unlisted"
"""`from_state` of the first transition of a unit."""

_ENDS_LOSS = (*CONNECTED, Connection.COMMISSIONING, Connection.EXEMPT, Connection.RETIRED, Connection.NEVER)


class Ledger:
    """Effects of one partition since they were last taken, and its counters."""

    def __init__(self) -> None:
        self.effects = Effects()
        self.rates = RateBook()
        self.health: dict[str, dict[Health, int]] = defaultdict(lambda: dict.fromkeys(Health, 0))
        self.touched: list[Unit] = []
        self.rows_changed: list[Unit] = []
        self.unstable: dict[str, int] = {}

    def touch(self, unit: Unit) -> None:
        """The saved state of `unit` is out of date."""
        if not unit.touched:
            unit.touched = True
            self.touched.append(unit)

    def change_row(self, unit: Unit) -> None:
        """The stored row of `unit` is out of date."""
        self.touch(unit)
        if not unit.row_changed:
            unit.row_changed = True
            self.rows_changed.append(unit)

    def close_hour(self, unit: Unit) -> None:
        """Add the heartbeats that were counted in memory to the effects."""
        if unit.beats:
            self.effects.hours.append(HourCount(unit.unit_id, unit.hour, unit.beats))
            unit.beats = 0
            self.touch(unit)

    def settle(self, unit: Unit, moment: Moment) -> None:
        """Bring the connection of a listed unit in line with its facts and links."""
        before = unit.connection
        if unit.facts is None:
            return
        after, partly = unit.wanted_connection()
        if partly != unit.partly:
            unit.partly = partly
            self.change_row(unit)
        if after is before:
            return
        if moment.detected < unit.connection_detected:
            # The unit's other gateway came by another instance of ingest, or a row of the registry came late. Whoever
            # reads transitions in the order of `detected` must end in the state that holds.
            moment = moment._replace(detected=unit.connection_detected)
        self.rates.move(unit.fellows, before, after)
        unit.connection, unit.connection_since, unit.connection_detected = after, moment.effective, moment.detected
        self.change_row(unit)
        self._transition(unit, Aspect.CONNECTION, UNLISTED if before is None else before, after, moment)
        self._connection_findings(unit, after, moment)
        self.follow_duty(unit, moment)

    def is_settled(self, unit: Unit) -> bool:
        """Return whether `settle` and `follow_duty` would change nothing."""
        if (unit.connection, unit.partly) != unit.wanted_connection():
            return False
        return self._is_due(unit) == bool(unit.never_from)

    @staticmethod
    def _is_due(unit: Unit) -> bool:
        return unit.connection is Connection.NEVER and any(name in unit.scopes for name in UNION_OF)

    def follow_duty(self, unit: Unit, moment: Moment) -> None:
        """Start or stop the clock of a unit that must be connected and never was."""
        due = self._is_due(unit)
        if due and unit.never_from == 0:
            unit.never_from, unit.never_since = moment.detected, moment.effective
            self.touch(unit)
        elif not due and unit.never_from:
            unit.never_from = 0
            self.touch(unit)
            self.end(unit, Kind.NEVER_CONNECTED, moment)

    def _connection_findings(self, unit: Unit, after: Connection, moment: Moment) -> None:
        if after is Connection.OFFLINE and Kind.CONNECTION_LOST not in unit.findings:
            cause = f"{moment.effective}:{moment.detected}"
            self.begin(unit, Kind.CONNECTION_LOST, finding_id(unit.unit_id, Kind.CONNECTION_LOST, cause), moment)
        if after in _ENDS_LOSS:
            self.end(unit, Kind.CONNECTION_LOST, moment)

    def settle_health(self, unit: Unit, moment: Moment) -> None:
        """Bring the health of a listed unit in line with its open points."""
        before, after = unit.health, unit.wanted_health()
        if unit.facts is None or after is before:
            return
        tally = self.health[unit.facts.lead_department]
        tally[before] -= 1
        tally[after] += 1
        unit.health, unit.health_since = after, moment.effective
        self.change_row(unit)
        self._transition(unit, Aspect.HEALTH, before, after, moment)

    def begin(self, unit: Unit, kind: Kind, problem_id: str, moment: Moment, point: str = "", points: int = 0) -> None:
        """A problem began; it stays open under `problem_id` until it is ended."""
        unit.findings[kind] = problem_id
        self.touch(unit)
        self.tell(unit, kind, problem_id, Phase.BEGAN, moment, point, points)

    def end(self, unit: Unit, kind: Kind, moment: Moment, point: str = "") -> None:
        """End the open problem of this kind, if there is one."""
        problem_id = unit.findings.pop(kind, None)
        if problem_id is not None:
            self.touch(unit)
            self.tell(unit, kind, problem_id, Phase.ENDED, moment, point, 0)

    def tell(
        self, unit: Unit, kind: Kind, problem_id: str, phase: Phase, moment: Moment, point: str, points: int
    ) -> None:
        """Add a finding. Its event id depends on the problem, the phase and the cause, never on when it is told."""
        cause = moment.signal_id or f"{moment.effective}:{moment.detected}"
        event_id = derive("finding-event", f"{problem_id}|{phase}|{cause}")
        pack = unit.pack
        self.effects.findings.append(
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

    def _transition(self, unit: Unit, aspect: Aspect, before: str, after: str, moment: Moment) -> None:
        effective, detected = moment.effective, moment.detected
        cause = moment.signal_id or moment.cause
        name = derive("transition", f"{unit.unit_id}|{aspect}|{before}|{after}|{effective}|{detected}|{cause}")
        self.effects.transitions.append(
            Transition(name, unit.unit_id, aspect, before, after, effective, detected, moment.cause, moment.evidence)
        )


def clause_of(unit: Unit, kind: Kind) -> str:
    """Return the clause that a finding stands on: the duty to be connected, or the ladder of its kind."""
    duties = {scope.name: scope.clause for scope in unit.pack.scopes if scope.name in unit.scopes}
    duty = next((duties[name] for name in UNION_OF if name in duties), "")
    ladder = unit.pack.ladder_clauses.get(kind, "")
    first, second = (ladder, duty) if kind in TROUBLES else (duty, ladder)
    return first or second or "no policy pack"
