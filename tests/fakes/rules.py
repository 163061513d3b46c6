"""The database of rules in memory, for tests: the same promises as PostgresStore, held to by the same suite."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.rules.adapters.pg_store import pack, unpack
from services.rules.domain.effects import ComponentTransition, Finding, Transition
from services.rules.domain.inputs import Signal
from services.rules.domain.rate import RateKey, RateRow
from services.rules.ports import Checkpoint, Fenced, Saved, StateDamaged, StoreUnavailable, UnitRow


@dataclass
class _Partition:
    owner_epoch: int = 0
    next_offset: int = 0
    snapshots: dict[int, tuple[bool, bytes]] = field(default_factory=dict)


@dataclass
class MemoryStore:
    """Implements ports.Store. `outages` of the next calls fail; with `lose_answer` one succeeds and is not heard of."""

    partitions: dict[int, _Partition] = field(default_factory=lambda: defaultdict(_Partition))
    transitions: dict[str, Transition] = field(default_factory=dict)
    components: dict[str, ComponentTransition] = field(default_factory=dict)
    signals: dict[str, Signal] = field(default_factory=dict)
    findings: dict[str, Finding] = field(default_factory=dict)
    hours: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    units: dict[str, UnitRow] = field(default_factory=dict)
    rates: dict[tuple[int, RateKey], RateRow] = field(default_factory=dict)
    outages: int = 0
    lose_answer: bool = False
    saves: int = 0

    async def claim(self, partition: int, owner: str) -> Saved:
        self._answer()
        held = self.partitions[partition]
        held.owner_epoch += 1
        if not held.snapshots:
            if held.next_offset:
                raise StateDamaged(f"partition {partition} has no saved state")
            return Saved(held.owner_epoch, held.next_offset, 0, None)
        base = max(seq for seq, (is_base, _) in held.snapshots.items() if is_base)
        bodies = [body for seq, (_, body) in sorted(held.snapshots.items()) if seq >= base]
        head, units = unpack(partition, bodies)
        rates = [row for (number, _), row in self.rates.items() if number == partition]
        return Saved(held.owner_epoch, held.next_offset, max(held.snapshots), head, units, rates)

    async def save(self, checkpoints: Sequence[Checkpoint]) -> int:
        self._answer()
        for one in checkpoints:
            if self.partitions[one.partition].owner_epoch != one.owner_epoch:
                raise Fenced(one.partition)
        written = sum(self._save(one) for one in checkpoints)
        self.saves += 1
        if self.lose_answer:
            self.lose_answer = False
            raise StoreUnavailable("the answer was lost")
        return written

    def _answer(self) -> None:
        if self.outages:
            self.outages -= 1
            raise StoreUnavailable("down")

    def _save(self, one: Checkpoint) -> int:
        held = self.partitions[one.partition]
        if one.seq in held.snapshots:
            return 0
        body = pack(one.head, one.units)
        if one.base:
            held.snapshots.clear()
        held.snapshots[one.seq] = (one.base, body)
        held.next_offset = one.next_offset
        effects = one.effects
        self.transitions |= {each.transition_id: each for each in effects.transitions}
        self.components |= {each.transition_id: each for each in effects.components}
        self.signals |= {each.signal_id: each for each in effects.signals}
        self.findings |= {each.event_id: each for each in effects.findings}
        for count in effects.hours:
            self.hours[count.unit_id, count.hour] += count.beats
        self.units |= {row.unit_id: row for row in one.rows}
        if one.rates_whole:
            self.rates = {key: row for key, row in self.rates.items() if key[0] != one.partition}
        self.rates |= {(one.partition, row.key): row for row in one.rates}
        return len(body)
