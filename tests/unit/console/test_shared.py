"""Equal questions of many browsers are asked once; too many different ones are refused."""

import asyncio

import pytest

from services.console.domain.errors import DataUnavailable, NotFound, TooBusy
from services.console.domain.units import UnitQuery
from services.console.domain.viewer import WHOLE, BodyCode, Slice
from services.console.worker.shared import SharedReads
from tests.fakes.clock import ManualClock
from tests.fakes.console import T0, FakeReadModel
from tests.unit.console.builders import unit


async def test_equal_questions_share_one_read_until_it_is_old() -> None:
    read, clock = FakeReadModel(all_units=[unit()]), ManualClock(T0)
    shared = SharedReads(read, clock, keep_s=0.25)
    await asyncio.gather(*(shared.units(WHOLE, UnitQuery()) for _ in range(50)))
    assert read.reads["units"] == 1
    clock.forward(0.3)
    await shared.units(WHOLE, UnitQuery())
    assert read.reads["units"] == 2


async def test_slices_never_share() -> None:
    read = FakeReadModel(all_units=[unit("U1"), unit("U2", lead_department="education")])
    shared = SharedReads(read, ManualClock(T0))
    pages = [await shared.units(slice_, UnitQuery()) for slice_ in (WHOLE, Slice(BodyCode("health")))]
    assert [page.total for page in pages] == [2, 1]


async def test_a_reader_who_leaves_does_not_cancel_the_others() -> None:
    read = FakeReadModel(all_units=[unit()], gate=asyncio.Event())
    shared = SharedReads(read, ManualClock(T0))
    first = asyncio.create_task(shared.units(WHOLE, UnitQuery()))
    second = asyncio.create_task(shared.units(WHOLE, UnitQuery()))
    await asyncio.sleep(0)
    first.cancel()
    assert read.gate is not None
    read.gate.set()
    assert (await second).total == 1


async def test_too_many_different_questions_are_refused_not_queued() -> None:
    read = FakeReadModel(gate=asyncio.Event())
    shared = SharedReads(read, ManualClock(T0), waiting=5)
    waiting = [asyncio.create_task(shared.units(WHOLE, UnitQuery(text=str(number)))) for number in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(TooBusy):
        await shared.units(WHOLE, UnitQuery(text="one more"))
    assert read.gate is not None
    read.gate.set()
    await asyncio.gather(*waiting)


async def test_no_answer_in_time_is_an_error() -> None:
    shared = SharedReads(FakeReadModel(gate=asyncio.Event()), ManualClock(T0), deadline_s=0.01)
    with pytest.raises(DataUnavailable):
        await shared.units(WHOLE, UnitQuery())


async def test_a_refusal_is_passed_on() -> None:
    shared = SharedReads(FakeReadModel(), ManualClock(T0))
    with pytest.raises(NotFound):
        await shared.case(WHOLE, "none")
