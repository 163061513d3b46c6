"""What a transaction leaves to other tasks: those are woken for what is to be done now, not for what comes later."""

from dataclasses import replace

from services.alerts.domain.case.case import Closure
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.ports import Changes
from tests.unit.alerts.build import at, case
from tests.unit.alerts.harness import Harness
from tests.unit.alerts.test_noise import faults


def test_case_whose_step_comes_later_wakes_nobody() -> None:
    opened = case(CaseKind.FAULT)
    changes = Changes(opened={opened.case_id: opened})
    assert not changes.leaves_work
    assert not changes.has_step_due(at(29))
    assert changes.has_step_due(at(30))


def test_step_of_a_case_that_is_over_is_not_due() -> None:
    over = replace(case(CaseKind.FAULT), closure=Closure(at(1), "restored"))
    assert not Changes(updated={over.case_id: over}).has_step_due(at(30))


async def test_notice_to_be_sent_is_work_for_others() -> None:
    harness = Harness()
    await harness.take(*faults("U1"))
    harness.clock.forward(30)
    (due,) = harness.store.tables.cases.values()
    changes = Changes()
    harness.composer.take_step(changes, due, due.ladder[0], harness.clock.now())
    assert changes.notices
    assert changes.leaves_work
