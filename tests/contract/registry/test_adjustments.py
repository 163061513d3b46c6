"""Adjustments in memory and in PostgreSQL promise the same."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from services.kernel.words import AdjustmentKind, AdjustmentState, CountedAs, Role, SignalKind
from services.registry.adapters.postgres import open_store
from services.registry.domain.adjustments import Adjustment, AdjustmentRequest, ApprovedAdjustment, approved
from services.registry.domain.approval import Person
from services.registry.domain.audit import broken_at, entry
from services.registry.domain.entities import Kind, Version
from services.registry.ports import Store
from tests.fakes.registry import MemoryStore
from tests.unit.registry.builders import DAY, T0

HOUR = timedelta(hours=1)
WINDOW = Adjustment(
    "A2026-000001",
    AdjustmentRequest("U1", AdjustmentKind.TEST, T0, T0 + HOUR, "年检", None, None, "1", "1-17", SignalKind.ISOLATION),
    "li",
    T0,
    2,
)
CORRECTION = Adjustment(
    "A2026-000002",
    AdjustmentRequest("U2", AdjustmentKind.CORRECTION, T0 - HOUR, T0, "申诉成立", "附件", CountedAs.CONNECTED),
    "li",
    T0 + HOUR,
    1,
    ("wang",),
    AdjustmentState.APPROVED,
    T0 + 2 * HOUR,
    "同意",
)


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    async with open_store(request.getfixturevalue("migrated_database"), "tests") as opened:
        yield opened


async def put(store: Store, *held: Adjustment) -> None:
    async with store.transaction() as register:
        for each in held:
            await register.adjustments.put(each)


async def test_an_adjustment_comes_back_as_it_went_in_and_as_it_was_changed(store: Store) -> None:
    await put(store, WINDOW, CORRECTION)
    changed = replace(WINDOW, approvals=("wang",), changed_at=T0 + HOUR, note="一人已批准")
    await put(store, changed)
    async with store.transaction() as register:
        assert await register.adjustments.get("A2026-000001") == changed
        assert await register.adjustments.get("A2026-000002") == CORRECTION
        assert await register.adjustments.get("A2026-000003") is None
        assert (await register.adjustments.count(2026), await register.adjustments.count(2027)) == (2, 0)


async def test_they_are_listed_the_newest_first_by_state_and_unit(store: Store) -> None:
    await put(store, WINDOW, CORRECTION)
    async with store.transaction() as register:
        listed = register.adjustments.listed
        assert list(await listed(None, None, 10)) == [CORRECTION, WINDOW]
        assert list(await listed(None, None, 1)) == [CORRECTION]
        assert list(await listed(AdjustmentState.REQUESTED, None, 10)) == [WINDOW]
        assert list(await listed(None, "U2", 10)) == [CORRECTION]
        assert list(await listed(AdjustmentState.APPROVED, "U1", 10)) == []


async def test_in_force_is_what_is_approved_and_lets_off_from_its_first_to_before_its_last_instant(
    store: Store,
) -> None:
    held = replace(WINDOW, approvals=("wang", "zhao"), state=AdjustmentState.APPROVED)
    waiting = replace(WINDOW, adjustment_id="A2026-000003")
    await put(store, held, waiting, CORRECTION)
    async with store.transaction() as register:
        in_force = register.adjustments.in_force
        assert list(await in_force(T0)) == [held]
        assert list(await in_force(T0 + HOUR)) == []
        assert list(await in_force(T0 - timedelta(microseconds=1))) == []


async def test_the_audit_comes_back_whole(store: Store) -> None:
    await put(store, WINDOW)
    li = Person("li", Role.BRIGADE, "cli:root")
    async with store.transaction() as register:
        for action in ("request", "withdraw"):
            await register.adjustments.audit(entry(action, WINDOW, li, T0))
    async with store.transaction() as register:
        links = await register.adjustments.audited()
    assert [(each.seq, each.entry) for each in links] == [
        (1, entry("request", WINDOW, li, T0)), (2, entry("withdraw", WINDOW, li, T0)),
    ]  # fmt: skip
    assert broken_at(links) is None


async def test_an_approved_one_is_an_entity_of_the_register(store: Store) -> None:
    version: Version[ApprovedAdjustment] = Version(approved(CORRECTION), DAY, T0)
    async with store.transaction() as register:
        await register.add(Kind.ADJUSTMENT, [version], None)
    async with store.transaction() as register:
        (history,) = (await register.histories(Kind.ADJUSTMENT)).values()
        assert list(history.versions) == [version]
        assert list(await register.unpublished(10)) == [(Kind.ADJUSTMENT, "A2026-000002")]


@pytest.mark.parametrize("approvals", [(), ("li",)])
async def test_the_database_itself_holds_no_approval_without_a_second_person(
    migrated_database: str, approvals: tuple[str, ...]
) -> None:
    held = replace(CORRECTION, approvals=approvals)
    async with open_store(migrated_database, "tests") as store:
        with pytest.raises(Exception, match="check constraint") as refused:
            await put(store, held)
    assert isinstance(refused.value.__cause__, psycopg.errors.CheckViolation)
