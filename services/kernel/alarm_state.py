"""Which of the seven states of ISA-18.2 a case is in, by what the database holds of it."""

from enum import IntFlag

from services.kernel.words import AlarmState


class AlarmFact(IntFlag):
    """What the state depends on, as the database adds it up: `alerts.alarm_facts`, migration 0083."""

    OVER = 1
    TAKEN = 2
    """Somebody of brigade or centre has acknowledged it, and that has not lapsed. A department's receipt is no such."""
    URGENT = 4
    SHELVED = 8
    SUPPRESSED = 16
    OUT_OF_SERVICE = 32
    ENDED_BY_REGISTER = 64
    """Nothing came back: the register took away what it was about."""


def alarm_state(facts: AlarmFact) -> AlarmState:
    """Return the state. What burns, or may, is never shelved, suppressed or out of service, whatever else is known."""
    taken = AlarmFact.TAKEN in facts
    if AlarmFact.OVER in facts:
        seen = taken or AlarmFact.ENDED_BY_REGISTER in facts
        return AlarmState.NORMAL if seen else AlarmState.RETURNED_UNACKNOWLEDGED
    if AlarmFact.URGENT not in facts:
        if AlarmFact.SUPPRESSED in facts:
            return AlarmState.SUPPRESSED_BY_DESIGN
        if AlarmFact.OUT_OF_SERVICE in facts:
            return AlarmState.OUT_OF_SERVICE
        if AlarmFact.SHELVED in facts:
            return AlarmState.SHELVED
    return AlarmState.ACKNOWLEDGED if taken else AlarmState.UNACKNOWLEDGED


def facts_of(state: AlarmState) -> list[int]:
    """Return every sum of facts with which a case is in the state: what a query asks for."""
    most = sum(AlarmFact)
    return [number for number in range(most + 1) if alarm_state(AlarmFact(number)) is state]
