"""Effective dates: which versions an import makes."""

from collections.abc import Sequence
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.kernel.effective import in_force, ordered
from services.registry.domain.entities import Routing, Unit, Version
from services.registry.domain.timeline import plan
from tests.unit.registry.builders import T0, unit

JAN, MAR, JUN, SEP = date(2026, 1, 1), date(2026, 3, 1), date(2026, 6, 1), date(2026, 9, 1)
A, B, C = unit(name="A"), unit(name="B"), unit(name="C")


def one_route(_: Unit, __: date) -> Routing:
    return Routing("health", (), True, "003 health 二")


def route_by_half_year(_: Unit, day: date) -> Routing:
    return Routing("health" if day < JUN else "government", (), True, "x")


def version(facts: Unit, day: date, minute: int = 0) -> Version[Unit]:
    return Version(facts, day, T0 + timedelta(minutes=minute), one_route(facts, day))


def added(existing: Sequence[Version[Unit]], change: tuple[date, Unit]) -> list[tuple[date, str]]:
    later = T0 + timedelta(hours=1)
    return [(each.valid_from, each.facts.name) for each in plan(existing, change, one_route, (), later)]


def test_first_import_makes_one_version() -> None:
    assert added([], (MAR, A)) == [(MAR, "A")]


def test_same_facts_again_make_none() -> None:
    assert added([version(A, JAN)], (MAR, A)) == []


def test_change_dated_into_the_future_stays() -> None:
    assert added([version(A, JAN), version(C, JUN)], (MAR, B)) == [(MAR, "B")]


def test_correction_of_the_same_day_wins_by_being_known_later() -> None:
    history = [version(A, JAN)]
    history += plan(history, (JAN, B), one_route, (), T0 + timedelta(hours=1))
    held = in_force(ordered(history), SEP)
    assert held is not None
    assert held.facts == B


def test_facts_from_an_earlier_day_are_added_before() -> None:
    assert added([version(B, JUN)], (MAR, A)) == [(MAR, "A")]


def test_change_reaches_through_a_day_on_which_only_the_route_changed() -> None:
    history = plan([], (JAN, A), route_by_half_year, (JUN,), T0)
    assert [(each.valid_from, each.facts.name) for each in history] == [(JAN, "A"), (JUN, "A")]
    more = plan(history, (MAR, B), route_by_half_year, (JUN,), T0 + timedelta(hours=1))
    assert [(each.valid_from, each.facts.name) for each in more] == [(MAR, "B"), (JUN, "B")]
    assert [each.route.lead for each in more if each.route] == ["health", "government"]


def test_new_routes_alone_make_versions_only_where_they_differ() -> None:
    history = plan([], (JAN, A), route_by_half_year, (), T0)
    more = plan(history, None, route_by_half_year, (JUN,), T0 + timedelta(hours=1))
    assert [each.valid_from for each in more] == [JUN]


def test_nothing_known_and_nothing_changed_is_nothing() -> None:
    assert plan([], None, one_route, (JUN,), T0) == []


days = st.dates(min_value=date(2026, 1, 1), max_value=date(2026, 1, 20))
changes = st.lists(st.tuples(days, st.sampled_from([A, B, C])), min_size=1, max_size=8)


@given(changes=changes, route_days=st.lists(days, max_size=3))
def test_the_last_word_about_a_day_holds_until_the_next_change(
    changes: list[tuple[date, Unit]], route_days: list[date]
) -> None:
    """Oracle: a plain map of days to facts, where each import fills its span up to the next stated change."""

    def route_of(_: Unit, day: date) -> Routing:
        return Routing(f"d{sum(each <= day for each in route_days)}", (), True, "x")

    history: list[Version[Unit]] = []
    stated: dict[date, Unit] = {}
    for minute, (day, facts) in enumerate(changes):
        history += plan(history, (day, facts), route_of, route_days, T0 + timedelta(minutes=minute))
        stated[day] = facts
        stated = _without_repeats(stated)
    for offset in range(25):
        day = date(2026, 1, 1) + timedelta(days=offset)
        begun = [each for each in sorted(stated) if each <= day]
        held = in_force(ordered(history), day)
        assert (held is None) == (not begun)
        if held is not None:
            assert held.facts == stated[begun[-1]]
            assert held.route == route_of(held.facts, day)
    assert plan(history, changes[-1], route_of, route_days, T0 + timedelta(days=1)) == []


def _without_repeats(stated: dict[date, Unit]) -> dict[date, Unit]:
    kept: dict[date, Unit] = {}
    for day in sorted(stated):
        if not kept or list(kept.values())[-1] != stated[day]:
            kept[day] = stated[day]
    return kept
