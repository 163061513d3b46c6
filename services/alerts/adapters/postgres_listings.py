"""Listings as the console reads them, in one snapshot each."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from services.alerts.adapters.listing_rows import listing_of
from services.alerts.adapters.postgres_cases import transaction_on
from services.alerts.adapters.statements import SQL
from services.alerts.domain.listing.listing import NEXT, hindrance
from services.kernel.words import ListingState
from services.runtime.postgres import Pool


@dataclass(frozen=True, slots=True)
class ListingQuery:
    """Which listings somebody wants to see; `body_code` None sees all of them."""

    body_code: str | None
    now: datetime
    states: tuple[str, ...] | None = None
    town: str | None = None
    department: str | None = None
    case_id: str | None = None
    overdue: bool = False
    limit: int = 50
    offset: int = 0


class ListingReader:
    """Reads only. Every method raises StoreUnavailable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(self, query: ListingQuery) -> Sequence[Mapping[str, Any]]:
        values = asdict(query) | {"states": None if query.states is None else list(query.states)}
        return [_with_next(row) for row in await self._rows("listings_page", values)]

    async def one(self, listing_id: str, body_code: str | None, now: datetime) -> Mapping[str, Any] | None:
        """Return a listing with its acts, files and what hinders acts that may follow.

        None where there is none, or it is another body's.
        """
        values = {"listing_id": listing_id, "body_code": body_code, "now": now}
        found = await self._rows("listing_view", values)
        if not found:
            return None
        acts = await self._rows("listing_acts_of", (listing_id,))
        return {
            **_with_next(found[0]),
            "hindered": _hindered(found[0], now),
            "acts": acts,
            "evidence_files": await self._rows("listing_files_of", (listing_id,)),
        }

    async def file(self, listing_id: str, sha256: str, body_code: str | None) -> tuple[str, str, bytes] | None:
        """Return name, media type and content."""
        values = {"listing_id": listing_id, "sha256": sha256, "body_code": body_code}
        found = await self._rows("listing_file", values)
        return (found[0]["name"], found[0]["media_type"], bytes(found[0]["content"])) if found else None

    async def _rows(self, name: str, values: Any) -> list[dict[str, Any]]:
        async with transaction_on(self._pool) as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(_STATEMENTS[name], values)
            return await cursor.fetchall()


_STATEMENTS = {
    "listings_page": SQL["listings_page"],
    "listing_view": SQL["listing_view"],
    "listing_acts_of": SQL["listing_acts_of"],
    "listing_files_of": SQL["listing_files_of"],
    "listing_file": SQL["listing_file"],
}


def _with_next(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Say beside the row which acts may follow on its state."""
    return {**row, "next": [str(act) for act in NEXT[ListingState(row["state"])]]}


def _hindered(row: Mapping[str, Any], now: datetime) -> Mapping[str, str]:
    """Say of which acts that follow on its state it is sure now that anybody's would be refused, and why."""
    listing = listing_of(row)
    reasons = {str(act): hindrance(listing, act, None, now) for act in NEXT[listing.state]}
    return {act: reason for act, reason in reasons.items() if reason is not None}
