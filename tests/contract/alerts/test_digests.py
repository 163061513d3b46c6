"""Digests: memory and PostgreSQL keep the same promises, and a kill between any two statements loses nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from services.alerts.adapters.kafka_notices import notice_event
from services.alerts.adapters.postgres_audit import PostgresAuditor
from services.alerts.adapters.postgres_cases import PostgresCaseStore
from services.alerts.adapters.postgres_groups import PostgresGroupStore
from services.alerts.adapters.postgres_outbox import PostgresOutbox
from services.alerts.domain.case.case import Case, Grouping
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.lifecycle import close
from services.alerts.domain.delivery.attempts import DeliveryState, Outcome, Verdict
from services.alerts.domain.delivery.budgets import Quota
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.errors import StoreUnavailable
from services.alerts.domain.escalation.ladder import Pace
from services.alerts.domain.escalation.pack_rules import GroupingRules
from services.alerts.domain.ids import BodyCode, ContactId, NoticeId
from services.alerts.domain.routing.contacts import Address
from services.alerts.metrics import AlertsMetrics
from services.alerts.ports import CaseStore, Changes, ClaimRequest, GroupStore, Outbox, Ready
from services.alerts.worker.grouping import GroupingWorker
from services.kernel.words import Channel
from services.runtime.postgres import Pool, open_pool
from tests.contract.alerts.test_store import Stores, digest_said, notice, said_anew, save, take
from tests.fakes.alerts import FakeDirectory
from tests.fakes.alerts_store import MemoryGroups, MemoryStore
from tests.fakes.clock import ManualClock
from tests.unit.alerts.build import RULES, T0, at, case

GROUPING = GroupingRules(timedelta(seconds=10), timedelta(seconds=300), timedelta(hours=4), least=3, named=2)
ACCEPTED = (Outcome(None), Verdict(DeliveryState.ACCEPTED))


@dataclass
class Post:
    """Everything on a notice's way out, and the mails that left."""

    cases: CaseStore
    outbox: Outbox
    groups: GroupStore
    clock: ManualClock
    pool: Pool | None = None

    def __post_init__(self) -> None:
        self.sent: list[Ready] = []
        directory = FakeDirectory(())
        directory.pack = replace(RULES, grouping=GROUPING)
        self.grouping = GroupingWorker(
            store=self.groups,
            directory=directory,
            metrics=AlertsMetrics(CollectorRegistry()),
            clock=self.clock,
            pace=Pace(),
            wake=lambda: None,
        )

    @property
    def stores(self) -> Stores:
        return Stores(self.cases, self.outbox)

    async def wait(self, *cases: Case, to: str = "c1") -> list[Case]:
        """Open the cases, each with one notice that may leave in a digest."""
        waiting = [replace(notice(one, to), groups=True) for one in cases]
        await save(self.stores, Changes(opened={one.case_id: one for one in cases}, notices=waiting))
        return list(cases)

    async def leave(self) -> list[Ready]:
        """Send what may leave now, without a word of what became of it."""
        seconds = (self.clock.now() - T0).total_seconds()
        ready = [one for one in await take(self.stores, seconds) if isinstance(one, Ready)]
        self.sent += ready
        return ready

    async def turn(self) -> list[Ready]:
        await self.grouping.turn()
        ready = await self.leave()
        for one in ready:
            await self.outbox.record(one, *ACCEPTED, self.clock.now())
        return ready

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        assert self.pool is not None
        async with self.pool.connection() as connection:
            return await (await connection.execute(query.encode())).fetchall()

    async def empty(self) -> None:
        assert self.pool is not None
        async with self.pool.connection() as connection:
            await connection.execute(
                "TRUNCATE alerts.cases, alerts.digests, alerts.group_clocks, alerts.audit_pending CASCADE"
            )


def on_postgres(pool: Pool, clock: ManualClock) -> Post:
    outbox = PostgresOutbox(pool, notice_event, said_anew, digest_said)
    return Post(PostgresCaseStore(pool), outbox, PostgresGroupStore(pool), clock, pool)


@pytest.fixture(params=["memory", "postgres"])
async def post(request: pytest.FixtureRequest) -> AsyncIterator[Post]:
    if request.param == "memory":
        memory = MemoryStore(said_anew, digest_said)
        yield Post(memory, memory, MemoryGroups(memory), ManualClock(T0))
        return
    dsn = request.getfixturevalue("migrated_database")
    async with AsyncExitStack() as stack:
        yield on_postgres(await stack.enter_async_context(open_pool(dsn, "contract", 2, 4)), ManualClock(T0))


def losses(count: int) -> list[Case]:
    return [case(of=f"U{number}", seconds=-number) for number in range(count)]


async def test_whoever_counts_a_quota_and_whoever_puts_digests_together_do_not_wait_for_each_other(
    migrated_database: str,
) -> None:
    """Else a storm of text messages holds cases, and with them their alarms, until mails are put together."""
    async with open_pool(migrated_database, "contract", 2, 4) as pool:
        post = on_postgres(pool, ManualClock(T0))
        one = case()
        text = replace(notice(one), to=Address(ContactId("c1"), BodyCode("centre"), Channel.SMS, "sms:1", None, "zh"))
        await save(post.stores, Changes(opened={one.case_id: one}, notices=[text]))
        lease = {Channel.SMS: timedelta(minutes=1)}
        request = ClaimRequest(False, at(0), 9, (), (), lambda due: due, lease, (), {Channel.SMS: Quota(2, 3)})
        async with post.groups.transaction() as grouping:
            assert await grouping.alone()
            async with asyncio.timeout(10):
                (sent,) = await post.outbox.take(request)
    assert isinstance(sent, Ready)


async def test_what_waits_for_one_address_leaves_as_one_mail(post: Post) -> None:
    cases = await post.wait(*losses(4))
    await post.wait(case(of="V"), to="c2")
    assert await post.turn() == []
    post.clock.forward(10)
    digest, alone = sorted(await post.turn(), key=lambda one: -len(one.members))
    assert (digest.subject, digest.body) == ("4+0", " ".join(one.case_id for one in cases[:2]))
    assert (len(digest.members), alone.members, alone.to.contact_id) == (4, (), "c2")
    post.clock.forward(10_000)
    assert await post.turn() == [], "each is told once"


async def test_next_mail_waits_the_interval(post: Post) -> None:
    await post.wait(*losses(3))
    await post.turn()
    post.clock.forward(10)
    await post.turn()
    late = case(of="V")
    await save(
        post.stores,
        Changes(opened={late.case_id: late}, notices=[replace(notice(late, "c1", seconds=20), groups=True)]),
    )
    post.clock.forward(299)
    assert await post.turn() == []
    post.clock.forward(2)
    assert [one.case_id for one in await post.turn()] == [late.case_id]


async def test_member_whose_case_was_closed_or_held_does_not_leave_with_it(post: Post) -> None:
    cases = await post.wait(*losses(5))
    await post.turn()
    post.clock.forward(10)
    await post.grouping.turn()
    closed = close(cases[0], "signal", at(10))
    held = replace(cases[1], grouping=Grouping(held_until=at(500)))
    await save(
        post.stores,
        Changes(updated={one.case_id: one for one in (closed, held)}, cancelled={closed.case_id: Reason.CASE_CLOSED}),
    )
    assert [one.subject for one in await post.turn()] == ["3+0"]
    post.clock.forward(490)
    assert await post.turn() == [], "it waits for company like any other"
    post.clock.forward(10)
    assert [one.case_id for one in await post.turn()] == [held.case_id]


async def test_only_one_left_of_a_digest_goes_as_it_was_written(post: Post) -> None:
    cases = await post.wait(*losses(3))
    await post.turn()
    post.clock.forward(10)
    await post.grouping.turn()
    closed = [close(one, "signal", at(10)) for one in cases[:2]]
    await save(post.stores, Changes(updated={one.case_id: one for one in closed}))
    assert await post.turn() == []
    (alone,) = await post.turn()
    assert (alone.case_id, alone.members, alone.body) == (cases[2].case_id, (), "正文")


async def test_digest_that_failed_is_tried_again_under_its_id(post: Post) -> None:
    await post.wait(*losses(3))
    await post.turn()
    post.clock.forward(10)
    await post.grouping.turn()
    (first,) = await post.leave()
    await post.outbox.record(first, Outcome(Reason.TIMEOUT), Verdict(DeliveryState.RETRY, at(20)), at(10))
    assert await post.turn() == []
    post.clock.forward(10)
    (again,) = await post.turn()
    assert (again.notice_id, again.members, again.attempts) == (first.notice_id, first.members, 2)


async def test_who_was_told_in_a_digest_counts_as_told(post: Post) -> None:
    cases = await post.wait(*losses(3))
    await post.turn()
    post.clock.forward(10)
    await post.turn()
    async with post.cases.transaction() as transaction:
        told = await transaction.recipients([cases[0].case_id])
    assert [to.contact_id for to in told[cases[0].case_id]] == ["c1"]


async def test_fire_never_waits_for_anybody(post: Post) -> None:
    fire = case(CaseKind.FIRE)
    await save(post.stores, Changes(opened={fire.case_id: fire}, notices=[notice(fire)]))
    assert await post.grouping.turn() == 0
    assert len(await take(post.stores, 0, fire=True)) == 1


async def test_digest_none_of_whose_members_may_leave_waits_for_those_that_somebody_works_on(
    migrated_database: str,
) -> None:
    async with open_pool(migrated_database, "contract", 2, 4) as pool:
        post = on_postgres(pool, ManualClock(T0))
        cases = await post.wait(*losses(3))
        await post.turn()
        post.clock.forward(10)
        await post.grouping.turn()
        closed = [close(one, "signal", at(10)) for one in cases[:2]]
        await save(post.stores, Changes(updated={one.case_id: one for one in closed}))
        async with post.cases.transaction() as transaction:
            await transaction.case(cases[2].case_id)  # as an intake does that takes its time
            assert await post.turn() == []
        await post.turn()
        assert [one.case_id for one in await post.turn()] == [cases[2].case_id]


async def test_auditor_finds_what_nobody_would_send_and_who_has_no_owner(migrated_database: str) -> None:
    async with open_pool(migrated_database, "contract", 1, 2) as pool:
        post = on_postgres(pool, ManualClock(T0))
        auditor = PostgresAuditor(pool)
        cases = await post.wait(*losses(3))
        nobodys = replace(case(of="V"), facts=replace(case(of="V").facts, lead_department="", town=""))
        await save(post.stores, Changes(opened={nobodys.case_id: nobodys}))
        seen = await auditor.overview(at(0), at(-60))
        assert (seen.stranded, seen.no_owner) == (0, 1)
        assert (await auditor.overview(at(90), at(30))).stranded == len(cases), "nobody groups them"
        post.clock.forward(10)
        await post.grouping.turn()
        assert (await auditor.overview(at(90), at(15))).stranded == 0
        async with pool.connection() as connection:
            await connection.execute("UPDATE alerts.digests SET state = 'cancelled'")
        assert (await auditor.overview(at(90), at(15))).stranded == len(cases), "their mail is no more"


# --- kills


class Gallows:
    """Ends the connection before its statement number `before`, as a kill of the process does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.before: int | None = None
        self.count = 0
        execute = psycopg.AsyncCursor.execute

        async def counted(cursor: psycopg.AsyncCursor[Any], query: Any, *args: Any, **kwargs: Any) -> Any:
            if self.count == self.before:
                self.count += 1
                cursor.connection.pgconn.finish()
                raise psycopg.OperationalError("killed")
            self.count += 1
            return await execute(cursor, query, *args, **kwargs)

        monkeypatch.setattr(psycopg.AsyncCursor, "execute", counted)


async def _life(post: Post, turns: Sequence[float]) -> None:
    for seconds in turns:
        post.clock.forward(seconds)
        await post.turn()


async def test_kill_before_any_statement_of_a_digests_way_loses_nothing_and_repeats_only_what_was_on_its_way(
    migrated_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallows = Gallows(monkeypatch)
    turns = (0, 10, 1)
    before, killed = 0, 0
    while True:
        async with open_pool(migrated_database, "contract", 1, 2) as pool:
            post = on_postgres(pool, ManualClock(T0))
            await post.empty()
            await post.wait(*losses(4))
            gallows.count, gallows.before = 0, before
            try:
                await _life(post, turns)
                ended = True
            except StoreUnavailable:
                ended, killed = False, killed + 1
            gallows.before = None
            async with open_pool(migrated_database, "contract", 1, 2) as anew:
                after = on_postgres(anew, post.clock)
                await _life(after, (0, 10, 61, 400, 400))  # a lease lapses after 60 s
                states = await after.rows("SELECT DISTINCT state FROM alerts.notices")
                told = await after.rows("SELECT case_id FROM alerts.audit_pending WHERE action = 'notice_accepted'")
        assert states == [("accepted",)], f"lost before statement {before}"
        assert len(told) == len(set(told)) == 4, "each is written down once, with its digest"
        copies = Counter(_told(post.sent) + _told(after.sent))
        assert set(copies.values()) <= {1, 2}
        assert len(copies) == 4
        mails = [one.notice_id for one in (*post.sent, *after.sent)]
        assert len(set(mails)) == 1, "a second copy has the id of the first"
        assert len(mails) == 1 or not ended
        if ended:
            break
        before += 1
    assert killed > 15, "the way of a digest has so many statements"


def _told(sent: Sequence[Ready]) -> list[NoticeId]:
    return [notice_id for one in sent for notice_id in one.members or (one.notice_id,)]
