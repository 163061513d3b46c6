"""Which pack holds in a district on a day. Days are small numbers here: the rule only compares them."""

from itertools import permutations

import pytest

from services.kernel.policy import DatedPack, Packs


def pack(name: str, district: str = "gulou", days: tuple[int, int] = (1, 365), version: int = 1, known: int = 0,
         pack_id: str = "") -> DatedPack[str]:  # fmt: skip
    return DatedPack(district, pack_id or name, version, *days, name, known)


def held(found: DatedPack[str] | None) -> str | None:
    return None if found is None else found.content


YEAR = pack("year")
CORRECTED = pack("corrected", version=2, pack_id="year")
GUARD = pack("guard", days=(60, 90))
NEXT = pack("next", days=(366, 730))
OTHER = pack("other", "taijiang", days=(50, 1000), version=9)


@pytest.mark.parametrize("order", list(permutations([YEAR, CORRECTED, GUARD, NEXT, OTHER])))
def test_the_newest_pack_whose_days_cover_the_day_holds_whatever_the_order(order: tuple[DatedPack[str], ...]) -> None:
    packs = Packs(order)
    found = {day: held(packs.in_force("gulou", day)) for day in (0, 1, 59, 60, 90, 91, 365, 366, 730, 731)}
    assert found == {
        0: None, 1: "corrected", 59: "corrected", 60: "guard", 90: "guard", 91: "corrected", 365: "corrected",
        366: "next", 730: "next", 731: None,
    }  # fmt: skip
    assert (held(packs.in_force("taijiang", 49)), held(packs.in_force("taijiang", 50))) == (None, "other")


def test_a_district_never_gets_the_pack_of_another() -> None:
    packs = Packs([OTHER])
    for day in (0, 100, 2000):
        assert packs.in_force("gulou", day) is packs.standing("gulou", day) is packs.or_earliest("gulou", day) is None
    assert packs.districts() == ["taijiang"]
    assert packs.turning_days("gulou") == []


def test_two_packs_alike_in_age_are_told_apart_by_name_and_not_by_who_read_them_first() -> None:
    one, two = pack("a"), pack("b")
    assert held(Packs([one, two]).in_force("gulou", 5)) == held(Packs([two, one]).in_force("gulou", 5)) == "b"


@pytest.mark.parametrize(
    ("day", "name"), [(0, "corrected"), (5, "corrected"), (70, "guard"), (100, "corrected"), (400, "corrected")]
)
def test_where_none_is_in_force_the_nearest_of_the_own_stands_in(day: int, name: str) -> None:
    """Before the first the first, and its newest version; after the last the one that ran out last."""
    assert held(Packs([YEAR, CORRECTED, GUARD, OTHER]).standing("gulou", day)) == name


def test_in_a_gap_between_two_packs_the_one_that_ran_out_goes_on() -> None:
    packs = Packs([YEAR, pack("late", days=(400, 700))])
    assert [held(packs.standing("gulou", day)) for day in (365, 366, 399, 400)] == ["year", "year", "year", "late"]


def test_a_correction_imported_after_the_last_day_reaches_those_who_go_on() -> None:
    fixed = pack("fixed", days=(370, 365), version=2, pack_id="year")
    packs = Packs([YEAR, fixed])
    assert [held(packs.standing("gulou", day)) for day in (369, 370)] == ["year", "fixed"]
    assert packs.in_force("gulou", 370) is None


def test_a_pack_does_not_count_before_it_was_known() -> None:
    packs = Packs([YEAR, pack("corrected", version=2, known=20, pack_id="year")])
    assert [held(packs.in_force("gulou", 5, known_at)) for known_at in (19, 20, None)] == [
        "year", "corrected", "corrected",
    ]  # fmt: skip


def test_better_a_pack_that_is_not_known_yet_than_nobody_told() -> None:
    packs = Packs([pack("first", known=20), pack("second", days=(2, 365), known=30)])
    assert packs.in_force("gulou", 5, 19) is None
    assert held(packs.standing("gulou", 5, 19)) == "first"


def test_packs_turn_on_first_days_and_on_the_day_after_the_last() -> None:
    assert Packs([YEAR, CORRECTED, GUARD, OTHER]).turning_days("gulou") == [1, 60, 91, 366]


def test_the_earliest_is_that_of_days_outside_every_window() -> None:
    packs = Packs([NEXT, CORRECTED, YEAR, OTHER])
    assert [held(packs.or_earliest("gulou", day)) for day in (0, 1, 366, 731)] == ["year", "corrected", "next", "year"]
    assert (packs.of_all(0), packs.of_all(731)) == (["year", "other"], ["year", "other"])
