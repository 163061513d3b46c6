"""What the worker needs from outside, in words of the domain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from services.kernel.words import Connection, Health, VisibilityState
from services.rules.domain.effects import Effects
from services.rules.domain.facts import AdjustmentVersion, GatewayVersion, PackVersion, UnitVersion
from services.rules.domain.inputs import Input
from services.rules.domain.rate import RateRow
from services.rules.domain.snapshot import SavedUnit

Plain = Any


class StoreUnavailable(Exception):
    """The database did not answer or refused for now; nothing of the checkpoint is known to be saved."""


class Fenced(Exception):
    """Another process has claimed the partition since: whatever we still hold of it must be thrown away."""

    def __init__(self, partition: int) -> None:
        super().__init__(f"partition {partition} has another owner by now")
        self.partition = partition


class StateDamaged(Exception):
    """A saved state cannot be read. Refused loudly: starting from nothing would announce everything again."""


class Refused(Exception):
    """A record is unusable; `reason` is one word of a closed set, `detail` one sentence without the content."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class LogRecord(Protocol):
    """One record of the signals topic."""

    @property
    def value(self) -> bytes: ...
    @property
    def offset(self) -> int: ...


class Decoder(Protocol):
    def decode(self, value: bytes, offset: int) -> Input:
        """Return what the record says. Raises Refused."""
        ...


class Rows(NamedTuple):
    """Rows of the registry, each with all its versions in order."""

    units: Mapping[str, tuple[UnitVersion, ...]]
    gateways: Mapping[str, tuple[GatewayVersion, ...]]
    packs: Mapping[str, tuple[PackVersion, ...]]
    adjustments: Mapping[str, tuple[AdjustmentVersion, ...]] = {}


class RegistryView(Protocol):
    """The registry's topic as it was read so far."""

    def rows(self, partition: int) -> Rows:
        """Return all rows that concern units of this partition; packs concern all. They are news no longer."""
        ...

    def take_news(self) -> Mapping[int, Rows]:
        """Return rows that came since the last call, by partition; -1 stands for all of them (packs)."""
        ...


class UnitRow(NamedTuple):
    """One row of the read model."""

    unit_id: str
    facts: UnitVersion
    carriers: tuple[str, ...]
    scopes: tuple[str, ...]
    connection: Connection
    connection_since: int
    connection_detected: int
    health: Health
    health_since: int
    last_proof: int
    partly: bool
    open_fires: int
    open_faults: int
    open_isolations: int
    line_drops: int = 0
    unstable_until: int = 0


@dataclass(slots=True)
class Checkpoint:
    """Everything that must be saved together. `seq` grows by one per checkpoint of a partition.

    `head` and `units` are the engine's state: all of it when `base`, else the units that were touched since the last.
    `rates` replaces all counters of the partition when `rates_whole`.
    """

    partition: int
    owner_epoch: int
    seq: int
    next_offset: int
    base: bool
    head: Plain
    units: Sequence[SavedUnit]
    watermark: int | None
    visibility: VisibilityState
    blind_after_s: float
    effects: Effects
    rows: Sequence[UnitRow] = ()
    rates: Sequence[RateRow] = ()
    rates_whole: bool = False


@dataclass(frozen=True, slots=True)
class Saved:
    """What a claim found: the new epoch, where to read on, and the state (`head` None when there is none).

    `rates` are the counters of that state, those that stand at 0 too.
    """

    owner_epoch: int
    next_offset: int
    seq: int
    head: Plain | None
    units: Sequence[SavedUnit] = field(default_factory=list)
    rates: Sequence[RateRow] = ()


class Store(Protocol):
    """The database of rules. Every method has a deadline."""

    async def claim(self, partition: int, owner: str) -> Saved:
        """Become the owner of `partition`, fencing whoever was, and return what is saved.

        Raises:  StoreUnavailable; StateDamaged.
        """
        ...

    async def save(self, checkpoints: Sequence[Checkpoint]) -> int:
        """Save all of them in one transaction and return the bytes of state that were written.

        A checkpoint that is saved already (same partition, epoch and seq) is passed over, so a repeat after a lost
        answer is safe. Raises:  Fenced: none is saved; StoreUnavailable: unknown, repeat the same ones.
        """
        ...


class FindingPublisher(Protocol):
    """Brings findings from the outbox to their topic."""

    async def publish(self, partitions: Sequence[int]) -> int:
        """Send what waits for these partitions, oldest first, and return how many; remove them after Kafka has them.

        Repeats are allowed, ids are the same. Raises StoreUnavailable when the database or Kafka does not answer.
        """
        ...
