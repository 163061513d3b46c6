"""State as plain lists and back: what a checkpoint saves and a restart loads.

Facts of the registry are not part of it, they come from the registry's topic; what was decided by them is. Deadlines
are not part of it either: they follow from the rest.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from services.kernel.words import Connection, FindingKind, Health, VisibilityState
from services.rules.domain.engine import Engine
from services.rules.domain.facts import GatewayVersion, PackVersion, UnitVersion
from services.rules.domain.points import NOWHERE, UNSAID, Place, Trouble, Word
from services.rules.domain.rate import RateKey
from services.rules.domain.unit import Link, Unit
from services.rules.domain.watch import Instance

FORMAT = 2
ORDERED_ONCE = 1
"""The format before: each point had one word, each word one place."""
Plain = Any
"""Lists, dicts, strings, numbers, None: what JSON holds without loss."""

# Much cheaper for each of very many units than asking the enumeration.
_CONNECTIONS = {connection.value: connection for connection in Connection}
_HEALTHS = {health.value: health for health in Health}


class UnknownFormat(Exception):
    """The saved state was written by another version of the engine."""


def freeze_head(engine: Engine) -> dict[str, Plain]:
    """Return what is true of the partition as a whole."""
    watch = engine.watch
    return {
        "format": FORMAT,
        "watermark": watch.watermark,
        "sight": watch.sight.value,
        "seen": watch.seen,
        "proven": watch.proven,
        "resume_from": watch.resume_from,
        "clear_since": watch.clear_since,
        "usable_since": watch.usable_since,
        "impaired_since": watch.impaired_since,
        "shared_at": watch.shared_at,
        "blind_after": watch.blind_after,
        "instances": {
            name: [one.epoch, one.number, one.proven_until, one.written_at] for name, one in watch.instances.items()
        },
        "sampled": engine.sampled,
        "unsampled": [list(key) for key in engine.counters.rates.unsampled_keys()],
    }


def freeze_unit(unit: Unit) -> list[Plain]:
    """Return the state of one unit."""
    links = [
        [
            link.gateway_id,
            link.state.value,
            link.last_proof,
            link.down_at,
            link.lost_at,
            link.streak,
            link.beat,
            link.beat_before,
            *([list(link.drops.items())] if link.drops else []),
        ]
        for link in unit.links.values()
    ]
    return [
        unit.unit_id,
        None if unit.connection is None else unit.connection.value,
        unit.connection_since,
        unit.connection_detected,
        unit.partly,
        unit.health.value,
        unit.health_since,
        unit.never_from,
        unit.never_since,
        unit.hour,
        unit.beats,
        unit.overflow,
        unit.key,
        links,
        _freeze_troubles(unit),
        {kind.value: problem_id for kind, problem_id in unit.findings.items()},
        None if unit.recent is None else [f"{known} {content}" for known, content in unit.recent.items()],
        *([unit.line_drops, unit.unstable_until] if unit.unstable_until else []),
    ]


def _freeze_troubles(unit: Unit) -> Plain:
    if unit.troubles is None:
        return None
    return {
        kind.value: [
            trouble.floor,
            [[point, *word] for point, word in trouble.words.items()],
            [[system, floor] for system, floor in trouble.floors.items()],
        ]
        for kind, trouble in unit.troubles.items()
    }


def thaw(
    head: Mapping[str, Plain],
    units: Iterable[list[Plain]],
    *,
    never_grace: int,
    unit_rows: Mapping[str, tuple[UnitVersion, ...]],
    gateway_rows: Mapping[str, tuple[GatewayVersion, ...]],
    pack_rows: Mapping[str, tuple[PackVersion, ...]],
) -> Engine:
    """Return the engine as it was saved, with the registry as it is now.

    Raises UnknownFormat; a state that is damaged raises KeyError, TypeError or ValueError.
    """
    saved_format = head.get("format")
    if saved_format not in (FORMAT, ORDERED_ONCE):
        raise UnknownFormat(f"saved state has format {saved_format!r}, this engine reads {ORDERED_ONCE} and {FORMAT}")
    thaw_trouble = _thaw_trouble if saved_format == FORMAT else _thaw_trouble_ordered_once
    engine = Engine(never_grace)
    _thaw_watch(engine, head)
    for plain in units:
        unit = _thaw_unit(plain, thaw_trouble)
        engine.units[unit.unit_id] = unit
        if unit.unstable_until:
            engine.counters.unstable[unit.unit_id] = unit.unstable_until
    engine.registry(unit_rows, gateway_rows, pack_rows)
    engine.resume(head["sampled"], [RateKey(*key) for key in head["unsampled"]])
    return engine


def _thaw_watch(engine: Engine, head: Mapping[str, Plain]) -> None:
    watch = engine.watch
    watch.watermark, watch.sight = head["watermark"], VisibilityState(head["sight"])
    watch.seen, watch.proven, watch.resume_from = head["seen"], head["proven"], head["resume_from"]
    watch.clear_since, watch.usable_since = head["clear_since"], head["usable_since"]
    watch.impaired_since, watch.blind_after = head["impaired_since"], head["blind_after"]
    watch.shared_at = head.get("shared_at", 0)
    watch.instances = {name: Instance(*values) for name, values in head["instances"].items()}


def _thaw_unit(plain: list[Plain], thaw_trouble: Callable[..., Trouble]) -> Unit:
    unit = Unit(plain[0])
    unit.connection = None if plain[1] is None else _CONNECTIONS[plain[1]]
    unit.connection_since, unit.connection_detected, unit.partly = plain[2:5]
    unit.health, unit.health_since = _HEALTHS[plain[5]], plain[6]
    unit.never_from, unit.never_since, unit.hour, unit.beats, unit.overflow, unit.key = plain[7:13]
    for gateway_id, state, *rest in plain[13]:
        link = unit.links[gateway_id] = Link(unit, gateway_id)
        link.state = _CONNECTIONS[state]
        link.last_proof, link.down_at, link.lost_at, link.streak, link.beat, link.beat_before, *drops = rest
        link.drops = dict(drops[0]) if drops else {}
    unit.scoped = tuple(unit.links.values())
    if plain[14] is not None:
        unit.troubles = {FindingKind(kind): thaw_trouble(*saved) for kind, saved in plain[14].items()}
    if plain[15]:
        unit.findings = {FindingKind(kind): problem_id for kind, problem_id in plain[15].items()}
    unit.recent = None if plain[16] is None else dict(_recent(plain[16]))
    if len(plain) > 17:
        unit.line_drops, unit.unstable_until = plain[17:19]
    return unit


def _recent(saved: list[str]) -> Iterator[tuple[str, str]]:
    """Yield ids with what the signals said; states saved before that was kept hold ids alone."""
    for one in saved:
        known, _, content = one.partition(" ")
        yield known, content


def _thaw_trouble(floor: list[int], words: list[list[Plain]], floors: list[list[Plain]]) -> Trouble:
    trouble = Trouble(Place(*floor))
    trouble.floors = {system: Place(*place) for system, place in floors}
    trouble.restore((point, Word(Place(*begun), Place(*ended), is_open)) for point, begun, ended, is_open in words)
    return trouble


def _thaw_trouble_ordered_once(
    floor: list[int], words: list[list[Plain]], floors: Sequence[list[Plain]] = ()
) -> Trouble:
    trouble = Trouble(_place_in_one_order(floor))
    trouble.floors = {system: _place_in_one_order(key) for system, key in floors}
    trouble.restore((point, _word_in_one_order(key, is_open=is_open)) for point, key, is_open in words)
    return trouble


def _word_in_one_order(key: list[int], *, is_open: bool) -> Word:
    place = _place_in_one_order(key)
    return Word(place, UNSAID, open=True) if is_open else Word(UNSAID, place, open=False)


def _place_in_one_order(key: list[int]) -> Place:
    happened, heard, _ = key
    return Place(happened, heard, NOWHERE)
