"""Findings about grades: begun by a certain year not competent, gone on with by the next, ended by one that is not."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any, cast

from services.alerts.adapters.kafka_events import event_of_finding
from services.alerts.domain.case.event import Happening
from services.alerts.domain.case.kinds import CaseKind
from services.compliance.adapters.grade_rows import grade_event, graded_row
from services.compliance.domain.grades import Graded, GradeFinding, grade_findings, years_of
from services.compliance.domain.period import window_of
from services.compliance.domain.scores import Score, Subject
from services.kernel.calendar import day_number, moment
from services.kernel.ratio import Ratio
from services.kernel.words import Grade, Period, Phase
from services.runtime.kafka_loop import ConsumedRecord
from tests.unit.alerts.bodies import DAY_S
from tests.unit.alerts.harness import Harness
from tests.unit.alerts.test_organisation_ladder import harness, steps
from tests.unit.compliance.test_scores import of_years

OF = Subject("towns", "T1")
BAD, GOOD = Grade.NOT_COMPETENT, Grade.GOOD


def year(number: int, grade: Grade, running: int = 0, *, is_open: bool = False) -> Score:
    scheme = cast(Any, SimpleNamespace(scheme_id="towns", green=frozenset(), red=frozenset()))
    window = window_of(Period.YEAR, day_number(date(number, 6, 1)))
    return Score(scheme, "T1", window, None, grade, grade, is_open, years_not_competent=running)


class Told:
    """What was told, as the table remembers it."""

    def __init__(self) -> None:
        self.standing: dict[Subject, Graded] = {}

    def tell(self, scores: Sequence[Score], revision: int = 1) -> list[Phase]:
        years = years_of(scores, {(one.subject, one.window): revision for one in scores})
        found = grade_findings(self.standing, years)
        for one in found:
            is_open = one.phase is not Phase.ENDED
            self.standing[one.subject] = Graded(one.finding_id, one.window.start, one.revision, is_open)
        self.last = found
        return [one.phase for one in found]

    last: list[GradeFinding]


def test_one_finding_goes_on_over_the_years_running_and_is_told_once_each() -> None:
    told = Told()
    assert told.tell([year(2026, BAD, 1)]) == [Phase.BEGAN]
    first = told.standing[OF].finding_id
    assert told.tell([year(2026, BAD, 1)]) == [], "told again nothing is new"
    assert told.tell([year(2026, BAD, 1), year(2027, BAD, 2)]) == [Phase.CHANGED]
    assert told.standing[OF].finding_id == first
    assert told.tell([year(2027, BAD, 2), year(2028, GOOD)]) == [Phase.ENDED]
    assert told.last[0].finding_id == first
    assert told.tell([year(2028, GOOD)]) == []


def test_what_is_open_judges_nobody_and_ends_what_rested_on_it() -> None:
    told = Told()
    assert told.tell([year(2026, BAD, 1, is_open=True)]) == []
    assert told.tell([year(2026, BAD, 1)]) == [Phase.BEGAN]
    assert told.tell([year(2026, BAD, 1, is_open=True)]) == [Phase.ENDED], "a revision opened it again"
    assert told.last[0].score is None
    assert told.tell([]) == []


def test_a_revision_ends_and_begins_anew() -> None:
    told = Told()
    told.tell([year(2026, BAD, 1)])
    first = told.standing[OF].finding_id
    assert told.tell([year(2026, GOOD)], 2) == [Phase.ENDED]
    assert told.tell([year(2026, BAD, 1)], 3) == [Phase.BEGAN]
    assert told.standing[OF].finding_id != first


def test_a_year_that_comes_to_the_fore_again_begins_under_an_id_of_its_own() -> None:
    told = Told()
    ids = set()
    for round_ in range(3):
        assert told.tell([year(2026, BAD, 1)]) == [Phase.BEGAN]
        ids.add(told.standing[OF].finding_id)
        assert told.tell([year(2026, BAD, 1), year(2027, GOOD)], 1 + 2 * round_) == [Phase.ENDED]
    assert len(ids) == 3, "2026 stayed as it is, and 2027 was opened and settled again"


async def take(of: Harness, told: Told) -> None:
    """Have alerts take in what was told last, as it reads it from its topic."""
    for found in told.last:
        now = max(of.clock.now(), moment(found.window.end))
        of.clock.at = now
        topic, key, value = grade_event(found, ("sample", 1), now)
        event = event_of_finding(topic, ConsumedRecord(key.encode(), value, 0, 7, 0))
        assert event is not None
        await of.take(event)
        await of.work()


async def test_each_of_the_years_running_is_told_also_where_both_were_closed_before_anything_was() -> None:
    told, of = Told(), harness()
    assert told.tell([year(2026, BAD, 1), year(2027, BAD, 2)]) == [Phase.BEGAN, Phase.CHANGED]
    told = Told()
    told.tell(of_years((Ratio(0, 1), "0", 2026), (Ratio(0, 1), "0", 2027)))
    await take(of, told)
    assert steps(of, CaseKind.NOT_COMPETENT) == ["O5", "O6"]


async def test_a_year_that_is_certain_after_the_next_one_counts_with_it_and_one_that_is_not_any_more_does_not() -> None:
    told, of = Told(), harness()
    late = of_years((Ratio(0, 1), None, 2026), (Ratio(0, 1), "0", 2027))
    both = of_years((Ratio(0, 1), "0", 2026), (Ratio(0, 1), "0", 2027))
    better = of_years((Ratio(1, 1), "20", 2026), (Ratio(0, 1), "0", 2027))
    assert told.tell(late) == [Phase.BEGAN]
    await take(of, told)
    assert steps(of, CaseKind.NOT_COMPETENT) == ["O5"]
    assert told.tell(both, 2) == [Phase.CHANGED, Phase.CHANGED]
    await take(of, told)
    assert steps(of, CaseKind.NOT_COMPETENT) == ["O5", "O6"]
    assert told.tell(better, 3) == [Phase.CHANGED, Phase.CHANGED]
    await take(of, told)
    (case,) = of.store.tables.cases.values()
    assert [moment(told.last[1].window.start)] == [one.begins for one in case.closes], "2026 is taken back"


def test_the_newest_year_is_taken_back_when_it_is_opened_again_and_the_one_before_it_stands() -> None:
    told = Told()
    told.tell([year(2026, BAD, 1), year(2027, BAD, 2)])
    assert told.tell([year(2026, BAD, 1), year(2027, BAD, is_open=True)]) == [Phase.CHANGED, Phase.CHANGED]
    assert [one.is_missed for one in told.last] == [False, True]
    assert told.last[0].revision == 2


async def test_a_body_graded_not_competent_again_has_a_case_again() -> None:
    told, of = Told(), harness()
    bad, good = of_years((Ratio(0, 1), "0", 2026)), of_years((Ratio(1, 1), "20", 2026))
    for revision, scores in enumerate((bad, good, bad), start=1):
        told.tell(scores, revision)
        await take(of, told)
        of.clock.forward(100 * DAY_S)
    assert [one.is_open for one in of.store.tables.cases.values()] == [False, True]
    assert steps(of, CaseKind.NOT_COMPETENT) == ["O5", "O5"]


def test_a_finding_about_a_grade_is_one_that_alerts_reads_with_its_year_as_the_close() -> None:
    scores = of_years((Ratio(0, 1), "0", 2026), (Ratio(0, 1), "0", 2027))
    told = Told()
    told.tell(scores)
    found, _ = told.last
    now = datetime(2028, 1, 2, tzinfo=UTC)
    assert graded_row(found)[-1] is True
    topic, key, value = grade_event(found, ("sample", 1), now)
    assert (topic, key) == ("firenet.findings.v1", scores[0].body_id)
    event = event_of_finding(topic, ConsumedRecord(key.encode(), value, 0, 7, 0))
    assert event is not None
    assert (event.kind, event.happening, event.subject.id) == (
        CaseKind.NOT_COMPETENT, Happening.BEGAN, scores[0].body_id,
    )  # fmt: skip
    assert event.close is not None
    assert (event.close.period, event.close.metric, event.close.is_missed) == (Period.YEAR, "evaluation", True)
    told.tell([])
    *_, value = grade_event(told.last[0], ("sample", 1), now)
    ended = event_of_finding(topic, ConsumedRecord(key.encode(), value, 0, 8, 0))
    assert ended is not None
    assert ended.close is not None
    assert (ended.happening, ended.finding_id) == (Happening.ENDED, event.finding_id)
    assert not ended.close.is_missed
