"""What providers report of messages: memory and PostgreSQL keep the same promises."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import pytest

from services.alerts.adapters.kafka_notices import notice_event
from services.alerts.adapters.postgres_cases import PostgresCaseStore
from services.alerts.adapters.postgres_delivery_reports import PostgresDeliveryReports
from services.alerts.adapters.postgres_outbox import PostgresOutbox
from services.alerts.domain.case.case import Acknowledgement, Case
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.lifecycle import close
from services.alerts.domain.delivery.attempts import KEPT_TRYING, DeliveryState, Outcome, Verdict
from services.alerts.domain.delivery.delivery_reports import (
    AGAIN_FIRE,
    AGAIN_OTHER,
    ASKED_FIRST,
    ASKED_LAST,
    COPIES,
    DeliveryReport,
    ReportOutcome,
    SentMessage,
    after_failure,
)
from services.alerts.domain.delivery.notice import Notice
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.ids import BodyCode, ContactId
from services.alerts.domain.routing.contacts import Address
from services.alerts.ports import CaseStore, Changes, ClaimRequest, DeliveryReports, Outbox, Ready, TakenReport
from services.kernel.words import Channel, Proof
from services.runtime.postgres import open_pool
from tests.contract.alerts.test_store import digest_said, notice, said_anew
from tests.fakes.alerts_reports import MemoryDeliveryReports
from tests.fakes.alerts_store import MemoryStore
from tests.unit.alerts.build import at, case

NUMBER = "13800138000"
FAILED = DeliveryReport("m1", NUMBER, (Proof.FAILED,), "UNDELIV", Reason.NOT_DELIVERED)
DELIVERED = DeliveryReport("m1", NUMBER, (Proof.DELIVERED,), "DELIVRD")


@dataclass
class Stores:
    cases: CaseStore
    outbox: Outbox
    reports: DeliveryReports


@pytest.fixture(params=["memory", "postgres"])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    if request.param == "memory":
        memory = MemoryStore(said_anew, digest_said)
        yield Stores(memory, memory, MemoryDeliveryReports(memory))
        return
    dsn = request.getfixturevalue("migrated_database")
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(dsn, "contract", 2, 4))
        outbox = PostgresOutbox(pool, notice_event, said_anew, digest_said)
        yield Stores(PostgresCaseStore(pool), outbox, PostgresDeliveryReports(pool))


async def save(stores: Stores, changes: Changes) -> None:
    async with stores.cases.transaction() as transaction:
        await transaction.save(changes)


async def called(stores: Stores, kind: CaseKind = CaseKind.CONNECTION_LOST, *, first: bool = False) -> Notice:
    """Return a notice whose first copy the provider took as `m1`."""
    one = case(kind)
    to = Address(ContactId("c1"), BodyCode("centre"), Channel.SMS, f"sms:{NUMBER}", None, "zh")
    told = replace(notice(one, first=first), to=to)
    await save(stores, Changes(opened={one.case_id: one}, notices=[told]))
    await send(stores, "m1", at(0), fire=told.fire)
    return told


async def due(stores: Stores, now: datetime, *, fire: bool = False) -> list[Ready]:
    leases = {Channel.SMS: timedelta(seconds=60)}
    taken = await stores.outbox.take(ClaimRequest(fire, now, 10, (), (), lambda due: due, leases))
    return [one for one in taken if isinstance(one, Ready)]


async def send(stores: Stores, message_id: str, now: datetime, *, fire: bool = False) -> None:
    [ready] = await due(stores, now, fire=fire)
    assert ready.repeated == (message_id != "m1"), "who measures how soon a notice left counts the first copy alone"
    await stores.outbox.record(ready, Outcome(None, message_id=message_id), Verdict(DeliveryState.ACCEPTED), now)


async def take(stores: Stores, report: DeliveryReport, now: datetime) -> list[TakenReport]:
    return [*await stores.reports.take(Channel.SMS, report, now, partial(after_failure, now=now))]


async def fates(stores: Stores, report: DeliveryReport, now: datetime) -> list[ReportOutcome]:
    return [one.fate for one in await take(stores, report, now)]


async def test_a_report_counts_once_whenever_it_comes(stores: Stores) -> None:
    await called(stores)
    assert await fates(stores, DELIVERED, at(10)) == [ReportOutcome.DELIVERED]
    assert await fates(stores, DELIVERED, at(100_000)) == [ReportOutcome.REPEATED]
    assert await fates(stores, replace(DELIVERED, proofs=(Proof.DELIVERED, Proof.ACKNOWLEDGED)), at(11)) == [
        ReportOutcome.REPEATED,
        ReportOutcome.ACKNOWLEDGED,
    ]


async def test_a_report_must_name_our_message_on_this_channel_and_its_number(stores: Stores) -> None:
    await called(stores)
    assert await fates(stores, replace(FAILED, message_id="m2"), at(10)) == [ReportOutcome.UNKNOWN]
    assert await fates(stores, replace(FAILED, number="13900139000"), at(10)) == [ReportOutcome.OTHER_NUMBER]
    now = at(10)
    elsewhere = await stores.reports.take(Channel.VOICE, FAILED, now, partial(after_failure, now=now))
    assert [one.fate for one in elsewhere] == [ReportOutcome.UNKNOWN]
    assert await due(stores, at(100_000)) == [], "none of it has moved the notice"


async def test_what_did_not_arrive_is_sent_again_and_given_up_in_the_end(stores: Stores) -> None:
    await called(stores)
    now = at(10)
    for copy in range(1, COPIES):
        [taken] = await take(stores, replace(FAILED, message_id=f"m{copy}"), now)
        assert not taken.given_up
        assert await due(stores, now + AGAIN_OTHER - timedelta(seconds=1)) == []
        now += AGAIN_OTHER
        await send(stores, f"m{copy + 1}", now)
    [taken] = await take(stores, replace(FAILED, message_id=f"m{COPIES}"), now)
    assert taken == TakenReport(ReportOutcome.FAILED, given_up=True, first=False)
    assert await due(stores, at(1_000_000)) == []


async def test_a_failure_of_an_earlier_copy_sends_nothing_again(stores: Stores) -> None:
    await called(stores)
    await take(stores, FAILED, at(10))
    await send(stores, "m2", at(10) + AGAIN_OTHER)
    await take(stores, replace(DELIVERED, message_id="m2"), at(2000))
    assert await fates(stores, FAILED, at(3000)) == [ReportOutcome.REPEATED]
    assert await due(stores, at(1_000_000)) == []


async def test_a_fire_is_called_again_soon_and_rings_when_it_is_given_up(stores: Stores) -> None:
    await called(stores, CaseKind.FIRE, first=True)
    await take(stores, FAILED, at(10))
    await send(stores, "m2", at(10) + AGAIN_FIRE, fire=True)
    never = replace(FAILED, message_id="m2", reason=Reason.RECIPIENT_REFUSED)
    assert await take(stores, never, at(200)) == [TakenReport(ReportOutcome.FAILED, given_up=True, first=True)]
    assert await due(stores, at(1_000_000), fire=True) == []


async def test_nobody_is_called_at_night_about_a_fire_that_was_over_days_ago(stores: Stores) -> None:
    told = await called(stores, CaseKind.FIRE, first=True)
    async with stores.cases.transaction() as transaction:
        one: Case | None = await transaction.case(told.case_id)
        assert one is not None
        changes = Changes()
        changes.put(close(one, "reset", at(1800)))
        await transaction.save(changes)
    await take(stores, FAILED, at(1800) + KEPT_TRYING - timedelta(seconds=1))
    now = at(1800) + KEPT_TRYING + AGAIN_FIRE
    await send(stores, "m2", now, fire=True)
    failed = replace(FAILED, message_id="m2")
    assert await take(stores, failed, now) == [TakenReport(ReportOutcome.FAILED, given_up=True, first=True)]
    assert await due(stores, at(1_000_000), fire=True) == []


async def test_nobody_is_called_again_who_pressed_the_key(stores: Stores) -> None:
    await called(stores)
    await take(stores, replace(DELIVERED, proofs=(Proof.ACKNOWLEDGED,)), at(10))
    assert await fates(stores, FAILED, at(20)) == [ReportOutcome.FAILED]
    assert await due(stores, at(1_000_000)) == []


async def test_a_key_pressed_takes_no_case_and_stops_no_clock(stores: Stores) -> None:
    told = await called(stores, CaseKind.FIRE, first=True)
    async with stores.cases.transaction() as transaction:
        before = await transaction.case(told.case_id)
    await take(stores, replace(DELIVERED, proofs=(Proof.DELIVERED, Proof.ACKNOWLEDGED)), at(10))
    async with stores.cases.transaction() as transaction:
        assert await transaction.case(told.case_id) == before
    assert before is not None
    assert before.acknowledged is None


async def test_what_somebody_took_meanwhile_is_not_sent_again(stores: Stores) -> None:
    told = await called(stores)
    async with stores.cases.transaction() as transaction:
        one: Case | None = await transaction.case(told.case_id)
        assert one is not None
        changes = Changes()
        changes.put(replace(one, acknowledged=Acknowledgement(at(5), "officer", "console", "", "H0")))
        await transaction.save(changes)
    assert await take(stores, FAILED, at(10)) == [TakenReport(ReportOutcome.FAILED)]
    assert await due(stores, at(1_000_000)) == []


async def test_the_same_report_twice_at_once_has_one_effect(stores: Stores) -> None:
    await called(stores)
    found = await asyncio.gather(*(fates(stores, FAILED, at(10)) for _ in range(4)))
    assert sorted(one for each in found for one in each) == [ReportOutcome.FAILED, *3 * [ReportOutcome.REPEATED]]


async def test_messages_from_long_before_anybody_asked_do_not_keep_the_new_ones_waiting(stores: Stores) -> None:
    await called(stores)
    assert await stores.reports.to_ask(Channel.SMS, at(0) + ASKED_LAST, 10) == []
    assert len(await stores.reports.to_ask(Channel.SMS, at(0) + ASKED_LAST - timedelta(seconds=1), 10)) == 1


async def test_a_provider_is_asked_ever_more_seldom_until_it_says_something(stores: Stores) -> None:
    await called(stores)
    now, asked = at(0), []
    assert await stores.reports.to_ask(Channel.SMS, at(0) + ASKED_FIRST - timedelta(seconds=1), 10) == []
    while now < at(0) + 2 * ASKED_LAST:
        now += timedelta(seconds=10)
        for one in await stores.reports.to_ask(Channel.SMS, now, 10):
            assert one == SentMessage(Channel.SMS, "m1", NUMBER, at(0))
            asked.append((now - at(0)).total_seconds())
        if len(asked) == 4:
            break
    assert asked == [30, 60, 120, 240]
    await take(stores, DELIVERED, now)
    assert await stores.reports.to_ask(Channel.SMS, at(1_000_000), 10) == []
