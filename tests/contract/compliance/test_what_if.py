"""What another pack would have said of a closed period: the same as `replay --pack`, told beside what is published."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from deploy.stack.postgres import Postgres
from services.compliance.adapters.log_fold import suppose
from services.compliance.adapters.postgres_facts import PostgresFacts
from services.compliance.adapters.postgres_what_ifs import PostgresWhatIfs
from services.compliance.domain.what_if import LEASE, MAX_ATTEMPTS, Unanswered
from services.compliance.metrics import WhatIfMetrics
from services.compliance.ports import Position
from services.compliance.worker.what_ifs import WhatIfs
from services.kernel.calendar import day_number
from services.runtime.postgres import Pool, open_pool
from tests.contract.compliance.closings import Archived, closing, sent, stored, until_done
from tests.contract.compliance.scenario import DAY, Scenario
from tests.contract.compliance.test_closing import HOUR, PUBLISHING, district, replayed
from tests.fakes.clock import ManualClock
from tests.parts import fresh_database

NOW = datetime(2026, 3, 20, tzinfo=UTC)
CHANGED = PUBLISHING.replace("    - key_unit\n    - auto_fire_facilities\n", "    - auto_fire_facilities\n").replace(
    "misses: 4", "misses: 40"
)
"""Units that are no key units are in S1 too, and are lost much later."""


class Site:
    """Three days of a district that are closed, and somebody who asks."""

    def __init__(self, pool: Pool, dsn: str, root: Path) -> None:
        self.pool, self.dsn, self.root = pool, dsn, root
        self.clock = ManualClock(NOW)
        self.facts = PostgresFacts(pool)

    def what_ifs(self, **options: Any) -> WhatIfs:
        given: dict[str, Any] = {"facts": self.facts, **options}
        return WhatIfs(
            store=PostgresWhatIfs(self.pool),
            suppose=suppose,
            metrics=WhatIfMetrics(CollectorRegistry()),
            clock=self.clock,
            tell=lambda *_, **__: None,
            **given,
        )

    def asked(self, pack: str = CHANGED, kind: str = "day", first: str = "2026-03-10") -> int:
        with psycopg.connect(self.dsn) as connection:
            row = connection.execute(
                "INSERT INTO console.what_ifs (asked_by, asked_at, period_kind, first_day, source, pack)"
                " VALUES ('wang', %s, %s, %s, 'draft.yaml', %s) RETURNING what_if_id",
                (self.clock.now(), kind, first, pack),
            ).fetchone()
        assert row is not None
        return int(row[0])

    def answer(self, what_if_id: int) -> tuple[str, str, Any]:
        with psycopg.connect(self.dsn) as connection:
            row = connection.execute(
                "SELECT state, reason, result FROM compliance.what_ifs WHERE what_if_id = %s", (what_if_id,)
            ).fetchone()
        assert row is not None
        return row[0], row[1], row[2]

    async def answered(self, **asked: str) -> tuple[str, str, Any]:
        number = self.asked(**asked)
        assert await self.what_ifs().turn()
        return self.answer(number)


def five_units(work: Path) -> Scenario:
    """The district of the test of closing, and a crowded place that is no key unit."""
    told = district(work).unit("U5", key_unit=False).gateway("G5", "U5")
    return told.heartbeats(40, 2 * DAY, 1500, gateway="G5", unit="U5")


@pytest.fixture(scope="module")
def closed(
    postgres_server: Postgres, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """The name of a database in which the days are closed, to copy, and their archive: to close them takes longest."""
    work = tmp_path_factory.mktemp("closed")
    archived = Archived(work / "archive")
    archived.put(sent(five_units(work), PUBLISHING))

    async def close(dsn: str) -> None:
        async with open_pool(dsn, "test", 1, 3) as pool:
            await until_done(closing(pool, archived.root, 4 * HOUR))

    with fresh_database(postgres_server, migrated_template) as name:
        asyncio.run(close(postgres_server.dsn(name)))
        yield name, archived.root


@pytest.fixture
async def site(postgres_server: Postgres, closed: tuple[str, Path]) -> AsyncIterator[Site]:
    template, root = closed
    with fresh_database(postgres_server, template) as name:
        dsn = postgres_server.dsn(name)
        async with open_pool(dsn, "test", 1, 3) as pool:
            yield Site(pool, dsn, root)


async def test_it_says_what_replay_says_with_the_same_pack(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = stored(site.dsn)

    state, reason, result = await site.answered()

    assert (state, reason) == ("done", "")
    monkeypatch.setenv("FIRENET_DATABASE_DSN", site.dsn)
    pack = tmp_path / "changed.yaml"
    pack.write_text(CHANGED, "utf-8")
    _, told = replayed(["2026-03-10", "2026-03-11", "--archive", str(site.root), "--pack", str(pack)])
    by_replay = {
        (each["metric"], each["scope"]): json.loads(each["computed"])
        for each in told
        if each["slice"] == {"district": "sample"}
    }
    rows = {(row["metric"], row["scope"]): row for row in result["rows"]}
    assert len(rows) > 20
    changed = {key for key, row in rows.items() if row["before"] != row["after"]}
    assert ("time_weighted_networking_rate", "S1") in changed
    for key, row in rows.items():
        if key in by_replay:
            assert row["after"] == {name: by_replay[key][name] for name in row["after"]}, key
        else:
            assert row["after"] == row["before"], key
    assert changed <= by_replay.keys()
    assert stored(site.dsn) == published, "nothing that is published changes"


async def test_what_is_published_stands_beside_it_and_who_enters_is_named(site: Site) -> None:
    _, _, result = await site.answered()

    (row,) = [each for each in result["rows"] if (each["metric"], each["scope"]) == ("access_rate", "S1")]
    # U4 is retired; U3 has no commissioning; U5 enters.
    assert (row["before"]["denominator"], row["after"]["denominator"]) == (3, 4)
    assert (row["before"]["value"], row["after"]["value"], row["difference"]) == ("66.6", "75.0", "+8.4")
    (change,) = [each for each in result["scopes"] if each["scope"] == "S1"]
    assert (change["enters"], change["leaves"]) == (["U5"], [])


async def test_the_pack_that_holds_says_what_is_published(site: Site) -> None:
    for kind, first in (("day", "2026-03-10"), ("day", "2026-03-11")):
        state, _, result = await site.answered(pack=PUBLISHING, kind=kind, first=first)
        assert state == "done"
        assert [row for row in result["rows"] if row["before"] != row["after"]] == []
        assert result["scopes"] == []


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"first": "2026-03-12"}, Unanswered.NOT_CLOSED),
        ({"kind": "month", "first": "2026-03-01"}, Unanswered.NOT_CLOSED),
        ({"first": "2026-03-05"}, Unanswered.FACTS_GONE),
        ({"pack": CHANGED.replace("district: sample", "district: other")}, Unanswered.OTHER_DISTRICT),
        ({"pack": CHANGED.replace("blind_after_s: 1800", "blind_after_s: 3600")}, Unanswered.BLIND_DIFFERS),
    ],
)
async def test_what_has_no_answer_says_why(site: Site, asked: dict[str, str], why: Unanswered) -> None:
    assert await site.answered(**asked) == ("failed", why.value, None)


class Moving(PostgresFacts):
    """Days become final while somebody asks."""

    async def position(self) -> Position | None:
        found = await super().position()
        self.asked = getattr(self, "asked", 0) + 1
        return found if found is None or self.asked == 1 else found._replace(kept_day=found.kept_day + 7)


async def test_facts_that_go_meanwhile_give_no_answer(site: Site) -> None:
    number = site.asked()
    await site.what_ifs(facts=Moving(site.pool)).turn()
    assert site.answer(number)[:2] == ("failed", Unanswered.FACTS_MOVED.value)


async def test_a_final_day_is_refused(site: Site) -> None:
    day = day_number(date(2026, 3, 11))
    with psycopg.connect(site.dsn) as connection:
        connection.execute("UPDATE compliance.log_position SET kept_day = %s", (day,))
    assert await site.answered() == ("failed", Unanswered.FACTS_GONE.value, None)


async def test_what_takes_too_long_is_given_up(site: Site) -> None:
    number = site.asked()
    await site.what_ifs(limit_s=-1.0).turn()
    assert site.answer(number)[:2] == ("failed", Unanswered.TOO_LONG.value)


async def test_a_fault_of_ours_ends_the_question_alone(site: Site) -> None:
    number = site.asked(pack="nothing that the registry would write")
    assert await site.what_ifs().turn()
    assert site.answer(number)[:2] == ("failed", Unanswered.INTERNAL.value)


async def test_one_process_takes_a_question_and_a_lost_one_is_taken_again(site: Site) -> None:
    store, number = PostgresWhatIfs(site.pool), site.asked()
    first = await store.take(NOW)
    assert first is not None
    assert first == (number, 1)
    assert await store.take(NOW) is None
    later = NOW + LEASE
    second = await store.take(later)
    assert second is not None
    assert second == (number, 2)
    assert not await store.keep(first, later), "who was taken for lost says nothing any more"
    await store.answered(first, {}, later)
    assert site.answer(number)[0] == "running"
    assert await store.keep(second, later + timedelta(seconds=1))
    await store.answered(second, {"rows": []}, later)
    assert site.answer(number) == ("done", "", {"rows": []})


async def test_one_whose_processes_are_lost_again_and_again_fails(site: Site) -> None:
    store, number = PostgresWhatIfs(site.pool), site.asked()
    for _ in range(MAX_ATTEMPTS):
        assert await store.take(site.clock.now()) is not None
        site.clock.forward(LEASE.total_seconds())
    await site.what_ifs().turn()
    assert site.answer(number)[:2] == ("failed", Unanswered.INTERRUPTED.value)


async def test_an_old_question_is_not_taken_and_old_answers_go(site: Site) -> None:
    await site.answered()
    site.clock.forward(days=31)
    assert not await site.what_ifs().turn()
    with psycopg.connect(site.dsn) as connection:
        assert connection.execute("SELECT count(*) FROM compliance.what_ifs").fetchone() == (0,)
