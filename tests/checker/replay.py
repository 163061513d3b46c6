"""The reference: a fresh engine fed with the whole log from offset 0, and what must follow from that."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schemas import codec
from services.rules.adapters.decode import SignalDecoder, component_of
from services.rules.adapters.registry_view import CompactedRegistryView
from services.rules.adapters.rows import wire_finding
from services.rules.domain.effects import Effects
from services.rules.domain.engine import Engine
from services.rules.domain.time.instants import instant, span
from services.rules.ports import Refused
from services.rules.worker import row_of
from services.runtime.kafka import partition_of
from tests.checker import told

TransitionRow = tuple[str, str, str, str, str, datetime, datetime, str, str, int, int]
ComponentRow = tuple[str, str, str, str, str, bool, datetime, datetime, str, str, int, int]
UnitState = tuple[str, datetime | None, str, datetime | None, int, int, int]
RateKey = tuple[int, str, str, str]


@dataclass(frozen=True, slots=True)
class LogEntry:
    offset: int
    value: bytes


@dataclass(slots=True)
class Facts:
    """What rules says: by replay of the log, or as it stands in the database.

    Transitions, of units and of components, and signals are lists, for a repeat must show. `beats` counts heartbeats
    per (unit, hour), `units` and `rates` are the read model. Findings are by event id, encoded.
    """

    transitions: list[TransitionRow] = field(default_factory=list)
    components: list[ComponentRow] = field(default_factory=list)
    signals: list[tuple[str, datetime]] = field(default_factory=list)
    findings: dict[str, bytes] = field(default_factory=dict)
    beats: Counter[tuple[str, datetime]] = field(default_factory=Counter)
    units: dict[str, UnitState] = field(default_factory=dict)
    rates: dict[RateKey, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Setting:
    """How rules was running: its topic's partitions, its clock rate, its patience with units that never spoke."""

    partitions: int
    clock_rate: float
    never_grace_s: float = 3600.0


def replay(
    setting: Setting,
    registry: Iterable[tuple[str, bytes | None]],
    log: Mapping[int, Sequence[LogEntry]],
    until: Mapping[int, int],
) -> tuple[Facts, Facts]:
    """Return the facts of the log before the offsets `until`, and those of the whole of it."""
    view = CompactedRegistryView(lambda unit: partition_of(unit.encode(), setting.partitions), setting.clock_rate)
    for key, value in registry:
        view.on_record(key, value)
    before, whole = Facts(), Facts()
    for partition in range(setting.partitions):
        engine = Engine(span(setting.never_grace_s / setting.clock_rate))
        rows = view.rows(partition)
        engine.registry(rows.units, rows.gateways, rows.packs)
        entries = log.get(partition, ())
        stop = until.get(partition, 0)
        _feed(engine, (entry for entry in entries if entry.offset < stop))
        effects = engine.take_effects()
        for facts in (before, whole):
            _add_effects(facts, partition, effects)
        _add_state(before, partition, engine)
        _feed(engine, (entry for entry in entries if entry.offset >= stop))
        _add_effects(whole, partition, engine.take_effects())
        _add_state(whole, partition, engine)
    return before, whole


def _feed(engine: Engine, entries: Iterable[LogEntry]) -> None:
    decoder = SignalDecoder()
    for entry in entries:
        try:
            record = decoder.decode(entry.value, entry.offset)
        except Refused:
            continue
        engine.apply(record)


def _add_effects(facts: Facts, partition: int, effects: Effects) -> None:
    for one in effects.transitions:
        facts.transitions.append(
            (one.transition_id, one.unit_id, one.aspect, one.from_state, one.to_state, instant(one.effective),
             instant(one.detected), one.cause, one.evidence.topic, partition, one.evidence.offset)
        )  # fmt: skip
    for turn in effects.components:
        facts.components.append(
            (turn.transition_id, turn.unit_id, turn.kind, *component_of(turn.point), turn.open, instant(turn.effective),
             instant(turn.detected), turn.cause, turn.evidence.topic, partition, turn.evidence.offset)
        )  # fmt: skip
    facts.signals += [(one.signal_id, instant(one.received_at)) for one in effects.signals]
    for hour in effects.hours:
        facts.beats[hour.unit_id, instant(hour.hour)] += hour.beats
    for finding in effects.findings:
        facts.findings[finding.event_id] = codec.findings.encode(wire_finding(partition, finding))


def _add_state(facts: Facts, partition: int, engine: Engine) -> None:
    for unit in engine.units.values():
        if unit.registration.facts is not None:
            row = row_of(unit)
            facts.units[unit.unit_id] = (
                row.connection, _maybe(row.connection_since), row.health, _maybe(row.health_since),
                row.open_fires, row.open_faults, row.open_isolations,
            )  # fmt: skip
    for rate in engine.counters.rates.rows():
        facts.rates[(partition, *rate.key)] = tuple(rate[1:])


def _maybe(at: int) -> datetime | None:
    return instant(at) if at else None


def check_facts(found: Facts, wanted: Facts) -> list[str]:
    """Hold the database against the replay up to the very offsets that the database names."""
    return [
        *_same_lists("transition", found.transitions, wanted.transitions),
        *_same_lists("transition of a component", found.components, wanted.components),
        *_same_lists("signal", found.signals, wanted.signals),
        *_same_mappings("heartbeats of an hour", found.beats, wanted.beats),
        *_same_mappings("unit", found.units, wanted.units),
        *_same_mappings("rate", found.rates, wanted.rates),
    ]


def _same_lists(what: str, found: Sequence[tuple[object, ...]], wanted: Sequence[tuple[object, ...]]) -> list[str]:
    have, want = Counter(found), Counter(wanted)
    doubled = [one for one, count in Counter(row[0] for row in found).items() if count > 1]
    return [
        *told(f"{what} lost", list((want - have).elements())),
        *told(f"{what} that no replay makes", list((have - want).elements())),
        *told(f"{what} doubled", doubled),
    ]


def _same_mappings(what: str, found: Mapping[Any, Any], wanted: Mapping[Any, Any]) -> list[str]:
    every = [*wanted, *(found.keys() - wanted.keys())]
    return told(
        f"{what} differs",
        [f"{key}: {found.get(key)} instead of {wanted.get(key)}" for key in every if found.get(key) != wanted.get(key)],
    )


def check_findings(
    published: Sequence[tuple[str, bytes]], waiting: Iterable[str], before: Facts, whole: Facts
) -> list[str]:
    """Hold the findings topic against the replay.

    Shape:  `published` is (event id, value) in log order, read after the database and before the end of `whole`;
    `waiting` are the event ids that the outbox held. Repeats on the wire are allowed when they are equal.
    """
    values: dict[str, set[bytes]] = {}
    for event_id, value in published:
        values.setdefault(event_id, set()).add(value)
    wanted = {event_id for event_id in before.findings if event_id not in set(waiting)}
    other = [name for name in values.keys() & whole.findings.keys() if whole.findings[name] not in values[name]]
    return [
        *told("finding lost", sorted(wanted - set(values))),
        *told("finding that no replay makes", sorted(set(values) - set(whole.findings))),
        *told("finding told in two ways", [name for name, told_as in values.items() if len(told_as) > 1]),
        *told("finding other than the replay's", other),
    ]
