"""The copy of the refusals: memory and PostgreSQL behave alike; what the tables hold stays bounded and in step."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from typing import Protocol

import pytest

from schemas.refusal import Refusal, Replayed
from services.console.adapters.postgres_refusals import PostgresRefusals
from services.console.adapters.refusal_copy import NAMES_PER_HOUR, OTHERS, Fenced, RefusalCopy
from services.console.domain.errors import NotFound
from services.console.domain.refusals import KEPT_BYTES, KEPT_PER_HOUR, RefusalQuery, State
from services.console.domain.viewer import Role, Username, Viewer
from services.console.ports.refusals import RefusalRepository
from services.runtime.postgres import Pool, open_pool
from tests.fakes.console import T0
from tests.fakes.console_refusals import MemoryRefusalBook, decision, refusal

LIMIT_S = 60.0
"""A busy machine is no database that is away."""

CENTRE = Viewer(Username("centre"), Role.CENTRE, None, "值班")
HOUR = T0.replace(minute=0, second=0, microsecond=0)
LAPSED = T0 - timedelta(minutes=2)
TOPIC = "firenet.refusals.v1"


class Book(RefusalRepository, Protocol):
    async def arrive(self, came: Mapping[int, Refusal], decided: Sequence[Replayed] = ()) -> None: ...


class Tables(PostgresRefusals, RefusalCopy):
    """With a log of its own: every arrival is one batch of partition 1."""

    async def arrive(self, came: Mapping[int, Refusal], decided: Sequence[Replayed] = ()) -> None:
        claim, next_offset = await self.claim_partition(TOPIC, 1, "test")
        await self.take(claim, came, decided, next_offset + len(came) + len(decided))


@pytest.fixture
async def pool(migrated_database: str) -> AsyncIterator[Pool]:
    async with open_pool(migrated_database, "test", max_size=2) as pool:
        yield pool


@pytest.fixture
async def tables(pool: Pool) -> Tables:
    return Tables(pool, LIMIT_S)


@pytest.fixture(params=["memory", "postgres"])
async def book(request: pytest.FixtureRequest, pool: Pool) -> Book:
    return MemoryRefusalBook() if request.param == "memory" else Tables(pool, LIMIT_S)


async def test_the_newest_come_first_and_filters_hold(book: Book) -> None:
    await book.arrive({1: refusal(1), 2: refusal(2, "empty"), 3: refusal(3, "bad_topic", None)}, [decision(1)])
    page = await book.page(RefusalQuery(), HOUR, LAPSED)
    assert [(row.reason, row.gateway_id, row.state) for row in page.rows] == [
        ("bad_topic", "", State.OPEN),
        ("empty", "G000001", State.OPEN),
        ("not_json", "G000001", State.REPLAYED),
    ]
    assert [(one.name, one.refused) for one in page.gateways] == [("G000001", 2), ("", 1)]
    assert {one.name: one.refused for one in page.reasons} == {"bad_topic": 1, "empty": 1, "not_json": 1}
    for query, wanted in (
        (RefusalQuery(reason="empty"), [2]),
        (RefusalQuery(gateway_id=""), [3]),
        (RefusalQuery(state=State.REPLAYED), [1]),
        (RefusalQuery(state=State.OPEN, offset=1, limit=1), [2]),
    ):
        found = await book.page(query, HOUR, LAPSED)
        assert [int(row.refusal_id, 16) for row in found.rows] == wanted
    assert (await book.page(RefusalQuery(), HOUR + timedelta(hours=1), LAPSED)).reasons == ()


async def test_one_is_shown_with_its_bytes_and_its_place(book: Book) -> None:
    await book.arrive({5: refusal(1, raw=b"\0" * (KEPT_BYTES + 1))})
    found = await book.one(f"{1:032x}", LAPSED)
    assert (found.partition, found.offset, len(found.raw), found.row.raw_bytes) == (1, 5, KEPT_BYTES, KEPT_BYTES + 1)
    with pytest.raises(NotFound):
        await book.one(f"{2:032x}", LAPSED)


async def test_a_claim_holds_until_it_lapses_is_released_or_decided(book: Book) -> None:
    ids = [f"{number:032x}" for number in (1, 2, 3)]
    await book.arrive({number: refusal(number) for number in (1, 2)})
    assert {place.offset for place in await book.claim("o1", ids, CENTRE, T0, LAPSED)} == {1, 2}
    assert await book.claim("o2", ids, CENTRE, T0, LAPSED) == ()
    assert (await book.one(ids[0], LAPSED)).row.waiting
    await book.release("o1")
    assert len(await book.claim("o3", ids, CENTRE, T0, LAPSED)) == 2
    await book.sent("o3", T0)
    await book.arrive({}, [decision(1), decision(2, reason="not_json")])
    assert [place.refusal_id for place in await book.claim("o4", ids, CENTRE, T0, LAPSED)] == ids[1:2]
    assert len(await book.claim("o5", ids, CENTRE, T0 + timedelta(minutes=2), T0)) == 1
    row = (await book.one(ids[0], LAPSED)).row
    assert (row.state, row.signals, row.decided_by, row.waiting) == (State.REPLAYED, 1, "centre", False)


async def test_a_flood_is_counted_but_only_its_beginning_is_kept(tables: Tables) -> None:
    flood = {offset: refusal(offset) for offset in range(KEPT_PER_HOUR + 50)}
    await tables.arrive(flood)
    await tables.arrive({9000: refusal(3000), 9001: refusal(3001, "empty")})
    page = await tables.page(RefusalQuery(), HOUR, LAPSED)
    assert page.total == KEPT_PER_HOUR + 1
    assert {one.name: one.refused for one in page.reasons} == {"not_json": KEPT_PER_HOUR + 51, "empty": 1}


async def test_invented_gateways_are_counted_together_beyond_a_bound(tables: Tables) -> None:
    await tables.arrive({0: refusal(0)})
    await tables.arrive({n: refusal(1, gateway_id=f"X{n}") for n in range(1, NAMES_PER_HOUR + 11)})
    page = await tables.page(RefusalQuery(), HOUR, LAPSED)
    assert (page.gateways[0].name, page.gateways[0].refused) == (OTHERS, 11)


async def test_who_was_fenced_writes_nothing(tables: Tables) -> None:
    old, _ = await tables.claim_partition(TOPIC, 1, "a")
    new, start = await tables.claim_partition(TOPIC, 1, "b")
    assert start == 0
    with pytest.raises(Fenced):
        await tables.take(old, {1: refusal(1)}, [], 2)
    assert await tables.take(new, {1: refusal(1)}, [], 2) == 1
    assert (await tables.claim_partition(TOPIC, 1, "c"))[1] == 2


async def test_old_rows_and_rows_beyond_the_bound_go(tables: Tables) -> None:
    await tables.arrive({n: refusal(n * 3600) for n in range(6)})
    await tables.prune(T0 + timedelta(hours=2), 100)
    assert (await tables.page(RefusalQuery(), HOUR, LAPSED)).total == 4
    await tables.prune(T0, 2)
    assert [int(row.refusal_id, 16) for row in (await tables.page(RefusalQuery(), HOUR, LAPSED)).rows] == [18000, 14400]


async def test_starting_over_forgets_the_copy_and_fences_its_owners(tables: Tables) -> None:
    claim, _ = await tables.claim_partition(TOPIC, 1, "a")
    await tables.take(claim, {1: refusal(1)}, [], 2)
    await tables.start_over(TOPIC)
    with pytest.raises(Fenced):
        await tables.take(claim, {2: refusal(2)}, [], 3)
    assert (await tables.claim_partition(TOPIC, 1, "a"))[1] == 0
    assert (await tables.page(RefusalQuery(), HOUR, LAPSED)).reasons == ()


async def test_texts_that_postgresql_cannot_hold_are_kept_without_them(tables: Tables) -> None:
    event = refusal(1)
    data = event.data.model_copy(update={"topic": "a\0b", "detail": "x\0"})
    await tables.arrive({1: event.model_copy(update={"data": data})})
    row = (await tables.one(event.id, LAPSED)).row
    assert (row.topic, row.detail) == ("a\ufffdb", "x\ufffd")
