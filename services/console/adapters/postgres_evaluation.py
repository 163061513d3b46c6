"""`ScoreRepository` on the tables of compliance. Reads only."""

from collections.abc import Sequence
from datetime import datetime, time
from typing import Any

from services.console.adapters.circulars import cases_of
from services.console.adapters.postgres_read import translated
from services.console.adapters.rows import Row
from services.console.adapters.statements import SQL
from services.console.domain.errors import NotFound
from services.console.domain.evaluation import CircularRow, ScoredPeriod, ScoredScheme, ScoreRow, WaitingPoints
from services.console.domain.viewer import WHOLE, Slice
from services.kernel.calendar import CHINA
from services.kernel.words import FileKind, Language, Period
from services.runtime.postgres import Pool

MAX_PERIODS = 100
MAX_CIRCULARS = 20
MAX_WAITING = 200


class PostgresEvaluation:
    """Every question carries the slice: a department or street sees its own score, whoever sees the district all."""

    def __init__(self, pool: Pool, deadline_s: float = 5.0) -> None:
        self._pool = pool
        self._deadline_s = deadline_s

    async def periods(self, slice_: Slice) -> Sequence[ScoredPeriod]:
        found = await self._all(SQL["scored_periods"], slice_, most=MAX_PERIODS)
        return [ScoredPeriod(Period(kind), first) for kind, first in found]

    async def scores(self, slice_: Slice, period: ScoredPeriod) -> Sequence[ScoreRow]:
        begins = datetime.combine(period.first, time(), CHINA)
        found = await self._all(SQL["scores_of_period"], slice_, kind=period.kind.value, begins=begins)
        return [ScoreRow(*row) for row in found]

    async def waiting(self) -> Sequence[WaitingPoints]:
        return [WaitingPoints(*row) for row in await self._all(SQL["waiting_points"], WHOLE, most=MAX_WAITING)]

    async def circulars(self, period: ScoredPeriod) -> Sequence[CircularRow]:
        begins = datetime.combine(period.first, time(), CHINA)
        found = await self._all(SQL["schemes_of_period"], WHOLE, kind=period.kind.value, begins=begins)
        cases = cases_of((ScoredScheme(*row) for row in found), period)
        rows = await self._all(SQL["circulars"], WHOLE, cases=list(cases), most=MAX_CIRCULARS)
        return [
            CircularRow(row[0], scheme.scheme_id, scheme.district, *row[2:]) for row in rows for scheme in cases[row[1]]
        ]

    async def circular_file(self, document_id: str, language: Language, kind: FileKind) -> bytes:
        asked = {"document_id": document_id, "language": language.value, "file_kind": kind.value}
        found = await self._all(SQL["circular_file"], WHOLE, **asked)
        if not found:
            raise NotFound
        return bytes(found[0][0])

    async def _all(self, text: str, slice_: Slice, **parameters: Any) -> list[Row]:
        asked = {"whole": slice_.whole, "own": slice_.department, **parameters}
        async with translated(self._deadline_s), self._pool.connection() as connection:
            return await (await connection.execute(text.encode(), asked)).fetchall()
