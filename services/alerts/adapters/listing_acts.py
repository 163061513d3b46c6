"""firenet.listings.v1: acts of listings in PostgreSQL that are not on their topic yet."""

from collections.abc import Sequence
from typing import Any

from schemas import codec
from schemas.listing import ListingActed, ListingActedData
from services.alerts.adapters.postgres_cases import transaction_on
from services.alerts.adapters.statements import SQL
from services.kernel.ids import derive
from services.runtime.postgres import Pool


class PostgresListingActs:
    """See ports.Unpublished. Id and key are the listing and the number of the act, with a slash between."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def unpublished(self, limit: int) -> Sequence[tuple[str, str, bytes]]:
        async with transaction_on(self._pool, pipelined=True) as connection:
            cursor = await connection.execute(SQL["unpublished_listing_acts"], (limit,))
            return [(key := f"{row[0]}/{row[1]}", key, listing_event(key, row)) for row in await cursor.fetchall()]

    async def mark_published(self, ids: Sequence[str]) -> None:
        of = [each.rpartition("/") for each in ids]
        listings, numbers = [each[0] for each in of], [int(each[2]) for each in of]
        async with transaction_on(self._pool, pipelined=True) as connection:
            await connection.execute(SQL["mark_listing_acts_published"], (listings, numbers))


def listing_event(key: str, row: Sequence[Any]) -> bytes:
    """Return the encoded event of an act joined with its case."""
    listing_id, number, act, at, case_id, unit_id, district, town, department, due_at = row
    data = ListingActedData(
        listing_id=listing_id,
        number=number,
        act=act,
        case_id=case_id,
        unit_id=unit_id,
        district=district or None,
        town=town or None,
        lead_department=department or None,
        due_at=due_at,
    )
    event_id = derive("listing_act", listing_id, str(number))
    return codec.listings.encode(ListingActed(id=event_id, source="/alerts", subject=key, time=at, data=data))
