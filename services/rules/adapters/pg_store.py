"""Checkpoints in PostgreSQL: state, facts, read model, findings to send and offsets in one fenced transaction."""

import json
import zlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import chain, islice

from services.rules.adapters import rows
from services.rules.adapters.statements import SQL
from services.rules.domain.snapshot import SavedUnit
from services.rules.ports import Checkpoint, Fenced, Plain, Saved, StateDamaged, StoreUnavailable
from services.runtime.postgres import AWAY, Connection, Pool, json_text

CHUNK = 2000
"""Rows per statement: small enough that building one does not hold up the loop."""


class PostgresStore:
    """Implements ports.Store."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim(self, partition: int, owner: str) -> Saved:
        async with self._transaction() as connection:
            cursor = await connection.execute(SQL["claim"], {"partition": partition, "owner": owner})
            claimed = await cursor.fetchone()
            assert claimed is not None
            cursor = await connection.execute(SQL["load"], {"partition": partition})
            bodies = await cursor.fetchall()
            cursor = await connection.execute(SQL["load_rates"], {"partition": partition})
            rates = [rows.saved_rate(row) for row in await cursor.fetchall()]
        epoch, next_offset = claimed
        if not bodies:
            if next_offset:
                raise StateDamaged(f"partition {partition} stands at offset {next_offset} but has no saved state")
            return Saved(epoch, next_offset, 0, None)
        head, units = unpack(partition, [body for _, _, body in bodies])
        return Saved(epoch, next_offset, bodies[-1][0], head, units, rates)

    async def save(self, checkpoints: Sequence[Checkpoint]) -> int:
        written = 0
        async with self._transaction() as connection:
            new: list[Checkpoint] = []
            for checkpoint in sorted(checkpoints, key=lambda one: one.partition):
                size = await self._save_state(connection, checkpoint)
                if size:
                    new.append(checkpoint)
                    written += size
            await self._save_effects(connection, new)
        return written

    async def _save_state(self, connection: Connection, checkpoint: Checkpoint) -> int:
        """Return the bytes written, 0 when this checkpoint is saved already."""
        cursor = await connection.execute(
            SQL["fence"],
            {
                "partition": checkpoint.partition,
                "owner_epoch": checkpoint.owner_epoch,
                "next_offset": checkpoint.next_offset,
                "watermark": rows.timestamp(checkpoint.watermark or 0),
                "visibility": checkpoint.visibility.value,
                "blind_after_s": checkpoint.blind_after_s,
            },
        )
        if cursor.rowcount != 1:
            raise Fenced(checkpoint.partition)
        body = pack(checkpoint.head, checkpoint.units)
        position = {"partition": checkpoint.partition, "seq": checkpoint.seq}
        cursor = await connection.execute(SQL["snapshot"], {**position, "base": checkpoint.base, "body": body})
        if cursor.rowcount != 1:
            return 0
        if checkpoint.base:
            await connection.execute(SQL["forget_snapshots"], position)
        return len(body)

    async def _save_effects(self, connection: Connection, checkpoints: Sequence[Checkpoint]) -> None:
        for checkpoint in checkpoints:
            if checkpoint.rates_whole:
                await connection.execute(SQL["forget_rates"], {"partition": checkpoint.partition})
        each = [(one.partition, one, one.effects) for one in checkpoints]
        tables: list[tuple[str, Iterable[rows.Row]]] = [
            (SQL["transitions"], chain.from_iterable(rows.transition_rows(p, e.transitions) for p, _, e in each)),
            (SQL["components"], chain.from_iterable(rows.component_rows(p, e.components) for p, _, e in each)),
            (SQL["signals"], chain.from_iterable(rows.signal_rows(p, e.signals) for p, _, e in each)),
            (SQL["hours"], chain.from_iterable(rows.hour_rows(e.hours) for _, _, e in each)),
            (SQL["samples"], chain.from_iterable(rows.sample_rows(p, e.samples) for p, _, e in each)),
            (SQL["units"], chain.from_iterable(rows.unit_rows(p, c.rows) for p, c, _ in each)),
            (SQL["rates"], chain.from_iterable(rows.rate_rows(p, c.rates) for p, c, _ in each)),
            (SQL["outbox"], chain.from_iterable(rows.outbox_rows(p, e.findings) for p, _, e in each)),
        ]
        for statement, values in tables:
            await _write(connection, statement, values)
        if any(one.rows or one.rates for one in checkpoints):
            await connection.execute(SQL["notify"])

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        try:
            # Not in a pipeline: between two statements of one PostgreSQL counts the session as busy, NEVER_IDLE says
            # nothing, and a process that is frozen there keeps its locks until the pool's limit ends the transaction.
            async with self._pool.connection() as connection, connection.transaction():
                await connection.execute(SQL["never_idle"])
                yield connection
        except AWAY as error:
            raise StoreUnavailable(f"{type(error).__name__}: {str(error).strip()[:200]}") from error


async def _write(connection: Connection, statement: str, values: Iterable[rows.Row]) -> None:
    remaining = iter(values)
    while chunk := list(islice(remaining, CHUNK)):
        await connection.execute(statement, [json_text(chunk)])


def pack(head: Plain, units: Sequence[SavedUnit]) -> bytes:
    """Return state as it is stored: the head on a line, then each unit on one: its id, a tab, its state.

    Compressed, a checksum inside.
    """
    lines = [json.dumps(head, ensure_ascii=False, separators=(",", ":")), *map("\t".join, units)]
    return zlib.compress("\n".join(lines).encode(), 1)


def unpack(partition: int, bodies: Sequence[bytes]) -> tuple[Plain, list[SavedUnit]]:
    """Return head and units of a base and the deltas after it. Raises StateDamaged."""
    head: Plain = None
    units: dict[str, str] = {}
    try:
        for body in bodies:
            text = zlib.decompress(body).decode()
            head, touched = _with_positions(text) if text.startswith("[") else _lines(text)
            units.update(touched)
    except (zlib.error, ValueError, TypeError, KeyError, IndexError) as error:
        raise StateDamaged(f"saved state of partition {partition} cannot be read: {type(error).__name__}") from error
    return head, list(map(SavedUnit._make, units.items()))


def _lines(text: str) -> tuple[Plain, dict[str, str]]:
    head, *lines = text.split("\n")
    return json.loads(head), dict([line.split("\t", 1) for line in lines])


def _with_positions(text: str) -> tuple[Plain, dict[str, str]]:
    """Read what formats 1 and 2 wrote: one list of a head and of units, each a list that begins with its id."""
    head, units = json.loads(text)
    return head, {unit[0]: json.dumps(unit, ensure_ascii=False) for unit in units}
