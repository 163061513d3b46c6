"""Who may look at refusals and order replays; an order is written down, given once, and given back when it fails."""

import pytest

from services.console.domain.errors import Conflict, NotAllowed, NotFound, OrdersUnavailable
from services.console.domain.refusals import ORDER_LAPSES, RefusalQuery
from services.console.domain.viewer import BodyCode, Role, Username, Viewer
from services.console.worker.refusals import RefusalDesk
from tests.fakes.console import ManualClock
from tests.fakes.console_refusals import MemoryOrders, MemoryRefusalBook, decision, refusal

CENTRE = Viewer(Username("centre"), Role.CENTRE, None, "值班")
HEALTH = Viewer(Username("health"), Role.DEPARTMENT, BodyCode("health"), "卫健")
IDS = [f"{number:032x}" for number in (1, 2)]


class Stage:
    def __init__(self) -> None:
        self.book, self.orders, self.clock = MemoryRefusalBook(), MemoryOrders(), ManualClock()
        self.desk = RefusalDesk(self.book, self.orders, self.clock)

    async def filled(self) -> "Stage":
        await self.book.arrive({7: refusal(1), 8: refusal(2, "empty", raw=b"")})
        return self


async def test_departments_see_nothing_and_order_nothing() -> None:
    stage = await Stage().filled()
    for attempt in (stage.desk.page(HEALTH, RefusalQuery()), stage.desk.one(HEALTH, IDS[0])):
        with pytest.raises(NotAllowed):
            await attempt
    with pytest.raises(NotAllowed):
        await stage.desk.replay(HEALTH, IDS)
    assert (stage.orders.sent, stage.book.log) == ([], [])


async def test_an_order_names_who_gave_it_and_where_the_refusals_stand() -> None:
    stage = await Stage().filled()
    assert await stage.desk.replay(CENTRE, IDS) == 2
    (order,) = stage.orders.sent
    assert (order.by, [place.offset for place in order.places]) == ("centre", [7, 8])
    assert stage.book.log == ["claim centre 2", "sent"]
    assert all(row.waiting for row in (await stage.desk.page(CENTRE, RefusalQuery())).rows)


async def test_two_clicks_are_one_order_until_it_lapses() -> None:
    stage = await Stage().filled()
    await stage.desk.replay(CENTRE, IDS[:1])
    assert await stage.desk.replay(CENTRE, IDS) == 1, "the other one only"
    with pytest.raises(Conflict):
        await stage.desk.replay(CENTRE, IDS)
    stage.clock.pass_(ORDER_LAPSES.total_seconds())
    assert await stage.desk.replay(CENTRE, IDS) == 2


async def test_an_order_that_was_not_taken_may_be_given_again_at_once() -> None:
    stage = await Stage().filled()
    stage.orders.down = True
    with pytest.raises(OrdersUnavailable):
        await stage.desk.replay(CENTRE, IDS)
    stage.orders.down = False
    assert await stage.desk.replay(CENTRE, IDS) == 2


async def test_what_has_become_signals_is_not_ordered_again() -> None:
    stage = await Stage().filled()
    await stage.book.arrive({}, [decision(1), decision(2, reason="empty")])
    assert await stage.desk.replay(CENTRE, IDS) == 1
    assert [place.refusal_id for place in stage.orders.sent[0].places] == IDS[1:]


async def test_there_is_no_such_refusal() -> None:
    with pytest.raises(NotFound):
        await Stage().desk.one(CENTRE, IDS[0])
