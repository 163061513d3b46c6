"""A component that begins the same trouble again and again is a finding of its own, and holds nothing back."""

from dataclasses import replace

import pytest

from services.kernel.words import FindingKind
from services.rules.domain.facts import PackVersion, RunawayRule
from services.rules.domain.snapshot import SavedUnit, restore, snapshot_head, snapshot_unit
from services.rules.domain.time.instants import SECOND
from services.rules.domain.unit.repeats import MAX_REMEMBERED
from tests.unit.rules.scenario import PACK, Scenario, since_t0, when

RULE = RunawayRule(3, 600 * SECOND, 1200 * SECOND, "runaway clause")
WITH_RULE = replace(PACK, runaway=RULE)
KIND = "runaway_component"


def watched(pack: PackVersion = WITH_RULE) -> Scenario:
    told = Scenario(1, pack)
    told.ticks(0, 5, step_s=5)
    return told


def again_and_again(told: Scenario, *at_s: float, kind: str = "fault", point: str = "p") -> None:
    """Let a component begin a trouble and end it a second later, at each of these instants."""
    for at in at_s:
        told.ticks(since_t0(told.engine.watch.watermark or 0) + 5, at, step_s=5)
        told.signal(at, kind, point=point)
        told.signal(at + 1, "restore", point=point, restores=kind)


def runaway(told: Scenario) -> list[tuple[str, float, str, int]]:
    return [
        (each.phase.value, since_t0(each.moment.detected), each.point, each.open_points)
        for each in told.findings(KIND, "U1")
    ]


def test_as_many_begins_within_the_window_are_a_finding_that_ends_when_it_was_quiet_for_long_enough() -> None:
    told = watched()
    again_and_again(told, 100, 200)
    assert runaway(told) == []
    again_and_again(told, 300, 800)
    assert runaway(told) == [("began", 300, "p", 1)]
    told.ticks(805, 2000, step_s=5)
    assert runaway(told) == [("began", 300, "p", 1)]
    told.ticks(2005, 2010, step_s=5)
    assert runaway(told) == [("began", 300, "p", 1), ("ended", 2000, "p", 0)]
    [began, ended] = told.findings(KIND)
    assert (began.clause, began.kind, ended.finding_id) == (
        "runaway clause",
        FindingKind.RUNAWAY_COMPONENT,
        began.finding_id,
    )
    assert told.engine.units["U1"].repeats is None


def test_begins_further_apart_other_components_and_other_kinds_are_counted_apart() -> None:
    told = watched()
    again_and_again(told, 100, 500, 1100, 1500)
    again_and_again(told, 1600, 1610, point="q")
    again_and_again(told, 1620, 1630, kind="isolation", point="q")
    assert runaway(told) == []


def test_each_fire_of_a_runaway_component_is_told_as_ever() -> None:
    instants = [100 + 20 * number for number in range(12)]
    told, plain = watched(), watched(PACK)
    for scenario in (told, plain):
        again_and_again(scenario, *instants, kind="fire")
    fires = [(each.event_id, each.phase) for each in told.findings("fire", "U1")]
    assert fires == [(each.event_id, each.phase) for each in plain.findings("fire", "U1")]
    assert len(fires) == 24
    assert [phase for phase, *_ in runaway(told)] == ["began"]


def test_two_components_make_one_finding_that_changes_with_them() -> None:
    told = watched()
    again_and_again(told, 100, 110, 120)
    again_and_again(told, 300, 310, 320, point="q")
    told.ticks(325, 1600, step_s=5)
    assert runaway(told) == [
        ("began", 120, "p", 1), ("changed", 320, "q", 2), ("changed", 1320, "p", 1), ("ended", 1520, "q", 0),
    ]  # fmt: skip
    assert len({each.finding_id for each in told.findings(KIND)}) == 1


@pytest.mark.parametrize("again", [True, False])
def test_what_may_be_an_older_message_once_more_counts_for_nothing(again: bool) -> None:
    told = watched()
    for at in range(100, 200, 10):
        told.signal(at, "fault", point="p", again=again, redelivered=not again)
    assert runaway(told) == []


def test_the_unit_as_a_whole_is_no_component() -> None:
    told = watched()
    again_and_again(told, 100, 110, 120, point="")
    assert runaway(told) == []


def test_in_our_blindness_nothing_is_quiet() -> None:
    told = watched()
    again_and_again(told, 100, 110, 120)
    told.ticks(2000, 3195, step_s=5)  # nobody looked from 121 on
    assert [phase for phase, *_ in runaway(told)] == ["began"]
    told.ticks(3200, 3300, step_s=5)
    assert runaway(told)[-1] == ("ended", 3200, "p", 0)


def saved(told: Scenario) -> tuple[object, list[SavedUnit]]:
    return snapshot_head(told.engine), [snapshot_unit(unit) for unit in told.engine.units.values()]


def test_a_restart_at_any_time_changes_nothing() -> None:
    whole, broken = watched(), watched()
    for step in ((100, 110, 120), (300, 400), (900,)):
        for told in (whole, broken):
            again_and_again(told, *step)
        unit = broken.engine.units["U1"]
        broken.engine = restore(
            snapshot_head(broken.engine),
            [snapshot_unit(unit)],
            never_grace=3600 * SECOND,
            unit_rows={"U1": unit.registration.versions},
            gateway_rows=dict(unit.registration.gateways),
            pack_rows={WITH_RULE.pack_id: (WITH_RULE,)},
        )
        assert saved(whole) == saved(broken)
    for told in (whole, broken):
        told.ticks(905, 3000, step_s=5)
    assert runaway(whole) == runaway(broken) != []
    assert whole.said == broken.said


def test_a_pack_that_counts_them_no_more_ends_it() -> None:
    told = watched()
    again_and_again(told, 100, 110, 120)
    told.engine.registry(packs={"p2": (replace(PACK, version=2, recorded_at=when(130)),)})
    told.ticks(200, 210, step_s=5)
    assert [phase for phase, *_ in runaway(told)] == ["began", "ended"]
    assert told.engine.units["U1"].repeats is None


def test_of_very_many_components_those_that_spoke_last_are_counted() -> None:
    told = watched()
    for number in range(10 * MAX_REMEMBERED):
        told.signal(100 + number / 10, "fault", point=f"p{number}")
    repeats = told.engine.units["U1"].repeats
    assert repeats is not None
    assert len(repeats.begins) == MAX_REMEMBERED
    again_and_again(told, 200, 210, 220)
    assert [phase for phase, *_ in runaway(told)] == ["began"]


def test_where_quiet_is_shorter_than_the_window_it_ends_by_its_quiet_with_a_restart_or_without() -> None:
    told = watched(replace(PACK, runaway=RULE._replace(window=3600 * SECOND, quiet=600 * SECOND)))
    again_and_again(told, 60, 120, 180)
    told.ticks(185, 800, step_s=5)
    assert runaway(told) == [("began", 180, "p", 1), ("ended", 780, "p", 0)]


def test_a_pack_with_a_shorter_quiet_time_holds_from_its_day() -> None:
    told = watched(replace(PACK, runaway=RULE._replace(quiet=86400 * SECOND)))
    again_and_again(told, 100, 110, 120)
    later = replace(PACK, version=2, recorded_at=when(130), runaway=RULE._replace(quiet=600 * SECOND))
    told.engine.registry(packs={"p2": (later,)})
    told.ticks(125, 800, step_s=5)
    assert runaway(told)[-1] == ("ended", 720, "p", 0)
