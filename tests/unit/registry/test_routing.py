"""Who answers for a unit."""

from datetime import date

from services.kernel.words import Construction
from services.registry.domain.routing import resolve
from tests.unit.registry.builders import DAY, policy, unit


def test_unknown_category_goes_to_the_street_and_counts_as_unrouted() -> None:
    route = resolve(unit(category="SPACEPORT"), policy(), DAY)
    assert (route.lead, route.copies, route.routed) == ("T001", ("brigade",), False)


def test_street_named_by_a_clause_is_routed() -> None:
    route = resolve(unit(category="NINE_SMALL"), policy(), DAY)
    assert (route.lead, route.copies, route.routed) == ("T001", ("police",), True)


def test_new_building_without_connection_is_told_to_construction() -> None:
    new = unit(construction=Construction.NEW_BUILD, commissioned_on=None)
    assert resolve(new, policy(), DAY).copies == ("construction",)


def test_new_building_that_is_connected_is_not() -> None:
    new = unit(construction=Construction.EXTENDED, commissioned_on=DAY)
    assert resolve(new, policy(), DAY).copies == ()


def test_connection_planned_for_later_does_not_count_yet() -> None:
    new = unit(construction=Construction.RENOVATED, commissioned_on=date(2026, 3, 3))
    assert resolve(new, policy(), DAY).copies == ("construction",)


def test_lead_is_never_its_own_copy_and_nobody_is_named_twice() -> None:
    new = unit(category="GAS", construction=Construction.NEW_BUILD, commissioned_on=None)
    also = resolve(unit(category="ELDERLY", also_told=("health", "civil-affairs", "police")), policy(), DAY)
    assert resolve(new, policy(), DAY).copies == ("emergency",)
    assert also.copies == ("health", "police")
