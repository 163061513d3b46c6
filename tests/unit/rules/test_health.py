"""Fire, fault and isolation: per component, whatever order the words arrive in."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.kernel.ids import finding_id
from services.kernel.words import FindingKind
from services.rules.domain.inputs import Signal
from services.rules.domain.unit.points import MAX_CLOSED, MAX_OPEN
from services.rules.domain.words import Anomaly
from tests.unit.rules.scenario import Scenario, when


def speaking() -> Scenario:
    scenario = Scenario()
    scenario.tick(0)
    scenario.beat(0)
    return scenario


def test_a_fire_begins_a_finding_whose_id_alerts_can_compute_from_the_signal() -> None:
    scenario = speaking()
    scenario.signal(1, "fire", "p1", signal_id="the-signal")
    (began,) = scenario.findings("fire")
    assert began.finding_id == finding_id("U1", "fire", "the-signal")
    assert (began.phase, began.open_points, began.moment.signal_id, began.clause) == ("began", 1, "the-signal", "F0")
    assert scenario.health() == "fire"


def test_fire_changes_with_each_point_and_ends_with_the_last() -> None:
    scenario = speaking()
    scenario.signal(1, "fire", "p1")
    scenario.signal(2, "fire", "p2")
    scenario.signal(3, "restore", "p1", restores="fire")
    scenario.signal(4, "restore", "p2", restores="fire")
    assert scenario.phases("fire") == ["began", "changed", "changed", "ended"]
    assert [f.open_points for f in scenario.findings("fire")] == [1, 2, 1, 0]
    assert len({f.finding_id for f in scenario.findings("fire")}) == 1
    assert scenario.health() == "normal"


def test_a_restore_without_a_point_ends_all_of_its_kind_and_no_other() -> None:
    scenario = speaking()
    scenario.signal(1, "fire", "p1")
    scenario.signal(2, "fire")
    scenario.signal(3, "fault", "p1")
    scenario.signal(4, "restore", restores="fire")
    assert (scenario.phases("fire")[-1], scenario.phases("fault")) == ("ended", ["began"])
    assert scenario.health() == "fault"


def test_restore_all_ends_everything() -> None:
    scenario = speaking()
    for number, kind in enumerate(("fire", "fault", "isolation")):
        scenario.signal(1 + number, kind, "p1")
    scenario.signal(9, "restore", restores="all")
    assert scenario.health() == "normal"
    assert [scenario.phases(kind)[-1] for kind in ("fire", "fault", "isolation")] == ["ended"] * 3


def test_isolating_a_faulty_point_does_not_cure_it() -> None:
    scenario = speaking()
    scenario.signal(1, "fault", "p1")
    scenario.signal(2, "isolation", "p1")
    assert scenario.phases("fault") == ["began"]
    assert (scenario.health(), scenario.engine.units["U1"].condition.open_points(FindingKind.FAULT)) == ("fault", 1)
    scenario.signal(3, "restore", "p1", restores="fault")
    assert scenario.health() == "partly_isolated"


def test_isolation_of_the_whole_unit_is_graver_than_a_fault() -> None:
    scenario = speaking()
    scenario.signal(1, "fault", "p1")
    scenario.signal(2, "isolation")
    assert scenario.health() == "isolated"


@pytest.mark.parametrize("kind", ["test", "duty_answer", "analog", "supervisory"])
def test_other_signals_are_stored_and_alarm_nobody(kind: str) -> None:
    scenario = speaking()
    scenario.signal(1, kind, "p1")
    scenario.signal(2, "restore", restores="supervisory")
    assert (scenario.health(), scenario.said.findings) == ("normal", [])
    assert [s.kind for s in scenario.said.signals] == [kind, "restore"]


def test_a_repeated_signal_has_one_effect_and_is_stored_once() -> None:
    scenario = speaking()
    for at_s in range(1, 50):
        scenario.signal(at_s, "fault", "p1", signal_id="same")
    assert len(scenario.said.signals) == 1
    assert scenario.phases("fault") == ["began"]
    assert scenario.engine.anomalies[Anomaly.DUPLICATE] == 48


def test_a_point_that_repeats_its_fault_tells_nothing_new() -> None:
    scenario = speaking()
    scenario.signal(1, "fault", "p1")
    scenario.signal(2, "fault", "p1")
    assert scenario.phases("fault") == ["began"]


def test_a_fault_that_comes_six_hours_late_behind_its_end_changes_nothing() -> None:
    scenario = speaking()
    scenario.signal(1, "restore", "p1", restores="fault", occurred_at=when(1))
    scenario.signal(2, "fault", "p1", occurred_at=when(2 - 6 * 3600), clock_behind=True)
    assert (scenario.health(), scenario.said.findings) == ("normal", [])


def test_a_fire_of_a_device_whose_clock_was_reset_is_never_taken_for_old_news() -> None:
    scenario = speaking()
    scenario.signal(1, "fire", "p1", occurred_at=when(1))
    scenario.signal(2, "restore", "p1", restores="fire", occurred_at=when(2))
    scenario.signal(3, "fire", "p1", occurred_at=when(-3600), clock_behind=True)
    assert scenario.health() == "fire"
    scenario.signal(4, "restore", "p1", restores="fire", occurred_at=when(-3599), clock_behind=True)
    assert scenario.health() == "normal"


def test_a_device_clock_ten_minutes_ahead_is_not_believed() -> None:
    scenario = speaking()
    scenario.signal(1, "fault", "p1", occurred_at=when(601), clock_ahead=True)
    scenario.signal(2, "restore", "p1", restores="fault", occurred_at=when(602), clock_ahead=True)
    assert scenario.health() == "normal"
    assert [t.effective for t in scenario.transitions(aspect="health")][-2:] == [when(1), when(2)]


def test_a_fire_that_is_told_again_after_a_reset_burns_though_its_clock_is_behind() -> None:
    scenario = speaking()
    scenario.signal(90, "fire", "p1", occurred_at=when(30))  # the panel's clock is a minute behind
    scenario.signal(100, "restore", restores="fire", occurred_at=when(100))  # the transmission device's is right
    scenario.signal(115, "fire", "p1", occurred_at=when(55))
    assert (scenario.phases("fire"), scenario.health()) == (["began", "ended", "began"], "fire")
    scenario.signal(130, "restore", "p1", restores="fire", occurred_at=when(70))
    assert (scenario.phases("fire")[-1], scenario.health()) == ("ended", "normal")


@pytest.mark.parametrize("point", ["p1", '["1.0", "3"]'])
def test_a_fire_after_the_clock_was_set_back_burns(point: str) -> None:
    scenario = speaking()
    scenario.signal(100, "restore", point, restores="fire", occurred_at=when(350))
    scenario.signal(101, "restore", '["1.0", "*"]', restores="fire", system='["1.0", ', occurred_at=when(351))
    scenario.signal(160, "fire", point, occurred_at=when(160))
    assert (scenario.phases("fire"), scenario.health()) == (["began"], "fire")
    scenario.signal(200, "restore", point, restores="fire", occurred_at=when(200))
    assert (scenario.phases("fire")[-1], scenario.health()) == ("ended", "normal")


def test_an_end_that_waited_in_another_lane_does_not_end_the_fire_that_overtook_it() -> None:
    scenario = speaking()
    scenario.signal(10, "fire", "p1", occurred_at=when(10))
    scenario.signal(12, "restore", "p1", restores="fire", occurred_at=when(5))
    assert (scenario.phases("fire"), scenario.health()) == (["began"], "fire")
    assert scenario.engine.anomalies[Anomaly.STALE] == 1


@pytest.mark.thorough
@pytest.mark.parametrize("order", list(permutations(range(5))))
def test_fires_and_ends_by_different_clocks_end_in_the_same_state_in_any_order(order: tuple[int, ...]) -> None:
    ends = (("p1", 100, 350), ("", 160, 90), ("p1", 170, 140))
    fires = ((150, 150), (172, 145))  # received, by the device's clock; the second arrived after every end
    told = [("fire", "p1", "", received, occurred) for received, occurred in fires]
    told += [("restore", point, "fire", received, occurred) for point, received, occurred in ends]
    scenario = speaking()
    for number in order:
        kind, point, restores, received, occurred = told[number]
        scenario.signal(received, kind, point, restores, occurred_at=when(occurred))
    assert (scenario.health(), scenario.engine.units["U1"].condition.open_points(FindingKind.FIRE)) == ("fire", 1)
    scenario.signal(180, "restore", "p1", restores="fire", occurred_at=when(180))
    assert scenario.health() == "normal"


def test_a_fire_that_is_delivered_again_after_its_end_is_told_as_over() -> None:
    scenario = speaking()
    scenario.signal(2, "restore", "p1", restores="fire", occurred_at=when(2))
    scenario.signal(3, "fire", "p1", signal_id="late-fire", occurred_at=when(1), redelivered=True)
    assert scenario.phases("fire") == ["began", "ended"]
    assert {f.finding_id for f in scenario.findings("fire")} == {finding_id("U1", "fire", "late-fire")}
    assert scenario.health() == "normal"


def test_a_retained_fault_is_stored_and_changes_nothing() -> None:
    scenario = speaking()
    scenario.signal(1, "fault", "p1", retained=True)
    assert (scenario.health(), len(scenario.said.signals)) == ("normal", 1)


STORY = [
    ("fault", "p1", "", 1),
    ("restore", "p1", "fault", 2),
    ("fault", "p1", "", 3),
    ("fire", "p2", "", 4),
    ("restore", "", "all", 5),
    ("isolation", "p3", "", 6),
]


@pytest.mark.parametrize("order", list(permutations(range(len(STORY))))[::29])
def test_any_order_of_arrival_ends_in_the_same_state(order: tuple[int, ...]) -> None:
    scenario = speaking()
    for number in order:
        kind, point, restores, at_s = STORY[number]
        signal = Signal("U1", "G1", f"s{number}", kind, when(at_s), scenario.offset, point=point, restores=restores)
        scenario.feed(signal)
        scenario.feed(signal)
    unit = scenario.engine.units["U1"]
    assert [
        unit.condition.open_points(kind) for kind in (FindingKind.FIRE, FindingKind.FAULT, FindingKind.ISOLATION)
    ] == [
        0,
        0,
        1,
    ]
    assert (scenario.health(), set(unit.findings)) == ("partly_isolated", {FindingKind.ISOLATION})


def test_open_faults_are_bounded_and_counted() -> None:
    scenario = speaking()
    for number in range(MAX_OPEN + 5):
        scenario.signal(1, "fault", f"p{number}")
    assert scenario.engine.units["U1"].condition.open_points(FindingKind.FAULT) == MAX_OPEN
    assert scenario.engine.anomalies[Anomaly.TOO_MANY_POINTS] == 5


def test_beyond_the_bound_a_fire_stands_for_the_whole_unit() -> None:
    scenario = speaking()
    for number in range(MAX_OPEN + 5):
        scenario.signal(1, "fire", f"p{number}")
    for number in range(MAX_OPEN):
        scenario.signal(2, "restore", f"p{number}", restores="fire")
    assert scenario.health() == "fire"
    scenario.signal(3, "restore", restores="fire")
    assert scenario.health() == "normal"


def test_ends_that_are_remembered_are_bounded() -> None:
    scenario = speaking()
    for number in range(MAX_CLOSED * 3):
        scenario.signal(1 + number, "restore", f"p{number}", restores="fault")
    trouble = scenario.engine.units["U1"].condition.trouble(FindingKind.FAULT)
    assert len(trouble.words) == MAX_CLOSED


def test_heartbeats_are_counted_by_the_hour_and_repeats_are_not() -> None:
    scenario = Scenario()
    for at_s in range(0, 3601, 60):
        scenario.tick(at_s - 0.5)
        for _ in range(2):
            scenario.beat(at_s, signal_id=f"h{at_s}")
        scenario.ticks(at_s, at_s + 59, step_s=5)
    assert [(h.hour, h.beats) for h in scenario.said.hours] == [(when(0), 60)]


ONE, TWO, OTHER = '["1.0", "3"]', '["1.0", "4"]', '["12.0", "3"]'


def restore_system(scenario: Scenario, at_s: float, system: str) -> None:
    scenario.signal(at_s, "restore", f'{system}"*"]', "fire", system=system)


def test_the_end_of_a_whole_system_leaves_other_systems_burning() -> None:
    scenario = Scenario()
    for at_s, point in enumerate((ONE, TWO, OTHER), start=1):
        scenario.signal(at_s, "fire", point)
    restore_system(scenario, 5, '["1.0", ')
    assert scenario.phases("fire") == ["began", "changed", "changed", "changed"]
    assert scenario.health() == "fire"
    restore_system(scenario, 6, '["12.0", ')
    assert (scenario.phases("fire")[-1], scenario.health()) == ("ended", "normal")


@settings(max_examples=60, deadline=None)
@given(
    words=st.lists(
        st.tuples(st.sampled_from(["system", "hall", "stairs"]), st.booleans(), st.integers(1, 50)), max_size=12
    )
)
def test_no_end_of_a_whole_systems_own_fire_ends_that_of_a_component(words: list[tuple[str, bool, int]]) -> None:
    """Words of a system and of two of its components, each by a clock of the device that goes as it likes."""
    scenario = speaking()
    newest: dict[str, tuple[int, bool]] = {}
    for number, (who, burns, occurred) in enumerate(words):
        point = f'["1.0", "{who}"]'
        if burns:
            scenario.signal(100 + number, "fire", point, occurred_at=when(occurred))
        else:
            scenario.signal(100 + number, "restore", point, restores="fire", occurred_at=when(occurred))
        newest[who] = (number, burns)
    if any(burns for who, (_, burns) in newest.items() if who != "system"):
        assert scenario.health() == "fire"


def test_a_fire_that_is_delivered_again_after_the_end_of_its_system_is_old_news() -> None:
    scenario = Scenario()
    scenario.signal(1, "fire", OTHER)
    restore_system(scenario, 5, '["1.0", ')
    scenario.signal(6, "fire", ONE, occurred_at=when(4), redelivered=True)
    assert scenario.phases("fire") == ["began"]
    scenario.signal(7, "fire", TWO)
    assert scenario.phases("fire") == ["began", "changed"]


def test_what_was_replayed_counts_but_does_not_show_that_its_gateway_lives() -> None:
    scenario = Scenario()
    scenario.signal(1, "fault", ONE, replayed=True)
    assert (scenario.health(), scenario.connection()) == ("fault", "never_connected")
    scenario.signal(2, "test", replayed=True)
    assert scenario.connection() == "never_connected"


def test_a_fire_that_ended_before_it_was_replayed_is_told_and_over() -> None:
    scenario = Scenario()
    scenario.signal(10, "restore", ONE, "fire")
    scenario.signal(90_000, "fire", ONE, replayed=True, first_received_at=when(5))
    assert (scenario.phases("fire"), scenario.health()) == (["began", "ended"], "normal")


def test_what_is_replayed_after_days_is_not_written_into_days_that_are_closed() -> None:
    scenario = Scenario()
    scenario.signal(200_000, "fault", ONE, replayed=True, first_received_at=when(5), occurred_at=when(4))
    (began,) = [one for one in scenario.said.findings if one.kind == "fault"]
    assert (began.moment.effective, began.moment.detected) == (when(200_000), when(200_000))
    scenario.signal(200_001, "restore", ONE, "fault", replayed=True, first_received_at=when(6))
    assert scenario.phases("fault") == ["began", "ended"]


def test_a_replay_is_no_sign_that_anybody_was_looking() -> None:
    scenario = Scenario()
    scenario.ticks(0, 5)
    seen = scenario.engine.watch.seen
    scenario.signal(100_000, "fault", ONE, replayed=True, first_received_at=when(4))
    assert scenario.engine.watch.seen == seen


def test_an_unreadable_alarm_is_a_sign_of_life_and_a_finding_that_leaves_no_state() -> None:
    scenario = speaking()
    for number in (1, 2):
        scenario.signal(number, "unreadable_alarm", signal_id=f"u{number}")
    told = scenario.findings("unreadable_alarm")
    assert [one.finding_id for one in told] == [finding_id("U1", "unreadable_alarm", f"u{n}") for n in (1, 2)]
    assert scenario.phases("unreadable_alarm") == ["began", "began"]
    assert (scenario.health(), scenario.connection()) == ("normal", "online")
    assert scenario.engine.units["U1"].findings == {}
    assert scenario.engine.units["U1"].connection.last_proof() == when(2)
    scenario.signal(3, "restore", restores="all")
    assert scenario.phases("unreadable_alarm") == ["began", "began"]
