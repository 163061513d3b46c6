"""Writes transitions: brings a unit's states in line with its links, facts and points, and counts the change."""

from collections.abc import Iterable

from services.kernel.ids import derive
from services.kernel.words import Connection, FindingKind
from services.rules.domain.changes import Changes
from services.rules.domain.counters import Counters
from services.rules.domain.effects import ComponentTransition, Effects, Moment, Transition
from services.rules.domain.unit.points import Turn
from services.rules.domain.unit.state import Unit
from services.rules.domain.words import TROUBLES, Aspect

UNLISTED = "unlisted"
"""`from_state` of the first transition of a unit."""


class Transitions:
    """Adds transitions of listed units to `effects`; one that is not listed has no state to write down."""

    def __init__(self, effects: Effects, counters: Counters, changes: Changes) -> None:
        self._effects = effects
        self._counters = counters
        self._changes = changes

    def settle_connection(self, unit: Unit, moment: Moment) -> Moment | None:
        """Follow links and facts; return the moment at which what is shown changed, None where it stays."""
        connection = unit.connection
        if unit.registration.facts is None:
            return None
        of_links, after, partly = unit.wanted_connection()
        if of_links is not connection.state:
            self._connection(unit, of_links, moment)
        if unit.registration.duty is not unit.registration.written_duty:
            self._duty(unit, moment)
        if partly != connection.partly:
            connection.partly = partly
            self._changes.touch_row(unit)
        before = connection.shown
        if after is before:
            return None
        moment = _not_before(moment, connection.shown_detected)
        self._counters.rates.move(unit.counter_group, before, after)
        connection.shown = after
        connection.shown_since, connection.shown_detected = moment.effective, moment.detected
        self._changes.touch_row(unit)
        return moment

    def _connection(self, unit: Unit, after: Connection, moment: Moment) -> None:
        connection = unit.connection
        moment = _not_before(moment, connection.detected)
        self._write(unit, Aspect.CONNECTION, connection.state or UNLISTED, after, moment)
        connection.state, connection.detected = after, moment.detected

    def _duty(self, unit: Unit, moment: Moment) -> None:
        registration = unit.registration
        moment = _not_before(moment, registration.duty_detected)
        self._write(unit, Aspect.DUTY, registration.written_duty or UNLISTED, registration.duty, moment)
        registration.written_duty, registration.duty_detected = registration.duty, moment.detected

    def settle_health(self, unit: Unit, moment: Moment) -> None:
        """Follow the open points."""
        before, after = unit.condition.health, unit.wanted_health()
        if unit.registration.facts is None or after is before:
            return
        self._counters.move_health(unit, before, after)
        unit.condition.health, unit.condition.since = after, moment.effective
        self._changes.touch_row(unit)
        self._write(unit, Aspect.HEALTH, before, after, moment)

    def write_components(self, unit: Unit, kind: FindingKind, turns: Iterable[Turn], moment: Moment) -> None:
        """Write down which components of a unit came to be in trouble at `moment`, or no longer are."""
        if unit.registration.facts is not None:
            for turn in turns:
                self._component(unit, kind, turn, moment)

    def list_components(self, unit: Unit, moment: Moment) -> None:
        """A unit is listed: write down what is open of it, each since its latest begin, known when both were known.

        Of a trouble that was told several times the first begin is not kept.
        """
        for kind in TROUBLES:
            for point, word in unit.condition.open_words(kind):
                begun = word.begun
                known = moment._replace(
                    effective=min(begun.happened, begun.heard), detected=max(moment.detected, begun.heard)
                )
                self._component(unit, kind, Turn(point, open=True), known)

    def _component(self, unit: Unit, kind: FindingKind, turn: Turn, moment: Moment) -> None:
        effective, detected = moment.effective, moment.detected
        cause = moment.signal_id or moment.cause
        said = "open" if turn.open else "closed"
        name = derive("component", f"{unit.unit_id}|{kind}|{turn.point}|{said}|{effective}|{detected}|{cause}")
        self._effects.components.append(
            ComponentTransition(
                name, unit.unit_id, kind, turn.point, turn.open, effective, detected, moment.cause, moment.evidence
            )
        )

    def _write(self, unit: Unit, aspect: Aspect, before: str, after: str, moment: Moment) -> None:
        self._changes.touch(unit)
        effective, detected = moment.effective, moment.detected
        cause = moment.signal_id or moment.cause
        # Joined: a word of an enumeration costs five times as much in an f-string, and a storm makes very many ids.
        said = (unit.unit_id, aspect, before, after, str(effective), str(detected), cause)
        name = derive("transition", "|".join(said))
        self._effects.transitions.append(
            Transition(name, unit.unit_id, aspect, before, after, effective, detected, moment.cause, moment.evidence)
        )


def _not_before(moment: Moment, detected: int) -> Moment:
    """Return the moment, known no earlier than what was last known of the same.

    The unit's other gateway came by another instance of ingest, or a row of the registry came late. Whoever reads
    transitions in the order of `detected` must end in the state that holds.
    """
    return moment if moment.detected >= detected else moment._replace(detected=detected)
