"""Scores of bodies in PostgreSQL: from published figures and what the registry has of people's entries."""

from collections.abc import Collection, Sequence

from services.compliance.adapters.grade_rows import grade_event, graded_of, graded_row
from services.compliance.adapters.postgres_facts import translated
from services.compliance.adapters.score_rows import (
    cited_of,
    entry_of,
    listed_act_of,
    score_row,
    score_text,
    withdrawn_row,
)
from services.compliance.adapters.statements import SQL
from services.compliance.domain.grades import grade_findings, years_of
from services.compliance.domain.listings import ListedAct
from services.compliance.domain.scores import Cited, Entry, Score
from services.kernel.calendar import micros
from services.kernel.words import FindingKind, Period
from services.runtime.postgres import Connection, Pool


class PostgresScores:
    """Implements ports.ScoreStore."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def entered(self) -> object:
        with translated():
            async with self._pool.connection() as connection:
                return await (await connection.execute(SQL["newest_entry"])).fetchone()

    async def figures(self, dimensions: Collection[str]) -> Sequence[Cited]:
        with translated():
            async with self._pool.connection() as connection:
                found = await connection.execute(SQL["months_by_slice"], (sorted(dimensions),))
                return [cited_of(row) for row in await found.fetchall()]

    async def entries(self) -> Sequence[Entry]:
        with translated():
            async with self._pool.connection() as connection:
                return [entry_of(row) for row in await (await connection.execute(SQL["entries"])).fetchall()]

    async def listings(self) -> Sequence[ListedAct]:
        with translated():
            async with self._pool.connection() as connection:
                rows = await (await connection.execute(SQL["listing_acts"])).fetchall()
        return [listed_act_of(row) for row in rows]

    async def save(self, scores: Sequence[Score]) -> int:
        with translated():
            async with self._pool.connection() as connection, connection.transaction():
                rows = await (await connection.execute(SQL["standing_scores"])).fetchall()
                standing = {(*row[:3], micros(row[3])): row for row in rows}
                new = []
                for score in scores:
                    of = (score.scheme.scheme_id, score.body_id, score.window.kind.value, score.window.start)
                    row = standing.pop(of, None)
                    if row is None or row[5] != score_text(score):
                        new.append(score_row(score, 1 if row is None else row[4] + 1))
                new += [withdrawn_row(row) for row in standing.values() if not row[-1]]
                if new:
                    async with connection.cursor() as cursor:
                        await cursor.executemany(SQL["add_score"], new)
                await self._tell_grades(connection, scores)
                return len(new)

    @staticmethod
    async def _tell_grades(connection: Connection, scores: Sequence[Score]) -> None:
        """Put into the outbox what is new of the grades of years, in the transaction of their scores.

        Nothing before `migrate --post`: alerts of the version before passes over a finding of this kind, and it would
        never become a case.
        """
        row = await (await connection.execute(SQL["is_released"], (str(FindingKind.NOT_COMPETENT),))).fetchone()
        if row is None or not row[0]:
            return
        told = dict(graded_of(row) for row in await (await connection.execute(SQL["told_grades"])).fetchall())
        if not told and not any(score.window.kind is Period.YEAR for score in scores):
            return
        standing = await (await connection.execute(SQL["standing_scores"])).fetchall()
        of = {(row[0], row[1], row[2], micros(row[3])): row for row in standing}
        revisions = {
            (score.subject, score.window): of[*score.subject, score.window.kind.value, score.window.start][4]
            for score in scores
        }
        found = grade_findings(told, years_of(scores, revisions))
        if not found:
            return
        now = await (await connection.execute(SQL["database_now"])).fetchone()
        assert now is not None, "a function returns its row"
        for one in found:
            row = of.get((*one.subject, one.window.kind.value, one.window.start))
            pack = (row[7], row[8]) if row is not None else ("none", 1)
            await connection.execute(SQL["save_grade"], graded_row(one))
            await connection.execute(SQL["add_message"], grade_event(one, pack, now[0]))
