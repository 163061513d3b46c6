"""Writes transitions: brings a unit's two states in line with its links, facts and points, and counts the change."""

from services.kernel.ids import derive
from services.rules.domain.changes import Changes
from services.rules.domain.counters import Counters
from services.rules.domain.effects import Effects, Moment, Transition
from services.rules.domain.unit.state import Unit
from services.rules.domain.words import Aspect

UNLISTED = "unlisted"
"""`from_state` of the first transition of a unit."""


class Transitions:
    """Adds transitions of listed units to `effects`; one that is not listed has no state to write down."""

    def __init__(self, effects: Effects, counters: Counters, changes: Changes) -> None:
        self._effects = effects
        self._counters = counters
        self._changes = changes

    def settle_connection(self, unit: Unit, moment: Moment) -> Moment | None:
        """Follow links and facts; return the moment as it is written down, None where the state stays."""
        connection = unit.connection
        before = connection.state
        if unit.registration.facts is None:
            return None
        after, partly = unit.wanted_connection()
        if partly != connection.partly:
            connection.partly = partly
            self._changes.touch_row(unit)
        if after is before:
            return None
        if moment.detected < connection.detected:
            # The unit's other gateway came by another instance of ingest, or a row of the registry came late. Whoever
            # reads transitions in the order of `detected` must end in the state that holds.
            moment = moment._replace(detected=connection.detected)
        self._counters.rates.move(unit.fellows, before, after)
        connection.state, connection.since, connection.detected = after, moment.effective, moment.detected
        self._changes.touch_row(unit)
        self._write(unit, Aspect.CONNECTION, UNLISTED if before is None else before, after, moment)
        return moment

    def settle_health(self, unit: Unit, moment: Moment) -> None:
        """Follow the open points."""
        before, after = unit.condition.health, unit.wanted_health()
        if unit.registration.facts is None or after is before:
            return
        self._counters.move_health(unit, before, after)
        unit.condition.health, unit.condition.since = after, moment.effective
        self._changes.touch_row(unit)
        self._write(unit, Aspect.HEALTH, before, after, moment)

    def _write(self, unit: Unit, aspect: Aspect, before: str, after: str, moment: Moment) -> None:
        effective, detected = moment.effective, moment.detected
        cause = moment.signal_id or moment.cause
        name = derive("transition", f"{unit.unit_id}|{aspect}|{before}|{after}|{effective}|{detected}|{cause}")
        self._effects.transitions.append(
            Transition(name, unit.unit_id, aspect, before, after, effective, detected, moment.cause, moment.evidence)
        )
