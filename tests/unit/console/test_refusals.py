"""Who may look at refusals and order replays; an order is written down, given once, and given back when it fails."""

import pytest

from services.console.domain.errors import Conflict, NotAllowed, NotFound, OrdersUnavailable
from services.console.domain.refusals import ORDER_LAPSES, RefusalQuery
from services.console.domain.viewer import BodyCode, Role, Username, Viewer
from services.console.worker.refusals import RefusalService
from tests.fakes.clock import ManualClock
from tests.fakes.console import T0
from tests.fakes.console_refusals import MemoryOrders, MemoryRefusalBook, decision, refusal

CENTRE = Viewer(Username("centre"), Role.CENTRE, None, "值班")
HEALTH = Viewer(Username("health"), Role.DEPARTMENT, BodyCode("health"), "卫健")
IDS = [f"{number:032x}" for number in (1, 2)]


class Harness:
    def __init__(self) -> None:
        self.book, self.orders, self.clock = MemoryRefusalBook(), MemoryOrders(), ManualClock(T0)
        self.service = RefusalService(self.book, self.orders, self.clock)

    async def filled(self) -> "Harness":
        await self.book.arrive({7: refusal(1), 8: refusal(2, "empty", raw=b"")})
        return self


async def test_departments_see_nothing_and_order_nothing() -> None:
    harness = await Harness().filled()
    for attempt in (harness.service.page(HEALTH, RefusalQuery()), harness.service.one(HEALTH, IDS[0])):
        with pytest.raises(NotAllowed):
            await attempt
    with pytest.raises(NotAllowed):
        await harness.service.replay(HEALTH, IDS)
    assert (harness.orders.sent, harness.book.log) == ([], [])


async def test_an_order_names_who_gave_it_and_where_the_refusals_stand() -> None:
    harness = await Harness().filled()
    assert await harness.service.replay(CENTRE, IDS) == 2
    (order,) = harness.orders.sent
    assert (order.by, [place.offset for place in order.places]) == ("centre", [7, 8])
    assert harness.book.log == ["claim centre 2", "sent"]
    assert all(row.waiting for row in (await harness.service.page(CENTRE, RefusalQuery())).rows)


async def test_two_clicks_are_one_order_until_it_lapses() -> None:
    harness = await Harness().filled()
    await harness.service.replay(CENTRE, IDS[:1])
    assert await harness.service.replay(CENTRE, IDS) == 1, "the other one only"
    with pytest.raises(Conflict):
        await harness.service.replay(CENTRE, IDS)
    harness.clock.forward(ORDER_LAPSES.total_seconds())
    assert await harness.service.replay(CENTRE, IDS) == 2


async def test_an_order_that_was_not_taken_may_be_given_again_at_once() -> None:
    harness = await Harness().filled()
    harness.orders.down = True
    with pytest.raises(OrdersUnavailable):
        await harness.service.replay(CENTRE, IDS)
    harness.orders.down = False
    assert await harness.service.replay(CENTRE, IDS) == 2


async def test_what_has_become_signals_is_not_ordered_again() -> None:
    harness = await Harness().filled()
    await harness.book.arrive({}, [decision(1), decision(2, reason="empty")])
    assert await harness.service.replay(CENTRE, IDS) == 1
    assert [place.refusal_id for place in harness.orders.sent[0].places] == IDS[1:]


async def test_there_is_no_such_refusal() -> None:
    with pytest.raises(NotFound):
        await Harness().service.one(CENTRE, IDS[0])
