"""Case store and outbox: memory and PostgreSQL keep the same promises."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from services.alerts.adapters.kafka_notices import notice_event
from services.alerts.adapters.postgres_cases import PostgresCaseStore
from services.alerts.adapters.postgres_outbox import PostgresOutbox
from services.alerts.domain.case.case import Acknowledgement, Case, Grouping, Receipt, Sightings
from services.alerts.domain.case.event import Component
from services.alerts.domain.case.fire import FireState
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.lifecycle import close
from services.alerts.domain.case.reply import Reply
from services.alerts.domain.case.subject import common_cause_subject, unit_subject
from services.alerts.domain.case.who import Who
from services.alerts.domain.delivery.attempts import DeliveryState, Outcome, Verdict
from services.alerts.domain.delivery.budgets import DAY, LOOK_AGAIN, Quota
from services.alerts.domain.delivery.consent import SendDecision
from services.alerts.domain.delivery.destinations import Due
from services.alerts.domain.delivery.notice import About, Notice, notice_id_of
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.errors import Conflict, Fenced
from services.alerts.domain.escalation.ladder import Pace
from services.alerts.domain.escalation.steps import StepTaken
from services.alerts.domain.ids import BodyCode, CaseId, ContactId, NoticeId
from services.alerts.domain.noise.common_cause import Members
from services.alerts.domain.noise.digest import DigestLetter
from services.alerts.domain.routing.contacts import Address
from services.alerts.ports import CaseStore, Changes, ClaimRequest, Outbox, Ready, Refused
from services.alerts.worker.acknowledgement import AcknowledgementService
from services.kernel.words import Channel, Purpose
from services.runtime.postgres import open_pool
from tests.fakes.alerts import FakeDirectory
from tests.fakes.alerts_store import MemoryStore
from tests.fakes.clock import ManualClock
from tests.unit.alerts.build import T0, address, at, case, clocks

KEY = (unit_subject("U1"), CaseKind.CONNECTION_LOST)
RECEIPT = Receipt(BodyCode("health"), "", at(2), "health", "console", "收到")


@dataclass
class Stores:
    cases: CaseStore
    outbox: Outbox


@pytest.fixture(params=["memory", "postgres"])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    if request.param == "memory":
        memory = MemoryStore(said_anew, digest_said)
        yield Stores(memory, memory)
        return
    dsn = request.getfixturevalue("migrated_database")
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(dsn, "contract", 2, 4))
        yield Stores(PostgresCaseStore(pool), PostgresOutbox(pool, notice_event, said_anew, digest_said))


def said_anew(one: Notice, of: Case) -> Notice:
    """What stands in the letter of a first notice whose case is over by now."""
    assert one.about.component is not None
    return replace(one, subject=f"{one.subject}（已结束）", body=f"{one.about.component.label} {of.ended_at}")


def digest_said(letter: DigestLetter, digest_id: NoticeId) -> tuple[str, str]:
    """What stands in a digest."""
    return f"{letter.notices}+{letter.all_clears}", " ".join(item.case.case_id for item in letter.named)


def notice(
    of: Case,
    name: str = "c1",
    step: str = "H0",
    purpose: Purpose = Purpose.NOTICE,
    seconds: float = 0,
    *,
    first: bool = False,
) -> Notice:
    to = address(name)
    return Notice(
        notice_id=notice_id_of(of.case_id, step, purpose, of.sightings.drops, to),
        case_id=of.case_id,
        step=step,
        purpose=purpose,
        to=to,
        template="trouble@1",
        subject="通知",
        body="正文",
        clause="000",
        created_at=at(seconds),
        caused_at=at(seconds),
        about=About(of.proof, Component("3-017", "1.0", "三层烟感"), "读到"),
        fire=of.is_urgent,
        first=first,
    )


async def save(stores: Stores, changes: Changes) -> None:
    async with stores.cases.transaction() as transaction:
        await transaction.save(changes)


async def opened(stores: Stores, *names: str, kind: CaseKind = CaseKind.CONNECTION_LOST) -> Case:
    one = case(kind)
    await save(stores, Changes(opened={one.case_id: one}, notices=[notice(one, name) for name in names]))
    return one


async def take(
    stores: Stores, seconds: float, *, fire: bool = False, busy: Sequence[str] = ()
) -> list[Ready | Refused]:
    def everything(due: Sequence[Due]) -> Sequence[Due]:
        return due

    minute = timedelta(seconds=60)
    leases = {Channel.EMAIL: minute, Channel.WEBHOOK: minute}
    return await stores.outbox.take(ClaimRequest(fire, at(seconds), 10, busy, (), everything, leases))


async def load(stores: Stores, case_id: CaseId) -> Case:
    async with stores.cases.transaction() as transaction:
        found = await transaction.case(case_id)
    assert found is not None
    return found


async def test_case_comes_back_as_it_was_saved(stores: Stores) -> None:
    one = case(
        acknowledged=Acknowledgement(at(1), "officer", "console", "见", "H0"),
        receipts=(RECEIPT, replace(RECEIPT, body_code=BodyCode("T1"), step="H0", at=at(3))),
        fire=FireState(frozenset({"主机|1"}), ended={"主机|2": at(3)}, restored_at=at(3), over_at=at(2)),
        grouping=Grouping("carrier:cmcc", held_until=at(9)),
        sightings=Sightings(at(8), 7, 2),
        clocks=clocks(step=("H1", 20), reply=("H4", 10)),
        component=Component("1-002", "主机1", "二层走廊烟感"),
    )
    await save(stores, Changes(opened={one.case_id: one}))
    assert await load(stores, one.case_id) == one


async def test_a_common_cause_that_shows_itself_again_has_its_steps_anew(stores: Stores) -> None:
    one = case(CaseKind.CONNECTION_LOST)
    common = replace(
        case(of="U2"),
        kind=CaseKind.COMMON_CAUSE,
        facts=replace(one.facts, subject=common_cause_subject("gulou", "carrier:cmcc")),
        grouping=Grouping("carrier:cmcc"),
    )
    await save(stores, Changes(opened={one.case_id: one, common.case_id: common}))
    again = replace(common, ladder=(*common.ladder[:1], *common.ladder))
    sighted = replace(one, sightings=Sightings(at(5), 2))
    await save(stores, Changes(updated={one.case_id: sighted, common.case_id: again}))
    assert (await load(stores, common.case_id)).ladder == again.ladder
    assert (await load(stores, one.case_id)).ladder == one.ladder


async def test_text_that_no_database_holds_costs_no_notice(stores: Stores) -> None:
    one = case(CaseKind.FIRE)
    label = "三层\0烟感 \\u0000"
    recipients = replace(notice(one), subject=label, body=json.dumps({"label": label}))
    await save(stores, Changes(opened={one.case_id: one}, notices=[recipients]))
    (sent,) = await take(stores, 0, fire=True)
    assert isinstance(sent, Ready)
    assert json.loads(sent.body)["label"].startswith("三层")
    assert sent.subject.startswith("三层")


async def test_second_open_case_of_a_unit_and_kind_is_a_conflict(stores: Stores) -> None:
    one = await opened(stores)
    other = replace(one, case_id=CaseId("Cother"))
    with pytest.raises(Conflict):
        await save(stores, Changes(opened={other.case_id: other}))


async def test_next_case_opens_in_the_transaction_that_closes_the_one_before(stores: Stores) -> None:
    first = await opened(stores, kind=CaseKind.FIRE)
    second = replace(case(CaseKind.FIRE, seconds=5), case_id=CaseId("C2"))
    over = close(first, "restored", at(4))
    await save(stores, Changes(opened={second.case_id: second}, updated={first.case_id: over}))
    assert (await load(stores, second.case_id)).is_open
    assert not (await load(stores, first.case_id)).is_open


async def test_failed_transaction_leaves_nothing(stores: Stores) -> None:
    one = case()

    async def save_and_die() -> None:
        async with stores.cases.transaction() as transaction:
            await transaction.save(Changes(opened={one.case_id: one}))
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        await save_and_die()
    async with stores.cases.transaction() as transaction:
        assert await transaction.case(one.case_id) is None


async def test_offset_and_seen_events_go_with_the_effects(stores: Stores) -> None:
    claim, offset = await stores.cases.claim("t", 3, "me")
    assert offset == 0
    async with stores.cases.transaction() as transaction:
        fresh, _ = await transaction.begin(claim, 7, ["a", "b"], (), (), at(0))
        assert fresh == {"a", "b"}
    async with stores.cases.transaction() as transaction:
        fresh, _ = await transaction.begin(claim, 8, ["b", "c"], (), (), at(0))
        assert fresh == {"c"}
    assert (await stores.cases.claim("t", 3, "me"))[1] == 8


async def test_what_the_broker_marks_is_known_by_its_delivery_and_all_else_by_its_reception(stores: Stores) -> None:
    claim, _ = await stores.cases.claim("t", 3, "me")
    fire, same_words = f"/gateways/G1#{'a' * 20}{'1' * 12}", f"/gateways/G1#{'a' * 20}{'2' * 12}"
    marked, never_stored = f"/gateways/G1#{'a' * 20}", f"/gateways/G1#{'b' * 20}"
    seen: list[set[str]] = []
    for number, names in enumerate([[fire, marked], [marked], [same_words], [never_stored], [never_stored]]):
        async with stores.cases.transaction() as transaction:
            fresh, _ = await transaction.begin(claim, number, names, (), (), at(0))
            seen.append(fresh)
    assert seen == [{fire}, set(), {same_words}, {never_stored}, set()]


async def test_former_owner_is_fenced(stores: Stores) -> None:
    old, _ = await stores.cases.claim("t", 0, "old")
    await stores.cases.claim("t", 0, "new")
    with pytest.raises(Fenced):
        async with stores.cases.transaction() as transaction:
            await transaction.begin(old, 9, ["a"], (), (), at(0))
    claim, offset = await stores.cases.claim("t", 0, "new")
    assert offset == 0
    async with stores.cases.transaction() as transaction:
        assert (await transaction.begin(claim, 9, ["a"], (), (), at(0)))[0] == {"a"}


async def test_book_holds_the_open_and_the_last_closed_case(stores: Stores) -> None:
    for number in range(3):
        past = close(replace(case(), case_id=CaseId(f"Cpast{number}")), "signal", at(100 * number))
        await save(stores, Changes(opened={past.case_id: past}))
    one = await opened(stores)
    async with stores.cases.transaction() as transaction:
        book = await transaction.book({KEY}, set())
    assert book.open[KEY].case_id == one.case_id
    assert book.last_closed[KEY].case_id == "Cpast2"


async def test_the_case_of_an_instant_is_the_last_that_had_begun(stores: Stores) -> None:
    for number in range(3):
        past = replace(case(), case_id=CaseId(f"Cpast{number}"), detected_at=at(100 * number))
        await save(stores, Changes(opened={past.case_id: close(past, "signal", at(500 - number))}))
    other = replace(case(of="U9"), case_id=CaseId("Cother"), detected_at=at(140))
    await save(stores, Changes(opened={other.case_id: other}))
    async with stores.cases.transaction() as transaction:
        found = [await transaction.case_at(*KEY, at(seconds)) for seconds in (-1, 0, 199, 900)]
    assert [one.case_id if one else None for one in found] == [None, "Cpast0", "Cpast1", "Cpast2"]


async def test_due_cases_come_earliest_first(stores: Stores) -> None:
    for number, seconds in enumerate([500, 100, 300]):
        one = replace(case(of=f"U{number}"), case_id=CaseId(f"C{number}"), clocks=clocks(step=("H0", seconds)))
        await save(stores, Changes(opened={one.case_id: one}))
    async with stores.cases.transaction() as transaction:
        assert [one.case_id for one in await transaction.due(at(300), 10)] == ["C1", "C2"]


async def test_urgent_cases_that_are_due_stand_before_all_others(stores: Stores) -> None:
    kinds = [CaseKind.FAULT, CaseKind.UNREGISTERED_ALARM, CaseKind.CONNECTION_LOST, CaseKind.FIRE]
    for number, kind in enumerate(kinds):
        one = replace(
            case(of=f"U{number}", kind=kind), case_id=CaseId(f"C{number}"), clocks=clocks(step=("H0", number))
        )
        await save(stores, Changes(opened={one.case_id: one}))
    async with stores.cases.transaction() as transaction:
        for limit in range(1, 5):
            found = [one.case_id for one in await transaction.due(at(300), limit)]
            assert found == ["C1", "C3", "C0", "C2"][:limit]


async def test_step_and_notice_written_twice_stand_once(stores: Stores) -> None:
    one = await opened(stores, "c1")
    step = StepTaken(one.case_id, "H0", at(0), at(0), "I1", "000", ("centre",))
    for _ in range(2):
        await save(stores, Changes(steps=[step], notices=[notice(one, "c1")]))
    assert len(await take(stores, 1)) == 1


async def test_notice_is_taken_once_until_its_lease_ends(stores: Stores) -> None:
    await opened(stores, "c1")
    (first,) = await take(stores, 1)
    assert isinstance(first, Ready)
    assert first.attempts == 1
    assert await take(stores, 60) == []
    (again,) = await take(stores, 61)
    assert isinstance(again, Ready)
    assert (again.notice_id, again.attempts) == (first.notice_id, 2)


async def test_only_first_attempts_are_looked_at_where_retries_have_their_part(stores: Stores) -> None:
    await opened(stores, "c1")
    minute = timedelta(seconds=60)
    leases, looked_at = {Channel.EMAIL: minute, Channel.WEBHOOK: minute}, list[Due]()

    def none(due: Sequence[Due]) -> Sequence[Due]:
        looked_at.extend(due)
        return ()

    def request(seconds: float, *but_retries: Channel) -> ClaimRequest:
        return ClaimRequest(False, at(seconds), 10, (), (), none, leases, but_retries)

    await stores.outbox.take(request(1, *Channel))
    await take(stores, 1)
    await stores.outbox.take(request(62, *Channel))
    await stores.outbox.take(request(62))
    assert [one.is_retry for one in looked_at] == [False, True]


async def test_notice_leased_when_written_is_due_again_when_the_lease_ends(stores: Stores) -> None:
    one = case(CaseKind.FIRE)
    first, second = notice(one, "c1"), notice(one, "c2")
    await save(stores, Changes(opened={one.case_id: one}, notices=[first, second], leased={first.notice_id: at(15)}))
    (waiting,) = await take(stores, 14, fire=True)
    assert isinstance(waiting, Ready)
    assert (waiting.notice_id, waiting.attempts) == (second.notice_id, 1)
    async with stores.cases.transaction() as transaction:
        recipients = await transaction.recipients([one.case_id])
    assert sorted(to.contact_id for to in recipients[one.case_id]) == ["c1", "c2"]
    (again,) = await take(stores, 15, fire=True)
    assert isinstance(again, Ready)
    assert (again.notice_id, again.attempts) == (first.notice_id, 2)


async def test_save_says_which_notices_are_new(stores: Stores) -> None:
    one = await opened(stores, "c1")
    async with stores.cases.transaction() as transaction:
        new = await transaction.save(Changes(notices=[notice(one, "c1"), notice(one, "c2")]))
    assert new == {notice(one, "c2").notice_id}


async def test_lanes_and_busy_addresses_are_kept_apart(stores: Stores) -> None:
    await opened(stores, "c1", kind=CaseKind.FIRE)
    assert await take(stores, 1) == []
    assert await take(stores, 1, fire=True, busy=[address("c1").address]) == []
    assert len(await take(stores, 1, fire=True)) == 1


async def test_retry_waits_and_the_end_is_final(stores: Stores) -> None:
    await opened(stores, "c1")
    (first,) = await take(stores, 1)
    assert isinstance(first, Ready)
    await stores.outbox.record(first, Outcome(Reason.TIMEOUT), Verdict(DeliveryState.RETRY, at(9)), at(2))
    assert await take(stores, 8) == []
    (again,) = await take(stores, 9)
    assert isinstance(again, Ready)
    await stores.outbox.record(again, Outcome(None), Verdict(DeliveryState.ACCEPTED), at(10))
    await stores.outbox.record(first, Outcome(Reason.TIMEOUT), Verdict(DeliveryState.RETRY, at(11)), at(11))
    assert await take(stores, 999) == []


async def test_closing_takes_back_what_waits_and_tells_who_was_attempted(stores: Stores) -> None:
    one = await opened(stores, "c1", "c2")
    (first, *_) = await take(stores, 1)
    assert isinstance(first, Ready)
    await save(stores, Changes(notices=[notice(one, "c3", seconds=2)]))
    async with stores.cases.transaction() as transaction:
        recipients = await transaction.recipients([one.case_id])
        closed = close(one, "signal", at(3))
        changes = Changes(updated={one.case_id: closed}, cancelled={one.case_id: Reason.CASE_CLOSED})
        await transaction.save(changes)
    assert sorted(to.contact_id for to in recipients[one.case_id]) == ["c1", "c2"]
    assert [type(answer) for answer in await take(stores, 120)] == [Refused, Refused]


async def test_all_clear_settles_what_was_told_until_then(stores: Stores) -> None:
    one = await opened(stores, "c1")
    await take(stores, 1)
    clear = notice(one, "c1", "CLEAR", Purpose.ALL_CLEAR, seconds=5)
    await save(stores, Changes(notices=[clear]))
    async with stores.cases.transaction() as transaction:
        assert await transaction.recipients([one.case_id]) == {}
    await save(stores, Changes(cancelled={one.case_id: Reason.REOPENED}))
    async with stores.cases.transaction() as transaction:
        assert [to.contact_id for to in (await transaction.recipients([one.case_id]))[one.case_id]] == ["c1"]


async def test_acknowledged_step_is_refused_at_the_last_question(stores: Stores) -> None:
    one = await opened(stores, "c1")
    seen = replace(one, acknowledged=Acknowledgement(at(1), "o", "console", "", "H0"))
    await save(stores, Changes(updated={one.case_id: seen}))
    (answer,) = await take(stores, 2)
    assert isinstance(answer, Refused)
    assert answer.consent.stop is Reason.ACKNOWLEDGED
    assert await take(stores, 999) == []


async def test_a_receipt_is_kept_once_for_a_body_and_step(stores: Stores) -> None:
    one = await opened(stores)
    signed = replace(one, receipts=(RECEIPT,))
    await save(stores, Changes(updated={one.case_id: signed}))
    await save(stores, Changes(updated={one.case_id: signed}))
    assert (await load(stores, one.case_id)).receipts == (RECEIPT,)


def to_health(of: Case) -> Notice:
    one = notice(of, "c1")
    return replace(one, to=replace(one.to, body_code=BodyCode("health")))


async def test_signing_takes_back_what_waits_for_the_body_and_nothing_else(stores: Stores) -> None:
    one = case()
    other = notice(one, "c2")
    await save(stores, Changes(opened={one.case_id: one}, notices=[to_health(one), other]))
    await save(stores, Changes(signed={one.case_id: BodyCode("health")}))
    (answer,) = await take(stores, 2)
    assert isinstance(answer, Ready)
    assert answer.notice_id == other.notice_id


@pytest.mark.parametrize(("kind", "expected"), [(CaseKind.FAULT, Refused), (CaseKind.FIRE, Ready)])
async def test_signed_for_is_refused_at_the_last_question_but_never_a_fire(
    stores: Stores, kind: CaseKind, expected: type[Ready | Refused]
) -> None:
    one = case(kind)
    await save(stores, Changes(opened={one.case_id: one}, notices=[to_health(one)]))
    await save(stores, Changes(updated={one.case_id: replace(one, receipts=(RECEIPT,))}))
    (answer,) = await take(stores, 3, fire=kind is CaseKind.FIRE)
    assert isinstance(answer, expected)


async def test_two_clicks_at_once_give_one_receipt(stores: Stores) -> None:
    one = await opened(stores)
    service = AcknowledgementService(
        store=stores.cases, directory=FakeDirectory(("U1",)), clock=ManualClock(T0), pace=Pace()
    )
    who = Who("health", "health", "console")
    replies = await asyncio.gather(*(service.acknowledge(one.case_id, who, "收到") for _ in range(2)))
    assert sorted(replies) == [Reply.ALREADY, Reply.DONE]
    assert [each.body_code for each in (await load(stores, one.case_id)).receipts] == ["health"]


async def test_a_fire_that_ended_untaken_is_taken_once_and_stays_closed(stores: Stores) -> None:
    clock = ManualClock(T0)
    fire = close(case(CaseKind.FIRE), "restored", clock.now())
    fault = close(case(CaseKind.FAULT), "restored", clock.now())
    await save(stores, Changes(opened={fire.case_id: fire, fault.case_id: fault}))
    clock.forward(1)
    service = AcknowledgementService(store=stores.cases, directory=FakeDirectory(("U1",)), clock=clock, pace=Pace())
    centre, health = Who("officer", None, "console"), Who("health", "health", "console")
    assert await service.acknowledge(fire.case_id, health, "") is Reply.CLOSED
    assert await service.acknowledge(fire.case_id, centre, "误报") is Reply.DONE
    assert await service.acknowledge(fire.case_id, centre, "误报") is Reply.ALREADY
    assert await service.acknowledge(fault.case_id, centre, "") is Reply.DONE
    found = await load(stores, fire.case_id)
    assert found.closure == fire.closure
    assert found.acknowledged == Acknowledgement(clock.now(), "officer", "console", "误报", None)


async def test_held_member_waits_with_its_notices_and_a_fire_does_not(stores: Stores) -> None:
    one = await opened(stores, "c1")
    fire = await opened(stores, "c2", kind=CaseKind.FIRE)
    common = replace(
        case(CaseKind.CONNECTION_LOST, of="X"),
        case_id=CaseId("Ccommon"),
        kind=CaseKind.COMMON_CAUSE,
        facts=replace(one.facts, subject=common_cause_subject("", "carrier:cmcc")),
        grouping=Grouping("carrier:cmcc", held_until=at(1800)),
    )
    async with stores.cases.transaction() as transaction:
        await transaction.save(Changes(opened={common.case_id: common}))
        assert await transaction.hold_members(common, [one.case_id, fire.case_id]) == [one.case_id]
        assert await transaction.open_common_cases(timedelta(0)) == {common.case_id: Members(out=1, taken=1)}
        assert await transaction.loose_losses(at(-999), 10) == []
    assert (await load(stores, one.case_id)).next_step_at == at(1800)
    assert await take(stores, 1799) == []
    assert len(await take(stores, 1, fire=True)) == 1
    assert isinstance((await take(stores, 1800))[0], Ready)


async def test_ladder_that_has_ended_stays_ended_in_a_common_case(stores: Stores) -> None:
    one = case(step="H4", clocks=clocks())
    common = case(CaseKind.COMMON_CAUSE, of="", grouping=Grouping(held_until=at(100)))
    async with stores.cases.transaction() as transaction:
        await transaction.save(Changes(opened={one.case_id: one, common.case_id: common}))
        assert await transaction.hold_members(common, [one.case_id]) == [one.case_id]
        assert [found.case_id for found in await transaction.due(at(200), 10)] == [common.case_id]
    assert (await load(stores, one.case_id)).next_step_at is None


async def test_first_notice_survives_the_end_and_an_acknowledgement_and_says_that_it_is_over(stores: Stores) -> None:
    one = case(CaseKind.FIRE)
    first, later = notice(one, "c1", "F0", first=True), notice(one, "c1", "F1")
    await save(stores, Changes(opened={one.case_id: one}, notices=[first, later]))
    await save(stores, Changes(cancelled={one.case_id: Reason.ACKNOWLEDGED}))
    over = close(replace(one, fire=FireState(restored_at=at(8))), "restored", at(9))
    await save(stores, Changes(updated={one.case_id: over}, cancelled={one.case_id: Reason.CASE_CLOSED}))
    (sent,) = await take(stores, 10, fire=True)
    assert isinstance(sent, Ready)
    assert (sent.notice_id, sent.first, sent.over_since) == (first.notice_id, True, at(9))
    assert (sent.subject, sent.body) == ("通知（已结束）", f"三层烟感 {at(8)}")


async def test_common_cases_of_two_districts_stand_side_by_side(stores: Stores) -> None:
    for district in ("gulou", "taijiang"):
        one = case(CaseKind.COMMON_CAUSE, grouping=Grouping("carrier:cmcc"))
        facts = replace(one.facts, subject=common_cause_subject(district, "carrier:cmcc"), district=district)
        one = replace(one, case_id=CaseId(f"C{district}"), facts=facts)
        await save(stores, Changes(opened={one.case_id: one}))


async def test_what_all_processes_spend_of_a_quota_is_counted_together_and_no_fire_waits(stores: Stores) -> None:
    """A restart, or a second process, begins where the first one stopped."""
    one, burning = case(), case(CaseKind.FIRE)
    number, other = "sms:13800138000", "sms:13900139000"
    phones = [*(("n", number) for _ in range(4)), ("n", other), ("f", number), ("f", number)]
    notices = [
        replace(
            notice(burning if sort == "f" else one, f"c{place}", seconds=place - 100),
            notice_id=NoticeId(f"{place:032x}"),
            fire=sort == "f",
            to=Address(ContactId(f"c{place}"), BodyCode("centre"), Channel.SMS, where, None, "zh"),
        )
        for place, (sort, where) in enumerate(phones)
    ]
    await save(stores, Changes(opened={one.case_id: one, burning.case_id: burning}, notices=notices))

    async def process(seconds: float, most: int, *, fire: bool = False) -> list[str]:
        quotas = {} if fire else {Channel.SMS: Quota(2, 3)}
        request = ClaimRequest(
            fire, at(seconds), 10, (), (), lambda due: due[:most], {Channel.SMS: timedelta(days=9)}, (), quotas
        )
        taken = await stores.outbox.take(request)
        waits = [one.consent for one in taken if isinstance(one, Refused)]
        assert all(one == SendDecision(Reason.QUOTA, at(seconds) + LOOK_AGAIN) for one in waits)
        return [one.to.address for one in taken if isinstance(one, Ready)]

    assert await process(0, 1) == [number]
    both = await asyncio.gather(process(1, 9), process(1, 9, fire=True))
    assert list(both) == [[number, other], [number, number]]
    assert await process(2, 9) == [], "they are not looked at again and again"
    assert await process(1000, 9) == []
    assert await process(DAY.total_seconds() + 0.5, 9) == [number], "the first one is a day old, the others are not"
    assert len(await process(DAY.total_seconds() + 5000, 9)) == 1
