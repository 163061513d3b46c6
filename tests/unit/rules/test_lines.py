"""A line that drops and comes back: said to be unstable, and as connected as it is."""

import pytest

from services.rules.domain.lines import UNSTABLE_AT
from services.rules.domain.snapshot import restore, snapshot_head, snapshot_unit
from services.rules.worker.owned_partition import row_of
from tests.unit.rules.scenario import Scenario, when

FIGURES = ("transitions", "findings", "hours", "samples")


def flap(scenario: Scenario, first_s: float, count: int, every_s: float = 2.0, gateway: str = "") -> float:
    """A gateway whose will is told and who comes back a second later; return when that ended."""
    at_s = first_s
    for _ in range(count):
        scenario.signal(at_s, "link_down")
        scenario.signal(at_s + 1, "link_up")
        scenario.tick(at_s + 1.5)
        at_s += every_s
    return at_s


def test_a_line_that_drops_every_two_seconds_is_connected_and_unstable() -> None:
    scenario = Scenario()
    scenario.beat(0)
    scenario.ticks(0, 2)
    flap(scenario, 3, 60)
    unit = scenario.engine.units["U1"]
    assert scenario.connection() == "online"
    assert (unit.connection.line_drops, unit.connection.unstable_until) == (60, when(3 + 59 * 2 + 600))
    assert scenario.engine.counters.unstable_now(scenario.engine.watch.watermark) == 1
    assert row_of(unit).line_drops == 60


def test_a_device_that_calls_anew_every_two_seconds_is_unstable_and_no_figure_changes() -> None:
    calm, restless = Scenario(), Scenario()
    for at_s in range(0, 240, 2):
        calm.signal(at_s, "fault") if at_s == 100 else calm.beat(at_s, signal_id=f"b{at_s}")
        if at_s == 100:
            restless.signal(at_s, "fault", reconnected=True)
        else:
            restless.signal(at_s, "heartbeat", signal_id=f"b{at_s}", reconnected=True)
        for scenario in (calm, restless):
            scenario.tick(at_s + 1)
    assert restless.engine.units["U1"].connection.line_drops == 120
    assert calm.engine.units["U1"].connection.line_drops == 0
    for scenario in (calm, restless):
        scenario.ticks(240, 4000, step_s=5)
    for figure in FIGURES:
        assert getattr(calm.said, figure) == getattr(restless.said, figure)
    assert restless.engine.counters.unstable_now(restless.engine.watch.watermark) == 0, "it ended ten minutes later"


@pytest.mark.parametrize(("count", "every_s"), [(UNSTABLE_AT - 1, 2), (100, 3600 / 20)])
def test_a_few_drops_or_many_in_a_long_time_are_no_unstable_line(count: int, every_s: float) -> None:
    scenario = Scenario()
    scenario.beat(0)
    flap(scenario, 3, count, every_s)
    assert (scenario.engine.units["U1"].connection.unstable_until, scenario.engine.counters.unstable) == (0, {})


def test_what_is_retained_replayed_or_repeated_is_no_drop() -> None:
    scenario = Scenario()
    scenario.beat(0)
    for number in range(20):
        scenario.signal(number, "link_down", retained=True)
        scenario.signal(number, "link_down", signal_id="again")
        scenario.signal(number, "fault", replayed=True, first_received_at=when(1))
        scenario.signal(number, "heartbeat", signal_id="same", reconnected=True)
    assert scenario.engine.dropped == 2


def test_a_restart_goes_on_where_it_was() -> None:
    scenario = Scenario(units=2)
    for unit_id in ("U1", "U2"):
        scenario.beat(0, unit_id)
    flap(scenario, 3, UNSTABLE_AT)
    saved = [snapshot_unit(unit) for unit in scenario.engine.units.values()]
    assert ["unstable_until" in one.state for one in saved] == [True, False]
    assert ["drops" in one.state for one in saved] == [True, False], "as before where nothing dropped"
    again = restore(snapshot_head(scenario.engine), saved, never_grace=0, unit_rows={}, gateway_rows={}, pack_rows={})
    assert again.units["U1"].connection.unstable_until == scenario.engine.units["U1"].connection.unstable_until
    assert again.units["U1"].connection.links[0].drops == scenario.engine.units["U1"].connection.links[0].drops
    assert again.counters.unstable == scenario.engine.counters.unstable
