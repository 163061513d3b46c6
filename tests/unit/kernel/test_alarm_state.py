"""The seven states of ISA-18.2: what wins over what, and that a fire is never out of sight."""

import pytest

from services.kernel.alarm_state import AlarmFact, alarm_state, facts_of
from services.kernel.words import AlarmState

NONE, OVER, TAKEN, URGENT = AlarmFact(0), AlarmFact.OVER, AlarmFact.TAKEN, AlarmFact.URGENT
SHELVED, SUPPRESSED, OUT = AlarmFact.SHELVED, AlarmFact.SUPPRESSED, AlarmFact.OUT_OF_SERVICE
EVERY = [AlarmFact(number) for number in range(sum(AlarmFact) + 1)]


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        (NONE, AlarmState.UNACKNOWLEDGED),
        (TAKEN, AlarmState.ACKNOWLEDGED),
        (SHELVED, AlarmState.SHELVED),
        (SHELVED | TAKEN, AlarmState.SHELVED),
        (OUT | SHELVED, AlarmState.OUT_OF_SERVICE),
        (SUPPRESSED | OUT | SHELVED | TAKEN, AlarmState.SUPPRESSED_BY_DESIGN),
        (OVER, AlarmState.RETURNED_UNACKNOWLEDGED),
        (OVER | TAKEN, AlarmState.NORMAL),
        (OVER | AlarmFact.ENDED_BY_REGISTER, AlarmState.NORMAL),
        (OVER | URGENT, AlarmState.RETURNED_UNACKNOWLEDGED),
    ],
)
def test_each_state_and_what_wins(facts: AlarmFact, state: AlarmState) -> None:
    assert alarm_state(facts) is state


def test_what_burns_is_never_out_of_sight() -> None:
    seen = {alarm_state(facts) for facts in EVERY if URGENT in facts and OVER not in facts}
    assert seen == {AlarmState.ACKNOWLEDGED, AlarmState.UNACKNOWLEDGED}


def test_every_sum_of_facts_is_asked_for_by_exactly_one_state() -> None:
    asked = [number for state in AlarmState for number in facts_of(state)]
    assert sorted(asked) == [int(facts) for facts in EVERY]
