"""The console's copy of the refusals: what the feed writes, bounded, with its place in the log in one transaction."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from schemas.refusal import Refusal, Replayed, ReplayOutcome
from services.console.adapters.postgres_read import translated
from services.console.adapters.rows import Row, all_rows
from services.console.adapters.statements import SQL
from services.console.domain.refusals import KEPT_BYTES, KEPT_PER_HOUR
from services.runtime.partitions import PartitionTable
from services.runtime.postgres import Connection, Pool

PARTITIONS = PartitionTable("console")
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


class RefusalCopy:
    """Every call is one transaction, and raises DataUnavailable when there is no answer in time."""

    def __init__(self, pool: Pool, deadline_s: float = 5.0) -> None:
        self._pool = pool
        self._deadline_s = deadline_s

    async def claim_partition(self, topic: str, partition: int, owner: str) -> tuple[Claim, int]:
        """Take the partition over and return where to read on."""
        async with translated(self._deadline_s), self._pool.connection() as connection:
            epoch, next_offset = await PARTITIONS.claim(connection, topic, partition, owner)
        return Claim(topic, partition, epoch), next_offset

    async def take(
        self, claim: Claim, came: Mapping[int, Refusal], decided: Sequence[Replayed], next_offset: int
    ) -> int:
        """Store what stood before `next_offset`; return how many rows were kept. Raises Fenced."""
        async with translated(self._deadline_s), self._pool.connection() as connection:
            cursor = await PARTITIONS.advance(connection, *claim, next_offset)
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
        ((refused,),) = await all_rows(connection, SQL["refusal_count"], *group, len(members))
        room = max(0, KEPT_PER_HOUR - (refused - len(members)))
        rows += [_columns(partition, offset, event) for offset, event in members[:room]]
    return rows


async def _named(connection: Connection, hour: datetime, names: set[str]) -> set[str]:
    """Return which names are counted by themselves: anybody can invent gateways without end."""
    known = {row[0] for row in await all_rows(connection, SQL["refusal_known"], hour, sorted(names))}
    ((counted,),) = await all_rows(connection, SQL["refusal_names_counted"], hour)
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
