"""A partition that this process owns, and what has to be saved of it."""

from dataclasses import dataclass

from services.kernel.words import FindingKind
from services.rules.domain.engine import Engine
from services.rules.domain.rate import RateKey, RateRow
from services.rules.domain.snapshot import snapshot_head, snapshot_unit
from services.rules.domain.time.instants import SECOND
from services.rules.domain.unit.state import Unit
from services.rules.metrics import ALL_UNITS, PartitionView
from services.rules.ports import Checkpoint, UnitRow

REBASE_BYTES = 256 * 1024


@dataclass(slots=True)
class OwnedPartition:
    """A partition that this process owns. `rates` are its counters as of the last checkpoint.

    `rebase`: what is saved is of a format before, so the next checkpoint replaces all of it.
    """

    number: int
    engine: Engine
    owner_epoch: int
    seq: int
    next_offset: int
    saved_offset: int
    rates: dict[RateKey, RateRow]
    rates_whole: bool = True
    rebase: bool = False
    base_bytes: int = 0
    delta_bytes: int = 0
    unexpected_in_a_row: int = 0

    def has_news(self) -> bool:
        engine = self.engine
        return bool(self.next_offset != self.saved_offset or engine.changes.touched or engine.effects.size())

    def is_pressing(self) -> bool:
        return self.engine.effects.pressing() or bool(self.engine.changes.rows)

    def wants_base(self) -> bool:
        return self.rebase or self.seq == 0 or self.delta_bytes > max(self.base_bytes, REBASE_BYTES)


def collect(held: OwnedPartition) -> Checkpoint:
    """Return what must be saved of a partition, as of this moment."""
    engine, changes = held.engine, held.engine.changes
    base = held.wants_base()
    units = engine.units.values() if base else changes.touched
    changed = engine.counters.rates.take_changed()
    held.rates.update((row.key, row) for row in changed)
    checkpoint = Checkpoint(
        partition=held.number,
        owner_epoch=held.owner_epoch,
        seq=held.seq + 1,
        next_offset=held.next_offset,
        base=base,
        head=snapshot_head(engine),
        units=[snapshot_unit(unit) for unit in units],
        watermark=engine.watch.watermark,
        visibility=engine.watch.visibility,
        blind_after_s=engine.watch.blind_after / SECOND,
        effects=engine.take_effects(),
        rows=[row_of(unit) for unit in changes.rows if unit.registration.facts is not None],
        rates=list(held.rates.values()) if held.rates_whole else changed,
        rates_whole=held.rates_whole,
    )
    changes.clear()
    _measure(held, checkpoint)
    held.rates_whole = held.rebase = False
    held.seq, held.saved_offset = checkpoint.seq, checkpoint.next_offset
    return checkpoint


def _measure(held: OwnedPartition, checkpoint: Checkpoint) -> None:
    # A touched unit costs about this much in a delta; exact sizes would have to wait for the write.
    size = 150 * len(checkpoint.units)
    if checkpoint.base:
        held.base_bytes, held.delta_bytes = size, 0
    else:
        held.delta_bytes += size


def view_of(held: OwnedPartition) -> PartitionView:
    counters, watch = held.engine.counters, held.engine.watch
    connections = {
        counter.key.value: dict(counter.counts)
        for counter in counters.rates.all_counters()
        if counter.key.scope == ALL_UNITS and counter.key.dimension == "department"
    }
    health = {department: dict(counts) for department, counts in counters.health.items()}
    return PartitionView(
        watch.watermark,
        watch.visibility,
        watch.blind_after,
        connections,
        health,
        counters.unstable_now(watch.watermark),
    )


def row_of(unit: Unit) -> UnitRow:
    """Return the read model's row of a listed unit."""
    registration, connection, condition = unit.registration, unit.connection, unit.condition
    assert registration.facts is not None
    assert connection.shown is not None
    return UnitRow(
        unit.unit_id,
        registration.facts,
        registration.carriers,
        registration.scopes,
        connection.shown,
        connection.shown_since,
        connection.shown_detected,
        condition.health,
        condition.since,
        connection.last_proof(),
        connection.partly,
        condition.open_points(FindingKind.FIRE),
        condition.open_points(FindingKind.FAULT),
        condition.open_points(FindingKind.ISOLATION),
        connection.line_drops,
        connection.unstable_until,
    )
