"""State as plain values with names, and back: what a checkpoint saves and a restart loads.

Facts of the registry are not part of it, they come from the registry's topic; what was decided by them is. Deadlines
are not part of it either: they follow from the rest. What is as in the beginning is left out.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from services.kernel.words import Connection, FindingKind, Health, VisibilityState
from services.rules.domain import snapshots_before
from services.rules.domain.engine import Engine
from services.rules.domain.facts import GatewayVersion, PackVersion, UnitVersion
from services.rules.domain.rate import RateKey
from services.rules.domain.unit.connection import Link, UnitConnection
from services.rules.domain.unit.deduplication import Deduplication
from services.rules.domain.unit.health import Condition
from services.rules.domain.unit.points import UNSAID, Place, Trouble, Word
from services.rules.domain.unit.registration import Registration
from services.rules.domain.unit.state import Unit
from services.rules.domain.watch import Instance, Watch

FORMAT = 3
Plain = Any
"""Lists, dicts, strings, numbers, None: what JSON holds without loss."""
Named = dict[str, Plain]

# Much cheaper for each of very many units than asking the enumeration.
_CONNECTIONS = {connection.value: connection for connection in Connection}
_HEALTHS = {health.value: health for health in Health}


class UnknownFormat(Exception):
    """The saved state was written by another version of the engine."""


def snapshot_head(engine: Engine) -> Named:
    """Return what is true of the partition as a whole."""
    return {
        "format": FORMAT,
        **_snapshot_watch(engine.watch),
        "sampled": engine.sampled,
        "unsampled": [key._asdict() for key in engine.counters.rates.unsampled_keys()],
    }


def snapshot_unit(unit: Unit) -> Named:
    """Return the state of one unit."""
    plain = {
        "id": unit.unit_id,
        "registration": _snapshot_registration(unit.registration),
        "connection": _snapshot_connection(unit.connection),
        "condition": _snapshot_condition(unit.condition),
        "deduplication": _snapshot_deduplication(unit.deduplication),
    }
    if unit.findings:
        plain["findings"] = {kind.value: problem_id for kind, problem_id in unit.findings.items()}
    return plain


def restore(
    head: Mapping[str, Plain],
    units: Iterable[Plain],
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
    if not is_current(head):
        if saved_format not in snapshots_before.FORMATS:
            known = (*snapshots_before.FORMATS, FORMAT)
            raise UnknownFormat(f"saved state has format {saved_format!r}, this engine reads {known}")
        head, units = snapshots_before.named(head, units)
    engine = Engine(never_grace)
    _restore_watch(engine.watch, head)
    for plain in units:
        unit = _restore_unit(plain)
        engine.units[unit.unit_id] = unit
        if unit.connection.unstable_until:
            engine.counters.unstable[unit.unit_id] = unit.connection.unstable_until
    engine.registry(unit_rows, gateway_rows, pack_rows)
    engine.resume(head["sampled"], [RateKey(**key) for key in head["unsampled"]])
    return engine


def is_current(head: Mapping[str, Plain]) -> bool:
    """Return whether a saved state is of today's format: what is saved beside one of before has to replace it."""
    return head.get("format") == FORMAT


def _restore_unit(plain: Named) -> Unit:
    unit = Unit(plain["id"])
    unit.registration.key = plain["registration"].get("key", "")
    _restore_connection(unit, plain["connection"])
    _restore_condition(unit.condition, plain["condition"])
    _restore_deduplication(unit.deduplication, plain["deduplication"])
    if "findings" in plain:
        unit.findings = {FindingKind(kind): problem_id for kind, problem_id in plain["findings"].items()}
    return unit


def _snapshot_registration(registration: Registration) -> Named:
    return {"key": registration.key} if registration.key else {}


def _snapshot_connection(connection: UnitConnection) -> Named:
    plain: Named = {"links": {name: _snapshot_link(link) for name, link in connection.links.items()}}
    if connection.state is not None:
        plain["state"] = connection.state.value
        plain["since"] = connection.since
        plain["detected"] = connection.detected
    if connection.partly:
        plain["partly"] = True
    if connection.never_from:
        plain["never_from"] = connection.never_from
    if connection.never_since:
        plain["never_since"] = connection.never_since
    if connection.unstable_until:
        plain["line_drops"] = connection.line_drops
        plain["unstable_until"] = connection.unstable_until
    return plain


def _restore_connection(unit: Unit, plain: Named) -> None:
    connection, get = unit.connection, plain.get
    if "state" in plain:
        connection.state = _CONNECTIONS[plain["state"]]
        connection.since, connection.detected = plain["since"], plain["detected"]
    connection.partly = get("partly", False)
    connection.never_from, connection.never_since = get("never_from", 0), get("never_since", 0)
    connection.line_drops, connection.unstable_until = get("line_drops", 0), get("unstable_until", 0)
    for gateway_id, saved in plain["links"].items():
        connection.links[gateway_id] = _restore_link(unit, gateway_id, saved)
    connection.scoped = tuple(connection.links.values())


def _snapshot_link(link: Link) -> Named:
    plain: Named = {"state": link.state.value}
    if link.last_proof:
        plain["last_proof"] = link.last_proof
    if link.down_at:
        plain["down_at"] = link.down_at
    if link.lost_at:
        plain["lost_at"] = link.lost_at
    if link.streak:
        plain["streak"] = link.streak
    if link.beat:
        plain["beat"] = link.beat
    if link.beat_before:
        plain["beat_before"] = link.beat_before
    if link.drops:
        plain["drops"] = [{"minute": minute, "count": count} for minute, count in link.drops.items()]
    return plain


def _restore_link(unit: Unit, gateway_id: str, plain: Named) -> Link:
    link, get = Link(unit, gateway_id), plain.get
    link.state = _CONNECTIONS[plain["state"]]
    link.last_proof, link.down_at, link.lost_at = get("last_proof", 0), get("down_at", 0), get("lost_at", 0)
    link.streak, link.beat, link.beat_before = get("streak", 0), get("beat", ""), get("beat_before", "")
    if "drops" in plain:
        link.drops = {drop["minute"]: drop["count"] for drop in plain["drops"]}
    return link


def _snapshot_condition(condition: Condition) -> Named:
    plain: Named = {}
    if condition.health is not Health.UNKNOWN:
        plain["health"] = condition.health.value
        plain["since"] = condition.since
    if condition.troubles is not None:
        plain["troubles"] = {kind.value: _snapshot_trouble(trouble) for kind, trouble in condition.troubles.items()}
    return plain


def _restore_condition(condition: Condition, plain: Named) -> None:
    if "health" in plain:
        condition.health, condition.since = _HEALTHS[plain["health"]], plain["since"]
    if "troubles" in plain:
        condition.troubles = {FindingKind(kind): _restore_trouble(saved) for kind, saved in plain["troubles"].items()}


def _snapshot_trouble(trouble: Trouble) -> Named:
    plain: Named = {"points": {point: _snapshot_word(word) for point, word in trouble.words.items()}}
    if trouble.floor != UNSAID:
        plain["all_ended"] = trouble.floor._asdict()
    if trouble.floors:
        plain["systems_ended"] = {system: floor._asdict() for system, floor in trouble.floors.items()}
    return plain


def _restore_trouble(plain: Named) -> Trouble:
    trouble = Trouble(_place(plain, "all_ended"))
    trouble.floors = {system: Place(**floor) for system, floor in plain.get("systems_ended", {}).items()}
    trouble.restore((point, _restore_word(word)) for point, word in plain["points"].items())
    return trouble


def _snapshot_word(word: Word) -> Named:
    plain: Named = {"open": word.open}
    if word.begun != UNSAID:
        plain["begun"] = word.begun._asdict()
    if word.ended != UNSAID:
        plain["ended"] = word.ended._asdict()
    return plain


def _restore_word(plain: Named) -> Word:
    return Word(_place(plain, "begun"), _place(plain, "ended"), plain["open"])


def _place(plain: Named, name: str) -> Place:
    return Place(**plain[name]) if name in plain else UNSAID


def _snapshot_deduplication(deduplication: Deduplication) -> Named:
    plain: Named = {}
    if deduplication.hour:
        plain["hour"] = deduplication.hour
    if deduplication.beats:
        plain["beats"] = deduplication.beats
    if deduplication.overflow:
        plain["overflow"] = deduplication.overflow
    if deduplication.recent is not None:
        plain["recent"] = dict(deduplication.recent)
    return plain


def _restore_deduplication(deduplication: Deduplication, plain: Named) -> None:
    get = plain.get
    deduplication.hour, deduplication.beats = get("hour", 0), get("beats", 0)
    deduplication.overflow, deduplication.recent = get("overflow", 0), get("recent")


def _snapshot_watch(watch: Watch) -> Named:
    return {
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
            name: {
                "epoch": one.epoch,
                "number": one.number,
                "proven_until": one.proven_until,
                "written_at": one.written_at,
            }
            for name, one in watch.instances.items()
        },
    }


def _restore_watch(watch: Watch, head: Mapping[str, Plain]) -> None:
    watch.watermark, watch.sight = head["watermark"], VisibilityState(head["sight"])
    watch.seen, watch.proven, watch.resume_from = head["seen"], head["proven"], head["resume_from"]
    watch.clear_since, watch.usable_since = head["clear_since"], head["usable_since"]
    watch.impaired_since, watch.blind_after = head["impaired_since"], head["blind_after"]
    watch.shared_at = head["shared_at"]
    watch.instances = {name: Instance(**values) for name, values in head["instances"].items()}
