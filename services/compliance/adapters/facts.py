"""Facts and registry of the wire in the words of the domain, cut at an instant of knowledge."""

import json
from collections.abc import Sequence
from datetime import date
from typing import BinaryIO

from schemas import facts as wire
from schemas import registry as wire_registry
from schemas.codec import BadRecord
from schemas.inputs import EXIT_OF, InputError, lines
from services.compliance.domain.checks import CheckStep
from services.compliance.domain.registry import GatewayRow, Registry, UnitRow
from services.compliance.domain.sight import TickFact
from services.compliance.domain.signals import SignalFact
from services.compliance.domain.world import Known
from services.kernel.calendar import day_number, micros
from services.kernel.effective import ordered

_FACTS = (
    "key_unit", "auto_fire_facilities", "crowded_place", "flammable_place", "fire_alarm_system",
)  # fmt: skip


def read_facts(stream: BinaryIO) -> list[wire.Fact]:
    """Return all facts. Raises InputError: the one that stands in their place, or `bad_log` for a broken pipe."""
    found: list[wire.Fact] = []
    for number, line in lines(stream, "bad_log"):
        if number == 1:
            _pass_on_error(line)
        if found and isinstance(found[-1], wire.EndFact):
            raise InputError("bad_log", f"facts line {number}: after the end")
        try:
            found.append(wire.facts.decode(line))
        except BadRecord as error:
            raise InputError("bad_log", f"facts line {number}: {error.detail}") from error
    if not found or found[-1] != wire.EndFact(facts=len(found) - 1):
        raise InputError("bad_log", "the facts are cut short")
    return found[:-1]


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


def known(registry: Sequence[wire_registry.RegistryEvent], facts: Sequence[wire.Fact], known_at: int | None) -> Known:
    """Return what was known at `known_at`, everything where it is None."""
    ticks: list[TickFact] = []
    signals: list[SignalFact] = []
    steps: list[CheckStep] = []
    records = {(event.data.record.kind, event.data.record.id): event.data for event in registry}
    for fact in facts:
        if isinstance(fact, wire.EndFact) or (known_at is not None and micros(fact.recorded_at) > known_at):
            continue
        match fact:
            case wire.TickFact():
                ticks.append(_tick(fact))
            case wire.SignalFact():
                signals.append(_signal(fact))
            case wire.RecordFact():
                records[fact.data.record.kind, fact.data.record.id] = fact.data
            case wire.CheckFact():
                steps.append(CheckStep(fact.command_id, fact.gateway_id, micros(fact.ordered_at), fact.step))
    return Known(known_at, ticks, signals, steps, _registry(list(records.values()), known_at))


def _tick(fact: wire.TickFact) -> TickFact:
    return TickFact(
        micros(fact.recorded_at),
        micros(fact.seen),
        micros(fact.watermark),
        None if fact.impaired_from is None else micros(fact.impaired_from),
        None if fact.impaired_to is None else micros(fact.impaired_to),
    )


def _signal(fact: wire.SignalFact) -> SignalFact:
    point = fact.point
    return SignalFact(
        recorded_at=micros(fact.recorded_at),
        key=(fact.source, fact.id),
        received=micros(fact.time),
        pair=(fact.gateway_id, fact.unit_id),
        kind=fact.kind.value,
        flags=frozenset(flag.value for flag in fact.flags),
        seq=fact.seq,
        occurred_at=None if fact.occurred_at is None else micros(fact.occurred_at),
        first_received_at=None if fact.first_received_at is None else micros(fact.first_received_at),
        system="" if point is None else point.system or "",
        address=None if point is None else point.address,
        restores=None if fact.restores is None else fact.restores.value,
    )


def _registry(records: Sequence[wire_registry.RegistryData], known_at: int | None) -> Registry:
    units: dict[str, list[UnitRow]] = {}
    gateways: dict[str, list[GatewayRow]] = {}
    for data in records:
        for version in ordered(data.record.versions):
            if known_at is not None and micros(version.recorded_at) > known_at:
                continue
            if isinstance(version, wire_registry.UnitVersion):
                units.setdefault(data.record.id, []).append(_unit(version))
            elif isinstance(version, wire_registry.GatewayVersion):
                gateways.setdefault(data.record.id, []).append(_gateway(version))
    return Registry(units, gateways)


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
