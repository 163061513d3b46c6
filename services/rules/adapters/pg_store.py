"""Checkpoints in PostgreSQL: state, facts, read model, findings to send and offsets in one fenced transaction."""

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import chain, islice

from psycopg import AsyncCursor
from psycopg.rows import TupleRow

from services.rules.adapters import rows, sql
from services.rules.ports import Checkpoint, Fenced, Plain, Saved, StateDamaged, StoreUnavailable
from services.runtime.postgres import AWAY, Connection, Pool

Cursor = AsyncCursor[TupleRow]

CHUNK = 2000
"""Rows per statement: small enough that building one does not hold up the loop."""


class PostgresStore:
    """Implements ports.Store."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim(self, partition: int, owner: str) -> Saved:
        async with self._transaction() as connection:
            cursor = await connection.execute(sql.CLAIM, {"partition": partition, "owner": owner})
            claimed = await cursor.fetchone()
            assert claimed is not None
            cursor = await connection.execute(sql.LOAD, {"partition": partition})
            bodies = await cursor.fetchall()
        epoch, next_offset = claimed
        if not bodies:
            if next_offset:
                raise StateDamaged(f"partition {partition} stands at offset {next_offset} but has no saved state")
            return Saved(epoch, next_offset, 0, None)
        head, units = unpack(partition, [body for _, _, body in bodies])
        return Saved(epoch, next_offset, bodies[-1][0], head, units)

    async def save(self, checkpoints: Sequence[Checkpoint]) -> int:
        ordered = sorted(checkpoints, key=lambda one: one.partition)
        # Statements follow each other without waiting for answers: each answer would wait for a free moment of the
        # event loop, which works off records in between.
        async with self._transaction() as connection, connection.pipeline() as pipeline:
            fences = [await self._fence(connection, one) for one in ordered]
            await pipeline.sync()
            for one, fence in zip(ordered, fences, strict=True):
                if fence.rowcount != 1:
                    raise Fenced(one.partition)
            states = [(one, *await self._save_state(connection, one)) for one in ordered]
            await pipeline.sync()
            new = [(one, size) for one, snapshot, size in states if snapshot.rowcount == 1]
            await self._save_effects(connection, [one for one, _ in new])
        return sum(size for _, size in new)

    async def _fence(self, connection: Connection, checkpoint: Checkpoint) -> Cursor:
        """Return the answer, still to come: one row, or none when another process owns the partition."""
        return await connection.execute(
            sql.FENCE,
            {
                "partition": checkpoint.partition,
                "owner_epoch": checkpoint.owner_epoch,
                "next_offset": checkpoint.next_offset,
                "watermark": rows.timestamp(checkpoint.watermark or 0),
                "sight": checkpoint.sight.value,
                "blind_after_s": checkpoint.blind_after_s,
            },
        )

    async def _save_state(self, connection: Connection, checkpoint: Checkpoint) -> tuple[Cursor, int]:
        """Return the answer, still to come (one row, or none when this checkpoint is saved already), and the bytes."""
        body = pack(checkpoint.head, checkpoint.units)
        place = {"partition": checkpoint.partition, "seq": checkpoint.seq}
        snapshot = await connection.execute(sql.SNAPSHOT, {**place, "base": checkpoint.base, "body": body})
        if checkpoint.base:
            await connection.execute(sql.FORGET_SNAPSHOTS, place)
        await asyncio.sleep(0)  # nothing above need ever wait: others work in the same event loop
        return snapshot, len(body)

    async def _save_effects(self, connection: Connection, checkpoints: Sequence[Checkpoint]) -> None:
        for checkpoint in checkpoints:
            if checkpoint.rates_whole:
                await connection.execute(sql.FORGET_RATES, {"partition": checkpoint.partition})
        each = [(one.partition, one, one.effects) for one in checkpoints]
        tables: list[tuple[str, Iterable[rows.Row]]] = [
            (sql.TRANSITIONS, chain.from_iterable(rows.transition_rows(p, e.transitions) for p, _, e in each)),
            (sql.SIGNALS, chain.from_iterable(rows.signal_rows(p, e.signals) for p, _, e in each)),
            (sql.HOURS, chain.from_iterable(rows.hour_rows(e.hours) for _, _, e in each)),
            (sql.SAMPLES, chain.from_iterable(rows.sample_rows(p, e.samples) for p, _, e in each)),
            (sql.UNITS, chain.from_iterable(rows.unit_rows(p, c.rows) for p, c, _ in each)),
            (sql.RATES, chain.from_iterable(rows.rate_rows(p, c.rates) for p, c, _ in each)),
            (sql.OUTBOX, chain.from_iterable(rows.outbox_rows(p, e.findings) for p, _, e in each)),
        ]
        for statement, values in tables:
            await _write(connection, statement, values)
        if any(one.rows or one.rates for one in checkpoints):
            await connection.execute(sql.NOTIFY)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        try:
            async with self._pool.connection() as connection, connection.transaction():
                await connection.execute(sql.NEVER_IDLE)
                yield connection
        except AWAY as error:
            raise StoreUnavailable(f"{type(error).__name__}: {str(error).strip()[:200]}") from error


async def _write(connection: Connection, statement: str, values: Iterable[rows.Row]) -> None:
    remaining = iter(values)
    while chunk := list(islice(remaining, CHUNK)):
        # PostgreSQL cannot hold NUL in text; in JSON inside this JSON its escape is an escape still.
        await connection.execute(statement, [json.dumps(chunk, ensure_ascii=False).replace("\\u0000", "\\ufffd")])
        await asyncio.sleep(0)  # as above


def pack(head: Plain, units: Sequence[Plain]) -> bytes:
    """Return state as it is stored: compressed JSON, a checksum inside."""
    return zlib.compress(json.dumps([head, units], ensure_ascii=False, separators=(",", ":")).encode(), 1)


def unpack(partition: int, bodies: Sequence[bytes]) -> tuple[Plain, list[Plain]]:
    """Return head and units of a base and the deltas after it. Raises StateDamaged."""
    head: Plain = None
    units: dict[str, Plain] = {}
    try:
        for body in bodies:
            head, touched = json.loads(zlib.decompress(body))
            for unit in touched:
                units[unit[0]] = unit
    except (zlib.error, ValueError, TypeError, KeyError, IndexError) as error:
        raise StateDamaged(f"saved state of partition {partition} cannot be read: {type(error).__name__}") from error
    return head, list(units.values())
