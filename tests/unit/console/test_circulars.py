"""The circular about many bodies: who asks for it, whom it tells of, which places are certain."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, cast

import pytest

from schemas import codec
from schemas.document import MAX_STANDINGS
from services.compliance.adapters.score_rows import score_json
from services.compliance.domain.scores import evaluated
from services.console.adapters.circulars import Circulars, case_of, cases_of, period_name, request_of
from services.console.domain.dashboard_snapshot import Names
from services.console.domain.errors import DocumentRefused, NotAllowed, NotFound
from services.console.domain.evaluation import (
    CircularRow,
    NewCircular,
    NewPoints,
    ScoredPeriod,
    ScoredScheme,
    ScoreRow,
    WaitingPoints,
    placed,
)
from services.console.domain.register import ProposalDecision
from services.console.domain.viewer import BodyCode, Role, Slice, Username, Viewer
from services.console.ports.district import ReadModel
from services.console.worker.evaluation import EvaluationUseCases
from services.kernel.ratio import Ratio
from services.kernel.words import FileKind, Language, Period
from tests.fakes.clock import ManualClock
from tests.unit.compliance.test_scores import cited, entry, known, month

NOW = datetime(2026, 11, 2, 1, tzinfo=UTC)
OCTOBER = ScoredPeriod(Period.MONTH, date(2026, 10, 1))
TOWNS = ScoredScheme("towns")
BRIGADE = Viewer(Username("brigade"), Role.BRIGADE, None, "大队")
OTHERS = (
    Viewer(Username("centre"), Role.CENTRE, None, "值班"),
    Viewer(Username("admin"), Role.BRIGADE, None, "管理", administers=True),
    Viewer(Username("health"), Role.DEPARTMENT, BodyCode("health"), "卫健"),
)
BODIES = {"dongjie": ("东街", "Dongjie"), "brigade": ("鼓楼大队", "Gulou Brigade"), "committee-office": ("安委办", "")}


def score(
    body: str, low: str | None, high: str | None = None, *, provisional: bool = False, **changes: Any
) -> ScoreRow:
    said: dict[str, Any] = {
        "scheme": "towns", "called": {"zh": "考核", "en": "Evaluation", "clause": "001 一(七)"}, "body": body,
        "body_called": None, "low": low, "high": high or low, "grade": None if provisional else "good",
        "worst": "competent" if provisional else "good", "best": "good", "provisional": provisional, "list": None,
        "gaps": [], "criteria": [], "parts": [], "years_not_competent": 0, "rule_holds": False,
        "pack": {"pack_id": "sample-2026", "version": 1},
    }  # fmt: skip
    return ScoreRow(changes.pop("revision", 1), NOW, said | changes)


def asked(*rows: ScoreRow, at: datetime = NOW) -> NewCircular:
    return NewCircular(TOWNS, OCTOBER, rows, at)


@dataclass
class Here:
    """Scores, and what was handed to documents."""

    rows: Sequence[ScoreRow] = ()
    sent: list[bytes] = field(default_factory=list)

    async def periods(self, slice_: Slice) -> Sequence[ScoredPeriod]:
        return [OCTOBER]

    async def scores(self, slice_: Slice, period: ScoredPeriod) -> Sequence[ScoreRow]:
        return self.rows

    async def circulars(self, period: ScoredPeriod) -> Sequence[CircularRow]:
        return [CircularRow("D1", "towns", "", "", NOW, ["zh.pdf"])]

    async def circular_file(self, document_id: str, language: Language, kind: FileKind) -> bytes:
        return b"%PDF"

    async def waiting(self) -> Sequence[WaitingPoints]:
        return []

    async def enter(self, points: NewPoints, viewer: Viewer) -> str:
        return "S1"

    async def decide_points(self, decision: ProposalDecision, entry_id: str, viewer: Viewer, note: str) -> str:
        return "approved"

    async def names(self) -> Names:
        return Names(bodies=BODIES)

    async def draft(self, request: bytes) -> str:
        self.sent.append(request)
        return "D1"

    def desk(self) -> EvaluationUseCases:
        return EvaluationUseCases(self, self, Circulars(self, cast(ReadModel, self)), ManualClock(NOW))


def places(*rows: ScoreRow) -> list[tuple[str, int | None]]:
    return [(row.score["body"], place) for row, place in placed(rows)]


def test_equal_scores_share_a_place_and_what_is_open_has_none() -> None:
    rows = [score("a", "70.0"), score("b", "90.0"), score("c", "90.0"), score("d", "10.0", "60.0", provisional=True)]
    assert places(*rows) == [("b", 1), ("c", 1), ("a", 3), ("d", None)]


def test_no_place_is_given_that_another_open_score_may_still_change() -> None:
    rows = [score("a", "70.0"), score("b", "90.0"), score("open", "60.0", "80.0", provisional=True)]
    assert places(*rows) == [("b", 1), ("open", None), ("a", None)]
    assert places(score("a", "70.0"), score("above", "75.0", "80.0")) == [("a", 2), ("above", None)]
    assert places(score("a", "70.0"), score("level", "60.0", "70.0")) == [("a", 1), ("level", None)]


def test_a_score_without_width_that_is_provisional_all_the_same_has_no_place() -> None:
    assert places(score("a", "70.0", provisional=True)) == [("a", None)]


def test_of_whom_nothing_counts_has_no_place_and_takes_none() -> None:
    assert places(score("none", None, provisional=True), score("a", "70.0")) == [("a", 1), ("none", None)]


async def test_the_brigade_asks_and_all_bodies_of_the_scheme_are_told_of() -> None:
    other = score("x", "1.0", scheme="departments")
    here = Here(
        [score("dongjie", "70.0"), score("nanjie", "80.0", body_called={"zh": "南街所", "en": "Nanjie"}), other]
    )
    assert await here.desk().circular(BRIGADE, TOWNS, OCTOBER) == "D1"
    data = codec.requests.decode(here.sent[0]).data
    assert data.circular is not None
    assert [(one.body.zh, one.place) for one in data.circular.standings] == [("南街所", 1), ("东街", 2)]
    assert (data.circular.period.zh, data.circular.period.en) == ("2026年10月", "October 2026")
    assert (data.issuer.name.zh, [one.zh for one in data.copies]) == ("鼓楼大队", ["安委办"])
    assert (data.clause, data.pack.pack_id, data.evidence) == ("001 一(七)", "sample-2026", None)


@pytest.mark.parametrize("viewer", OTHERS, ids=lambda one: str(one.username))
async def test_nobody_else_may_ask_or_is_told_of_drafts(viewer: Viewer) -> None:
    desk = Here([score("dongjie", "70.0")]).desk()
    with pytest.raises(NotAllowed):
        await desk.circular(viewer, TOWNS, OCTOBER)
    with pytest.raises(NotAllowed):
        await desk.circular_file(viewer, "D1", Language.ZH, FileKind.PDF)
    assert (await desk.board(viewer, None)).circulars == []
    assert len((await desk.board(BRIGADE, None)).circulars) == 1


async def test_of_a_scheme_without_scores_there_is_none() -> None:
    here = Here([score("dongjie", "70.0")])
    with pytest.raises(NotFound):
        await here.desk().circular(BRIGADE, ScoredScheme("departments"), OCTOBER)
    assert here.sent == []


def test_the_same_revisions_are_one_request_and_a_new_revision_another() -> None:
    first = request_of(asked(score("a", "70.0"), score("b", "80.0")), {})
    again = request_of(asked(score("b", "80.0"), score("a", "70.0"), at=NOW.replace(hour=9)), {})
    later = request_of(asked(score("a", "71.0", revision=2), score("b", "80.0")), {})
    assert first.id == again.id
    assert first.id != later.id
    assert first.data.case_id == later.data.case_id
    assert first.data.issuer.name.zh == "消防救援大队"


def test_bodies_of_several_packs_do_not_fit_under_one_clause() -> None:
    other = score("b", "80.0", pack={"pack_id": "other-2026", "version": 3})
    with pytest.raises(DocumentRefused) as refused:
        request_of(asked(score("a", "70.0"), other), {})
    assert refused.value.code == "document_several_packs"


async def test_two_districts_that_call_their_schemes_the_same_have_a_circular_each() -> None:
    other = {"pack_id": "d2-2026", "version": 3}
    rows = [
        score("d1/dongjie", "70.0"),
        score("d2/dongjie", "80.0", pack=other),
        score("d2/nanjie", "90.0", pack=other),
    ]
    here = Here(rows)
    for district in ("d1", "d2"):
        await here.desk().circular(BRIGADE, ScoredScheme("towns", district), OCTOBER)
    first, second = (codec.requests.decode(each).data for each in here.sent)
    assert first.circular is not None
    assert second.circular is not None
    assert [(one.body.zh, one.low, one.place) for one in first.circular.standings] == [("东街", "70.0", 1)]
    assert [(one.low, one.place) for one in second.circular.standings] == [("90.0", 1), ("80.0", 2)]
    assert (first.circular.measure.zh, second.circular.measure.en) == ("考核（d1）", "Evaluation (d2)")
    assert (first.pack.pack_id, second.pack.pack_id) == ("sample-2026", "d2-2026")
    assert first.case_id != second.case_id
    assert first.request_id != second.request_id
    with pytest.raises(NotFound):  # whose, of the two, is not guessed
        await here.desk().circular(BRIGADE, TOWNS, OCTOBER)


def test_more_bodies_than_a_circular_has_room_for_are_refused_and_none_is_left_out() -> None:
    many = [score(f"b{n}", "70.0") for n in range(MAX_STANDINGS + 1)]
    assert len(request_of(asked(*many[1:]), {}).data.circular.standings) == MAX_STANDINGS  # type: ignore[union-attr]  # it has one
    with pytest.raises(DocumentRefused) as refused:
        request_of(asked(*many), {})
    assert refused.value.code == "document_too_large"


def test_criteria_and_months_are_handed_on_as_they_were_published() -> None:
    criterion = {
        "id": "n", "called": {"zh": "联网率", "en": "Rate", "clause": ""}, "points": 40, "manual": False, "low": "26.0",
        "high": "35.0", "gap": "blind", "left_out": False, "figure": {"low": "93.0", "high": "97.5"}, "entry": None,
    }  # fmt: skip
    part = {"period": "month", "from": "2026-08-31T16:00:00.000000Z", "low": None, "high": None, "open": True}
    month = request_of(asked(score("a", "70.0", criteria=[criterion])), {}).data.circular
    quarter = request_of(asked(score("a", "70.0", parts=[part])), {}).data.circular
    assert month is not None
    assert quarter is not None
    (measured,), (missing,) = month.standings[0].measured, quarter.standings[0].measured
    assert (measured.what.zh, measured.rate_low, measured.rate_high, measured.low) == ("联网率", "93.0", "97.5", "26.0")
    assert (missing.what.zh, missing.gap, missing.low) == ("2026年9月", "no_month", "")


def test_every_score_that_compliance_publishes_fits_into_a_circular() -> None:
    months = [month(one) for one in (1, 2, 3)]
    towns = {"dongjie": Ratio(1, 1), "nanjie": Ratio(0, 1), "health": Ratio(3, 4, unknown=1)}
    figures = [
        cited(ratio, each, town, metric=metric)
        for town, ratio in towns.items()
        for each in months
        for metric in ("time_weighted_networking_rate", "access_rate")
    ]
    entries = [entry("20", each, "dongjie", f"S2026-00000{n}") for n, each in enumerate(months)]
    by_period: dict[str, list[ScoreRow]] = {}
    for found in evaluated(known(), figures, entries):
        by_period.setdefault(found.window.kind.value, []).append(ScoreRow(1, NOW, score_json(found)))
    assert by_period.keys() == {"month", "quarter"}
    for rows in by_period.values():
        newest = max(row.score["from"] for row in rows)
        wanted = NewCircular(TOWNS, OCTOBER, [row for row in rows if row.score["from"] == newest], NOW)
        told = codec.requests.decode(codec.requests.encode(request_of(wanted, BODIES))).data.circular
        assert told is not None
        assert next((one.body.zh, one.place, one.provisional) for one in told.standings) == ("东街", 1, False)
        assert all(one.measured for one in told.standings)
        assert [one.place for one in told.standings if one.provisional] == [None, None]


def test_quarters_and_years_have_names() -> None:
    assert period_name(ScoredPeriod(Period.QUARTER, date(2026, 7, 1))).zh == "2026年第3季度"
    assert period_name(ScoredPeriod(Period.YEAR, date(2026, 1, 1))).en == "2026"


def test_a_circular_from_before_there_were_districts_is_found_among_those_of_its_scheme() -> None:
    gulou, other = ScoredScheme("towns", "gulou"), ScoredScheme("departments", "other")
    found = cases_of([gulou, other], OCTOBER)
    assert found == {
        case_of(gulou, OCTOBER): [gulou],
        case_of(TOWNS, OCTOBER): [gulou],
        case_of(other, OCTOBER): [other],
        case_of(ScoredScheme("departments"), OCTOBER): [other],
    }
    assert cases_of([TOWNS], OCTOBER) == {case_of(TOWNS, OCTOBER): [TOWNS]}
    both = [gulou, ScoredScheme("towns", "other")]
    assert cases_of(both, OCTOBER)[case_of(TOWNS, OCTOBER)] == both
