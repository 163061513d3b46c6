"""`RefusalRepository` on console.refusals; what stands there is written by `refusal_copy.py`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from services.console.adapters.postgres_read import translated
from services.console.adapters.rows import Row, all_rows
from services.console.adapters.statements import SQL
from services.console.domain.errors import NotFound
from services.console.domain.refusals import (
    Place,
    RefusalCount,
    RefusalDetail,
    RefusalPage,
    RefusalQuery,
    RefusalRow,
    State,
)
from services.console.domain.viewer import Viewer
from services.runtime.postgres import Pool

TOP_GATEWAYS = 10


class PostgresRefusals:
    """Every call is one transaction, and raises DataUnavailable when there is no answer in time."""

    def __init__(self, pool: Pool, deadline_s: float = 5.0) -> None:
        self._pool = pool
        self._deadline_s = deadline_s

    async def page(self, query: RefusalQuery, counted_since: datetime, lapsed: datetime) -> RefusalPage:
        parameters: dict[str, Any] = {
            "reason": query.reason,
            "gateway_id": query.gateway_id,
            "state": None if query.state is None else query.state.value,
            "offset": query.offset,
            "limit": query.limit,
            "lapsed": lapsed,
            "since": counted_since,
            "top": TOP_GATEWAYS,
        }
        async with translated(self._deadline_s), self._pool.connection() as connection:
            ((total,),) = await all_rows(connection, SQL["refusal_total"], **parameters)
            found = await all_rows(connection, SQL["refusal_page"], **parameters)
            reasons = await all_rows(connection, SQL["refusal_reasons"], **parameters)
            gateways = await all_rows(connection, SQL["refusal_gateways"], **parameters)
        return RefusalPage(
            total,
            tuple(_row(row) for row in found),
            counted_since,
            tuple(RefusalCount(*row) for row in reasons),
            tuple(RefusalCount(*row) for row in gateways),
        )

    async def one(self, refusal_id: str, lapsed: datetime) -> RefusalDetail:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            found = await all_rows(connection, SQL["refusal_one"], refusal_id=refusal_id, lapsed=lapsed)
        if not found:
            raise NotFound
        *row, partition, offset, raw = found[0]
        return RefusalDetail(_row(tuple(row)), partition, offset, bytes(raw))

    async def claim(
        self, order_id: str, refusal_ids: Sequence[str], viewer: Viewer, now: datetime, lapsed: datetime
    ) -> tuple[Place, ...]:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            parameters = {"order_id": order_id, "ids": list(refusal_ids), "now": now, "lapsed": lapsed}
            places = tuple(Place(*row) for row in await all_rows(connection, SQL["refusal_claim"], **parameters))
            if places:
                await connection.execute(
                    SQL["order_insert"],
                    [order_id, viewer.username, now, [place.refusal_id for place in places]],
                )
        return places

    async def sent(self, order_id: str, now: datetime) -> None:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            await connection.execute(SQL["order_sent"], [now, order_id])

    async def release(self, order_id: str) -> None:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            await connection.execute(SQL["order_release"], [order_id])


def _row(row: Row) -> RefusalRow:
    return RefusalRow(*(*row[:9], State(row[9]), *row[10:]))
