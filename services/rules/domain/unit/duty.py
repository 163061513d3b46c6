"""Whether a unit has to be connected, by its facts: an aspect beside its connection, not over it."""

from services.kernel.words import Duty
from services.rules.domain.facts import UnitVersion


def duty_by(facts: UnitVersion, at: int, *, excused: bool = False) -> Duty:
    """Return the duty of a unit with these facts at `at`, the first that fits: figures.md R18 in its order.

    `excused`: an approved exemption or maintenance lets it off, to the minute.
    """
    if facts.retired(at):
        return Duty.RETIRED
    if facts.exempt(at) or excused:
        return Duty.EXEMPT
    return Duty.DUE if facts.commissioned(at) else Duty.COMMISSIONING
