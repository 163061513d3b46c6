"""An adjustment is asked for by one person and approved by others; nothing of it is ever lost."""

from collections.abc import Awaitable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from schemas.registry import AdjustmentRecord
from services.kernel.words import AdjustmentKind, AdjustmentState, CountedAs, Role, SignalKind
from services.registry.adapters.kafka import to_event
from services.registry.domain.adjustments import Adjustment, AdjustmentRequest
from services.registry.domain.approval import Person
from services.registry.domain.audit import broken_at
from services.registry.domain.entities import Kind, Version
from services.registry.domain.errors import AdjustmentRefusal, AdjustmentRefused
from services.registry.domain.routing import resolve
from services.registry.worker.adjusting import MAX_WAITING, AdjustmentService
from services.registry.worker.publishing import Publisher
from tests.fakes.clock import ManualClock
from tests.fakes.registry import MemoryBus, MemoryStore
from tests.unit.registry.builders import DAY, T0, policy, unit

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
LI, WANG, ZHAO = (Person(name, Role.BRIGADE, "test") for name in ("li", "wang", "zhao"))
CENTRE, HEALTH = Person("centre", Role.CENTRE, "test"), Person("health", Role.DEPARTMENT, "test")
FIRST, SECOND = "A2026-000001", "A2026-000002"


def window(what: AdjustmentKind = AdjustmentKind.MAINTENANCE, **changes: Any) -> AdjustmentRequest:
    return replace(AdjustmentRequest("U000001", what, T0 + HOUR, T0 + 3 * HOUR, "更换主机"), **changes)


def correction(**changes: Any) -> AdjustmentRequest:
    asked = AdjustmentRequest(
        "U000001",
        AdjustmentKind.CORRECTION,
        T0 - 3 * HOUR,
        T0 - HOUR,
        "申诉成立",
        "消申〔2026〕3号",
        CountedAs.CONNECTED,
    )
    return replace(asked, **changes)


class Office:
    """The service over a register with a pack and a hospital, both known since three months."""

    def __init__(self) -> None:
        self.store, self.clock, self.bus = MemoryStore(), ManualClock(T0), MemoryBus()
        self.service = AdjustmentService(store=self.store, clock=self.clock)

    async def listed(self, **facts: Any) -> "Office":
        hospital, known = unit(**facts), T0 - timedelta(days=1)
        first = DAY - timedelta(days=60)
        async with self.store.transaction() as register:
            await register.add(Kind.PACK, [Version(policy(), first, known)], None)
            await register.add(Kind.UNIT, [Version(hospital, first, known, resolve(hospital, policy(), DAY))], None)
        return self

    def facts(self, adjustment_id: str) -> list[Version[Any]]:
        return list(self.store.versions.get((Kind.ADJUSTMENT, adjustment_id), ()))


@pytest.fixture
async def office() -> Office:
    return await Office().listed()


async def refusal(what: Awaitable[Adjustment]) -> AdjustmentRefusal:
    with pytest.raises(AdjustmentRefused) as refused:
        await what
    return refused.value.refusal


async def test_what_one_person_asked_is_no_fact_before_a_second_one_approved_it(office: Office) -> None:
    held = await office.service.request(correction(), LI)
    assert (held.adjustment_id, held.state) == (FIRST, AdjustmentState.REQUESTED)
    assert office.facts(FIRST) == []
    office.clock.at += MINUTE
    held = await office.service.approve(FIRST, WANG)
    assert (held.state, held.approvals) == (AdjustmentState.APPROVED, ("wang",))
    (version,) = office.facts(FIRST)
    assert (version.valid_from, version.recorded_at) == (date(2026, 3, 2), office.clock.at)
    assert (version.facts.requested_by, version.facts.approved_by) == ("li", ("wang",))


async def test_it_is_published_as_a_record_of_its_own(office: Office) -> None:
    await office.service.request(correction(), LI)
    await office.service.approve(FIRST, WANG)
    await Publisher(store=office.store, bus=office.bus, clock=office.clock).publish()
    record = to_event(office.bus.records[f"adjustment:{FIRST}"], T0).data.record
    assert isinstance(record, AdjustmentRecord)
    assert (record.versions[0].unit_id, record.versions[0].counted_as) == ("U000001", CountedAs.CONNECTED)


async def test_nobody_decides_about_what_he_asked_for_himself(office: Office) -> None:
    await office.service.request(correction(), LI)
    assert await refusal(office.service.approve(FIRST, LI)) is AdjustmentRefusal.SAME_PERSON
    assert await refusal(office.service.reject(FIRST, LI, "no")) is AdjustmentRefusal.SAME_PERSON
    assert office.facts(FIRST) == []


async def test_what_is_longer_than_the_pack_lets_one_approve_takes_two_other_people(office: Office) -> None:
    await office.service.request(window(ends_at=T0 + HOUR + timedelta(days=1)), LI)
    await office.service.request(window(ends_at=T0 + HOUR + timedelta(days=1) + MINUTE), LI)
    assert (await office.service.approve(FIRST, WANG)).state is AdjustmentState.APPROVED
    assert (await office.service.approve(SECOND, WANG)).state is AdjustmentState.REQUESTED
    assert office.facts(SECOND) == []
    assert await refusal(office.service.approve(SECOND, WANG)) is AdjustmentRefusal.SAME_PERSON
    assert await refusal(office.service.approve(SECOND, LI)) is AdjustmentRefusal.SAME_PERSON
    held = await office.service.approve(SECOND, ZHAO)
    assert (held.state, held.approvals) == (AdjustmentState.APPROVED, ("wang", "zhao"))


async def test_without_a_pack_nobody_has_said_that_one_approval_is_enough(office: Office) -> None:
    del office.store.versions[Kind.PACK, "sample-2026"]
    assert (await office.service.request(window(), LI)).approvals_needed == 2


async def test_rejected_and_withdrawn_ones_are_kept_and_decided_about_no_more(office: Office) -> None:
    for _ in range(2):
        await office.service.request(window(), LI)
    await office.service.reject(FIRST, WANG, "没有施工方案")
    assert await refusal(office.service.withdraw(SECOND, WANG)) is AdjustmentRefusal.NOT_ALLOWED
    await office.service.withdraw(SECOND, LI)
    for held in await office.service.listed():
        assert await refusal(office.service.approve(held.adjustment_id, ZHAO)) is AdjustmentRefusal.NOT_WAITING
    found = {(held.adjustment_id, held.state, held.note) for held in await office.service.listed()}
    assert found == {(SECOND, "withdrawn", ""), (FIRST, "rejected", "没有施工方案")}


@pytest.mark.parametrize("who", [CENTRE, HEALTH], ids=lambda each: each.role)
async def test_others_than_the_brigade_ask_for_windows_only_and_decide_nothing(office: Office, who: Person) -> None:
    await office.service.request(window(), ZHAO)
    assert await refusal(office.service.request(correction(), who)) is AdjustmentRefusal.NOT_ALLOWED
    assert await refusal(office.service.approve(FIRST, who)) is AdjustmentRefusal.NOT_ALLOWED
    assert await refusal(office.service.reject(FIRST, who, "no")) is AdjustmentRefusal.NOT_ALLOWED
    assert (await office.service.request(window(), who)).requested_by == who.account


async def test_one_that_is_ended_early_is_a_further_version_of_the_fact(office: Office) -> None:
    await office.service.request(window(), HEALTH)
    await office.service.approve(FIRST, WANG)
    office.clock.at = T0 + 2 * HOUR + timedelta(seconds=1)
    other = Person("education", Role.DEPARTMENT, "test")
    assert await refusal(office.service.end(FIRST, other)) is AdjustmentRefusal.NOT_ALLOWED
    held = await office.service.end(FIRST, HEALTH)
    assert held.request.ends_at == T0 + 2 * HOUR + MINUTE
    first, second = office.facts(FIRST)
    assert first.facts.request.ends_at == T0 + 3 * HOUR
    assert (second.facts.request.ends_at, second.recorded_at) == (held.request.ends_at, office.clock.at)
    assert await refusal(office.service.end(FIRST, HEALTH)) is AdjustmentRefusal.NOT_WAITING


async def test_one_that_is_ended_before_it_begins_lets_nobody_off(office: Office) -> None:
    await office.service.request(window(), LI)
    await office.service.approve(FIRST, WANG)
    held = await office.service.end(FIRST, WANG)
    assert held.request.ends_at == held.request.starts_at


async def test_a_correction_is_not_ended_but_taken_back_by_another(office: Office) -> None:
    await office.service.request(correction(), LI)
    await office.service.approve(FIRST, WANG)
    assert await refusal(office.service.end(FIRST, WANG)) is AdjustmentRefusal.NOT_WAITING
    await office.service.request(correction(counted_as=CountedAs.MEASURED), WANG)
    assert (await office.service.approve(SECOND, LI)).state is AdjustmentState.APPROVED


async def test_what_is_over_before_it_is_approved_is_a_matter_for_a_correction(office: Office) -> None:
    await office.service.request(window(), LI)
    office.clock.at = T0 + 3 * HOUR
    assert await refusal(office.service.approve(FIRST, WANG)) is AdjustmentRefusal.OVER
    assert await refusal(office.service.request(window(), LI)) is AdjustmentRefusal.OVER


@pytest.mark.parametrize(
    "asked",
    [
        window(starts_at=T0 + HOUR + timedelta(seconds=1)),
        window(ends_at=T0 + HOUR),
        window(ends_at=T0 + timedelta(days=400)),
        window(starts_at=T0 - timedelta(days=1, minutes=1)),
        window(reason=" "),
        window(reason="x" * 501),
        window(reason="\u202e"),
        window(reason="a\0b"),
        window(system="x" * 65),
        window(counted_as=CountedAs.EXEMPT),
        window(trouble=SignalKind.FIRE),
        window(trouble=SignalKind.HEARTBEAT),
        correction(evidence=None),
        correction(counted_as=None),
        correction(system="1"),
        correction(ends_at=T0 + MINUTE),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused(office: Office, asked: AdjustmentRequest) -> None:
    assert await refusal(office.service.request(asked, LI)) is AdjustmentRefusal.BAD_REQUEST
    assert office.store.adjustments.held == {}
    assert office.store.adjustments.links == []


@pytest.mark.parametrize("account", ["Li", "li ", "", "lì", "x" * 65, "li\n"])
async def test_an_account_is_spelt_in_one_way_only(office: Office, account: str) -> None:
    await office.service.request(window(), LI)
    spelt = Person(account, Role.BRIGADE, "test")
    assert await refusal(office.service.approve(FIRST, spelt)) is AdjustmentRefusal.BAD_REQUEST


async def test_unknown_units_and_adjustments_are_refused(office: Office) -> None:
    assert await refusal(office.service.request(window(unit_id="U9"), LI)) is AdjustmentRefusal.UNKNOWN_UNIT
    assert await refusal(office.service.approve("A2026-000009", LI)) is AdjustmentRefusal.UNKNOWN_ADJUSTMENT


async def test_a_script_that_runs_wild_is_stopped(office: Office) -> None:
    held = Adjustment(FIRST, window(), "li", T0, 1)
    names = [f"A2026-{number:06d}" for number in range(MAX_WAITING)]
    office.store.adjustments.held = {name: replace(held, adjustment_id=name) for name in names}
    assert await refusal(office.service.request(window(), LI)) is AdjustmentRefusal.TOO_MANY


async def test_every_change_is_in_the_audit_and_none_can_be_taken_out(office: Office) -> None:
    await office.service.request(window(), LI)
    await office.service.approve(FIRST, WANG)
    office.clock.at = T0 + 2 * HOUR
    await office.service.end(FIRST, CENTRE, "提前完工")
    links = office.store.adjustments.links
    assert [(each.entry.by.account, each.entry.action, each.entry.detail["state"]) for each in links] == [
        ("li", "request", "requested"), ("wang", "approve", "approved"), ("centre", "end", "ended"),
    ]  # fmt: skip
    assert await office.service.audit_broken_at() == (3, None)
    changed = replace(links[1], entry=replace(links[1].entry, by=ZHAO))
    assert broken_at([links[0], changed, links[2]]) == 2
    assert broken_at([links[0], links[2]]) == 2
    assert broken_at(links[1:]) == 1


async def test_what_is_in_force_shows_windows_and_the_exempt_days_of_rows() -> None:
    office = await Office().listed(exempt_from=DAY, exempt_until=DAY, exempt_reason="停业")
    await office.service.request(window(AdjustmentKind.TEST, system="1", trouble=SignalKind.FAULT), LI)
    await office.service.request(correction(), LI)
    for adjustment_id in (FIRST, SECOND):
        await office.service.approve(adjustment_id, WANG)
    assert [each.adjustment_id for each in await office.service.in_force()] == [None]
    office.clock.at = T0 + 2 * HOUR
    row, test = await office.service.in_force()
    assert (row.reason, test.adjustment_id, test.what, test.system) == ("停业", FIRST, "test", "1")
    office.clock.at = datetime(2026, 3, 2, 16, tzinfo=T0.tzinfo)
    assert await office.service.in_force() == []
