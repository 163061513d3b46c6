"""What begins and ends at one component is told once each, with its instants, its cause and its evidence."""

from services.kernel.words import FindingKind
from services.rules.domain.effects import REGISTRY_TOPIC, SIGNALS_TOPIC, ComponentTransition
from services.rules.domain.facts import GatewayVersion
from services.rules.domain.time.instants import day_start
from services.rules.domain.unit.points import MAX_OPEN
from services.rules.domain.words import Cause
from tests.unit.rules.scenario import LISTED, PLAIN, Scenario, when


def told(scenario: Scenario) -> list[tuple[str, str, bool]]:
    return [(one.kind.value, one.point, one.open) for one in scenario.said.components]


def test_a_trouble_begins_and_ends_once_at_its_component() -> None:
    scenario = Scenario()
    scenario.signal(60, "fault", "p1", occurred_at=when(58))
    begun_at = scenario.offset - 1
    scenario.signal(70, "fault", "p1", occurred_at=when(69))
    scenario.signal(80, "restore", "p1", restores="fault", occurred_at=when(79), signal_id="the-end")
    scenario.signal(90, "restore", "p1", restores="fault", occurred_at=when(89))
    begun, ended = scenario.said.components
    assert (begun.unit_id, begun.kind, begun.point, begun.open) == ("U1", FindingKind.FAULT, "p1", True)
    assert (begun.effective, begun.detected, begun.cause) == (when(58), when(60), Cause.SIGNAL)
    assert begun.evidence == (SIGNALS_TOPIC, begun_at)
    assert (ended.open, ended.effective, ended.detected) == (False, when(79), when(80))


def test_kinds_and_components_of_one_unit_have_histories_apart() -> None:
    scenario = Scenario()
    scenario.signal(1, "fault", "p1")
    scenario.signal(2, "isolation", "p1")
    scenario.signal(3, "isolation")
    scenario.signal(4, "restore", "p1", restores="isolation")
    assert told(scenario) == [
        ("fault", "p1", True), ("isolation", "p1", True), ("isolation", "", True), ("isolation", "p1", False),
    ]  # fmt: skip


def test_the_end_of_a_system_or_of_everything_ends_each_component_that_was_open() -> None:
    scenario = Scenario()
    for point in ("a1", "a2", "b1"):
        scenario.signal(1, "fault", point)
    scenario.signal(2, "fire", "b1")
    scenario.signal(3, "restore", "a*", restores="all", system="a")
    assert told(scenario)[4:] == [("fault", "a1", False), ("fault", "a2", False)]
    scenario.signal(4, "restore", restores="all")
    assert told(scenario)[6:] == [("fire", "b1", False), ("fault", "b1", False)]
    assert len({one.transition_id for one in scenario.said.components}) == 8


def test_a_begin_that_comes_after_its_own_end_says_nothing() -> None:
    scenario = Scenario()
    scenario.signal(80, "restore", "p1", restores="fault", occurred_at=when(79))
    scenario.signal(90, "fault", "p1", occurred_at=when(60))
    assert told(scenario) == []


def test_a_fire_beyond_the_bound_stands_for_the_whole_unit_and_a_fault_is_dropped() -> None:
    scenario = Scenario()
    for kind in ("fire", "fault"):
        for number in range(MAX_OPEN + 1):
            scenario.signal(1, kind, f"p{number}")
    fires = [one.point for one in scenario.said.components if one.kind is FindingKind.FIRE]
    assert fires[-2:] == [f"p{MAX_OPEN - 1}", ""]
    assert len(scenario.said.components) - len(fires) == MAX_OPEN


def test_what_a_unit_had_open_before_it_was_listed_is_told_when_it_is_listed_since_its_latest_begin() -> None:
    scenario = Scenario(0)
    scenario.signal(40, "fault", "p1", occurred_at=when(30))
    scenario.signal(60, "fault", "p1", occurred_at=when(50))
    scenario.signal(61, "fault", "p2")
    scenario.signal(62, "restore", "p2", restores="fault")
    assert told(scenario) == []
    known = when(100)
    scenario.engine.registry(
        units={"U1": (PLAIN._replace(recorded_at=known),)},
        gateways={"G1": (GatewayVersion(LISTED, day_start(LISTED), "U1", "carrier-a"),)},
    )
    scenario.collect()
    (one,) = scenario.said.components
    assert_listed(one, known)


def assert_listed(one: ComponentTransition, known: int) -> None:
    assert (one.kind, one.point, one.open) == (FindingKind.FAULT, "p1", True)
    assert (one.effective, one.detected) == (when(50), known)
    assert (one.cause, one.evidence) == (Cause.REGISTRY, (REGISTRY_TOPIC, 0))
