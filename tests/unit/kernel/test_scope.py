"""Who is counted in a scope."""

from fractions import Fraction

import pytest

from services.kernel.policy import Target
from services.kernel.scope import Scope

ALL = (frozenset({"key_unit"}), frozenset({"crowded_place", "flammable_place"}))


@pytest.mark.parametrize(
    ("facts", "member"),
    [
        ({"key_unit", "crowded_place"}, True),
        ({"key_unit", "flammable_place", "fire_alarm_system"}, True),
        ({"key_unit"}, False),
        ({"crowded_place", "flammable_place"}, False),
        (set(), False),
    ],
)
def test_each_group_needs_one_fact_that_is_true(facts: set[str], member: bool) -> None:
    assert Scope(ALL, False, "c").holds(frozenset(facts), accepted=False) is member


@pytest.mark.parametrize("accepted", [True, False])
def test_a_scope_by_acceptance_counts_nobody_before_it(accepted: bool) -> None:
    assert Scope(ALL, True, "c").holds(frozenset({"key_unit", "crowded_place"}), accepted=accepted) is accepted


@pytest.mark.parametrize(("written", "text"), [(0.3, "0.3"), (1.0, "1"), (0.05, "0.05")])
def test_a_target_is_the_decimal_that_the_pack_has(written: float, text: str) -> None:
    target = Target.written("T", "m", "S", ">=", written, "12-31", "c")
    assert (target.value, target.text) == (Fraction(text), text)
