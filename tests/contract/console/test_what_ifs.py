"""Questions what a pack would have said: a fake and the tables of a real PostgreSQL keep the same promises."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from services.console.adapters.postgres_report_schedules import PostgresReportSchedules
from services.console.adapters.postgres_what_ifs import PostgresWhatIfs
from services.console.domain.errors import NotFound, WhatIfRunning, WhatIfsWaiting
from services.console.domain.report_schedules import broken_at
from services.console.domain.what_if import KEPT, LISTED, MAX_OPEN, TAKEN_WITHIN, NewWhatIf
from services.console.ports.register import WhatIfRepository
from services.kernel.words import Period
from services.runtime.postgres import open_pool
from tests.fakes.console_what_ifs import FakeWhatIfs
from tests.integration.console.scenario import Scenario

NEW = NewWhatIf(Period.WEEK, date(2026, 3, 2), "draft.yaml", "pack_id: p")
Says = Callable[[int, str, str, Mapping[str, Any] | None], None]


@dataclass
class Site:
    """A book, the time, and a way to say what compliance would."""

    book: WhatIfRepository
    now: datetime
    says: Says


@pytest.fixture(params=["fake", "postgresql"])
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    if request.param == "fake":
        fake = FakeWhatIfs()

        def remembered(what_if_id: int, state: str, reason: str, result: Mapping[str, Any] | None) -> None:
            fake.answers[what_if_id] = (state, reason, result)

        yield Site(fake, datetime.fromisoformat("2026-03-10T08:00:00+00:00"), remembered)
        return
    scenario: Scenario = request.getfixturevalue("empty_scenario")
    scenario.execute("TRUNCATE console.what_ifs, compliance.what_ifs, console.report_audit")
    now = scenario.now()

    def stored(what_if_id: int, state: str, reason: str, result: Mapping[str, Any] | None) -> None:
        ended = None if state == "running" else now
        said = None if result is None else json.dumps(dict(result))
        scenario.execute(
            "INSERT INTO compliance.what_ifs (what_if_id, state, attempts, lease_until, ended_at, reason, result)"
            " VALUES (%s, %s, 1, %s, %s, %s, %s) ON CONFLICT (what_if_id) DO UPDATE SET state = excluded.state,"
            " ended_at = excluded.ended_at, reason = excluded.reason, result = excluded.result",
            (what_if_id, state, now, ended, reason, said),
        )  # fmt: skip

    async with open_pool(scenario.dsn, "test", max_size=2) as pool:
        yield Site(PostgresWhatIfs(pool, 60), now, stored)
        links = await PostgresReportSchedules(pool, 60).audited()
        assert broken_at(links) is None
        assert {link.entry.action for link in links} <= {"what_if"}


async def test_a_question_waits_runs_and_is_answered(site: Site) -> None:
    asked = await site.book.ask(NEW, "wang", site.now)
    found = await site.book.one(asked, site.now)
    assert (found.kind, found.first, found.source, found.asked_by) == (Period.WEEK, NEW.first, "draft.yaml", "wang")
    assert (found.state, found.reason, found.result) == ("waiting", "", None)
    site.says(asked, "running", "", None)
    assert (await site.book.one(asked, site.now)).state == "running"
    site.says(asked, "done", "", {"rows": []})
    assert (await site.book.one(asked, site.now)).result == {"rows": []}
    (row,) = await site.book.rows(site.now)
    assert (row.state, row.result) == ("done", None)


async def test_an_account_has_one_at_a_time(site: Site) -> None:
    asked = await site.book.ask(NEW, "wang", site.now)
    with pytest.raises(WhatIfRunning):
        await site.book.ask(NEW, "wang", site.now)
    site.says(asked, "running", "", None)
    with pytest.raises(WhatIfRunning):
        await site.book.ask(NEW, "wang", site.now)
    await site.book.ask(NEW, "brigade", site.now)
    site.says(asked, "failed", "too_long", None)
    again = await site.book.ask(NEW, "wang", site.now)
    assert (await site.book.rows(site.now))[0].what_if_id == again


async def test_the_queue_is_short(site: Site) -> None:
    for number in range(MAX_OPEN):
        await site.book.ask(NEW, f"account-{number}", site.now)
    with pytest.raises(WhatIfsWaiting):
        await site.book.ask(NEW, "wang", site.now)


async def test_one_that_nobody_took_is_given_up_and_old_ones_go(site: Site) -> None:
    asked = await site.book.ask(NEW, "wang", site.now)
    later = site.now + TAKEN_WITHIN
    found = await site.book.one(asked, later)
    assert (found.state, found.reason) == ("failed", "not_taken")
    await site.book.ask(NEW, "wang", later)
    much_later = site.now + KEPT
    with pytest.raises(NotFound):
        await site.book.one(asked, much_later)
    assert len(await site.book.rows(much_later)) == 1
    with pytest.raises(NotFound):
        await site.book.one(999_999, site.now)


async def test_the_newest_are_listed(site: Site) -> None:
    for number in range(LISTED + 2):
        asked = await site.book.ask(NEW, "wang", site.now + timedelta(seconds=number))
        site.says(asked, "failed", "internal", None)
    found = [row.what_if_id for row in await site.book.rows(site.now + timedelta(minutes=1))]
    assert len(found) == LISTED
    assert found == sorted(found, reverse=True)
