"""A closed case goes with all that hangs on it, once it is old and nothing of it is under way; nothing else goes."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry, Counter

from services.alerts.adapters.retention import TABLES
from services.alerts.adapters.statements import SQL
from services.runtime.lifecycle import Stop
from services.runtime.postgres import Pool, open_pool
from services.runtime.retention import Counters, Retention

BEFORE = datetime(2025, 10, 24, 16, tzinfo=UTC)
OLD, NEW = BEFORE - timedelta(days=40), BEFORE + timedelta(days=40)
OPEN = datetime.max.replace(tzinfo=UTC)

CASE = """
INSERT INTO alerts.cases (case_id, kind, subject_kind, subject_id, finding_id, state, effective_at, detected_at,
    opened_at, closed_at, last_sighting_at, pack_id, pack_version, clause, evidence, ladder, common_case_id)
VALUES (%s, 'fault', 'unit', %s, 'f', %s, %s, %s, %s, %s, %s, 'p', 1, 'c', '{}', '[]', %s)
"""
NOTICE = """
INSERT INTO alerts.notices (notice_id, case_id, step, purpose, body_code, contact_id, channel, address, lang, template,
    subject, body, clause, created_at, state, published)
VALUES (%s, %s, 'H0', 'notice', 'b', 'c', 'email', 'a', 'zh', 't', 's', 'b', 'c', now(), %s, %s)
"""

DIGEST = """
INSERT INTO alerts.digests (digest_id, contact_id, channel, address, body_code, lang, created_at, members, named, state,
    ended_at)
VALUES (%s, 'c', 'email', 'a', 'b', 'zh', %s, 1, 1, %s, %s)
"""
CLOCK = "INSERT INTO alerts.clocks (case_id, kind, due_at, step) VALUES (%s, 'reply', %s, 'H4')"
REQUEST = """
INSERT INTO alerts.requests (request_id, case_id, key, event, created_at, state) VALUES (%s, %s, 'k', '{}', now(), %s)
"""


class Cases:
    def __init__(self, pool: Pool, connection: psycopg.Connection[Any]) -> None:
        self.pool = pool
        self.connection = connection

    def put(self, case_id: str, closed: datetime = OLD, common: str | None = None) -> None:
        is_open = closed is OPEN
        row = (case_id, case_id, "open" if is_open else "closed", *[OLD] * 3, None if is_open else closed, OLD, common)
        self.connection.execute(CASE.encode(), row)

    def run(self, statement: str, *parameters: object) -> None:
        self.connection.execute(statement.encode(), parameters)

    async def forget(self) -> set[str]:
        """Return the cases that are left."""

        async def before() -> datetime:
            return BEFORE

        registry = CollectorRegistry()
        counters = [Counter(name, name, ["table"], registry=registry) for name in ("rows", "chunks", "failures")]
        await Retention(self.pool, TABLES, before, Counters(*counters), rows=2, pause_s=0).turn(Stop())
        assert counters[2].labels("alerts.cases")._value.get() == 0
        return {case_id for (case_id,) in self.connection.execute("SELECT case_id FROM alerts.cases")}


@pytest.fixture
async def cases(migrated_database: str) -> AsyncIterator[Cases]:
    with psycopg.connect(migrated_database, autocommit=True) as connection:
        async with open_pool(migrated_database, "test", max_size=1) as pool:
            yield Cases(pool, connection)


async def test_an_old_closed_case_goes_with_all_that_hangs_on_it_and_the_audit_stays(cases: Cases) -> None:
    for case_id in ("old1", "old2", "old3", "late"):
        cases.put(case_id, NEW if case_id == "late" else OLD)
        cases.run(
            "INSERT INTO alerts.steps (case_id, step, due_at, taken_at, document, clause, recipients)"
            " VALUES (%s, 'H0', now(), now(), 'd', 'c', '{}')",
            case_id,
        )
        cases.run("INSERT INTO alerts.receipts VALUES (%s, 'b', 'H0', now(), 'x', 'console', '')", case_id)
        cases.run(NOTICE, f"N{case_id}", case_id, "accepted", True)
        cases.run(
            "INSERT INTO alerts.clocks (case_id, kind, due_at, step) VALUES (%s, 'reply', %s, 'H4')", case_id, OLD
        )
        cases.run(REQUEST, f"Q{case_id}", case_id, "issued")
    cases.run("INSERT INTO alerts.audit VALUES (1, now(), 'a', 'opened', 'old1', '{}', '', '')")
    cases.put("open", OPEN)
    assert await cases.forget() == {"late", "open"}
    for table in ("steps", "receipts", "notices", "clocks", "requests", "audit"):
        ((left,),) = cases.connection.execute(f"SELECT count(*) FROM alerts.{table}".encode()).fetchall()
        assert left == 1, table


async def test_a_case_of_which_something_is_under_way_stays(cases: Cases) -> None:
    for case_id in ("pending", "unpublished", "waiting", "reply", "unsealed"):
        cases.put(case_id)
    cases.run(NOTICE, "N1", "pending", "pending", False)
    cases.run(NOTICE, "N2", "unpublished", "accepted", False)
    cases.run(REQUEST, "Q", "waiting", "waiting")
    cases.run(CLOCK, "reply", NEW)
    cases.run(
        "INSERT INTO alerts.audit_pending (at, actor, action, case_id, detail)"
        " VALUES (now(), 'a', 'x', 'unsealed', '{}')"
    )
    assert len(await cases.forget()) == 5


async def test_a_common_case_stays_while_one_of_its_members_does(cases: Cases) -> None:
    cases.put("common")
    cases.put("over", common="common")
    cases.put("lasting", OPEN, common="common")
    cases.put("done")
    cases.put("done too", common="done")
    assert await cases.forget() == {"common", "lasting"}


async def test_a_digest_stays_while_a_notice_tells_of_it_or_it_is_on_its_way(cases: Cases) -> None:
    for digest_id, state, ended in (("told", "accepted", OLD), ("kept", "accepted", OLD), ("late", "accepted", NEW),
                                    ("sent", "sending", None), ("dead", "dead", OLD)):  # fmt: skip
        cases.run(DIGEST, digest_id, OLD, state, ended)
    for case_id, digest_id, closed in (("old", "told", OLD), ("new", "kept", NEW)):
        cases.put(case_id, closed)
        cases.run(NOTICE, f"N{case_id}", case_id, "accepted", True)
        cases.run("UPDATE alerts.notices SET digest_id = %s WHERE case_id = %s", digest_id, case_id)
    assert await cases.forget() == {"new"}
    left = {digest_id for (digest_id,) in cases.connection.execute("SELECT digest_id FROM alerts.digests")}
    assert left == {"kept", "late", "sent"}


def test_every_table_that_hangs_on_a_case_goes_with_it(migrated_database: str) -> None:
    with psycopg.connect(migrated_database) as connection:
        hanging = connection.execute(
            "SELECT conrelid::regclass::text FROM pg_constraint WHERE confrelid = 'alerts.cases'::regclass"
        ).fetchall()
    names = {name for (name,) in hanging}
    assert "alerts.notices" in names
    assert {name for name in names if f"DELETE FROM {name} AS one" not in SQL["cases_forget"]} == set()
