"""Findings about grades leave with the scores that they rest on: memory and PostgreSQL tell the same, each once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import pytest

from schemas import body_finding as wire
from schemas import codec
from services.compliance.adapters import postgres_scores
from services.compliance.adapters.postgres_scores import PostgresScores
from services.compliance.domain.scores import Score
from services.compliance.ports import ScoreStore
from services.kernel.calendar import CHINA, moment
from services.kernel.ratio import Ratio
from services.kernel.words import Phase
from services.runtime.postgres import Pool, open_pool
from tests.fakes.compliance import MemoryScores
from tests.unit.compliance.test_scores import of_years

BAD, GOOD = Ratio(0, 1), Ratio(1, 1)


class Told(NamedTuple):
    phase: Phase
    year: int
    revision: int
    finding_id: str
    event_id: str


@dataclass
class Scores:
    store: ScoreStore
    pool: Pool | None

    async def tell(self, scores: Sequence[Score]) -> list[Told]:
        """Store them and return what is told anew."""
        before = len(await self.told())
        await self.store.save(scores)
        return (await self.told())[before:]

    async def told(self) -> list[Told]:
        if isinstance(self.store, MemoryScores):
            found = self.store.found
            return [
                Told(
                    one.phase,
                    moment(one.window.start).astimezone(CHINA).year,
                    one.revision,
                    one.finding_id,
                    one.event_id,
                )
                for one in found
            ]
        assert self.pool is not None
        async with self.pool.connection() as connection:
            rows = await connection.execute("SELECT topic, key, payload FROM compliance.outbox ORDER BY position")
            return [_told(*row) for row in await rows.fetchall()]


def _told(topic: str, key: str, payload: bytes) -> Told:
    event = codec.findings.decode(bytes(payload))
    assert isinstance(event, wire.BodyFinding)
    data = event.data
    assert (topic, key, data.subject.id) == ("firenet.findings.v1", "T1", "T1")
    assert (data.pack.pack_id, data.pack.version) == ("sample-2026", 1)
    close = data.close
    return Told(data.phase, _year(close.period_from), close.revision, data.finding_id, event.id)


def _year(at: datetime) -> int:
    return at.astimezone(CHINA).year


@pytest.fixture(params=["memory", "postgres"])
async def scores(request: pytest.FixtureRequest, migrated_database: str) -> AsyncIterator[Scores]:
    if request.param == "memory":
        yield Scores(MemoryScores(), None)
        return
    async with open_pool(migrated_database, "test", 1, 3) as pool:
        yield Scores(PostgresScores(pool), pool)


async def test_one_finding_goes_on_over_the_years_running_and_ends_with_a_year_that_is_not(scores: Scores) -> None:
    one = of_years((BAD, "0", 2026))
    (began,) = await scores.tell(one)
    assert (began.phase, began.year, began.revision) == (Phase.BEGAN, 2026, 1)
    assert await scores.tell(one) == [], "what was told is not told again"
    (changed,) = await scores.tell(of_years((BAD, "0", 2026), (BAD, "0", 2027)))
    assert (changed.phase, changed.year, changed.finding_id) == (Phase.CHANGED, 2027, began.finding_id)
    (ended,) = await scores.tell(of_years((BAD, "0", 2026), (BAD, "0", 2027), (GOOD, "20", 2028)))
    assert (ended.phase, ended.year, ended.finding_id) == (Phase.ENDED, 2028, began.finding_id)
    assert len({each.event_id for each in await scores.told()}) == 3


async def test_what_becomes_open_or_is_not_made_any_more_ends_and_may_come_again(scores: Scores) -> None:
    (began,) = await scores.tell(of_years((BAD, "0", 2026)))
    (ended,) = await scores.tell(of_years((BAD, None, 2026)))
    assert (ended.phase, ended.revision, ended.finding_id) == (Phase.ENDED, 2, began.finding_id)
    (again,) = await scores.tell(of_years((BAD, "0", 2026)))
    assert (again.phase, again.revision) == (Phase.BEGAN, 3)
    (gone,) = await scores.tell([])
    assert (gone.phase, gone.year, gone.revision) == (Phase.ENDED, 2026, 4)
    assert await scores.tell([]) == []
    assert len({each.event_id for each in await scores.told()}) == 4


async def test_a_year_that_is_competent_or_open_tells_nothing(scores: Scores) -> None:
    assert await scores.tell(of_years((GOOD, "20", 2026))) == []
    assert await scores.tell(of_years((BAD, None, 2026))) == []


async def test_a_score_is_not_stored_where_its_finding_could_not_be(
    migrated_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    async with open_pool(migrated_database, "test", 1, 3) as pool:
        of = Scores(PostgresScores(pool), pool)
        with monkeypatch.context() as patched:
            patched.setattr(postgres_scores, "grade_event", broken)
            with pytest.raises(ZeroDivisionError):
                await of.store.save(of_years((BAD, "0", 2026)))
        (began,) = await of.tell(of_years((BAD, "0", 2026)))
        assert (began.phase, began.revision) == (Phase.BEGAN, 1)


async def test_two_processes_that_store_the_same_scores_tell_one_event(migrated_database: str) -> None:
    async with open_pool(migrated_database, "test", 2, 3) as pool:
        of = Scores(PostgresScores(pool), pool)
        one = of_years((BAD, "0", 2026))
        await asyncio.gather(of.store.save(one), of.store.save(one))
        assert len({each.event_id for each in await of.told()}) == 1
