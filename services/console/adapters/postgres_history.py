"""`RateHistories` on the published figures of compliance and the samples of rules. Reads only."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any

from services.console.adapters.postgres_read import translated
from services.console.adapters.rows import Row, all_rows
from services.console.adapters.statements import SQL
from services.console.domain.history import (
    CLOSED_RATE,
    DIMENSIONS,
    DayRate,
    HistoryQuery,
    PeriodRate,
    Publication,
    RateHistory,
    Sample,
    Subject,
)
from services.console.domain.viewer import BodyCode
from services.kernel.ratio import Ratio, Reason, Verdict
from services.kernel.words import Dimension, Period
from services.runtime.postgres import Pool


class PostgresHistory:
    """Every call is one read-only snapshot, and raises DataUnavailable when there is no answer in time."""

    def __init__(self, pool: Pool, deadline_s: float = 5.0) -> None:
        self._pool = pool
        self._deadline_s = deadline_s

    async def subjects(self) -> Sequence[Subject]:
        wanted = {"dimensions": [dimension.value for dimension in DIMENSIONS]}
        async with translated(self._deadline_s), self._pool.connection() as connection:
            found = await all_rows(connection, SQL["history_subjects"], **wanted)
        subjects = [Subject(Dimension(dimension), value) for dimension, value in found]
        return sorted(subjects, key=lambda each: (DIMENSIONS.index(each.dimension), each.value))

    async def is_town(self, body: BodyCode) -> bool:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            ((found,),) = await all_rows(connection, SQL["is_town"], department=body)
        return bool(found)

    async def history(self, query: HistoryQuery) -> RateHistory:
        asked: dict[str, Any] = {
            "metric": CLOSED_RATE,
            "kinds": list(Period),
            "scope": query.scope,
            "dimension": query.subject.dimension.value,
            "value": query.subject.value,
            "first": query.first,
            "last": query.last,
        }
        async with translated(self._deadline_s), self._pool.connection() as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            periods = _periods(await all_rows(connection, SQL["history_published"], **asked))
            closed = {each.first: each.publications for each in periods if each.kind is Period.DAY}
            asked["days"] = [day for day in query.days() if day not in closed]
            samples = {row[0]: _sample(row) for row in await all_rows(connection, SQL["history_samples"], **asked)}
        days = [DayRate(day, closed.get(day, ()), samples.get(day)) for day in query.days()]
        return RateHistory(tuple(days), tuple(each for each in periods if each.kind is not Period.DAY))


def _sample(row: Row) -> Sample:
    return Sample(row[1], Ratio(*row[2:6]))


def _periods(found: Sequence[Row]) -> list[PeriodRate]:
    """Return the periods with their publications, by kind and then by time."""
    of: dict[tuple[Period, date, date], list[Publication]] = defaultdict(list)
    for row in found:
        of[Period(row[0]), row[1], row[2]].append(_publication(row[3:]))
    order = list(Period)
    return [PeriodRate(*key, tuple(of[key])) for key in sorted(of, key=lambda each: (order.index(each[0]), each[1]))]


def _publication(row: Row) -> Publication:
    revision, published_at, numerator, denominator, unknown, exempt, verdict, reason, target = row
    ratio = Ratio(int(numerator), int(denominator), int(unknown), int(exempt))
    return Publication(revision, published_at, ratio, Verdict(verdict), Reason(reason), target)
