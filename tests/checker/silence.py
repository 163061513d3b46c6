"""Connection, losses and rates as the publisher's own book has them, held against what rules says."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.checker import Account
from tests.checker.book import Lost, Matched, Spoken

EDGE_S = 0.5
"""A message that came so near to either end of a silence proves nothing about it."""
WINDOW = 10
"""Messages around a number that was left out which must all have come."""
WATCHED_S = 45.0
"""So long on either side ingest must have lived to be sure of a number that was left out."""


@dataclass(frozen=True, slots=True)
class Offline:
    """A unit was declared offline: `since` is its last proof of life, `declared_at` when the deadline had passed."""

    unit: str
    since: float
    declared_at: float


def check_offline(
    offlines: Sequence[Offline], book: Iterable[Spoken], matched: Matched, gateways: Mapping[str, Sequence[str]]
) -> list[Account]:
    """No unit was called offline in a time in which all its gateways spoke and were acknowledged."""
    spoke: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for one in book:
        if one.sent_at is not None and one.acked_at is not None and one.number in matched.copies:
            spoke[one.words.gateway].append((one.sent_at, one.acked_at))
    wrong = [
        f"{one.unit} since {one.since:.2f}, declared {one.declared_at:.2f}"
        for one in offlines
        if all(_spoke_within(spoke[gateway], one) for gateway in gateways.get(one.unit, ()))
    ]
    return [Account("units declared offline that spoke", len(offlines), wrong)]


def _spoke_within(spoke: Sequence[tuple[float, float]], one: Offline) -> bool:
    at = bisect_left(spoke, (one.since + EDGE_S, 0.0))
    return at < len(spoke) and spoke[at][1] < one.declared_at - EDGE_S


def check_losses(
    book: Sequence[Spoken], matched: Matched, lost: Lost, shown: Mapping[str, int], kills: Sequence[float]
) -> list[Account]:
    """`rules.losses` shows what the devices left out and what was lost, of each device; never more.

    A number that was left out while ingest died (`kills`) may stay unknown: whoever watched the numbers is dead.
    """
    by_gateway: dict[str, list[Spoken]] = defaultdict(list)
    for one in book:
        if one.sent_at is not None:
            by_gateway[one.words.gateway].append(one)
    away = Counter(one.words.gateway for one in book if one.number in lost.numbers)
    false: list[object] = []
    unseen: list[object] = []
    for gateway, said in by_gateway.items():
        skipped = sum(one.skipped for one in said)
        first = min((matched.received_at(one) for one in said if one.number in matched.copies), default=0.0)
        watched = [first, *kills]
        sure = sum(one.skipped for at, one in enumerate(said) if one.skipped and _is_sure(said, at, matched, watched))
        found = shown.get(gateway, 0)
        line = f"{gateway}: {found} told as lost; {skipped} left out ({sure} for sure), {away[gateway]} lost"
        if found > skipped + away[gateway]:
            false.append(line)
        elif found < sure:
            unseen.append(line)
    strangers = sorted(set(shown) - set(by_gateway))
    return [
        Account("devices with losses that were none", len(by_gateway), [*false, *strangers]),
        Account("devices whose left-out numbers were not all seen", len(by_gateway), unseen),
    ]


def _is_sure(said: Sequence[Spoken], at: int, matched: Matched, begins: Sequence[float]) -> bool:
    """Say whether the messages around a left-out number all came, to an ingest that lived for long enough."""
    around = said[max(0, at - WINDOW) : at + WINDOW]
    if len(around) < 2 * WINDOW or any(one.number not in matched.copies for one in around):
        return False
    times = [copy.received_at for one in around for copy in matched.copies[one.number]]
    return not any(min(times) - WATCHED_S <= begun <= max(times) + WATCHED_S for begun in begins)


# --- rates


@dataclass(frozen=True, slots=True)
class Premises:
    """What the register says of one unit, as far as scopes and slices need it."""

    unit: str
    key_unit: bool
    auto_fire_facilities: bool
    crowded_place: bool
    flammable_place: bool
    fire_alarm_system: bool
    is_new: bool
    slices: Mapping[str, str]

    @property
    def scopes(self) -> list[str]:
        """The scopes of the sample pack, written down once more."""
        has = {
            "S1": self.key_unit and self.auto_fire_facilities and (self.crowded_place or self.flammable_place),
            "S2": self.is_new and self.fire_alarm_system,
            "S3": self.key_unit and self.fire_alarm_system,
            "KEY": self.key_unit,
        }
        return [scope for scope, inside in has.items() if inside]


RateKey = tuple[str, str, str]


def rates_of(premises: Iterable[Premises], connections: Mapping[str, str]) -> dict[RateKey, tuple[int, int]]:
    """Return (in scope, connected) by scope, dimension and value."""
    counts: dict[RateKey, list[int]] = {}
    for one in premises:
        connected = connections.get(one.unit) in ("online", "late")
        for scope in one.scopes:
            for dimension, value in one.slices.items():
                place = counts.setdefault((scope, dimension, value), [0, 0])
                place[0] += 1
                place[1] += connected
    return {key: (in_scope, connected) for key, (in_scope, connected) in counts.items()}


def check_rates(wanted: Mapping[RateKey, tuple[int, int]], found: Mapping[RateKey, tuple[int, int]]) -> list[Account]:
    """Hold the rates of rules against those that the book and the register give."""
    wrong = [
        f"{'/'.join(key)}: {found.get(key)} instead of {wanted.get(key)}"
        for key in sorted({*wanted, *found})
        if wanted.get(key, (0, 0)) != found.get(key, (0, 0))
    ]
    return [Account("rates other than book and register give", len(wanted), wrong)]


def check_connections(wanted: Mapping[str, str], found: Mapping[str, str]) -> list[Account]:
    """Hold each unit's connection at the end against the book: online, offline, never_connected."""
    wrong = [
        f"{unit}: {found.get(unit)} instead of {state}"
        for unit, state in sorted(wanted.items())
        if state != found.get(unit)
    ]
    return [Account("units whose connection at the end is not that of the book", len(wanted), wrong)]
