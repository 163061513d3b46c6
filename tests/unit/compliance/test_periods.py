"""Periods of the calendar, the sight that is folded tick by tick, and findings about bodies."""

from datetime import date
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.pack import Pack
from services.compliance.adapters import kept
from services.compliance.adapters.packs import policies
from services.compliance.domain.bodies import findings
from services.compliance.domain.figure import Counted, Figure, FigureAsk
from services.compliance.domain.period import Window, window_of, windows_between
from services.compliance.domain.policy import Policies
from services.compliance.domain.publishing import Key
from services.compliance.domain.visibility import TickFact, VisibilityFold, visibility_of
from services.kernel.calendar import SECOND, date_of, day_number, day_of, midnight
from services.kernel.policy import Target
from services.kernel.ratio import Ratio, Reason, Verdict
from services.kernel.words import Period, Phase
from tests import quick_yaml
from tests.contract.compliance.scenario import PACK

DAY = day_number(date(2026, 3, 11))


def known() -> Policies:
    said = PACK + "\npublication: {findings: [day, month]}\n"
    return policies([Pack.model_validate(quick_yaml.read(said))])


POLICIES = known()


@pytest.mark.parametrize(
    ("kind", "first", "after"),
    [
        (Period.DAY, date(2026, 3, 11), date(2026, 3, 12)),
        (Period.WEEK, date(2026, 3, 9), date(2026, 3, 16)),
        (Period.MONTH, date(2026, 3, 1), date(2026, 4, 1)),
        (Period.QUARTER, date(2026, 1, 1), date(2026, 4, 1)),
        (Period.HALF_YEAR, date(2026, 1, 1), date(2026, 7, 1)),
        (Period.YEAR, date(2026, 1, 1), date(2027, 1, 1)),
    ],
)
def test_a_period_begins_and_ends_at_midnight_in_shanghai(kind: Period, first: date, after: date) -> None:
    assert window_of(kind, DAY) == Window(kind, midnight(day_number(first)), midnight(day_number(after)))


@given(st.sampled_from(Period), st.integers(0, 30_000))
def test_periods_of_a_kind_follow_each_other_without_a_gap(kind: Period, day: int) -> None:
    found = list(windows_between(kind, day, day + 800))
    assert all(before.end == after.start for before, after in pairwise(found))
    assert found[0].start <= midnight(day) < found[0].end
    assert found[-1].start <= midnight(day + 800) < found[-1].end
    assert [window_of(kind, day_of(each.start)) for each in found] == found


TICKS = st.lists(st.tuples(st.integers(0, 600), st.integers(0, 5), st.booleans(), st.booleans()), max_size=25)


@given(TICKS, st.integers(0, 120))
def test_sight_that_is_folded_tick_by_tick_is_that_of_all_ticks(
    drawn: list[tuple[int, int, bool, bool]], later: int
) -> None:
    told, watermark, impaired = [], 0, False
    for seen, forward, begins, ends in drawn:
        watermark += forward * 20 * SECOND
        begin, end = begins and not impaired, ends and impaired
        impaired = begin or (impaired and not end)
        told.append(
            TickFact(seen * SECOND, watermark, watermark if begin else None, watermark + 5 * SECOND if end else None)
        )
    first = next((each for each in told if each.seen <= each.watermark), None)
    if first is None:
        return  # nothing seen is proven yet
    sightings = VisibilityFold(POLICIES.shortest_blind_after())
    for each in told:
        sightings.take(each)
    known_at = watermark + later * SECOND
    assert sightings.visibility(POLICIES, known_at) == visibility_of(told, POLICIES, known_at)


@given(st.lists(st.integers(midnight(DAY), midnight(DAY + 3) - 1), max_size=20))
def test_heartbeats_are_kept_to_the_microsecond(times: list[int]) -> None:
    packed = kept.by_day(times)
    assert sorted(at for day, raw in packed.items() for at in kept.instants(day, raw)) == sorted(times)
    if times:
        day = day_of(times[0])
        left = kept.instants(day, kept.without(day, packed[day], [times[0]]))
        assert sorted([*left, times[0]]) == sorted(at for at in times if day_of(at) == day)


TARGET = Target("T01", "coverage", "S1", ">=", Fraction(1), "1", "12-31", "clause")


def close(
    verdict: Verdict, day: int = DAY, revision: int = 1, *, metric: str = "coverage", kind: Period = Period.DAY,
    body: str = "T001", slice_kind: str = "town",
) -> tuple[Key, int, Figure]:  # fmt: skip
    window = window_of(kind, day)
    pack = POLICIES.in_force("sample", day)
    ask = FigureAsk(metric, "S1", {slice_kind: body}, None, window.start, window.end)
    figure = Figure(
        ask, window.end, True, "us", Counted(Ratio(1, 2)), verdict, Reason.HIGH_BELOW_TARGET, TARGET, None, pack, [pack]
    )
    return Key(metric, "S1", slice_kind, body, window), revision, figure


BELOW, MET, OPEN = Verdict.NON_COMPLIANT, Verdict.COMPLIANT, Verdict.UNDETERMINED


def phases(*turns: list[tuple[Key, int, Figure]]) -> list[Phase]:
    held: dict[object, object] = {}
    found: list[Phase] = []
    ids = set()
    for published in turns:
        told = findings(held.values(), published)  # type: ignore[arg-type]  # standings, by what they are about
        held |= {each.about: each for each in told.standing}
        found += [each.phase for each in told.findings]
        ids |= {each.event_id for each in told.findings}
    assert len(ids) == len(found)
    return found


def test_a_body_has_one_finding_from_the_first_target_missed_to_the_last() -> None:
    told = phases(
        [close(BELOW)],
        [close(BELOW, DAY + 1), close(BELOW, DAY + 1, metric="online_rate")],
        [close(MET, DAY + 2)],
        [close(MET, DAY + 2, metric="online_rate")],
        [close(BELOW, DAY + 3)],
    )
    assert told == [Phase.BEGAN, Phase.CHANGED, Phase.CHANGED, Phase.CHANGED, Phase.ENDED, Phase.BEGAN]


def test_what_may_lie_on_either_side_of_the_target_begins_and_ends_nothing() -> None:
    assert phases([close(OPEN)], [close(MET, DAY + 1)]) == []
    assert phases([close(BELOW)], [close(OPEN, DAY + 1)]) == [Phase.BEGAN, Phase.CHANGED]


def test_a_scope_of_nobody_is_no_finding_and_ends_one() -> None:
    empty = Verdict.NOT_APPLICABLE
    assert phases([close(empty)]) == []
    assert phases([close(BELOW)], [close(empty, DAY + 1)]) == [Phase.BEGAN, Phase.ENDED]


def test_a_revision_of_an_older_close_changes_nothing_and_of_the_newest_it_does() -> None:
    assert phases([close(MET)], [close(MET, DAY + 1)], [close(BELOW, DAY, 2)]) == []
    assert phases([close(BELOW)], [close(MET, DAY, 2)], [close(BELOW, DAY, 3)]) == [
        Phase.BEGAN, Phase.ENDED, Phase.BEGAN,
    ]  # fmt: skip


def test_of_closes_that_end_together_the_shortest_is_told_first() -> None:
    last = day_number(date(2026, 3, 31))
    told = findings([], [close(BELOW, last, metric="access_rate", kind=Period.MONTH), close(BELOW, last)]).findings
    assert [(each.phase, each.key.window.kind) for each in told] == [
        (Phase.BEGAN, Period.DAY), (Phase.CHANGED, Period.MONTH),
    ]  # fmt: skip


def test_only_closes_that_the_pack_names_and_slices_that_somebody_answers_for_count() -> None:
    assert phases([close(BELOW, kind=Period.WEEK), close(BELOW, body="C1", slice_kind="community")]) == []
    assert date_of(DAY) == date(2026, 3, 11)
