"""A task that is expected and does not turn makes itself known."""

from services.runtime.task_health import STALL_S, TaskHealth
from tests.fakes.clock import ManualClock
from tests.unit.ingest.build import NOON


def test_a_task_is_ok_while_it_turns_and_stalled_after_a_while_without() -> None:
    clock, turned = ManualClock(NOON), list[str]()
    health = TaskHealth(clock, turned.append)
    health.expect("read", "write")
    assert health.checks() == {"read": "not started", "write": "not started"}
    health.beat("read")
    clock.forward(STALL_S - 1)
    health.beat("write")
    assert health.checks() == {"read": "ok", "write": "ok"}
    clock.forward(1)
    assert health.checks() == {"read": "stalled", "write": "ok"}
    assert turned == ["read", "write"]


def test_what_has_turned_already_is_not_forgotten_when_it_is_expected() -> None:
    health = TaskHealth(ManualClock(NOON), lambda _: None)
    health.beat("read")
    health.expect("read")
    assert health.checks() == {"read": "ok"}
