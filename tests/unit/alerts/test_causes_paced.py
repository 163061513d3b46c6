"""Common causes are looked for now and then only, and all the same no loss is told alone that has one."""

from datetime import timedelta

from services.alerts.domain.case.event import Happening
from services.alerts.domain.case.kinds import CaseKind
from tests.unit.alerts.build import T0, event
from tests.unit.alerts.harness import Harness

UNITS = ("U1", "U2", "U3", "U4")
NEVER_AGAIN = timedelta(days=1)


def common_cases(harness: Harness) -> int:
    return sum(case.is_common for case in harness.store.tables.cases.values())


def passed(harness: Harness) -> float:
    return (harness.clock.now() - T0).total_seconds()


async def lose(harness: Harness, *units: str) -> None:
    await harness.take(*[event(of=unit, seconds=passed(harness)) for unit in units])


async def test_causes_are_looked_for_once_in_a_while() -> None:
    harness = Harness(*UNITS, group_every=timedelta(seconds=1))
    await harness.ladder.turn()
    await lose(harness, *UNITS)
    harness.clock.forward(0.9)
    assert await harness.ladder.turn() == 0
    assert common_cases(harness) == 0
    harness.clock.forward(0.1)
    await harness.ladder.turn()
    assert common_cases(harness) == 1


async def test_no_step_of_a_loss_is_taken_before_its_cause_is_looked_for() -> None:
    harness = Harness(*UNITS, group_every=NEVER_AGAIN)
    await lose(harness, "U1")
    await harness.ladder.turn()
    harness.clock.forward(29)
    await lose(harness, "U2", "U3", "U4")
    harness.clock.forward(1)  # the step of the first is due
    await harness.work()
    assert common_cases(harness) == 1
    assert harness.store.tables.steps == {}, "its cause has shown itself: nobody is told of it alone"


async def test_common_cause_is_not_told_again_when_all_have_come_back() -> None:
    harness = Harness(*UNITS, group_every=NEVER_AGAIN)
    await lose(harness, *UNITS)
    await harness.ladder.turn()
    await harness.take(*[event(Happening.ENDED, of=unit) for unit in UNITS])
    harness.clock.forward(30)  # its first step is due
    await harness.work()
    assert harness.store.tables.steps == {}
    assert not any(case.is_open for case in harness.store.tables.cases.values())


async def test_step_of_a_fault_waits_for_no_cause() -> None:
    harness = Harness(*UNITS, group_every=NEVER_AGAIN)
    await harness.ladder.turn()
    await harness.take(event(of="U1", kind=CaseKind.FAULT))
    harness.clock.forward(30)
    await lose(harness, *UNITS)
    assert await harness.ladder.turn() == 1
    assert common_cases(harness) == 0
