"""Scores of bodies: what a month gives, what is open, what a year comes to, and the hard rule of two years."""

from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.pack import Pack
from services.compliance.adapters.packs import policies
from services.compliance.domain.period import Window, window_of
from services.compliance.domain.policy import Policies
from services.compliance.domain.publishing import FORMULAS, Key, is_published
from services.compliance.domain.scores import Cited, Entry, Score, evaluated
from services.kernel.calendar import day_number, day_of
from services.kernel.ratio import Ratio
from services.kernel.words import NUMBER_OF, EvaluationList, Grade, Period, PublishedMetric, ScoreGap
from tests import quick_yaml
from tests.contract.compliance.scenario import PACK

EVALUATION = """
evaluation:
  towns:
    name_zh: 考核
    name_en: Evaluation
    dimension: town
    criteria:
      rate: {points: 60, rate: {metric: time_weighted_networking_rate, scope: S1, none_at: "0.5"},
             name_zh: 联网率, name_en: Rate, clause: x}
      access: {points: 20, rate: {metric: access_rate, scope: S1, left_out_if_empty: true},
               name_zh: 接入率, name_en: Access, clause: x}
      patrol: {points: 20, manual: true, name_zh: 巡查, name_en: Visits, clause: x}
    bands: {excellent: 90, good: 80, competent: 60}
    year: {months: 60, quarters: 40}
    not_competent: {years: 2, clause: x}
    clause: x
"""
LONG = (PACK + EVALUATION).replace("valid_to: '2026-12-31'", "valid_to: '2029-12-31'")


@cache
def known(said: str = LONG) -> Policies:
    return policies([Pack.model_validate(quick_yaml.read(said))])


def month(number: int, year: int = 2026) -> Window:
    return window_of(Period.MONTH, day_number(date(year, number, 1)))


def cited(
    ratio: Ratio, window: Window, town: str = "T1", metric: str = "time_weighted_networking_rate", kind: str = "town"
) -> Cited:
    return Cited(Key(metric, "S1", kind, town, window), 1, ratio)


def entry(points: str | None, window: Window, town: str = "T1", entry_id: str = "S1", most: int = 20) -> Entry:
    given = None if points is None else Fraction(points)
    return Entry(entry_id, "sample", "towns", town, "patrol", day_of(window.start), given, most, "li", "x")


def months(ratio: Ratio, points: str | None, windows: Iterable[Window]) -> tuple[list[Cited], list[Entry]]:
    held = list(windows)
    figures = [cited(ratio, each) for each in held] + [cited(ratio, each, metric="access_rate") for each in held]
    return figures, [entry(points, each) for each in held]


def only(found: list[Score], window: Window) -> Score:
    (score,) = [each for each in found if each.window == window]
    return score


@pytest.mark.thorough
@pytest.mark.parametrize("metric", list(FORMULAS))
def test_a_pack_says_of_the_same_figures_as_compliance_that_they_are_published(metric: str) -> None:
    number = NUMBER_OF.get(PublishedMetric(metric))
    (bare,) = known().among("sample", *[day_of(month(3).start)] * 2)
    assert is_published(metric, bare) is (number is None)
    said = {} if number is None else {"publication": {number: "0.9" if number == "availability" else 60}}
    (full,) = policies([Pack.model_validate(quick_yaml.read(LONG) | said)]).among(
        "sample", *[day_of(month(3).start)] * 2
    )
    assert is_published(metric, full)


def test_no_figure_is_published_that_packs_cannot_name() -> None:
    assert {each.value for each in PublishedMetric} == set(FORMULAS)


def test_points_grow_evenly_between_none_and_all_and_a_full_score_has_its_grade() -> None:
    march = month(3)
    figures = [cited(Ratio(3, 4), march), cited(Ratio(1, 1), march, metric="access_rate")]
    score = only(evaluated(known(), figures, [entry("15.5", march)]), march)
    # 60 x (0.75 - 0.5) / 0.5 + 20 + 15.5
    assert score.span == (Fraction("0.655"), Fraction("0.655"))
    assert (score.grade, score.is_provisional, score.gaps) == (Grade.COMPETENT, False, ())
    assert score.marks[0].figure == figures[0]
    assert score.marks[2].entry is not None
    assert score.marks[2].entry.account == "li"


def test_what_is_final_is_on_a_list_and_what_is_provisional_on_none() -> None:
    march = month(3)
    for ratio, points, listed in [
        (Ratio(1, 1), "20", EvaluationList.GREEN),
        (Ratio(0, 1), "0", EvaluationList.RED),
        (Ratio(1, 1), "0", None),
        (Ratio(0, 1), None, None),
    ]:
        figures, entries = months(ratio, points, [march])
        assert only(evaluated(known(), figures, entries), march).list is listed


def test_what_nobody_entered_is_open_and_never_guessed() -> None:
    march = month(3)
    figures, _ = months(Ratio(1, 1), None, [march])
    score = only(evaluated(known(), figures, []), march)
    assert score.span == (Fraction("0.8"), Fraction(1))
    assert (score.worst, score.best, score.grade) == (Grade.GOOD, Grade.EXCELLENT, None)
    assert score.is_provisional
    assert score.gaps == (ScoreGap.NOT_ENTERED,)


def test_a_grade_that_nothing_open_can_change_is_told_but_stays_provisional() -> None:
    march = month(3)
    figures, _ = months(Ratio(0, 1), None, [march])
    score = only(evaluated(known(), figures, []), march)
    assert (score.grade, score.is_provisional) == (Grade.NOT_COMPETENT, True)


@pytest.mark.parametrize(("points", "most"), [(None, 20), ("20", 25), ("10", 10)])
def test_what_was_taken_back_or_was_given_of_another_number_of_points_is_open(points: str | None, most: int) -> None:
    march = month(3)
    figures, _ = months(Ratio(1, 1), None, [march])
    entries = [entry("20", march), entry(points, march, entry_id="S2", most=most)]
    assert only(evaluated(known(), figures, entries), march).gaps == (ScoreGap.NOT_ENTERED,)


def test_a_rate_of_nothing_is_open_and_left_out_where_the_pack_says_so() -> None:
    march = month(3)
    figures = [cited(Ratio(0, 0), march), cited(Ratio(0, 0), march, metric="access_rate")]
    empty = only(evaluated(known(), figures, [entry("20", march)]), march)
    assert (empty.gaps, empty.is_provisional) == ((ScoreGap.NOTHING_COUNTED,), True)
    assert [mark.is_left_out for mark in empty.marks] == [False, True, False]
    # 20 of the 80 points that are left are sure, the 60 of the rate are open
    assert empty.span == (Fraction(1, 4), Fraction(1))


def test_a_figure_that_is_published_of_no_part_in_which_nobody_was_is_one_of_nothing() -> None:
    march = month(3)
    said = LONG.replace("scope: S1, left_out", "scope: S3, left_out")
    score = only(evaluated(known(said), [cited(Ratio(1, 1), march)], [entry("20", march)]), march)
    assert (score.marks[1].is_left_out, score.marks[1].figure) == (True, None)
    assert (score.grade, score.is_provisional) == (Grade.EXCELLENT, False)


def test_of_a_body_without_any_figure_nothing_is_left_out() -> None:
    march = month(3)
    said = LONG.replace(
        "    dimension: town\n",
        "    dimension: town\n    bodies: {station: {name_zh: 派出所, name_en: Station, slice: T2}}\n",
    )
    figures, entries = months(Ratio(1, 1), "20", [march])
    score = only(evaluated(known(said), figures, [each._replace(body_id="station") for each in entries]), march)
    assert (score.body_id, score.gaps, score.span) == ("station", (ScoreGap.NO_FIGURE,), (Fraction(1, 5), Fraction(1)))


def test_where_nothing_was_measured_what_a_person_entered_is_not_the_whole_score() -> None:
    march = month(3)
    said = LONG.replace('none_at: "0.5"', 'none_at: "0.5", left_out_if_empty: true')
    figures, entries = months(Ratio(0, 0), "0", [march])
    score = only(evaluated(known(said), figures, entries), march)
    assert (score.span, score.list) == ((Fraction(0), Fraction("0.8")), None)
    assert (score.gaps, score.is_provisional) == ((ScoreGap.NOTHING_COUNTED,), True)
    assert not any(mark.is_left_out for mark in score.marks)


def test_what_was_entered_stands_when_another_district_gets_a_pack_and_for_its_own_district_alone() -> None:
    march = month(3)
    other = LONG.replace("district: sample", "district: zeta").replace("pack_id: ", "pack_id: zeta-")
    both = policies([Pack.model_validate(quick_yaml.read(said)) for said in (LONG, other)])
    figures = [cited(Ratio(1, 1), march, town) for town in ("sample/T1", "sample/T2", "zeta/T1")]
    entries = [entry("20", march, "T1"), entry("10", march, "sample/T2", entry_id="S2")]
    entries.append(entry("5", march, "zeta/T1", entry_id="S3")._replace(district="zeta"))
    found = evaluated(both, figures, entries)
    given = {each.body_id: each.marks[2].entry for each in found if each.window == march}
    assert given == {"sample/T1": entries[0], "sample/T2": entries[1], "zeta/T1": entries[2]}


def test_time_that_we_did_not_see_leaves_points_between_two_and_judges_nobody_who_may_have_been_good() -> None:
    march = month(3)
    figures = [cited(Ratio(6, 10, unknown=2), march), cited(Ratio(1, 1), march, metric="access_rate")]
    score = only(evaluated(known(), figures, [entry("20", march)]), march)
    assert score.span == (Fraction("0.52"), Fraction("0.76"))
    assert (score.grade, score.is_open, score.is_provisional) == (None, False, True)
    assert score.gaps == (ScoreGap.BLIND,)


def test_a_quarter_is_the_mean_of_its_months_and_a_month_without_a_score_is_open() -> None:
    figures, entries = months(Ratio(1, 1), "20", [month(2), month(3)])
    quarter = window_of(Period.QUARTER, day_of(month(3).start))
    score = only(evaluated(known(), figures, entries), quarter)
    assert score.span == (Fraction(2, 3), Fraction(1))
    assert (score.gaps, score.is_provisional) == ((ScoreGap.NO_MONTH,), True)


def test_no_longer_period_is_scored_before_its_last_month_is() -> None:
    figures, entries = months(Ratio(1, 1), "20", [month(1), month(2)])
    assert {each.window.kind for each in evaluated(known(), figures, entries)} == {Period.MONTH}


def year_of(ratio: Ratio, points: str | None, year: int) -> tuple[list[Cited], list[Entry]]:
    return months(ratio, points, [month(number, year) for number in range(1, 13)])


def of_years(*years: tuple[Ratio, str | None, int]) -> list[Score]:
    made = [year_of(*each) for each in years]
    figures, entries = ([each for pair in made for each in pair[at]] for at in (0, 1))
    found = evaluated(known(), figures, entries)  # type: ignore[arg-type]  # one list of each
    return sorted((each for each in found if each.window.kind is Period.YEAR), key=lambda each: each.window.start)


def test_two_years_running_not_competent_are_the_hard_rule_and_one_is_not() -> None:
    bad, good = Ratio(0, 1), Ratio(1, 1)
    first, second = of_years((bad, "0", 2026), (bad, "0", 2027))
    assert (first.years_not_competent, first.rule_holds) == (1, False)
    assert (second.years_not_competent, second.rule_holds) == (2, True)
    between = of_years((bad, "0", 2026), (good, "20", 2027), (bad, "0", 2028))
    assert [each.years_not_competent for each in between] == [1, 0, 1]


def test_a_provisional_year_never_counts_for_the_hard_rule() -> None:
    bad = Ratio(0, 1)
    first, second = of_years((bad, None, 2026), (bad, "0", 2027))
    assert (first.grade, first.is_provisional, first.years_not_competent) == (Grade.NOT_COMPETENT, True, 0)
    assert (second.years_not_competent, second.rule_holds) == (1, False)


def test_a_police_station_is_scored_by_the_figures_of_its_town_and_only_whom_the_pack_names() -> None:
    said = LONG.replace(
        "    dimension: town\n",
        "    dimension: town\n    bodies: {station-east: {name_zh: 东街派出所, name_en: East Street, slice: T2}}\n",
    )
    march = month(3)
    figures = [cited(Ratio(1, 1), march, "T1"), cited(Ratio(3, 4), march, "T2")]
    found = evaluated(known(said), figures, [])
    told = [(each.subject.body_id, each.marks[0].figure) for each in found if each.window == march]
    assert told == [("station-east", figures[1])]


def test_units_of_no_town_and_slices_of_another_kind_are_no_bodies() -> None:
    march = month(3)
    figures = [cited(Ratio(1, 1), march, ""), cited(Ratio(1, 1), march, "health", kind="department")]
    assert evaluated(known(), figures, []) == []


@given(
    st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.one_of(st.none(), st.integers(0, 20)), st.booleans()
)
def test_what_becomes_known_only_ever_narrows_a_score(
    connected: int, unknown: int, lost: int, points: int | None, seen_as_connected: bool
) -> None:
    march = month(3)
    total = connected + unknown + lost
    later = Ratio(connected + (unknown if seen_as_connected else 0), total)
    text = None if points is None else str(points)
    before = evaluated(known(), [cited(Ratio(connected, total, unknown), march)], [])
    after = evaluated(known(), [cited(later, march)], [entry(text, march)])
    wide, narrow = only(before, march).span, only(after, march).span
    assert wide is not None
    assert narrow is not None
    assert 0 <= wide.low <= narrow.low <= narrow.high <= wide.high <= 1
