"""Points that people enter for an evaluation: who may, for what, and that the memory and PostgreSQL keep the same."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from services.kernel.words import AdjustmentState, Role
from services.registry.adapters.postgres import open_store
from services.registry.domain.approval import Person
from services.registry.domain.audit import broken_at
from services.registry.domain.entities import Kind, Version
from services.registry.domain.errors import AdjustmentRefusal, AdjustmentRefused
from services.registry.domain.manual_scores import NewScore
from services.registry.ports import Store
from services.registry.worker.manual_scores import ManualScoreService
from tests.fakes.clock import ManualClock
from tests.fakes.registry import MemoryStore
from tests.unit.registry.builders import DAY, T0, policy

LI = Person("li", Role.BRIGADE, "test")
WANG = Person("wang", Role.BRIGADE, "test")
MARCH = date(2026, 3, 1)
BODY = "guidance-centre"
"""A body of the sample pack: no file of the district has to be imported for it."""


def asked(**changes: Any) -> NewScore:
    return replace(NewScore("towns", BODY, "patrol", MARCH, Decimal("15.5"), "逐户走访"), **changes)


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        held: Store = MemoryStore()
        await with_pack(held)
        yield held
        return
    async with open_store(request.getfixturevalue("migrated_database"), "tests") as opened:
        await with_pack(opened)
        yield opened


async def with_pack(store: Store) -> None:
    async with store.transaction() as register:
        known = T0 - timedelta(days=1)
        await register.add(Kind.PACK, [Version(policy(), DAY - timedelta(days=60), known)], None)


async def test_what_is_entered_is_kept_numbered_and_audited_and_the_last_comes_first(store: Store) -> None:
    service = ManualScoreService(store=store, clock=ManualClock(T0))
    first = await service.enter(asked(month=date(2026, 3, 2)), LI)
    second = await service.enter(asked(points=None, reason="录错"), LI)

    assert (first.entry_id, first.asked.month, first.district) == ("S2026-000001", MARCH, "sample")
    assert [first.most, second.most] == [20, 20]
    assert await service.listed(10) == [second, first]
    async with store.transaction() as register:
        links = await register.adjustments.audited()
    assert broken_at(links) is None
    assert [(link.entry.action, link.entry.about, link.entry.by.account) for link in links] == [
        ("score", "S2026-000001", "li"), ("score", "S2026-000002", "li")
    ]  # fmt: skip
    assert [link.entry.detail["points"] for link in links] == ["15.5", None]


async def test_an_entry_counts_once_a_second_person_approves_it(store: Store) -> None:
    service = ManualScoreService(store=store, clock=ManualClock(T0))
    entered = await service.enter(asked(), LI)
    assert (entered.state, entered.decision) == (AdjustmentState.REQUESTED, None)

    for by, refusal in (
        (LI, AdjustmentRefusal.SAME_PERSON),
        (Person("seat", Role.CENTRE, "test"), AdjustmentRefusal.NOT_ALLOWED),
    ):
        with pytest.raises(AdjustmentRefused) as refused:
            await service.decide(entered.entry_id, AdjustmentState.APPROVED, by)
        assert refused.value.refusal is refusal
    approved = await service.decide(entered.entry_id, AdjustmentState.APPROVED, WANG)
    assert approved.decision is not None
    assert (approved.state, approved.decision.account) == (AdjustmentState.APPROVED, "wang")
    assert approved.decision.decided_at > entered.recorded_at
    assert await service.listed(10) == [approved]
    with pytest.raises(AdjustmentRefused) as refused:
        await service.decide(entered.entry_id, AdjustmentState.REJECTED, WANG, "录错")
    assert refused.value.refusal is AdjustmentRefusal.NOT_WAITING

    async with store.transaction() as register:
        links = await register.adjustments.audited()
        assert await register.scores.waiting() == 0
    assert broken_at(links) is None
    assert [(link.entry.action, link.entry.by.account) for link in links] == [
        ("score", "li"),
        ("score_approved", "wang"),
    ]


async def test_an_entry_is_rejected_with_a_reason_or_withdrawn_by_who_entered_it(store: Store) -> None:
    service = ManualScoreService(store=store, clock=ManualClock(T0))
    first, second = await service.enter(asked(), LI), await service.enter(asked(), LI)
    with pytest.raises(AdjustmentRefused) as refused:
        await service.decide(first.entry_id, AdjustmentState.REJECTED, WANG)
    assert refused.value.refusal is AdjustmentRefusal.BAD_REQUEST
    await service.decide(first.entry_id, AdjustmentState.REJECTED, WANG, "走访记录不全")
    with pytest.raises(AdjustmentRefused) as refused:
        await service.decide(second.entry_id, AdjustmentState.WITHDRAWN, WANG)
    assert refused.value.refusal is AdjustmentRefusal.NOT_ALLOWED
    await service.decide(second.entry_id, AdjustmentState.WITHDRAWN, LI)

    assert [each.state for each in await service.listed(10)] == [AdjustmentState.WITHDRAWN, AdjustmentState.REJECTED]
    with pytest.raises(AdjustmentRefused) as refused:
        await service.decide("S2026-000009", AdjustmentState.APPROVED, WANG)
    assert refused.value.refusal is AdjustmentRefusal.UNKNOWN_ENTITY


async def test_a_clock_set_back_does_not_bring_back_what_was_taken_back(store: Store) -> None:
    first = await ManualScoreService(store=store, clock=ManualClock(T0)).enter(asked(), LI)
    earlier = ManualScoreService(store=store, clock=ManualClock(T0 - timedelta(hours=1)))
    second = await earlier.enter(asked(points=None), LI)
    third = await earlier.enter(asked(points=Decimal(3)), LI)

    assert first.recorded_at < second.recorded_at < third.recorded_at
    assert await earlier.listed(10) == [third, second, first]


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"scheme_id": "police"}, AdjustmentRefusal.UNKNOWN_PACK),
        ({"criterion_id": "networking"}, AdjustmentRefusal.BAD_REQUEST),
        ({"body_id": "nowhere"}, AdjustmentRefusal.UNKNOWN_ENTITY),
        ({"body_id": f"sample/{BODY}"}, AdjustmentRefusal.UNKNOWN_ENTITY),
        ({"points": Decimal(21)}, AdjustmentRefusal.BAD_REQUEST),
        ({"points": Decimal("-1")}, AdjustmentRefusal.BAD_REQUEST),
        ({"points": Decimal("1.25")}, AdjustmentRefusal.BAD_REQUEST),
        ({"points": Decimal("NaN")}, AdjustmentRefusal.BAD_REQUEST),
        ({"month": date(2026, 4, 1)}, AdjustmentRefusal.BAD_REQUEST),
        ({"reason": "  "}, AdjustmentRefusal.BAD_REQUEST),
    ],
)
async def test_what_the_pack_does_not_ask_a_person_for_is_refused(
    changes: dict[str, Any], refusal: AdjustmentRefusal
) -> None:
    held = MemoryStore()
    await with_pack(held)
    with pytest.raises(AdjustmentRefused) as refused:
        await ManualScoreService(store=held, clock=ManualClock(T0)).enter(asked(**changes), LI)
    assert refused.value.refusal is refusal
    assert held.scores.held == []


@pytest.mark.parametrize("role", [Role.CENTRE, Role.DEPARTMENT])
async def test_only_the_brigade_enters_points(role: Role) -> None:
    held = MemoryStore()
    await with_pack(held)
    with pytest.raises(AdjustmentRefused) as refused:
        await ManualScoreService(store=held, clock=ManualClock(T0)).enter(asked(), Person("x", role, "test"))
    assert refused.value.refusal is AdjustmentRefusal.NOT_ALLOWED
