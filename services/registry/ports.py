"""What the registry needs from outside: a store with a lock, the topic, and readers of files."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol

from services.kernel.words import AdjustmentState
from services.registry.domain.adjustments import Adjustment
from services.registry.domain.approval import Person
from services.registry.domain.audit import AuditEntry, AuditLink
from services.registry.domain.copies import TopicCopies
from services.registry.domain.credentials import Access, Certificate, Drawn, Password
from services.registry.domain.entities import F, Facts, History, Kind, Version
from services.registry.domain.manual_scores import ManualScore
from services.registry.domain.policy import Policy
from services.registry.domain.proposals import FieldChange, Preview, Proposal, ProposalRequest
from services.registry.domain.rows import AddressRules
from services.registry.domain.table import CellProblem, Row
from services.registry.domain.words import Said
from services.registry.domain.writing import Written


@dataclass(frozen=True, slots=True)
class Sheet:
    """The text of a file's cells: (row number, texts) of each row that has any, and the cells without usable text.

    `doubt` says what the text could also have been.
    """

    rows: Sequence[Row]
    problems: Sequence[CellProblem]
    sha256: str
    doubt: Said | None = None


@dataclass(frozen=True, slots=True)
class PackFile:
    """The pack in a file. `place_of` tells line and column, from 1, of the value that a path leads to."""

    policy: Policy
    sha256: str
    place_of: Callable[[Sequence[str | int]], tuple[int, int]]
    doubt: Said | None = None


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

    def read_pack(self, path: str) -> PackFile:
        """Return the pack in a YAML file. Raises FileRefused with path, line and column of each error."""
        ...


class Credentials(Protocol):
    """What gateways may show to the broker, inside the transaction of its register. Raises as that does."""

    async def passwords(self) -> Sequence[Password]:
        """Return every password that holds, in the order of the gateways' ids."""
        ...

    async def put_passwords(self, passwords: Sequence[Password]) -> None:
        """Add passwords; one that a gateway had ends at the instant of the new one."""
        ...

    async def certificates(self) -> Sequence[Certificate]:
        """Return every certificate ever issued, by gateway and then by age."""
        ...

    async def add_certificate(self, certificate: Certificate) -> None: ...

    async def revoke(self, gateway_ids: Sequence[str], at: datetime) -> tuple[int, int]:
        """End every password and certificate of the gateways; return how many of each there were."""
        ...


class Adjustments(Protocol):
    """What people asked to be counted otherwise, inside the transaction of its register. Raises as that does."""

    async def count(self, year: int) -> int:
        """Return how many there are whose id names the year."""
        ...

    async def get(self, adjustment_id: str) -> Adjustment | None: ...

    async def put(self, adjustment: Adjustment) -> None:
        """Add it, or put it in the place of the one of its id."""
        ...

    async def listed(self, state: AdjustmentState | None, unit_id: str | None, limit: int) -> Sequence[Adjustment]:
        """Return up to `limit`, the newest first; of one state and of one unit where these are given."""
        ...

    async def in_force(self, at: datetime) -> Sequence[Adjustment]:
        """Return what lets somebody off at `at`, by unit and beginning; corrections are none."""
        ...

    async def audited(self) -> Sequence[AuditLink]:
        """Return the whole audit, in order."""
        ...

    async def audit(self, what: AuditEntry) -> None:
        """Write an entry down behind the last one."""
        ...


class Proposals(Protocol):
    """What people want the register to take, inside the transaction of it. Raises as that does."""

    async def count(self, year: int) -> int:
        """Return how many there are whose id names the year."""
        ...

    async def waiting(self) -> int: ...

    async def unpublished(self) -> bool:
        """Tell whether the topic lacks something of what was approved."""
        ...

    async def get(self, proposal_id: str) -> Proposal | None: ...

    async def put(self, proposal: Proposal) -> None:
        """Add it, or put it in the place of the one of its id; of that one the file stays."""
        ...


class Scores(Protocol):
    """Points that people entered for evaluations, inside the transaction of its register. Raises as that does."""

    async def count(self, year: int) -> int:
        """Return how many there are whose id names the year."""
        ...

    async def add(self, score: ManualScore) -> None: ...

    async def get(self, entry_id: str) -> ManualScore | None: ...

    async def decide(self, score: ManualScore) -> None:
        """Write down the decision about an entry that has none yet."""
        ...

    async def waiting(self) -> int: ...

    async def last(self) -> datetime | None:
        """Return when anything was last entered or decided."""
        ...

    async def listed(self, limit: int) -> Sequence[ManualScore]:
        """Return up to `limit`, the newest first."""
        ...


@dataclass(frozen=True, slots=True)
class PublishedDays:
    """Days of a district with figures: before `until` they are published, before `final_before` they stay as they are.

    None: there are none.
    """

    until: date | None = None
    final_before: date | None = None


class Register(Protocol):
    """The register inside one transaction, alone: nobody else imports or publishes meanwhile.

    Each method may raise StoreUnavailable; then nothing of the transaction is kept.
    """

    @property
    def credentials(self) -> Credentials: ...

    @property
    def adjustments(self) -> Adjustments: ...

    @property
    def proposals(self) -> Proposals: ...

    @property
    def scores(self) -> Scores: ...

    async def published_days(self, district: str) -> PublishedDays:
        """Return for which days compliance has published figures of a district."""
        ...

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

    async def unpublished(self, limit: int, only: Kind | None = None) -> Sequence[tuple[Kind, str]]:
        """Return up to `limit` entities whose record on the topic is older than their versions; packs come first.

        With `only` those of one kind.
        """
        ...

    async def mark_all_unpublished(self) -> None:
        """Have every entity published anew: the topic was lost, or has what this register has forgotten."""
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


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key, as PEM."""

    certificate: Certificate
    certificate_pem: bytes
    key_pem: bytes = field(repr=False)


class Passwords(Protocol):
    def draw(self) -> tuple[str, str]:
        """Return a new password and its salted hash."""
        ...


class Authority(Protocol):
    """Our own certificate authority. Each method raises AuthorityUnusable."""

    def certify(self, gateway_id: str, now: datetime, valid: timedelta) -> KeyPair:
        """Return a key and a client certificate whose common name is the gateway's id."""
        ...

    def revocations(self, revoked: Sequence[Certificate], now: datetime) -> bytes:
        """Return the signed list of certificates that must not be taken, as PEM."""
        ...

    def certificate(self) -> bytes:
        """Return the authority's own certificate, as PEM: what others check ours with."""
        ...


class BrokerAccess(Protocol):
    def write(self, access: Access, revocations: bytes, authority: bytes) -> None:
        """Write down for the broker who may connect; it must be told to read again.

        Each file is whole at every moment, and only its owner may read it. Raises CredentialsRefused.
        """
        ...


class Handout(Protocol):
    """Where drawn passwords are shown, once."""

    def show(self, drawn: Sequence[Drawn]) -> None:
        """Raises CredentialsRefused when they cannot be shown; then they must not hold."""
        ...


class Sheets(Protocol):
    def write(self, written: Sequence[Written], packs: Sequence[Policy]) -> list[tuple[str, int]]:
        """Write one file for each kind that has rows, and each pack; return their names and how many rows each has.

        Raises:  ExportRefused.
        """
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


class Copies(Protocol):
    async def copies(self) -> tuple[int, Sequence[TopicCopies]]:
        """Return how many brokers serve, and how each of our topics that is there is kept. Raises BusUnavailable."""
        ...


class ProposalUseCases(Protocol):
    """What people may do with proposals. Raises AdjustmentRefused, ProposalFaulty, StoreUnavailable."""

    async def preview(self, request: ProposalRequest) -> Preview: ...

    async def preview_of(self, proposal_id: str) -> Preview:
        """Return what a proposal would change if it were taken now."""
        ...

    async def propose(self, request: ProposalRequest, by: Person) -> Proposal: ...

    async def approve(self, proposal_id: str, by: Person) -> Proposal: ...

    async def reject(self, proposal_id: str, by: Person, note: str) -> Proposal: ...

    async def withdraw(self, proposal_id: str, by: Person, note: str = "") -> Proposal: ...

    async def content(self, proposal_id: str) -> tuple[str, bytes]:
        """Return name and bytes of the file of a proposal."""
        ...

    async def export(self, kind: Kind, *, chinese: bool) -> Written: ...

    async def form(self, kind: Kind, entity_id: str | None) -> Mapping[str, str]:
        """Return the texts of an entity by field, as its form shows them; empty ones for a new one."""
        ...

    async def pack(self, pack_id: str, version: int) -> Policy: ...

    async def pack_changes(self, pack_id: str, former: int, latter: int) -> Sequence[FieldChange]: ...
