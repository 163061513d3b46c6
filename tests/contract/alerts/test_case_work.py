"""Work on cases: memory and PostgreSQL keep the same promises."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from services.alerts.adapters.postgres_audit import PostgresAuditLog
from services.alerts.adapters.postgres_cases import PostgresCaseStore
from services.alerts.domain.audit.chain import verify
from services.alerts.domain.case.case import Case, Grouping
from services.alerts.domain.case.clocks import Clock
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.lifecycle import close
from services.alerts.domain.case.reply import Reply
from services.alerts.domain.case.who import Who
from services.alerts.domain.case.work import OWNED_FOR
from services.alerts.domain.escalation.ladder import Pace
from services.alerts.domain.ids import CaseId
from services.alerts.ports import CaseStore, Changes
from services.alerts.worker.acknowledgement import AcknowledgementService
from services.alerts.worker.case_work import CaseWorkService
from services.kernel.words import CAUSES_OF, ClockKind, Verification
from services.runtime.postgres import open_pool
from tests.contract.alerts.test_store import Stores, stores
from tests.fakes.alerts import FakeDirectory
from tests.fakes.clock import ManualClock
from tests.unit.alerts.build import T0, at, case, clocks

__all__ = ["stores"]

CENTRE, OTHER = Who("officer", None, "console"), Who("colleague", None, "console")


def service(store: CaseStore, clock: ManualClock) -> CaseWorkService:
    return CaseWorkService(
        store=store,
        clock=clock,
        acknowledgements=AcknowledgementService(
            store=store, directory=FakeDirectory(("U1",)), clock=clock, pace=Pace()
        ),
    )


async def put(store: CaseStore, *cases: Case) -> None:
    changes = Changes()
    for one in cases:
        changes.opened[one.case_id] = one
    async with store.transaction() as transaction:
        await transaction.save(changes)


async def test_owners_are_kept_given_back_and_run_out(stores: Stores) -> None:
    first, second = case(), case(of="U2")
    await put(stores.cases, first, second)
    clock = ManualClock(T0)
    work = service(stores.cases, clock)
    assert await work.own(first.case_id, CENTRE) is Reply.DONE
    assert await work.own(first.case_id, CENTRE) is Reply.ALREADY
    assert await work.own(second.case_id, CENTRE) is Reply.DONE
    assert await work.own(second.case_id, OTHER) is Reply.DONE
    async with stores.cases.transaction() as transaction:
        assert await transaction.owned_by("officer", at(1)) == [first.case_id]
        assert await transaction.owned_by("officer", at(0) + OWNED_FOR) == []
        held = (await transaction.work(second.case_id, at(1))).owner
        assert held is not None
        assert (held.account, held.until) == ("colleague", at(0) + OWNED_FOR)
    assert await work.sign_off(CENTRE) == 1
    assert await work.release(second.case_id, OTHER) is Reply.DONE
    async with stores.cases.transaction() as transaction:
        assert (await transaction.work(first.case_id, at(1))).owner is None


async def test_a_closed_case_has_no_owner_and_may_be_written_about(stores: Stores) -> None:
    one = case()
    await put(stores.cases, one)
    work = service(stores.cases, ManualClock(T0))
    await work.own(one.case_id, CENTRE)
    changes = Changes()
    changes.put(close(one, "restored", at(1)))
    async with stores.cases.transaction() as transaction:
        await transaction.save(changes)
    async with stores.cases.transaction() as transaction:
        assert await transaction.owned_by("officer", at(1)) == []
    assert await work.own(one.case_id, OTHER) is Reply.CLOSED
    assert await work.comment(one.case_id, OTHER, "事后说明") is Reply.DONE


async def test_comments_written_at_once_are_numbered_one_after_the_other(stores: Stores) -> None:
    one = case()
    await put(stores.cases, one)
    work = service(stores.cases, ManualClock(T0))
    if isinstance(stores.cases, PostgresCaseStore):
        replies = await asyncio.gather(*(work.comment(one.case_id, CENTRE, f"第{n}条") for n in range(4)))
    else:
        replies = [await work.comment(one.case_id, CENTRE, f"第{n}条") for n in range(4)]
    assert replies == [Reply.DONE] * 4
    async with stores.cases.transaction() as transaction:
        assert (await transaction.work(one.case_id, at(1))).comments == 4


async def test_work_on_a_case_is_sealed_into_the_chain(migrated_database: str) -> None:
    async with open_pool(migrated_database, "contract", 1, 2) as pool:
        store, log = PostgresCaseStore(pool), PostgresAuditLog(pool)
        one = case()
        await put(store, one)
        work = service(store, ManualClock(T0))
        await work.own(one.case_id, CENTRE)
        await work.comment(one.case_id, CENTRE, "<b>'; DROP TABLE alerts.cases --\\")
        assert await work.verify(one.case_id, CENTRE, Verification.TRUE_ALARM, "") is Reply.NOT_FOUND, "no fire"
        await log.seal(100)
        links = await log.links(0, 100)
        assert [link.entry.action for link in links] == ["owned", "commented"]
        assert links[-1].entry.detail["text"] == "<b>'; DROP TABLE alerts.cases --\\"
        assert verify(links).broken_at is None
    with psycopg.connect(migrated_database) as connection:
        row = connection.execute("SELECT by, body_code, text FROM alerts.comments").fetchone()
    assert row == ("officer", "", "<b>'; DROP TABLE alerts.cases --\\")


async def test_each_cause_that_is_offered_is_kept_with_its_finding(migrated_database: str) -> None:
    offered = [(finding, cause) for finding, causes in CAUSES_OF.items() for cause in (None, *causes)]
    async with open_pool(migrated_database, "contract", 1, 2) as pool:
        store = PostgresCaseStore(pool)
        one = replace(case(), kind=CaseKind.FIRE)
        await put(store, one)
        work = service(store, ManualClock(T0))
        for finding, cause in offered:
            assert await work.verify(one.case_id, CENTRE, finding, "", cause) is Reply.DONE
    with psycopg.connect(migrated_database) as connection:
        rows = connection.execute("SELECT finding, cause FROM alerts.verifications ORDER BY number").fetchall()
        assert rows == offered
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("UPDATE alerts.verifications SET cause = 'whatever'")


@pytest.mark.parametrize("case_id", ["none"])
async def test_nothing_is_written_about_a_case_that_is_not_there(stores: Stores, case_id: str) -> None:
    work = service(stores.cases, ManualClock(T0))
    for reply in (
        await work.own(CaseId(case_id), CENTRE),
        await work.release(CaseId(case_id), CENTRE),
        await work.comment(CaseId(case_id), CENTRE, "x"),
        await work.verify(CaseId(case_id), CENTRE, Verification.TRUE_ALARM, ""),
    ):
        assert reply is Reply.NOT_FOUND


async def test_a_case_is_shelved_until_its_time_and_not_beyond_the_trouble(stores: Stores) -> None:
    one = case()
    await put(stores.cases, one)
    clock = ManualClock(T0)
    work = service(stores.cases, clock)
    assert await work.shelve(one.case_id, CENTRE, timedelta(hours=2), "等运营商") is Reply.DONE
    assert await work.shelve(one.case_id, OTHER, timedelta(hours=1), "") is Reply.DONE
    until = clock.now() + timedelta(hours=1)
    async with stores.cases.transaction() as transaction:
        assert (await transaction.work(one.case_id, clock.now())).shelved_until == until
        assert (await transaction.work(one.case_id, until)).shelved_until is None
    changes = Changes()
    changes.put(replace(one, detected_at=clock.now() + timedelta(seconds=1)))
    async with stores.cases.transaction() as transaction:
        await transaction.save(changes)
        assert (await transaction.work(one.case_id, clock.now())).shelved_until is None, "it came back: another trouble"
    assert await work.unshelve(one.case_id, CENTRE) is Reply.ALREADY


async def test_the_un_acknowledge_clock_is_found_when_it_is_due(stores: Stores) -> None:
    one, other = case(), case(of="U2")
    taken = replace(one, clocks=one.clocks.set(ClockKind.UN_ACKNOWLEDGE, Clock(at(60), "H0")))
    await put(stores.cases, taken, other)
    async with stores.cases.transaction() as transaction:
        assert await transaction.due(at(59), 10, ClockKind.UN_ACKNOWLEDGE) == []
        assert [found.case_id for found in await transaction.due(at(60), 10, ClockKind.UN_ACKNOWLEDGE)] == [one.case_id]


async def test_the_next_step_now_and_a_merge_are_kept(stores: Stores) -> None:
    one = case(clocks=clocks(step=("H0", 3600)))
    common = case(CaseKind.COMMON_CAUSE, of="carrier:x", grouping=Grouping("carrier:x", None, at(7200)))
    await put(stores.cases, one, common)
    work = service(stores.cases, ManualClock(T0))
    assert await work.escalate(one.case_id, CENTRE, "H0", "") is Reply.DONE
    async with stores.cases.transaction() as transaction:
        assert [found.case_id for found in await transaction.due(at(1), 10) if not found.is_common] == [one.case_id]
    assert await work.merge(one.case_id, common.case_id, CENTRE) is Reply.DONE
    async with stores.cases.transaction() as transaction:
        member = await transaction.case(one.case_id)
    assert member is not None
    assert (member.grouping.common_case_id, member.next_step_at) == (common.case_id, at(7200))
