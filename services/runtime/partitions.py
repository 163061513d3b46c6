"""Who reads a partition of a topic, and how far, in the table `partitions` of a service's schema.

The offset is saved in the transaction of what was read. Whoever claims a partition counts its epoch up, and so fences
the owner before, whose offset is not taken any more.
"""

from pathlib import Path

from psycopg import AsyncCursor
from psycopg.rows import TupleRow

from services.runtime.postgres import Connection
from services.runtime.queries import load_queries

SQL = load_queries(Path(__file__).with_name("sql"))


class PartitionTable:
    """The table of one schema."""

    def __init__(self, schema: str) -> None:
        self._claim = SQL["claim"].replace("{schema}", schema)
        self._advance = SQL["advance"].replace("{schema}", schema)

    async def claim(self, connection: Connection, topic: str, partition: int, owner: str) -> tuple[int, int]:
        """Take the partition over; return our epoch and the offset to read next."""
        row = await (await connection.execute(self._claim, (topic, partition, owner))).fetchone()
        assert row is not None, "an upsert returns its row"
        epoch, next_offset = row
        return epoch, next_offset

    async def advance(
        self, connection: Connection, topic: str, partition: int, epoch: int, next_offset: int
    ) -> AsyncCursor[TupleRow]:
        """Save the offset. The cursor's `rowcount`, in a pipeline known at its end, is 1 unless another owns it now."""
        return await connection.execute(self._advance, (next_offset, topic, partition, epoch))
