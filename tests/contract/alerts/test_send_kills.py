"""alerts is killed between any two statements of the send path: nothing is lost, and at most one copy leaves twice."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

from services.alerts.adapters.kafka_notices import notice_event
from services.alerts.adapters.postgres_cases import PostgresCaseStore
from services.alerts.adapters.postgres_outbox import PostgresOutbox
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.delivery.attempts import DeliveryState, Outcome, Verdict
from services.alerts.domain.delivery.budgets import Quota
from services.alerts.domain.errors import StoreUnavailable
from services.alerts.domain.ids import BodyCode, ContactId, NoticeId
from services.alerts.domain.routing.contacts import Address
from services.alerts.ports import Changes, ClaimRequest, Ready
from services.kernel.words import Channel
from services.runtime.postgres import Pool, open_pool
from tests.contract.alerts.test_store import digest_said, notice, said_anew
from tests.integration.documents.test_kill import Killer
from tests.unit.alerts.build import at, case

LEASE = timedelta(seconds=60)
TO = Address(ContactId("c1"), BodyCode("centre"), Channel.SMS, "sms:13800138000", None, "zh")


def outbox(pool: Any) -> PostgresOutbox:
    return PostgresOutbox(cast("Pool", pool), notice_event, said_anew, digest_said)


async def life(box: PostgresOutbox, seconds: float, sent: list[NoticeId], *, fire: bool) -> None:
    """Take what is due, send it and write that down, as long as the process lives."""
    quotas = {} if fire else {Channel.SMS: Quota(10_000)}
    request = ClaimRequest(fire, at(seconds), 10, (), (), lambda due: due, {Channel.SMS: LEASE}, (), quotas)
    try:
        for ready in await box.take(request):
            if isinstance(ready, Ready):
                sent.append(ready.notice_id)
                await box.record(ready, Outcome(None, "ok"), Verdict(DeliveryState.ACCEPTED), at(seconds))
    except StoreUnavailable:
        pass


async def test_killed_after_any_statement_of_the_send_path_nothing_is_lost_and_one_copy_at_most_is_more(
    migrated_database: str,
) -> None:
    async with open_pool(migrated_database, "test", 1, 2) as pool:
        store, rounds, copies = PostgresCaseStore(pool), 0, set[int]()
        for fire in (False, True):
            number, killed = 0, True
            while killed:
                number, rounds = number + 1, rounds + 1
                one = case(CaseKind.FIRE if fire else CaseKind.FAULT, of=f"U{rounds}")
                its = notice(one, "c1", seconds=-1)
                changes = Changes(opened={one.case_id: one}, notices=[replace(its, to=TO, fire=fire)])
                async with store.transaction() as transaction:
                    await transaction.save(changes)
                killer, sent = Killer(pool, migrated_database, after=number), list[NoticeId]()
                begin = 1000.0 * rounds
                await life(outbox(killer), begin, sent, fire=fire)
                killed = killer.statements >= number
                await life(outbox(pool), begin + LEASE.total_seconds() + 1, sent, fire=fire)
                copies.add(len(sent))
                assert set(sent) == {its.notice_id}
                assert len(sent) in (1, 2)
        async with pool.connection() as connection:
            rows = await (await connection.execute("SELECT state, count(*) FROM alerts.notices GROUP BY 1")).fetchall()
            ended = "SELECT count(*) FROM alerts.audit_pending WHERE action = 'notice_accepted' GROUP BY case_id"
            entries = await (await connection.execute(ended)).fetchall()
    assert rows == [("accepted", rounds)]
    assert entries == [(1,)] * rounds, "each is written down once, whoever sent it"
    assert copies == {1, 2}, "some kills fell between sending and recording"
