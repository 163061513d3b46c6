"""The register in PostgreSQL. One advisory lock makes imports and publishing take turns."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime

import psycopg
from psycopg import AsyncConnection

from services.kernel.calendar import date_of
from services.registry.adapters.postgres_adjustments import PostgresAdjustments
from services.registry.adapters.postgres_credentials import PostgresCredentials
from services.registry.adapters.postgres_proposals import PostgresProposals
from services.registry.adapters.postgres_scores import PostgresScores
from services.registry.adapters.statements import SQL
from services.registry.adapters.wire import from_json, to_wire
from services.registry.domain.entities import F, Facts, History, Kind, Version
from services.registry.domain.errors import StoreUnavailable
from services.registry.ports import ImportNote, PublishedDays
from services.runtime.postgres import AdvisoryLock, Connection, connect_arguments


class PostgresStore:
    """One connection for one command. Use as `async with open_store(...)`."""

    def __init__(self, connection: Connection, imported_by: str) -> None:
        self._connection = connection
        self._imported_by = imported_by

    @asynccontextmanager
    async def transaction(self, *, keep: bool = True) -> AsyncIterator["PostgresRegister"]:
        try:
            async with self._connection.transaction(force_rollback=not keep):
                # Two imports at once could miss each other's rows; a publish beside an import could take a mark
                # away from versions that it has not sent.
                await self._connection.execute(SQL["register_lock"], (AdvisoryLock.REGISTER,))
                yield PostgresRegister(self._connection, self._imported_by)
        except psycopg.Error as error:
            raise _unavailable(error) from error

    @asynccontextmanager
    async def command(self, *, keep: bool) -> AsyncIterator[None]:
        if keep:
            yield
            return
        try:
            async with self._connection.transaction(force_rollback=True):
                yield
        except psycopg.Error as error:
            raise _unavailable(error) from error


@asynccontextmanager
async def open_store(dsn: str, imported_by: str) -> AsyncIterator[PostgresStore]:
    """Yield a store on a connection of its own. Raises StoreUnavailable."""
    try:
        connection = await AsyncConnection.connect(
            dsn, autocommit=True, **connect_arguments("registry", statement_timeout_s=300)
        )
    except (psycopg.Error, OSError) as error:
        raise _unavailable(error) from error
    try:
        yield PostgresStore(connection, imported_by)
    finally:
        await connection.close()


class PostgresRegister:
    """The tables of migration 0001, inside a transaction that holds the lock."""

    def __init__(self, connection: Connection, imported_by: str) -> None:
        self._connection = connection
        self._imported_by = imported_by
        self.credentials = PostgresCredentials(connection)
        self.adjustments = PostgresAdjustments(connection)
        self.proposals = PostgresProposals(connection)
        self.scores = PostgresScores(connection)

    async def last_recorded(self) -> datetime | None:
        row = await (await self._connection.execute(SQL["last_recorded"])).fetchone()
        newest = None if row is None else row[0]
        assert newest is None or isinstance(newest, datetime)
        return newest

    async def published_days(self, district: str) -> PublishedDays:
        row = await (await self._connection.execute(SQL["published_days"], (district,))).fetchone()
        until, kept_day = (None, None) if row is None else row
        return PublishedDays(until, date_of(kept_day) if until is not None and kept_day else None)

    async def histories(self, kind: Kind, ids: Collection[str] | None = None) -> Mapping[str, History[Facts]]:
        cursor = await self._connection.execute(
            SQL["histories"] if ids is None else SQL["histories_of"],
            {"kind": kind.value, "ids": list(ids or ())},
        )
        versions: dict[str, list[Version[Facts]]] = {}
        for entity_id, body in await cursor.fetchall():
            versions.setdefault(entity_id, []).append(from_json(kind, body))
        return {entity_id: History(kind, entity_id, found) for entity_id, found in versions.items()}

    async def current(self, kind: Kind, day: date) -> Sequence[Version[Facts]]:
        cursor = await self._connection.execute(
            SQL["current"],
            (kind.value, day),
        )
        return [from_json(kind, body) for (body,) in await cursor.fetchall()]

    async def ids(self, kind: Kind) -> set[str]:
        cursor = await self._connection.execute(SQL["ids"], (kind.value,))
        return {entity_id for (entity_id,) in await cursor.fetchall()}

    async def add(self, kind: Kind, versions: Sequence[Version[F]], note: ImportNote | None) -> None:
        import_id = None if note is None else await self._note(note)
        async with (
            self._connection.cursor() as cursor,
            cursor.copy(SQL["versions_copy"]) as copy,
        ):
            for version in versions:
                body = to_wire(version).model_dump_json()
                await copy.write_row(
                    (kind.value, version.facts.id, version.valid_from, version.recorded_at, body, import_id)
                )
        await self._connection.execute(
            SQL["unpublished_mark"],
            (kind.value, sorted({version.facts.id for version in versions})),
        )

    async def _note(self, note: ImportNote) -> int:
        cursor = await self._connection.execute(
            SQL["import_note"],
            (
                note.file_name, note.sha256, note.kind.value, note.rows, note.changed, note.imported_at,
                self._imported_by,
            ),
        )  # fmt: skip
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])

    async def unpublished(self, limit: int, only: Kind | None = None) -> Sequence[tuple[Kind, str]]:
        found: list[tuple[Kind, str]] = []
        # in the order in which one may refer to the other; each is a walk along the key
        for kind in Kind if only is None else (only,):
            cursor = await self._connection.execute(
                SQL["unpublished"],
                (kind.value, limit - len(found)),
            )
            found.extend((kind, entity_id) for (entity_id,) in await cursor.fetchall())
        return found

    async def mark_all_unpublished(self) -> None:
        await self._connection.execute(SQL["unpublished_mark_all"])

    async def published(self, entities: Sequence[tuple[Kind, str]]) -> None:
        await self._connection.execute(
            SQL["published"],
            ([kind.value for kind, _ in entities], [entity_id for _, entity_id in entities]),
        )


def _unavailable(error: Exception) -> StoreUnavailable:
    lines = str(error).strip().splitlines()
    return StoreUnavailable(f"the database refused: {lines[0] if lines else type(error).__name__}")
