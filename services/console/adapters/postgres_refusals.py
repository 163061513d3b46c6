"""`RefusalBook` on console.refusals, and the other side of it: what the feed writes there."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from schemas.refusal import Refusal, Replayed, ReplayOutcome
from services.console.adapters.postgres_read import translated
from services.console.adapters.rows import Row
from services.console.adapters.statements import SQL
from services.console.domain.errors import NotFound
from services.console.domain.refusals import (
    KEPT_BYTES,
    KEPT_PER_HOUR,
    Place,
    RefusalCount,
    RefusalDetail,
    RefusalPage,
    RefusalQuery,
    RefusalRow,
    State,
)
from services.console.domain.viewer import Viewer
from services.runtime.postgres import Connection, Pool

TOP_GATEWAYS = 10
TOPIC_CHARACTERS = 300
NAMES_PER_HOUR = 2000
OTHERS = "*"
"""Where gateways are counted together that are too many to be counted one by one."""


class Claim(NamedTuple):
    """The right to write what stands on one partition, until somebody else claims it."""

    topic: str
    partition: int
    epoch: int


class Fenced(Exception):
    """Another process owns the partition now; nothing was written."""


class PostgresRefusals:
    """Every call is one transaction, and raises DataUnavailable when there is no answer in time."""

    def __init__(self, pool: Pool, deadline_s: float = 5.0) -> None:
        self._pool = pool
        self._deadline_s = deadline_s

    # --- for readers

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
            ((total,),) = await _all(connection, SQL["refusal_total"], parameters)
            found = await _all(connection, SQL["refusal_page"], parameters)
            reasons = await _all(connection, SQL["refusal_reasons"], parameters)
            gateways = await _all(connection, SQL["refusal_gateways"], parameters)
        return RefusalPage(
            total,
            tuple(_row(row) for row in found),
            counted_since,
            tuple(RefusalCount(*row) for row in reasons),
            tuple(RefusalCount(*row) for row in gateways),
        )

    async def one(self, refusal_id: str, lapsed: datetime) -> RefusalDetail:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            found = await _all(connection, SQL["refusal_one"], {"refusal_id": refusal_id, "lapsed": lapsed})
        if not found:
            raise NotFound
        *row, partition, offset, raw = found[0]
        return RefusalDetail(_row(tuple(row)), partition, offset, bytes(raw))

    async def claim(
        self, order_id: str, refusal_ids: Sequence[str], viewer: Viewer, now: datetime, lapsed: datetime
    ) -> tuple[Place, ...]:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            parameters = {"order_id": order_id, "ids": list(refusal_ids), "now": now, "lapsed": lapsed}
            places = tuple(Place(*row) for row in await _all(connection, SQL["refusal_claim"], parameters))
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

    # --- for the feed

    async def claim_partition(self, topic: str, partition: int, owner: str) -> tuple[Claim, int]:
        """Take the partition over and return where to read on."""
        async with translated(self._deadline_s), self._pool.connection() as connection:
            ((epoch, next_offset),) = await _all(
                connection,
                SQL["partition_claim"],
                [topic, partition, owner],
            )
        return Claim(topic, partition, epoch), next_offset

    async def take(
        self, claim: Claim, came: Mapping[int, Refusal], decided: Sequence[Replayed], next_offset: int
    ) -> int:
        """Store what stood before `next_offset`; return how many rows were kept. Raises Fenced."""
        async with translated(self._deadline_s), self._pool.connection() as connection:
            cursor = await connection.execute(
                SQL["partition_advance"],
                [next_offset, *claim],
            )
            if cursor.rowcount != 1:
                raise Fenced
            rows = await _counted(connection, claim.partition, came)
            if rows:
                await connection.cursor().executemany(SQL["refusal_keep"], rows)
            if decided:
                await connection.cursor().executemany(SQL["refusal_decided"], [_decision(event) for event in decided])
        return len(rows)

    async def start_over(self, topic: str) -> None:
        """Forget the copy and every place in the log; whoever owned a partition is fenced."""
        async with translated(self._deadline_s), self._pool.connection() as connection:
            await connection.execute(SQL["refusals_forget_all"])
            await connection.execute(SQL["refusals_forget_counts"])
            await connection.execute(SQL["partition_start_over"], [topic])

    async def prune(self, before: datetime, rows: int) -> None:
        """Forget what is older than `before`, and the oldest rows beyond `rows`."""
        async with translated(60), self._pool.connection() as connection:
            await connection.execute(SQL["refusal_prune"], {"before": before, "rows": rows - 1})
            await connection.execute(SQL["refusals_forget_counts_before"], [before])


async def _all(connection: Connection, statement: str, parameters: Any) -> list[Row]:
    cursor = await connection.execute(statement, parameters)
    return await cursor.fetchall()


async def _counted(connection: Connection, partition: int, came: Mapping[int, Refusal]) -> list[Row]:
    """Count all of them, and return the rows of those that are not beyond the bound of their hour."""
    hours: dict[datetime, set[str]] = defaultdict(set)
    for event in came.values():
        hours[_hour(event)].add(event.data.gateway_id or "")
    named = {hour: await _named(connection, hour, names) for hour, names in hours.items()}
    groups: dict[tuple[datetime, str, str], list[tuple[int, Refusal]]] = defaultdict(list)
    for offset, event in came.items():
        hour, name = _hour(event), event.data.gateway_id or ""
        groups[hour, name if name in named[hour] else OTHERS, event.data.reason.value].append((offset, event))
    rows: list[Row] = []
    for group, members in sorted(groups.items()):
        ((refused,),) = await _all(connection, SQL["refusal_count"], [*group, len(members)])
        room = max(0, KEPT_PER_HOUR - (refused - len(members)))
        rows += [_columns(partition, offset, event) for offset, event in members[:room]]
    return rows


async def _named(connection: Connection, hour: datetime, names: set[str]) -> set[str]:
    """Return which names are counted by themselves: anybody can invent gateways without end."""
    known = {row[0] for row in await _all(connection, SQL["refusal_known"], [hour, sorted(names)])}
    ((counted,),) = await _all(connection, SQL["refusal_names_counted"], [hour])
    room = max(0, NAMES_PER_HOUR - counted)
    return known | set(sorted(names - known)[:room])


def _hour(event: Refusal) -> datetime:
    return event.data.received_at.replace(minute=0, second=0, microsecond=0)


def _text(text: str) -> str:
    # NUL cannot stand in a text of PostgreSQL, and strangers wrote some of this.
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _columns(partition: int, offset: int, event: Refusal) -> Row:
    data = event.data
    peer = "" if data.origin is None else data.origin.peer
    return (
        event.id, partition, offset, data.received_at, data.reason.value, _text(data.detail), data.gateway_id or "",
        _text(data.topic[:TOPIC_CHARACTERS]), peer, data.instance, data.raw_bytes, data.raw[:KEPT_BYTES],
    )  # fmt: skip


def _decision(event: Replayed) -> dict[str, object]:
    data = event.data
    return {
        "accepted": data.outcome is ReplayOutcome.ACCEPTED,
        "at": event.time,
        "by": _text(data.by),
        "signals": data.signals,
        "reason": None if data.reason is None else data.reason.value,
        "detail": _text(data.detail),
        "refusal_id": data.refusal_id,
    }


def _row(row: Row) -> RefusalRow:
    return RefusalRow(*(*row[:9], State(row[9]), *row[10:]))
