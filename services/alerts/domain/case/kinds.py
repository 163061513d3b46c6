"""Kinds of cases, and which of them the fire lane takes."""

from enum import StrEnum


class CaseKind(StrEnum):
    """Kind of a case: the kind of its findings, or a common cause of many."""

    CONNECTION_LOST = "connection_lost"
    NEVER_CONNECTED = "never_connected"
    FIRE = "fire"
    FAULT = "fault"
    ISOLATION = "isolation"
    COMMON_CAUSE = "common_cause"
    TEST_OVERDUE = "test_overdue"
    RUNAWAY_COMPONENT = "runaway_component"
    UNREADABLE_ALARM = "unreadable_alarm"
    UNREGISTERED_ALARM = "unregistered_alarm"
    BELOW_TARGET = "below_target"
    NOT_COMPETENT = "not_competent"
    GRAVE_RESULT = "grave_result"


URGENT = frozenset({CaseKind.FIRE, CaseKind.UNREADABLE_ALARM, CaseKind.UNREGISTERED_ALARM})
"""Kinds that are told at once by the fire lane, and whose first notice is never taken back."""
PASSING = URGENT - {CaseKind.FIRE}
"""Kinds that no signal ends: a person has to look, and the acknowledgement closes the case."""
