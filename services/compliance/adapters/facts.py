"""Facts and registry of the wire in the words of the domain, cut at an instant of knowledge."""

import json
from array import array
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import BinaryIO

from schemas import facts as wire
from schemas import registry as wire_registry
from schemas.codec import BadRecord
from schemas.inputs import EXIT_OF, InputError, lines
from services.compliance.domain.adjustments import Adjustment, Adjustments
from services.compliance.domain.checks import CheckStep
from services.compliance.domain.knowledge import Known
from services.compliance.domain.listings import ListedAct
from services.compliance.domain.registry import GatewayRow, Registry, UnitRow
from services.compliance.domain.signals import Pair, SignalFact
from services.compliance.domain.visibility import NEVER, TickFact
from services.kernel.calendar import day_number, micros
from services.kernel.effective import ordered

_FACTS = (
    "key_unit", "auto_fire_facilities", "crowded_place", "flammable_place", "fire_alarm_system",
)  # fmt: skip


@dataclass(slots=True)
class Facts:
    """All facts as read, each with when it was recorded. Heartbeats are nearly all of a log: 16 bytes for each."""

    ticks: list[tuple[int, TickFact]] = field(default_factory=list)
    signals: list[tuple[int, SignalFact]] = field(default_factory=list)
    heartbeats: dict[Pair, tuple["array[int]", "array[int]"]] = field(default_factory=dict)
    replaced: list[tuple[int, Pair, int]] = field(default_factory=list)
    checks: list[tuple[int, CheckStep]] = field(default_factory=list)
    listings: list[tuple[int, ListedAct]] = field(default_factory=list)
    records: list[tuple[int, wire_registry.RegistryData]] = field(default_factory=list)

    def take(self, fact: wire.Fact) -> None:
        match fact:
            case wire.HeartbeatsFact():
                received, recorded = self.heartbeats.setdefault(_pair(fact), (array("q"), array("q")))
                received.extend(fact.received)
                recorded.extend(fact.recorded)
            case wire.TickFact():
                self.ticks.append((micros(fact.recorded_at), _tick(fact)))
            case wire.SignalFact():
                self.signals.append((micros(fact.recorded_at), _signal(fact)))
            case wire.ReplacedFact():
                self.replaced.append((micros(fact.recorded_at), _pair(fact), fact.received))
            case wire.CheckFact():
                step = CheckStep(fact.command_id, fact.gateway_id, micros(fact.ordered_at), fact.step)
                self.checks.append((micros(fact.recorded_at), step))
            case wire.ListingFact():
                self.listings.append((micros(fact.recorded_at), _listed_act(fact)))
            case wire.RecordFact():
                self.records.append((micros(fact.recorded_at), fact.data))


def read_facts(stream: BinaryIO) -> Facts:
    """Return all facts. Raises InputError: the one that stands in their place, or `bad_log` for a broken pipe."""
    found, count, end = Facts(), 0, None
    for number, line in lines(stream, "bad_log"):
        if number == 1:
            _pass_on_error(line)
        if end is not None:
            raise InputError("bad_log", f"facts line {number}: after the end")
        try:
            fact = wire.facts.decode(line)
            if isinstance(fact, wire.EndFact):
                end = fact.facts
            else:
                found.take(fact)
                count += 1
        except (BadRecord, OverflowError) as error:
            raise InputError("bad_log", f"facts line {number}: {error}") from error
    if end != count:
        raise InputError("bad_log", "the facts are cut short")
    return found


def _pass_on_error(line: bytes) -> None:
    if not line.startswith(b'{"error":'):
        return
    try:
        error = json.loads(line)["error"]
        code, where = str(error["code"]), str(error["where"])
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise InputError("bad_log", "facts line 1: an error that is none") from problem
    if code not in EXIT_OF:
        raise InputError("bad_log", "facts line 1: an error with an unknown code")
    raise InputError(code, where)


def known(
    registry: Sequence[wire_registry.RegistryEvent], facts: Facts, known_at: int | None, *, adjusted: bool = True
) -> Known:
    """Return what was known at `known_at`, everything where it is None; without adjustments where not `adjusted`."""
    until = NEVER if known_at is None else known_at
    records = {(event.data.record.kind, event.data.record.id): event.data for event in registry}
    records |= {(data.record.kind, data.record.id): data for at, data in facts.records if at <= until}
    return Known(
        known_at,
        [tick for at, tick in facts.ticks if at <= until],
        [signal for at, signal in facts.signals if at <= until],
        _heartbeats(facts, until),
        [step for at, step in facts.checks if at <= until],
        registry_of(list(records.values()), until, adjusted=adjusted),
    )


def _heartbeats(facts: Facts, until: int) -> dict[Pair, list[int]]:
    replaced: dict[Pair, Counter[int]] = defaultdict(Counter)
    for at, pair, received in facts.replaced:
        if at <= until:
            replaced[pair][received] += 1
    found: dict[Pair, list[int]] = {}
    for pair, (all_received, recorded) in facts.heartbeats.items():
        times = sorted(each for each, at in zip(all_received, recorded, strict=True) if at <= until)
        gone = replaced.get(pair)
        found[pair] = times if gone is None else list((Counter(times) - gone).elements())
    return found


def _tick(fact: wire.TickFact) -> TickFact:
    return TickFact(
        micros(fact.seen),
        micros(fact.watermark),
        None if fact.impaired_from is None else micros(fact.impaired_from),
        None if fact.impaired_to is None else micros(fact.impaired_to),
    )


def _signal(fact: wire.SignalFact) -> SignalFact:
    point = fact.point
    return SignalFact(
        key=(fact.source, fact.id),
        received=micros(fact.time),
        pair=_pair(fact),
        kind=fact.kind.value,
        flags=frozenset(flag.value for flag in fact.flags),
        seq=fact.seq,
        occurred_at=None if fact.occurred_at is None else micros(fact.occurred_at),
        first_received_at=None if fact.first_received_at is None else micros(fact.first_received_at),
        system="" if point is None else point.system or "",
        address=None if point is None else point.address,
        restores=None if fact.restores is None else fact.restores.value,
    )


def _listed_act(fact: wire.ListingFact) -> ListedAct:
    data = fact.data
    return ListedAct(
        listing_id=data.listing_id,
        number=data.number,
        act=data.act,
        at=micros(fact.at),
        due_at=None if data.due_at is None else micros(data.due_at),
        unit_id=data.unit_id,
        district=data.district or "",
        town=data.town or "",
        department=data.lead_department or "",
    )


def _pair(fact: wire.SignalFact | wire.HeartbeatsFact | wire.ReplacedFact) -> Pair:
    return fact.gateway_id, fact.unit_id


def registry_of(records: Sequence[wire_registry.RegistryData], until: int, *, adjusted: bool = True) -> Registry:
    """Return the rows known at an instant, and the adjustments unless not `adjusted`."""
    units: dict[str, list[UnitRow]] = {}
    gateways: dict[str, list[GatewayRow]] = {}
    for data in records:
        for version in ordered(data.record.versions):
            if micros(version.recorded_at) > until:
                continue
            if isinstance(version, wire_registry.UnitVersion):
                units.setdefault(data.record.id, []).append(_unit(version))
            elif isinstance(version, wire_registry.GatewayVersion):
                gateways.setdefault(data.record.id, []).append(_gateway(version))
    return Registry(units, gateways, _adjustments(records, until) if adjusted else {})


def _adjustments(records: Sequence[wire_registry.RegistryData], until: int) -> dict[str, Adjustments]:
    """Return them by unit. The version known last holds: it says the same, but may end sooner."""
    found: dict[str, list[Adjustment]] = {}
    for data in records:
        if not isinstance(data.record, wire_registry.AdjustmentRecord):
            continue
        known = [version for version in data.record.versions if micros(version.recorded_at) <= until]
        if known:
            version = max(known, key=lambda each: each.recorded_at)
            first = min(version.recorded_at for version in known)
            found.setdefault(version.unit_id, []).append(_adjustment(version, micros(first)))
    return {unit_id: Adjustments(of_unit) for unit_id, of_unit in found.items()}


def _adjustment(version: wire_registry.AdjustmentVersion, approved: int) -> Adjustment:
    return Adjustment(
        adjustment_id=version.adjustment_id,
        kind=version.what,
        start=micros(version.starts_at),
        end=micros(version.ends_at),
        recorded_at=approved,
        counted_as=version.counted_as,
        system=version.system,
        address=version.address,
        trouble=None if version.trouble is None else version.trouble.value,
    )


def _unit(version: wire_registry.UnitVersion) -> UnitRow:
    facts = {name for name in _FACTS if getattr(version, name)}
    return UnitRow(
        valid_from=day_number(version.valid_from),
        recorded_at=micros(version.recorded_at),
        facts=frozenset(facts | {version.construction.value}),
        dimensions={
            "town": version.town,
            "district": version.district,
            "community": version.community,
            "category": version.category,
            "department": version.lead_department,
        },
        accepted_on=_day(version.accepted_on),
        commissioned_on=_day(version.commissioned_on),
        retired_on=_day(version.retired_on),
        exempt_from=_day(version.exempt_from),
        exempt_until=_day(version.exempt_until),
        profile=version.profile,
    )


def _gateway(version: wire_registry.GatewayVersion) -> GatewayRow:
    return GatewayRow(
        day_number(version.valid_from),
        micros(version.recorded_at),
        version.unit_id,
        version.carrier,
        _day(version.retired_on),
        version.points or 0,
    )


def _day(day: date | None) -> int | None:
    return None if day is None else day_number(day)
