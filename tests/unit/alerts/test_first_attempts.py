"""A fire's notices leave with the commit that writes them; what may not or cannot leave then, does not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.alerts.domain.delivery import Outcome
from services.alerts.domain.values import CaseKind, Happening, Reason, StoreUnavailable
from tests.unit.alerts.build import event
from tests.unit.alerts.memory import MemoryTransaction, states
from tests.unit.alerts.rig import Rig

BURNS = event(Happening.FIRED, kind=CaseKind.FIRE, point="1")
OVER = event(Happening.RESTORED, kind=CaseKind.FIRE, cause="r1", point="1", seconds=5)


async def test_fire_is_told_without_a_postmans_turn() -> None:
    rig = Rig()
    await rig.take(BURNS, topic="alarms")
    await rig.landed()
    assert sorted(rig.told("F0")) == ["centre", "room-U1"]
    assert states(rig.store) == {"F0": ["accepted", "accepted"]}
    await rig.deliver()
    assert len(rig.carrier.sent) == 2


async def test_notice_is_leased_before_it_is_sent() -> None:
    rig = Rig()
    seen: list[str] = []
    rig.carrier.watch = lambda notice: seen.append(rig.store.tables.notices[notice.notice_id].state)
    await rig.take(BURNS, topic="alarms")
    await rig.landed()
    assert seen == ["sending", "sending"]


async def test_killed_between_commit_and_send_is_sent_when_the_lease_ends() -> None:
    rig = Rig()
    await rig.take(BURNS, topic="alarms")
    rig.kill()
    await rig.deliver()
    assert not rig.carrier.sent, "it may be on its way in the process that was killed"
    await rig.pass_time(61, every=61)
    assert sorted(rig.told("F0")) == ["centre", "room-U1"]


async def test_failed_commit_sends_nothing_and_gives_the_room_back(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(slots=2)
    sound = rig.store.transaction

    @asynccontextmanager
    async def breaking() -> AsyncIterator[MemoryTransaction]:
        yield MemoryTransaction(rig.store.tables.copied())
        raise StoreUnavailable("gone at commit")

    monkeypatch.setattr(rig.store, "transaction", breaking)
    with pytest.raises(StoreUnavailable):
        await rig.take(BURNS, topic="alarms")
    await rig.landed()
    assert not rig.carrier.sent
    monkeypatch.setattr(rig.store, "transaction", sound)
    await rig.take(BURNS, topic="alarms")
    await rig.landed()
    assert sorted(rig.told("F0")) == ["centre", "room-U1"]


async def test_fire_that_is_over_in_the_same_batch_is_not_told() -> None:
    rig = Rig()
    await rig.take(BURNS, OVER, topic="alarms")
    await rig.work()
    assert not rig.carrier.sent
    assert states(rig.store) == {"F0": ["cancelled", "cancelled"]}


async def test_who_was_told_that_way_hears_that_it_is_over() -> None:
    rig = Rig()
    await rig.take(BURNS, topic="alarms")
    await rig.take(OVER, topic="alarms")
    await rig.work()
    assert sorted(rig.told("CLEAR")) == ["centre", "room-U1"]


async def test_what_finds_no_room_waits_for_its_turn() -> None:
    rig = Rig(slots=1)
    await rig.take(BURNS, topic="alarms")
    assert sorted(*states(rig.store).values()) == ["pending", "sending"]
    await rig.landed()
    assert len(rig.carrier.sent) == 1
    await rig.deliver()
    assert sorted(rig.told("F0")) == ["centre", "room-U1"]


async def test_failed_first_attempt_is_tried_again() -> None:
    rig = Rig()
    rig.carrier.answers = [Outcome(Reason.TIMEOUT)]
    await rig.take(BURNS, topic="alarms")
    await rig.landed()
    assert sorted(*states(rig.store).values()) == ["accepted", "pending"]
    await rig.pass_time(1, every=1)
    assert sorted(rig.told("F0")) == ["centre", "centre", "room-U1"]


async def test_record_read_twice_sends_nothing_twice() -> None:
    rig = Rig()
    await rig.take(BURNS, topic="alarms")
    await rig.take(BURNS, topic="alarms")
    await rig.landed()
    assert sorted(rig.told("F0")) == ["centre", "room-U1"]
