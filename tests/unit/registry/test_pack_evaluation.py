"""What is wrong with an evaluation in a pack is told at its line and column."""

import pytest

from services.registry.adapters.pack_file import read_pack_text
from services.registry.domain.errors import FileRefused
from tests.unit.registry.builders import PACK_FILE

SAMPLE = PACK_FILE.read_text("utf-8")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("was", "now", "at", "column", "expected"),
    [
        ("points: 40, rate", "points: 41, rate", "    criteria:", "evaluation.towns.criteria", "come to 100"),
        ("good: 80", "good: 95", "    bands:", "evaluation.towns.bands.good", "fewer than the 90"),
        ("quarters: 40", "quarters: 50", "    year:", "evaluation.towns.year", "come to 100"),
        ("dimension: town\n", "dimension: community\n", "    dimension:", "evaluation.towns.dimension", "one of"),
        ("scope: S2, left", "scope: S9, left", "      access:", "evaluation.towns.criteria.access.rate.scope",
         "published"),
        ("scope: S1+S2, none", "scope: S2+S1, none", "      intact:", "evaluation.towns.criteria.intact.rate.scope",
         "written as there"),
        ("metric: access_rate, scope: S2, left", "metric: meeting_units_rate, scope: S2, left", "      access:",
         "evaluation.towns.criteria.access.rate.metric", "availability"),
        ("metric: access_rate, scope: S2, left", "metric: acces_rate, scope: S2, left", "      access:",
         "evaluation.towns.criteria.access.rate.metric", "access_rate"),
        ('none_at: "0.8"', 'none_at: "1"', "      networking:", "evaluation.towns.criteria.networking.rate", "below"),
        ("patrol: {points: 20, manual: true", "patrol: {points: 20", "      patrol:",
         "evaluation.towns.criteria.patrol", "one of them"),
        ("patrol: {points: 20, manual: true", "patrol: {points: 20, manual: true, listings: {}", "      patrol:",
         "evaluation.towns.criteria.patrol", "one of them"),
        ("patrol: {points: 20, manual: true", 'patrol: {points: 20, listings: {none_at: "1"}', "      patrol:",
         "evaluation.towns.criteria.patrol.listings", "below"),
        ("patrol: {points: 20, manual: true", "patrol: {points: 20, listings: {full_at: most}", "      patrol:",
         "evaluation.towns.criteria.patrol.listings.full_at", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_at_its_place(was: str, now: str, at: str, column: str, expected: str) -> None:
    assert was in SAMPLE
    with pytest.raises(FileRefused) as refused:
        read_pack_text(SAMPLE.replace(was, now, 1))

    (error,) = refused.value.errors
    line = SAMPLE[: SAMPLE.index(f"\n{at}") + 1].count("\n") + 1
    assert (error.column, error.row) == (column, line)
    assert expected in error.expected
    assert error.char > 0


def test_nobody_can_enter_points_for_slices_that_are_no_bodies() -> None:
    by_community = SAMPLE.replace("dimension: town\n", "dimension: community\n").replace(
        "dimensions: [district,", "dimensions: [community, district,"
    )
    with pytest.raises(FileRefused) as refused:
        read_pack_text(by_community)
    assert [error.column for error in refused.value.errors] == [
        "evaluation.towns.criteria.patrol.manual", "evaluation.towns.criteria.reports.manual"
    ]  # fmt: skip
    assert all("bodies" in error.expected for error in refused.value.errors)


def test_no_listing_is_a_communitys() -> None:
    by_community = (
        SAMPLE.replace("dimension: town\n", "dimension: community\n")
        .replace("dimensions: [district,", "dimensions: [community, district,")
        .replace("points: 20, manual: true", "points: 20, listings: {}")
        .replace("points: 10, manual: true", "points: 10, listings: {}")
    )
    with pytest.raises(FileRefused) as refused:
        read_pack_text(by_community)
    assert [error.column for error in refused.value.errors] == [
        "evaluation.towns.criteria.patrol.listings", "evaluation.towns.criteria.reports.listings"
    ]  # fmt: skip
    assert all("department" in error.expected for error in refused.value.errors)


def test_a_scheme_without_a_rate_is_refused_for_no_month_of_it_could_be_found() -> None:
    begins, ends = SAMPLE.index("    criteria:\n"), SAMPLE.index("    bands:", SAMPLE.index("    criteria:\n"))
    said = "name_zh: 项, name_en: Item, clause: x}"
    others = (
        f"    criteria:\n      a: {{points: 60, listings: {{}}, {said}\n      b: {{points: 40, manual: true, {said}\n"
    )
    with pytest.raises(FileRefused) as refused:
        read_pack_text(SAMPLE[:begins] + others + SAMPLE[ends:])
    (error,) = refused.value.errors
    assert (error.column, error.row) == ("evaluation.towns.criteria", SAMPLE[:begins].count("\n") + 1)
    assert "rate" in error.expected
    assert error.char > 0


def test_a_criterion_by_listings_is_taken() -> None:
    read_pack_text(SAMPLE.replace("points: 20, manual: true", "points: 20, listings: {left_out_if_empty: true}"))


def test_several_mistakes_are_told_together() -> None:
    with pytest.raises(FileRefused) as refused:
        read_pack_text(SAMPLE.replace("good: 80", "good: 95").replace("scope: S2, left", "scope: S9, left"))
    assert len(refused.value.errors) == 2
