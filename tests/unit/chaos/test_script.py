"""The storm is decided by its seed, and holds everything that a run is to show."""

from collections import Counter
from itertools import pairwise

import pytest

from tests.chaos.blows import plan
from tests.chaos.script import Pace, Said, Script

PARTS = [f"part-{number}" for number in range(10)]
GATEWAYS = [(f"G{number:03}", f"U{number:03}") for number in range(120)]


def story(seed: int, seconds: float = 120.0, calm_at: float | None = None) -> list[Said]:
    script = Script(seed, GATEWAYS, Pace(messages=100.0))
    if calm_at is None:
        return list(script.due(seconds))
    said = list(script.due(calm_at))
    script.calm(calm_at)
    return said + list(script.due(seconds))


@pytest.mark.thorough
def test_a_seed_says_the_same_again_and_another_something_else() -> None:
    assert story(1, 30) == story(1, 30)
    assert story(1, 30) != story(2, 30)


@pytest.mark.thorough
def test_messages_come_in_order_and_each_device_counts_over_its_lanes() -> None:
    said = [one for one in story(3) if not one.again]
    assert all(one.due_s <= other.due_s for one, other in pairwise(said))
    numbers: dict[str, int] = {}
    for one in said:
        if not one.traits.boots:
            assert one.body["seq"] == numbers.get(one.gateway, 0) + 1 + one.skipped
            numbers[one.gateway] = one.body["seq"]


@pytest.mark.thorough
def test_everything_happens() -> None:
    said = story(4)
    assert any(one.again > 128 for one in said)
    said = [one for one in said if not one.again]
    kinds = Counter(one.body["kind"] for one in said)
    assert min(kinds[kind] for kind in ("fire", "restore", "fault", "isolation")) > 5
    assert {one.lane for one in said if one.body["kind"] == "fire"} == {"up", "alarm"}
    assert any(one.skipped for one in said)
    assert any(one.traits.whole_seconds for one in said)
    assert 0.8 * 15000 < len(said) < 1.2 * 15000


@pytest.mark.thorough
def test_a_device_that_boots_says_the_very_same_again() -> None:
    fires = Counter(
        (one.gateway, one.body["seq"], one.clock)
        for one in story(5, 300)
        if one.traits.boots and one.body["kind"] == "fire"
    )
    assert max(fires.values()) >= 2
    assert {clock for _, _, clock in fires} == {946_684_801.0}


@pytest.mark.thorough
def test_after_the_storm_there_are_heartbeats_only() -> None:
    late = [one for one in story(6, 60, calm_at=30) if one.due_s > 45]
    assert {one.body["kind"] for one in late if not one.again} <= {"heartbeat", "restore"}


def test_the_first_ten_blows_hit_every_part_and_the_next_ten_the_other_way() -> None:
    blows = plan(7, 40, PARTS, 40.0, (5, 15))
    assert [one.number for one in blows] == list(range(1, 41))
    assert {one.part for one in blows[:10]} == set(PARTS)
    assert {(one.part, one.kills) for one in blows[:20]} == {(part, kills) for part in PARTS for kills in (True, False)}
    assert all(one.kills or 2 <= one.for_s <= 40 for one in blows)
    assert plan(7, 40, PARTS[::-1], 40.0, (5, 15)) == blows
