"""Common causes and the steps that are due: no loss is told alone that has a cause, and no look holds others up."""

import pytest

from services.alerts.domain.case.event import Happening
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.errors import Conflict
from services.alerts.worker.ladder import STEPS_AT_ONCE
from services.kernel.words import Recipient
from tests.fakes.alerts_store import MemoryTransaction
from tests.unit.alerts.build import FIRE_LADDER, RULES, T0, event, step
from tests.unit.alerts.harness import Harness

UNITS = ("U1", "U2", "U3", "U4")


def common_cases(harness: Harness) -> int:
    return sum(case.is_common for case in harness.store.tables.cases.values())


def passed(harness: Harness) -> float:
    return (harness.clock.now() - T0).total_seconds()


async def lose(harness: Harness, *units: str) -> None:
    await harness.take(*[event(of=unit, seconds=passed(harness)) for unit in units])


async def test_no_step_of_a_loss_is_taken_before_its_cause_is_looked_for() -> None:
    harness = Harness(*UNITS)
    await lose(harness, "U1")
    await harness.ladder.turn()
    harness.clock.forward(29)
    await lose(harness, "U2", "U3", "U4")
    harness.clock.forward(1)  # the step of the first is due
    await harness.work()
    assert common_cases(harness) == 1
    assert harness.store.tables.steps == {}, "its cause has shown itself: nobody is told of it alone"


async def test_common_cause_is_not_told_again_when_all_have_come_back() -> None:
    harness = Harness(*UNITS)
    await lose(harness, *UNITS)
    await harness.ladder.turn()
    await harness.take(*[event(Happening.ENDED, of=unit) for unit in UNITS])
    harness.clock.forward(30)  # its first step is due
    await harness.work()
    assert harness.store.tables.steps == {}
    assert not any(case.is_open for case in harness.store.tables.cases.values())


def look_in_vain(monkeypatch: pytest.MonkeyPatch, *, conflict: bool) -> None:
    """Let looks for causes come to nothing: another process looks just now, or wrote the same case first."""

    async def nothing(_: MemoryTransaction) -> bool:
        if conflict:
            raise Conflict("UniqueViolation")
        return False

    monkeypatch.setattr(MemoryTransaction, "alone_with_common_causes", nothing)


@pytest.mark.parametrize("conflict", [True, False])
async def test_a_look_in_vain_holds_no_step_up(monkeypatch: pytest.MonkeyPatch, *, conflict: bool) -> None:
    many = [f"U{number}" for number in range(2 * STEPS_AT_ONCE)]
    harness = Harness(*many)
    look_in_vain(monkeypatch, conflict=conflict)
    await lose(harness, *many)
    harness.clock.forward(1)
    await harness.take(event(of="U1", kind=CaseKind.FAULT, seconds=1))
    harness.clock.forward(30)  # all are due, the fault after the losses
    for _ in range(3):
        await harness.ladder.turn()
    assert len(harness.store.tables.steps) == len(many) + 1
    assert await harness.ladder.turn() == 0, "no work that calls for the next turn at once"


async def test_a_look_that_succeeds_after_one_in_vain_finds_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = Harness(*UNITS)
    with monkeypatch.context() as meanwhile:
        look_in_vain(meanwhile, conflict=True)
        await lose(harness, *UNITS)
        harness.clock.forward(10)
        await harness.ladder.turn()
    await harness.ladder.turn()
    assert common_cases(harness) == 1
    assert harness.store.tables.steps == {}


async def test_a_fire_stands_before_all_losses_that_are_due(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [f"U{number}" for number in range(2 * STEPS_AT_ONCE)]
    ladders = RULES.ladders | {CaseKind.FIRE: (*FIRE_LADDER, step("F1", 1 / 60, Recipient.CENTRE))}
    harness = Harness(*many, "F", ladders=ladders)
    look_in_vain(monkeypatch, conflict=True)
    await lose(harness, *many)
    harness.clock.forward(1)
    await harness.take(event(Happening.FIRED, of="F", kind=CaseKind.FIRE, seconds=1), topic="alarms")
    harness.clock.forward(60)
    assert await harness.ladder.turn() == STEPS_AT_ONCE
    assert [code for _, code in harness.store.tables.steps][:2] == [FIRE_LADDER[0].code, "F1"]
