"""`ReportFacts` on the tables of compliance, rules, alerts and documents. Reads only."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from services.console.adapters.postgres_read import translated
from services.console.adapters.rows import Row
from services.console.adapters.statements import SQL
from services.console.domain.history import CLOSED_RATE, Publication, Subject
from services.console.domain.report import (
    FLOOD,
    WITHIN,
    Attribution,
    Blocking,
    CaseCounts,
    Centre,
    Figure,
    FireFindings,
    ListedPeriod,
    Outage,
    PaperCounts,
    Report,
    ReportQuery,
    UnitTime,
    Withheld,
    blocking,
)
from services.kernel.calendar import day_number, moment
from services.kernel.ratio import Ratio, Reason, Verdict
from services.kernel.retention import MIN_DAYS, kept_from
from services.kernel.words import Dimension, Period
from services.runtime.postgres import Connection, Pool

MAX_PERIODS = 62
"""Of each kind: two months of days, more than a year of weeks."""
MAX_OUTAGES = 50_000
MAX_FIRES = 20_000
MAX_UNIT_DAYS = 700_000
"""Rows of units and days that are summed for the units below a target: a month of 20 000 units, some two seconds."""
AT_ONCE = 1000
"""Rows decoded before others have their turn: some milliseconds."""
SLICES = {
    Dimension.DISTRICT: SQL["report_district"],
    Dimension.TOWN: SQL["report_town"],
    Dimension.DEPARTMENT: SQL["report_department"],
}
SHOWN = ("low", "high", "verdict", "numerator", "denominator", "unknown", "exempt")
"""Of what changed from one revision to the next; `value` is `low`."""


class PostgresReports:
    """Every call is one read-only snapshot, and raises DataUnavailable when there is no answer in time."""

    def __init__(self, pool: Pool, deadline_s: float = 12.0) -> None:
        self._pool = pool
        self._deadline_s = deadline_s

    async def periods(self, subject: Subject) -> Sequence[ListedPeriod]:
        asked = {"dimension": subject.dimension.value, "value": subject.value, "most": MAX_PERIODS}
        async with translated(self._deadline_s), self._pool.connection() as connection:
            found = await _all(connection, SQL["report_periods"], asked)
        return [ListedPeriod(Period(kind), *rest) for kind, *rest in found]

    async def report(self, query: ReportQuery, now: datetime, *, centre: bool) -> Report:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return await _Reading(connection, query, now).report(centre)


@dataclass(frozen=True)
class _Reading:
    """One report in the making, within one snapshot."""

    connection: Connection
    query: ReportQuery
    now: datetime

    async def report(self, centre: bool) -> Report:
        withheld: dict[str, Withheld] = {}
        ((seen_to,),) = await self._rows(SQL["report_seen_to"])
        figures = await self._figures()
        kept = self.query.begins_at >= kept_from(self.now, MIN_DAYS)
        lost = await self._outages(withheld) if kept else None
        blocks = await self._blocking(figures, withheld)
        cases = papers = own = None
        steps: tuple[tuple[str, int], ...] = ()
        findings: tuple[FireFindings, ...] = ()
        if kept:
            cases = tuple(CaseCounts(*row) for row in await self._rows(SQL["report_cases"]))
            findings = tuple(FireFindings(*row) for row in await self._rows(SQL["report_findings"]))
            steps = tuple((str(step), int(count)) for step, count in await self._rows(SQL["report_steps"]))
            papers = tuple(PaperCounts(*row) for row in await self._rows(SQL["report_papers"], now=self.now))
            own = await self._centre(withheld) if centre else None
        else:
            withheld |= dict.fromkeys(("outages", "cases", "papers", "centre"), Withheld.NOT_KEPT)
        return Report(
            query=self.query, made_at=self.now, seen_to=seen_to, figures=figures, outages=lost, blocking=blocks,
            cases=cases, findings=findings, steps=steps, papers=papers, centre=own, withheld=withheld,
        )  # fmt: skip

    async def _rows(self, statement: str, **more: Any) -> list[Row]:
        query = self.query
        parameters = {
            "dimension": query.subject.dimension.value,
            "value": query.subject.value,
            "kind": query.kind.value,
            "begins": query.begins_at,
            "ends": query.ends_at,
        }
        filled = statement.format(slice=SLICES[query.subject.dimension])
        return await _all(self.connection, filled, parameters | more)

    async def _figures(self) -> tuple[Figure, ...]:
        of: dict[tuple[str, str], list[Row]] = {}
        for row in await self._rows(SQL["report_figures"]):
            of.setdefault((row[0], row[1]), []).append(row)
        return tuple(_figure(scope, metric, revisions) for (scope, metric), revisions in of.items())

    async def _outages(self, withheld: dict[str, Withheld]) -> tuple[Outage, ...] | None:
        begins = self.query.begins_at
        published = next((moment(row[0]) for row in await self._rows(SQL["report_published_to"])), None)
        if published is None or published <= begins:
            withheld["outages"] = Withheld.NOT_SEEN if begins <= self.now else Withheld.NOT_BEGUN
            return None
        until = min(self.query.ends_at, published)
        told = await self._rows(SQL["report_outages"], until=until, most=MAX_OUTAGES + 1)
        if len(told) > MAX_OUTAGES:
            withheld["outages"] = Withheld.TOO_MANY
            return None
        return await asyncio.to_thread(_outages_of, told)

    async def _blocking(self, figures: Sequence[Figure], withheld: dict[str, Withheld]) -> tuple[Blocking, ...] | None:
        judged = {
            each.scope: each.publications[-1]
            for each in figures
            if each.metric == CLOSED_RATE and each.publications[-1].target is not None
        }
        if not judged:
            return ()
        days = (self.query.last - self.query.first).days + 1
        ((members,),) = await self._rows(SQL["report_members"])
        if members * days > MAX_UNIT_DAYS:
            withheld["blocking"] = Withheld.TOO_MANY
            return None
        first, last = day_number(self.query.first), day_number(self.query.last)
        found = await self._rows(SQL["report_unit_times"], first=first, last=last)
        return await asyncio.to_thread(_blocking_of, judged, found)

    async def _centre(self, withheld: dict[str, Withheld]) -> Centre | None:
        fires = await self._rows(SQL["report_fires"], most=MAX_FIRES + 1)
        if len(fires) > MAX_FIRES:
            withheld["centre"] = Withheld.TOO_MANY
            return None
        touches = [first - shown for shown, first, _ in fires if first is not None]
        acts = [acted - shown for shown, _, acted in fires if acted is not None]
        ((cases, hours, flooded, busiest),) = await self._rows(SQL["report_hours"], flood=FLOOD)
        return Centre(
            len(fires), len(touches), len(acts), _within(touches), _within(acts), max(touches, default=None),
            max(acts, default=None), cases, hours, flooded, busiest,
        )  # fmt: skip


def _outages_of(rows: Sequence[Row]) -> tuple[Outage, ...]:
    return tuple(Outage(row[0], (row[1], row[2]), row[3], row[4], Attribution(row[5]), row[6]) for row in rows)


def _blocking_of(judged: Mapping[str, Publication], rows: Sequence[Row]) -> tuple[Blocking, ...]:
    made = []
    for scope, publication in judged.items():
        units = [UnitTime(row[0], (row[1], row[2]), _ratio(row[4:8])) for row in rows if scope in row[3]]
        assert publication.target is not None
        missing = publication.ratio.missing(Fraction(Decimal(publication.target)))
        made.append(blocking(scope, publication.target, publication.ratio, missing, units))
    return tuple(made)


def _within(times: Sequence[timedelta]) -> int:
    return sum(each <= WITHIN for each in times)


async def _all(connection: Connection, statement: str, parameters: dict[str, Any]) -> list[Row]:
    cursor = await connection.execute(statement.encode(), parameters)
    found: list[Row] = []
    while some := await cursor.fetchmany(AT_ONCE):
        found += some
        await asyncio.sleep(0)  # rows are decoded in the loop that shows fires
    return found


def _figure(scope: str, metric: str, revisions: Sequence[Row]) -> Figure:
    last = revisions[-1]
    publications = tuple(
        Publication(row[2], row[3], _ratio(row[4:8]), Verdict(row[8]), Reason(row[9]), row[10]) for row in revisions
    )
    differences = tuple(
        {name: (_text(row[11][name][0]), _text(row[11][name][1])) for name in SHOWN if name in row[11]}
        for row in revisions
    )
    return Figure(scope, metric, publications, differences, last[12], last[13], (last[14], last[15]))


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _ratio(counts: Sequence[Any]) -> Ratio:
    return Ratio(*(int(each) for each in counts))
