"""What comes when its days are final is counted and told: once, and dated as figures date it."""

from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from services.compliance.domain.signals import SignalFact
from services.compliance.metrics import ClosingMetrics
from services.compliance.ports import Step
from services.compliance.worker.closing import Closing
from services.kernel.calendar import DAY, midnight, moment
from tests.fakes.clock import ManualClock
from tests.fakes.compliance import NOW

KEPT_DAY = 20_524
FINAL = midnight(KEPT_DAY)
NAMES = ("firenet_figures_too_late_total", "firenet_figures_late_troubles_total")


class Store:
    async def take(self, step: Step) -> None:
        """Keep nothing."""


class Log:
    def __init__(self, catches_up: bool) -> None:
        self.catches_up = catches_up


def signal(kind: str, received: int, refused: int | None = None) -> tuple[SignalFact, str]:
    fact = SignalFact(
        key=("/gateways/G1", f"{kind}-{received}-{refused}"),
        received=received,
        pair=("G1", "U1"),
        kind=kind,
        flags=frozenset() if refused is None else frozenset({"replayed"}),
        seq=None,
        occurred_at=None,
        first_received_at=refused,
        system="",
        address=None,
        restores=None,
    )
    return fact, ""


@pytest.mark.parametrize(
    ("signals", "catches_up", "counted"),
    [
        ([signal("fault", FINAL + 40 * DAY, FINAL - 1)], False, (1, 1)),
        ([signal("restore", FINAL + 40 * DAY, FINAL - 1)], False, (1, 0)),
        ([signal("fault", FINAL + 40 * DAY, FINAL)], False, (0, 0)),
        ([signal("fault", FINAL + 40 * DAY)], False, (0, 0)),
        # the log is folded anew up to where it was: all of it was told when it came
        ([signal("fault", FINAL + 40 * DAY, FINAL - 1), signal("fault", FINAL - 1)], True, (0, 0)),
    ],
)
async def test_a_trouble_is_too_late_by_when_it_was_refused_and_is_told_once(
    signals: list[tuple[SignalFact, str]], catches_up: bool, counted: tuple[int, int]
) -> None:
    registry, told = CollectorRegistry(), list[tuple[str, Any]]()
    closing = Closing(
        log=cast(Any, Log(catches_up)),
        store=cast(Any, Store()),
        metrics=ClosingMetrics(registry),
        clock=ManualClock(NOW),
        tell=lambda name, **said: told.append((name, said["at"])),
        wake=lambda: None,
        poll_s=1.0,
        kept_from=lambda now, _: now,
    )
    heartbeats = {("G1", "U1"): [FINAL - 1]} if catches_up else {}
    await closing._take(Step(0, 0, "", heartbeats=heartbeats, signals=signals), KEPT_DAY)
    assert tuple(registry.get_sample_value(name) for name in NAMES) == counted
    assert told == [("figures_trouble_too_late", moment(FINAL - 1).isoformat())] * counted[1]
