"""What is kept beside the archive, as it stands in the database: heartbeats as bytes, days and faults as short JSON.

Lists go by position. The next version may add to the end of one, and what it adds is passed over here: while one
process replaces the other, and in a rollback, this version reads what the next has written (ADR 107).
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from schemas import facts as wire
from services.compliance.adapters.facts import Facts
from services.compliance.domain.attribution import Lost
from services.compliance.domain.checks import Check
from services.compliance.domain.health import Fault
from services.compliance.domain.interruptions import Interruption
from services.compliance.domain.knowledge import Cut
from services.compliance.domain.policy import Policies
from services.compliance.domain.signals import Pair, SignalFact
from services.compliance.domain.transmission import Transmissions
from services.compliance.domain.unit_day import Beginning, Carry, UnitDay
from services.kernel.calendar import day_of, midnight
from services.kernel.ratio import Ratio
from services.kernel.words import Connection, ExchangeStep, Flag

WIDTH = 5
"""Bytes of an instant: 2 to the power of 40 microseconds are more than a day."""


def by_day(times: Iterable[int]) -> dict[int, bytes]:
    """Return instants by the day that they lie in, as bytes."""
    found: dict[int, bytearray] = defaultdict(bytearray)
    for at in times:
        day = day_of(at)
        found[day] += (at - midnight(day)).to_bytes(WIDTH, "big")
    return {day: bytes(raw) for day, raw in found.items()}


def instants(day: int, raw: bytes) -> list[int]:
    """Return the instants of a day."""
    begun, read = midnight(day), int.from_bytes
    return [begun + read(raw[index : index + WIDTH], "big") for index in range(0, len(raw), WIDTH)]


def without(day: int, raw: bytes, gone: Iterable[int]) -> bytes:
    """Return the bytes of a day without one of each of these instants."""
    left = Counter(instants(day, raw)) - Counter(gone)
    return by_day(sorted(left.elements())).get(day, b"")


def signal(raw: str) -> SignalFact:
    facts = Facts()
    facts.take(wire.facts.decode(raw.encode()))
    return facts.signals[0][1]


def day_text(day: UnitDay) -> str:
    begun = day.beginning
    ratios = [_ratio(each) for each in (day.time, day.beats, day.points, begun.isolation)]
    said = [day.day, *ratios, begun.connection.value, begun.partly, begun.exempt, _ratio(day.tests)]
    return json.dumps([*said, _transmissions(day.transmissions)], separators=(",", ":"))


def day_of_text(raw: str) -> UnitDay:
    """Return the day. One of before R45 and R46 has nothing of them until it is computed again (`FORM` of the fold)."""
    day, time, beats, points, isolation, connection, partly, exempt, *more = json.loads(raw)
    begun = Beginning(Connection(connection), partly, exempt, Ratio(*isolation))
    tests, (tenths, unbelieved, let_off), *_ = more or ([0, 0, 0, 0], ((), (), 0))
    sent = Transmissions(Counter(dict(tenths)), Counter({Flag(name): many for name, many in unbelieved}), let_off)
    return UnitDay(day, Ratio(*time), Ratio(*beats), Ratio(*points), begun, Ratio(*tests), sent)


def _transmissions(found: Transmissions) -> list[Any]:
    return [sorted(found.tenths.items()), sorted(found.unbelieved.items()), found.exempt]


def _ratio(ratio: Ratio) -> list[int]:
    return [ratio.numerator, ratio.denominator, ratio.unknown, ratio.exempt]


def faults_text(faults: Iterable[Fault]) -> str:
    return json.dumps([[fault.begun, fault.ended] for fault in faults])


def faults_of(said: Sequence[Sequence[Any]]) -> list[Fault]:
    return [Fault(begun, ended) for begun, ended, *_ in said]


def checks_text(checks: Iterable[tuple[int, str | None]]) -> str:
    return json.dumps([list(check) for check in checks])


def checks_of(said: Sequence[Sequence[Any]]) -> list[Check]:
    return [Check("", ordered_at, None if end is None else ExchangeStep(end)) for ordered_at, end, *_ in said]


def cuts_text(cuts: Mapping[Pair, Cut]) -> str:
    return json.dumps([[gateway_id, cut.at, cut.first_proof] for (gateway_id, _), cut in sorted(cuts.items())])


def interruption_row(each: Interruption) -> tuple[Any, ...]:
    return (*each[:3], each.connection.value, *each[4:])


def interruption_of(row: Sequence[Any]) -> Interruption:
    return Interruption(row[0], row[1], row[2], Connection(row[3]), *row[4:7])


def lost_row(lost: Lost) -> tuple[Any, ...]:
    gateway_id, unit_id, at = lost.loss
    return unit_id, gateway_id, at, lost.district, lost.groups["carrier"], lost.groups["town"]


def lost_of(row: Sequence[Any], policies: Policies) -> Lost | None:
    """Return a loss by the pack of its day; None where none is in force any more."""
    unit_id, gateway_id, at, district, carrier, town = row
    pack = policies.on(district, day_of(at))
    if pack is None:
        return None
    return Lost((gateway_id, unit_id, at), {"carrier": carrier, "town": town}, pack.common_cause, district)


def carry_of(unit_id: str, first: int | None, cuts: Sequence[Sequence[Any]]) -> Carry | None:
    if first is None:
        return None
    found: dict[Pair, Cut] = {(gateway_id, unit_id): Cut(at, first_proof) for gateway_id, at, first_proof, *_ in cuts}
    return Carry(first, found)


def since(carry: Carry | None, pair: Pair) -> int:
    """Return the first day whose heartbeats of a pair are needed: all, where it has no cut."""
    cut = None if carry is None else carry.cuts.get(pair)
    return 0 if cut is None else day_of(cut.at)
