"""Who may have whose report, of which period, and how many are made at a time."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.console.adapters import report_sheet
from services.console.adapters.web import reports
from services.console.adapters.web.reports import ReportParameters, ReportsApi
from services.console.domain.errors import NotFound, TooBusy
from services.console.domain.history import Subject
from services.console.domain.report import ListedPeriod, Report, ReportQuery, Sheet
from services.console.domain.viewer import BodyCode, Role, Username, Viewer
from services.console.worker.reports import ReportService
from services.kernel.words import Dimension, Language, Period
from tests.fakes.clock import ManualClock
from tests.fakes.console import FakeReadModel

CENTRE = Viewer(Username("centre"), Role.CENTRE, None, "值班")
HEALTH = Viewer(Username("health"), Role.DEPARTMENT, BodyCode("health"), "卫健")
NOBODY = Viewer(Username("x"), Role.DEPARTMENT, BodyCode(""), "")
DISTRICT, OWN = Subject(Dimension.DISTRICT, "sample"), Subject(Dimension.DEPARTMENT, "health")
NOW = datetime(2026, 10, 31, 16, 30, tzinfo=UTC)
"""Half past midnight of 1 November in China."""
OCTOBER = date(2026, 10, 1)


@dataclass
class Facts:
    """Answers when `free`, and keeps what it was asked."""

    closed: Sequence[ListedPeriod] = ()
    asked: list[tuple[ReportQuery, bool]] = field(default_factory=list)
    printing: int = 0
    free: asyncio.Event = field(default_factory=asyncio.Event)

    async def periods(self, subject: Subject) -> Sequence[ListedPeriod]:
        return self.closed

    async def report(self, query: ReportQuery, now: datetime, *, centre: bool) -> Report:
        self.asked.append((query, centre))
        await self.free.wait()
        return Report(query, now, None)

    async def pdf(self, sheet: Sheet) -> bytes:
        self.printing += 1
        await self.free.wait()
        return sheet.title.encode()


def service(facts: Facts, waiting: int = 16) -> ReportService:
    return ReportService(facts, facts, ManualClock(NOW), waiting=waiting)


@pytest.fixture
def facts() -> Facts:
    made = Facts()
    made.free.set()
    return made


async def test_a_department_has_its_own_report_and_nobody_elses(facts: Facts) -> None:
    await service(facts).report(HEALTH, OWN, Period.MONTH, OCTOBER)
    assert [(query.subject, centre) for query, centre in facts.asked] == [(OWN, False)]
    others = (DISTRICT, Subject(Dimension.DEPARTMENT, "education"), Subject(Dimension.TOWN, "dongjie"))
    for viewer, subject in [*((HEALTH, other) for other in others), (NOBODY, OWN), (NOBODY, DISTRICT)]:
        with pytest.raises(NotFound):
            await service(facts).report(viewer, subject, Period.MONTH, OCTOBER)
        with pytest.raises(NotFound):
            await service(facts).periods(viewer, subject)


async def test_the_centres_own_work_stands_in_the_districts_report_only(facts: Facts) -> None:
    for subject in (DISTRICT, OWN):
        await service(facts).report(CENTRE, subject, Period.MONTH, OCTOBER)
    assert [centre for _, centre in facts.asked] == [True, False]


@pytest.mark.parametrize(
    ("kind", "first"),
    [(Period.MONTH, date(2026, 10, 2)), (Period.WEEK, date(2026, 10, 27)), (Period.DAY, date(2026, 11, 2))],
)
async def test_a_day_on_which_no_period_begins_or_none_has_yet_is_not_found(
    facts: Facts, kind: Period, first: date
) -> None:
    with pytest.raises(NotFound):
        await service(facts).report(CENTRE, DISTRICT, kind, first)
    assert facts.asked == []


async def test_of_each_kind_the_running_period_and_the_one_before_are_there_before_they_are_closed(
    facts: Facts,
) -> None:
    facts.closed = [ListedPeriod(Period.MONTH, OCTOBER, date(2026, 10, 31), 2, NOW)]
    found = await service(facts).periods(CENTRE, DISTRICT)
    months = [(one.first, one.revision) for one in found if one.kind is Period.MONTH]
    assert months == [(date(2026, 11, 1), 0), (OCTOBER, 2)]
    days = [(one.first, one.revision) for one in found if one.kind is Period.DAY]
    assert days == [(date(2026, 11, 1), 0), (date(2026, 10, 31), 0)]
    assert {one.kind for one in found} == set(Period)


async def test_who_asks_while_too_many_wait_is_told_so() -> None:
    facts = Facts()
    desk = service(facts, waiting=3)
    tasks = [asyncio.create_task(desk.report(CENTRE, DISTRICT, Period.MONTH, OCTOBER)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(TooBusy):
        await desk.report(CENTRE, DISTRICT, Period.MONTH, OCTOBER)
    assert len(facts.asked) == 2, "two at a time"
    facts.free.set()
    await asyncio.gather(*tasks)
    await desk.report(CENTRE, DISTRICT, Period.MONTH, OCTOBER)


async def test_reports_are_printed_in_the_same_turns_as_they_are_read() -> None:
    facts = Facts()
    desk = service(facts, waiting=3)
    sheet = Sheet(Language.ZH, "月报", "closed", NOW, (), (), ())
    tasks = [asyncio.create_task(desk.printed(sheet)) for _ in range(3)]
    await asyncio.sleep(0)
    assert facts.printing == 2, "two at a time"
    with pytest.raises(TooBusy):
        await desk.printed(sheet)
    facts.free.set()
    assert await asyncio.gather(*tasks) == ["月报".encode()] * 3


async def test_the_words_of_a_report_are_put_together_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 50 000 outages: the loop shows fires meanwhile."""
    facts = Facts()
    facts.free.set()
    threads = []

    def worded(report: Report, *_: object) -> Sheet:
        threads.append(threading.current_thread())
        return Sheet(Language.ZH, "月报", "closed", report.made_at, (), (), ())

    monkeypatch.setattr(report_sheet, "sheet_of", worded)
    monkeypatch.setattr(reports, "session_of", lambda _: SimpleNamespace(viewer=CENTRE))
    api = ReportsApi(cast(Any, SimpleNamespace(signed_in=None)), service(facts), FakeReadModel())
    asked = ReportParameters.model_validate(
        {"of": "district", "value": "sample", "period": "month", "from": "2026-10-01"}
    )
    assert (await api.one(cast(Any, None), asked)).status_code == 200
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()
