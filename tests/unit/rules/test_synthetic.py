"""The unit of the synthetic alarm: rules says that it burns, and keeps nothing of it."""

from services.kernel.ids import finding_id
from services.kernel.synthetic import SYNTHETIC
from services.rules.domain.words import Anomaly
from tests.unit.rules.scenario import Scenario


def speaking() -> Scenario:
    scenario = Scenario()
    scenario.tick(0)
    scenario.beat(0)
    return scenario


def test_its_fire_is_a_finding_and_nothing_else() -> None:
    scenario, plain = speaking(), speaking()
    scenario.signal(1, "fire", '["", "mark"]', unit_id=SYNTHETIC, signal_id="s1")
    scenario.signal(2, "restore", restores="all", unit_id=SYNTHETIC)
    scenario.signal(3, "fault", "p1", unit_id=SYNTHETIC)
    plain.offset += 3
    for one in (scenario, plain):
        one.ticks(4, 400)
    (began,) = scenario.findings("fire", SYNTHETIC)
    assert began.finding_id == finding_id(SYNTHETIC, "fire", "s1")
    assert (began.phase, began.point, began.pack_id) == ("began", '["", "mark"]', "none")
    assert [one for one in scenario.said.findings if one.unit_id == SYNTHETIC] == [began]
    # whoever recomputes from what is kept, or counts, never meets it
    assert SYNTHETIC not in scenario.engine.units
    said, unsaid = scenario.said, plain.said
    assert (said.transitions, said.components, said.signals, said.hours) == (
        unsaid.transitions, unsaid.components, unsaid.signals, unsaid.hours,
    )  # fmt: skip
    assert said.samples == unsaid.samples
    assert scenario.engine.counters.health == plain.engine.counters.health
    assert scenario.engine.handled["fire"] == 1, "what is not kept is counted"


def test_the_same_signal_again_has_the_same_ids() -> None:
    scenario = speaking()
    for _ in range(2):
        scenario.signal(1, "fire", "p", unit_id=SYNTHETIC, signal_id="s1")
    first, second = scenario.findings("fire", SYNTHETIC)
    assert (first.event_id, first.finding_id) == (second.event_id, second.finding_id)


def test_its_heartbeats_make_no_unit_whose_silence_is_missed() -> None:
    scenario = speaking()
    scenario.beat(1, SYNTHETIC)
    assert SYNTHETIC not in scenario.engine.units
    assert scenario.engine.anomalies[Anomaly.UNLISTED_UNIT] == 1


def test_a_registered_unit_of_that_name_is_a_unit() -> None:
    scenario = speaking()
    scenario.list_unit(SYNTHETIC)
    scenario.signal(1, "fire", "p1", unit_id=SYNTHETIC)
    assert scenario.health(SYNTHETIC) == "fire"
