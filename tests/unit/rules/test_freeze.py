"""Saved states of earlier formats: what was open stays open, what was over stays over."""

from typing import Any

import pytest

from services.kernel.words import FindingKind
from services.rules.domain.engine import Engine
from services.rules.domain.freeze import FORMAT, ORDERED_ONCE, UnknownFormat, freeze_head, freeze_unit, thaw
from services.rules.domain.inputs import Signal
from tests.unit.rules.scenario import Scenario, when

FIRST = [-1, -1, -1]


def before(troubles: dict[str, Any], saved_format: int = ORDERED_ONCE) -> Engine:
    """Return what is read of the state of a unit with these troubles, as the format before wrote them."""
    scenario = Scenario()
    head = freeze_head(scenario.engine) | {"format": saved_format}
    plain = freeze_unit(scenario.engine.units["U1"])
    plain[14] = {"fire": [FIRST, []], "fault": [FIRST, [], []], "isolation": [FIRST, [], []]} | troubles
    return thaw(head, [plain], never_grace=0, unit_rows={}, gateway_rows={}, pack_rows={})


def key(at_s: float, rank: int) -> list[int]:
    return [when(at_s), when(at_s), rank]


def said(at_s: float, kind: str, point: str, restores: str = "") -> Signal:
    return Signal("U1", "G1", f"{kind}-{at_s}-{point}", kind, when(at_s), 1000, point=point, restores=restores)


@pytest.mark.parametrize("kind", ["fire", "fault"])
def test_what_the_format_before_held_open_is_open_and_ends(kind: str) -> None:
    engine = before({kind: [FIRST, [["p1", key(10, 1), True], ["p2", key(11, 0), False]]]})
    unit = engine.units["U1"]
    assert unit.open_points(FindingKind(kind)) == 1
    engine.apply(said(9, "restore", "p1", kind))
    assert unit.open_points(FindingKind(kind)) == 1
    engine.apply(said(20, "restore", "p1", kind))
    assert unit.open_points(FindingKind(kind)) == 0


def test_what_the_format_before_held_for_over_is_over() -> None:
    engine = before({"fault": [key(5, 0), [["p2", key(9, 0), False]], [["q", key(7, 0)]]]})
    unit = engine.units["U1"]
    for at_s, point in ((4, "p1"), (8, "p2"), (6, "q1")):
        engine.apply(said(at_s, "fault", point))
    assert unit.open_points(FindingKind.FAULT) == 0
    for at_s, point in ((6, "p1"), (10, "p2"), (8, "q1")):
        engine.apply(said(at_s, "fault", point))
    assert unit.open_points(FindingKind.FAULT) == 3


def test_what_was_remembered_without_its_words_is_known_by_its_id() -> None:
    scenario = Scenario()
    scenario.signal(1, "fire", "p1", signal_id="s1")
    plain = freeze_unit(scenario.engine.units["U1"])
    assert plain[16] == ["s1 "]
    plain[16] = ["s1"]
    engine = thaw(freeze_head(scenario.engine), [plain], never_grace=0, unit_rows={}, gateway_rows={}, pack_rows={})
    engine.apply(Signal("U1", "G1", "s1", "restore", when(2), 1000, point="p1", restores="fire"))
    assert engine.units["U1"].open_points(FindingKind.FIRE) == 1


def test_another_format_is_refused() -> None:
    with pytest.raises(UnknownFormat, match="format 3"):
        before({}, FORMAT + 1)
