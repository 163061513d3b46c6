"""What the registry needs from outside: a store with a lock, the topic, and readers of files."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from services.registry.domain.entities import F, Facts, History, Kind, Version
from services.registry.domain.policy import Policy
from services.registry.domain.rows import AddressRules


@dataclass(frozen=True, slots=True)
class Sheet:
    """The text of a file's cells. `rows` are (row number, texts); `heading_row` is where the headings stood."""

    heading_row: int
    heading: tuple[str, ...]
    rows: Sequence[tuple[int, tuple[str, ...]]]
    sha256: str


@dataclass(frozen=True, slots=True)
class ImportNote:
    """What the register remembers of an import."""

    file_name: str
    sha256: str
    kind: Kind
    rows: int
    changed: int
    imported_at: datetime


class Files(AddressRules, Protocol):
    """Reads what people hand in."""

    def read_sheet(self, path: str) -> Sheet:
        """Return the cells of a CSV or XLSX file. Raises FileRefused when it is not one, or beyond the bounds."""
        ...

    def read_pack(self, path: str) -> tuple[Policy, str]:
        """Return the pack in a YAML file and the file's sha256. Raises FileRefused with the path of each error."""
        ...


class Register(Protocol):
    """The register inside one transaction, alone: nobody else imports or publishes meanwhile.

    Each method may raise StoreUnavailable; then nothing of the transaction is kept.
    """

    async def last_recorded(self) -> datetime | None:
        """Return the newest `recorded_at` of all versions."""
        ...

    async def histories(self, kind: Kind, ids: Collection[str] | None = None) -> Mapping[str, History[Facts]]:
        """Return the histories of `ids` that exist, or of all entities of the kind."""
        ...

    async def current(self, kind: Kind, day: date) -> Sequence[Version[Facts]]:
        """Return the version in force on `day` of every entity of the kind, in the order of their ids."""
        ...

    async def ids(self, kind: Kind) -> set[str]:
        """Return the ids of all entities of the kind."""
        ...

    async def add(self, kind: Kind, versions: Sequence[Version[F]], note: ImportNote | None) -> None:
        """Add versions, remember the import and mark the entities as not yet published."""
        ...

    async def unpublished(self, limit: int) -> Sequence[tuple[Kind, str]]:
        """Return up to `limit` entities whose record on the topic is older than their versions; packs come first."""
        ...

    async def published(self, entities: Sequence[tuple[Kind, str]]) -> None:
        """Note that the topic now has these entities as they are in this transaction."""
        ...


class Store(Protocol):
    def transaction(self, *, keep: bool = True) -> AbstractAsyncContextManager[Register]:
        """Open the register alone; leave without an error to commit, or with `keep` False to undo all of it."""
        ...

    def command(self, *, keep: bool) -> AbstractAsyncContextManager[None]:
        """With `keep` False everything until the end, committed or not, is undone: a dry run over several files."""
        ...


class Bus(Protocol):
    async def create_topics(self) -> Sequence[str]:
        """Create missing topics and return their names. Raises TopicRefused, BusUnavailable."""
        ...

    async def publish(self, histories: Sequence[History[Facts]], now: datetime) -> None:
        """Return once all in-sync replicas have a record for each. Repeats are allowed: the newest record wins.

        Raises:  BusUnavailable; RecordTooLarge, before anything was sent.
        """
        ...
