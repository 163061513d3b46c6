"""Rates by day: whose a viewer may see, what a day is told by, and what goes into a file."""

import asyncio
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from fractions import Fraction

import openpyxl
import pytest
from pydantic import ValidationError

from services.console.adapters import history_rows, spreadsheet
from services.console.adapters.web import texts
from services.console.adapters.web.history import HistoryParameters
from services.console.domain.dashboard_snapshot import Names
from services.console.domain.errors import NotFound, TooBusy
from services.console.domain.history import (
    CLOSED_RATE,
    MAX_DAYS,
    DayRate,
    HistoryQuery,
    PeriodRate,
    Publication,
    RateHistory,
    Sample,
    Subject,
)
from services.console.domain.rates import LIVE_RATE
from services.console.domain.viewer import BodyCode, Role, Username, Viewer
from services.console.worker.history import HistoryService
from services.kernel.policy import Target
from services.kernel.ratio import Ratio, Reason, Verdict
from services.kernel.words import Dimension, Period

CENTRE = Viewer(Username("centre"), Role.CENTRE, None, "值班")
HEALTH = Viewer(Username("health"), Role.DEPARTMENT, BodyCode("health"), "卫健")
NOBODY = Viewer(Username("x"), Role.DEPARTMENT, BodyCode(""), "")
AT = datetime(2026, 11, 2, 1, tzinfo=UTC)
DAY = date(2026, 11, 1)
DISTRICT = Subject(Dimension.DISTRICT, "sample")
QUERY = HistoryQuery(DISTRICT, "S1", DAY, date(2026, 11, 3))
FIRST = Publication(1, AT, Ratio(190, 200, 4), Verdict.NON_COMPLIANT, Reason.HIGH_BELOW_TARGET, "1")
SECOND = replace(FIRST, revision=2, ratio=Ratio(200, 200), verdict=Verdict.COMPLIANT, reason=Reason.LOW_MEETS_TARGET)
NAMES = Names(
    district=("示范区", "Sample"),
    targets={"S1": Target("T05", LIVE_RATE, "S1", ">=", Fraction(1), "1", "12-31", "c")},
)
FOUND = RateHistory(
    (
        DayRate(DAY, (FIRST, SECOND), Sample(AT, Ratio(1, 200))),
        DayRate(date(2026, 11, 2), (), Sample(AT, Ratio(199, 200, 1))),
        DayRate(date(2026, 11, 3)),
    ),
    (PeriodRate(Period.WEEK, date(2026, 10, 26), DAY, (FIRST,)),),
)


@dataclass
class Histories:
    """Counts how many are read at once."""

    asked: list[HistoryQuery] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    two: asyncio.Event = field(default_factory=asyncio.Event)
    inside: int = 0
    most: int = 0

    async def subjects(self) -> Sequence[Subject]:
        return [DISTRICT, Subject(Dimension.TOWN, "dongjie"), Subject(Dimension.DEPARTMENT, "health")]

    async def is_town(self, body: BodyCode) -> bool:
        return body == "dongjie"

    async def history(self, query: HistoryQuery) -> RateHistory:
        self.asked.append(query)
        self.inside += 1
        self.most = max(self.most, self.inside)
        if self.inside == 2:
            self.two.set()
        await self.gate.wait()
        self.inside -= 1
        return FOUND


def of(dimension: Dimension, value: str) -> HistoryQuery:
    return replace(QUERY, subject=Subject(dimension, value))


@pytest.mark.parametrize(
    ("viewer", "query"),
    [
        pytest.param(HEALTH, of(Dimension.DISTRICT, "sample"), id="a department and the district"),
        pytest.param(HEALTH, of(Dimension.DISTRICT, "health"), id="a department and a district of its name"),
        pytest.param(HEALTH, of(Dimension.DEPARTMENT, "education"), id="a department and another"),
        pytest.param(HEALTH, of(Dimension.TOWN, "dongjie"), id="a department and a street"),
        pytest.param(NOBODY, of(Dimension.DEPARTMENT, ""), id="an account without a body"),
        pytest.param(CENTRE, of(Dimension.CATEGORY, "HOSPITAL"), id="what no history is kept by"),
    ],
)
async def test_outside_the_slice_there_is_no_history(viewer: Viewer, query: HistoryQuery) -> None:
    histories = Histories()
    with pytest.raises(NotFound):
        await HistoryService(histories).history(viewer, query)
    assert histories.asked == []


async def test_each_is_offered_just_what_it_may_see() -> None:
    service = HistoryService(Histories())
    assert len(await service.subjects(CENTRE)) == 3
    assert await service.subjects(HEALTH) == [Subject(Dimension.DEPARTMENT, "health")]
    street = replace(HEALTH, department=BodyCode("dongjie"))
    assert await service.subjects(street) == [Subject(Dimension.TOWN, "dongjie")]
    assert await service.subjects(NOBODY) == []


async def test_a_department_sees_its_own_and_a_few_are_read_at_once_and_few_wait() -> None:
    histories = Histories()
    service = HistoryService(histories, parallel=2, waiting=3)
    own = of(Dimension.DEPARTMENT, "health")
    asking = [asyncio.create_task(service.history(HEALTH, own)) for _ in range(3)]
    await histories.two.wait()
    with pytest.raises(TooBusy):
        await service.history(HEALTH, own)
    histories.gate.set()
    assert await asyncio.gather(*asking) == [FOUND] * 3
    assert histories.most == 2
    assert await service.history(HEALTH, own) == FOUND, "whoever has his answer gives his place back"


def test_a_closed_day_is_told_by_its_last_publication_and_an_open_one_by_its_sample() -> None:
    closed, sampled, nothing = FOUND.days
    assert (closed.metric, closed.ratio, closed.judged(None)) == (
        CLOSED_RATE, SECOND.ratio, (Verdict.COMPLIANT, Reason.LOW_MEETS_TARGET)
    )  # fmt: skip
    assert (sampled.metric, sampled.ratio) == (LIVE_RATE, Ratio(199, 200, 1))
    assert sampled.judged(NAMES.targets["S1"]) == (Verdict.UNDETERMINED, Reason.UNKNOWN_BETWEEN)
    assert (nothing.metric, nothing.ratio, nothing.judged(None)) == (None, None, None)


def test_a_revised_day_says_what_it_was_before() -> None:
    revised, sampled, nothing = history_rows.as_document(QUERY, FOUND, NAMES)["days"]
    assert (revised["state"], revised["revision"]) == ("revised", 2)
    assert (revised["low"], revised["target"]) == ("100.0", "100.0")
    assert [(one["revision"], one["low"], one["high"]) for one in revised["earlier"]] == [(1, "95.0", "97.0")]
    assert (sampled["state"], sampled["low"], sampled["high"], sampled["earlier"]) == ("open", "99.5", "100.0", [])
    assert (nothing["state"], nothing["low"], nothing["verdict"]) == ("none", None, None)


def test_counts_that_a_browser_would_round_travel_as_text() -> None:
    huge = replace(FIRST, ratio=Ratio(2**53 + 1, 2**60))
    (day,) = history_rows.as_document(QUERY, RateHistory((DayRate(DAY, (huge,)),)), NAMES)["days"]
    assert (day["numerator"], day["denominator"], day["unknown"]) == (str(2**53 + 1), str(2**60), 0)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_file_has_a_line_for_each_day_and_period_in_the_readers_words(lang: str) -> None:
    header, rows = history_rows.as_table(QUERY, FOUND, NAMES, texts.load(), lang)
    assert len(header) == len(history_rows.COLUMNS) == len(rows[0])
    table = [dict(zip(history_rows.COLUMNS, row, strict=True)) for row in rows]
    assert [(line["day"], line["low"], line["high"]) for line in table] == [
        ("2026-11-01", "100.0", "100.0"), ("2026-11-02", "99.5", "100.0"), ("2026-11-03", None, None),
        ("2026-10-26", "95.0", "97.0"),
    ]  # fmt: skip
    assert table[0]["subject"] == ("示范区" if lang == "zh" else "Sample")
    assert table[0]["state"] == ("已修订" if lang == "zh" else "Revised")
    assert table[0]["published"] == "2026-11-02T09:00:00+08:00"


EVIL = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\uff1d1", "\r=1"]


@pytest.mark.parametrize("text", EVIL)
def test_no_text_of_a_file_is_run_as_a_formula(text: str) -> None:
    (_, (from_csv,)) = csv.reader(io.StringIO(spreadsheet.as_csv(["h"], [[text]]).decode("utf-8-sig")))
    assert from_csv.startswith("'")
    sheet = openpyxl.load_workbook(io.BytesIO(spreadsheet.as_xlsx("S1", ["h"], [[text]]))).active
    assert sheet is not None
    cell = sheet.cell(2, 1)
    assert cell.data_type == "s"
    assert str(cell.value).startswith("'")


def test_figures_and_names_stay_what_they_are_in_a_file() -> None:
    rows: list[list[spreadsheet.Value]] = [["东街街道", "99.5", 199, None, "a\0b"]]
    (_, first) = csv.reader(io.StringIO(spreadsheet.as_csv(["h"], rows).decode("utf-8-sig")))
    assert first == ["东街街道", "99.5", "199", "", "a\ufffdb"]
    sheet = openpyxl.load_workbook(io.BytesIO(spreadsheet.as_xlsx("S1", ["h"], rows))).active
    assert sheet is not None
    assert [cell.value for cell in sheet[2]] == ["东街街道", "99.5", 199, None, "a\ufffdb"]


@pytest.mark.parametrize(
    "change",
    [
        {"to": "2026-10-31"},
        {"to": "2028-01-01"},
        {"of": "category"},
        {"value": "a b"},
        {"scope": "../x"},
        {"from": "1999-12-31", "to": "2000-01-02"},
        {"more": "1"},
    ],
)
def test_what_is_asked_for_is_bounded(change: dict[str, str]) -> None:
    asked = {"of": "district", "value": "sample", "scope": "S1+S2", "from": "2026-11-01", "to": "2026-11-01"}
    assert len(HistoryParameters.model_validate(asked).query().days()) == 1
    with pytest.raises(ValidationError):
        HistoryParameters.model_validate(asked | change)


def test_the_longest_span_is_a_year_and_some() -> None:
    asked = {"of": "town", "value": "t", "scope": "S1", "from": "2025-11-01", "to": "2026-12-05"}
    assert len(HistoryParameters.model_validate(asked).query().days()) == MAX_DAYS
