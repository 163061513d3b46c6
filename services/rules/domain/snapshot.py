"""State with names, as JSON, and back: what a checkpoint saves and a restart loads.

Facts of the registry are not part of it, they come from the registry's topic; what was decided by them is. Deadlines
are not part of it either: they follow from the rest. What is as in the beginning is mostly left out.

A unit is written as text at once: each heartbeat costs one such text per checkpoint, and dictionaries on the way to it
would be dearer than all the rest of a heartbeat.

Members that are unknown are passed over: while processes are replaced one by one, a partition goes back and forth
between this version and the next. So the next may say more under the same format; what means something else is a format
of its own, which is read one release before it is written (ADR 107).
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from json.encoder import encode_basestring as quoted
from typing import Any, NamedTuple, TypeVar

from services.kernel.words import Connection, CountsAsTest, Duty, FindingKind, Health, VisibilityState
from services.rules.domain import snapshots_before
from services.rules.domain.engine import Engine
from services.rules.domain.facts import AdjustmentVersion, DutyToTest, GatewayVersion, PackVersion, UnitVersion
from services.rules.domain.rate import RateKey, RateRow
from services.rules.domain.time.watch import Instance, Watch
from services.rules.domain.unit.connection import Link, UnitConnection
from services.rules.domain.unit.deduplication import Deduplication
from services.rules.domain.unit.health import Condition
from services.rules.domain.unit.points import UNSAID, Position, Trouble, Word
from services.rules.domain.unit.registration import Registration
from services.rules.domain.unit.repeats import ComponentTrouble, Repeats
from services.rules.domain.unit.state import Unit
from services.rules.domain.unit.testing import Testing

FORMAT = 3
READ_AT_ONCE = 500
Plain = Any
"""Lists, dicts, strings, numbers, None: what JSON holds without loss."""
Named = dict[str, Plain]
N = TypeVar("N", Position, RateKey)

# Much cheaper for each of very many units than asking the enumeration.
_CONNECTIONS = {connection.value: connection for connection in Connection}
_DUTIES = {duty.value: duty for duty in Duty}
_HEALTHS = {health.value: health for health in Health}
_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class UnknownFormat(Exception):
    """The saved state was written by another version of the engine."""


class SavedUnit(NamedTuple):
    """`state` is one line of JSON."""

    unit_id: str
    state: str


def snapshot_head(engine: Engine) -> Named:
    """Return what is true of the partition as a whole."""
    return {
        "format": FORMAT,
        **_snapshot_watch(engine.watch),
        "sampled": engine.sampled,
        "unsampled": [key._asdict() for key in engine.counters.rates.unsampled_keys()],
    }


def snapshot_unit(unit: Unit) -> SavedUnit:
    """Return the state of one unit."""
    ordinary = _snapshot_ordinary(unit)
    return SavedUnit(unit.unit_id, _snapshot_any(unit) if ordinary is None else ordinary)


def _snapshot_any(unit: Unit) -> str:
    more = ""
    if unit.findings:
        more = f',"findings":{_json({kind.value: problem_id for kind, problem_id in unit.findings.items()})}'
    if unit.testing is not None:
        more += f',"testing":{_json(_snapshot_testing(unit.testing))}'
    if unit.repeats is not None:
        more += f',"repeats":{_json(_snapshot_repeats(unit.repeats))}'
    return (
        f'{{"registration":{_snapshot_registration(unit.registration)},'
        f'"connection":{_snapshot_connection(unit.connection)},'
        f'"condition":{_snapshot_condition(unit.condition)},'
        f'"deduplication":{_snapshot_deduplication(unit.deduplication)}{more}}}'
    )


def _snapshot_ordinary(unit: Unit) -> str | None:
    """Return the text of `_snapshot_any` at two thirds of its cost, None unless `ORDINARY` would recognise it.

    `_value_`, for putting a member of an enumeration into a text goes through its class, five times here.
    """
    connection, condition, deduplication = unit.connection, unit.condition, unit.deduplication
    state, shown, duty = connection.state, connection.shown, unit.registration.written_duty
    if (
        len(connection.links) != 1 or state is None or shown is None or duty is None
        or connection.partly or connection.never_from or connection.line_drops or connection.unstable_until
        or condition.troubles is not None or deduplication.recent is not None or deduplication.overflow
        or unit.findings or unit.testing is not None or unit.repeats is not None
    ):  # fmt: skip
        return None
    link = connection.links[0]
    if link.down_at or link.lost_at or link.streak or link.drops:
        return None
    return (
        f'{{"registration":{{"key":{quoted(unit.registration.key)},"duty":"{duty._value_}",'
        f'"duty_detected":{unit.registration.duty_detected}}},'
        f'"connection":{{"links":[{{"gateway":{quoted(link.gateway_id)},"state":"{link.state._value_}",'
        f'"last_proof":{link.last_proof},"beat":{quoted(link.beat)},"beat_before":{quoted(link.beat_before)}}}],'
        f'"state":"{state._value_}","detected":{connection.detected},"shown":"{shown._value_}",'
        f'"shown_since":{connection.shown_since},"shown_detected":{connection.shown_detected}'
        f"{_number('never_since', connection.never_since)}}},"
        f'"condition":{{"health":"{condition.health._value_}","since":{condition.since}}},'
        f'"deduplication":{{"hour":{deduplication.hour},"beats":{deduplication.beats}}}}}'
    )


def _known(named: type[N], plain: Named) -> N:
    """Return the tuple with what it knows of the members."""
    return named(**{name: plain[name] for name in named._fields if name in plain})


def _number(name: str, value: int) -> str:
    """Return a further member of an object, nothing for what is as in the beginning."""
    return f',"{name}":{value}' if value else ""


def restore(
    head: Mapping[str, Plain],
    units: Iterable[SavedUnit],
    *,
    never_grace: int,
    unit_rows: Mapping[str, tuple[UnitVersion, ...]],
    gateway_rows: Mapping[str, tuple[GatewayVersion, ...]],
    pack_rows: Mapping[str, tuple[PackVersion, ...]],
    adjustment_rows: Mapping[str, tuple[AdjustmentVersion, ...]] | None = None,
    rates: Iterable[RateRow] | None = None,
) -> Engine:
    """Return the engine as it was saved, with the registry as it is now.

    `rates` are all counters as they were saved; without them the registry must say what it said then.

    Raises UnknownFormat; a state that is damaged raises KeyError, TypeError or ValueError.
    """
    named: Callable[[Plain], Named] | None = None
    if not is_current(head):
        saved_format = head.get("format")
        if saved_format not in snapshots_before.FORMATS:
            known = (*snapshots_before.FORMATS, FORMAT)
            raise UnknownFormat(f"saved state has format {saved_format!r}, this engine reads {known}")
        head, named = snapshots_before.named_head(head), snapshots_before.unit_namer(saved_format)
    engine = Engine(never_grace)
    _restore_watch(engine.watch, head)
    names = {name: name for name in unit_rows}  # one object for the id of a unit: that of its record
    for unit in _restored(units, names, named):
        engine.units[unit.unit_id] = unit
        if unit.connection.unstable_until:
            engine.counters.unstable[unit.unit_id] = unit.connection.unstable_until
    engine.registry(unit_rows, gateway_rows, pack_rows, adjustment_rows)
    engine.resume(head["sampled"], [_known(RateKey, key) for key in head["unsampled"]], rates)
    return engine


def is_current(head: Mapping[str, Plain]) -> bool:
    """Return whether a saved state is of today's format: what is saved beside one of before has to replace it."""
    return head.get("format") == FORMAT


def _restored(
    units: Iterable[SavedUnit], names: Mapping[str, str], named: Callable[[Plain], Named] | None
) -> Iterator[Unit]:
    """Yield the units in their order. What has to be parsed is so many at once, which is cheaper; not all, for it takes
    more room than text.
    """
    remaining = iter(units)
    while lot := list(islice(remaining, READ_AT_ONCE)):
        ordinary = [ORDINARY(one.state) for one in lot]
        others = [one.state for one, found in zip(lot, ordinary, strict=True) if found is None]
        states = json.loads(f"[{','.join(others)}]")
        if len(states) != len(others):  # one that is empty, or holds two: those behind it would be read for other units
            raise ValueError(f"{len(others)} saved states of units read as {len(states)}")
        parsed = iter(states)
        for one, found in zip(lot, ordinary, strict=True):
            unit = Unit(names.get(one.unit_id, one.unit_id))
            if found is not None:
                _restore_ordinary(unit, *found.groups())
            else:
                plain = next(parsed)
                _restore_unit(unit, plain if named is None else named(plain))
            yield unit


_TEXT = r'"([^"\\\x00-\x1f]*)"'
_NUMBER = r"(0|[1-9][0-9]*)"
_CONNECTION = rf'"({"|".join(_CONNECTIONS)})"'
ORDINARY = re.compile(
    rf'\{{"registration":\{{"key":{_TEXT},"duty":"({"|".join(_DUTIES)})","duty_detected":{_NUMBER}\}},'
    rf'"connection":\{{"links":\[\{{"gateway":{_TEXT},"state":{_CONNECTION},"last_proof":{_NUMBER},'
    rf'"beat":{_TEXT},"beat_before":{_TEXT}\}}\],"state":{_CONNECTION},"detected":{_NUMBER},'
    rf'"shown":{_CONNECTION},"shown_since":{_NUMBER},"shown_detected":{_NUMBER}(?:,"never_since":{_NUMBER})?\}},'
    rf'"condition":\{{"health":"({"|".join(_HEALTHS)})","since":{_NUMBER}\}},'
    rf'"deduplication":\{{"hour":{_NUMBER},"beats":{_NUMBER}\}}\}}'
).fullmatch
"""The state of nearly every unit as `snapshot_unit` writes it: listed, one gateway, nothing open, nothing said lately.
Recognised, it costs half of what parsing it does; any other is parsed, and a test holds both ways equal."""


def _restore_ordinary(
    unit: Unit, key: str, duty: str, duty_detected: str, gateway: str, link_state: str, last_proof: str, beat: str,
    beat_before: str, state: str, detected: str, shown: str, shown_since: str, shown_detected: str,
    never_since: str | None, health: str, since: str, hour: str, beats: str,
) -> None:  # fmt: skip
    registration, connection, condition = unit.registration, unit.connection, unit.condition
    registration.key, registration.written_duty = key, _DUTIES[duty]
    registration.duty_detected = _same(int(duty_detected))
    link = Link(registration, gateway)
    link.state, link.last_proof, link.beat, link.beat_before = (
        _CONNECTIONS[link_state],
        int(last_proof),
        beat,
        beat_before,
    )
    connection.links = connection.scoped = (link,)
    connection.state, connection.detected = _CONNECTIONS[state], int(detected)
    connection.shown = _CONNECTIONS[shown]
    _restore_shown(connection, int(shown_since), int(shown_detected))
    connection.never_since = int(never_since or 0)
    condition.health, condition.since = _HEALTHS[health], int(since)
    unit.deduplication.hour, unit.deduplication.beats = _same(int(hour)), int(beats)


def _restore_unit(unit: Unit, plain: Named) -> None:
    _restore_registration(unit.registration, plain["registration"])
    _restore_connection(unit, plain["connection"])
    _restore_condition(unit.condition, plain["condition"])
    _restore_deduplication(unit.deduplication, plain["deduplication"])
    if "findings" in plain:
        unit.findings = {FindingKind(kind): problem_id for kind, problem_id in plain["findings"].items()}
    if "testing" in plain:
        unit.testing = _restore_testing(plain["testing"])
    if "repeats" in plain:
        unit.repeats = _restore_repeats(plain["repeats"])


@lru_cache(maxsize=4096)
def _same(at: int) -> int:
    """Return one object for an instant that very many units have."""
    return at


def _snapshot_testing(testing: Testing) -> Named:
    """Of the duty only what makes it this one: its words come from the registry."""
    duty: Named = {} if testing.duty is None else {"deadline": testing.duty.deadline, "counts": testing.duty.counts}
    return {"last": testing.last, "since": testing.since, **duty}


def _restore_testing(plain: Named) -> Testing:
    duty = None
    if "deadline" in plain:
        duty = DutyToTest((), (), plain["deadline"], CountsAsTest(plain["counts"]), "")
    return Testing(duty, plain["since"], plain["last"])


def _snapshot_repeats(repeats: Repeats) -> Named:
    begins = [{"kind": trouble.kind, "point": trouble.point, "at": at} for trouble, at in repeats.begins.items()]
    running = [
        {"kind": trouble.kind, "point": trouble.point, "last": last} for trouble, last in repeats.running.items()
    ]
    return {"begins": begins, "running": running, "finding": repeats.problem_id}


def _restore_repeats(plain: Named) -> Repeats:
    repeats = Repeats()
    repeats.begins = {
        ComponentTrouble(FindingKind(one["kind"]), one["point"]): tuple(one["at"]) for one in plain["begins"]
    }
    repeats.running = {
        ComponentTrouble(FindingKind(one["kind"]), one["point"]): one["last"] for one in plain["running"]
    }
    repeats.problem_id = plain["finding"]
    return repeats


def _snapshot_registration(registration: Registration) -> str:
    duty = ""
    if registration.written_duty is not None:
        duty = f',"duty":"{registration.written_duty}","duty_detected":{registration.duty_detected}'
    return f'{{"key":{quoted(registration.key)}{duty}}}'


def _restore_registration(registration: Registration, plain: Named) -> None:
    registration.key = plain["key"]
    if "duty" in plain:
        registration.written_duty, registration.duty_detected = _DUTIES[plain["duty"]], _same(plain["duty_detected"])


def _snapshot_connection(connection: UnitConnection) -> str:
    links = ",".join([_snapshot_link(link) for link in connection.links])
    more = ""
    if connection.state is not None:
        more = f',"state":"{connection.state}","detected":{connection.detected}'
    if connection.shown is not None:
        more += (
            f',"shown":"{connection.shown}","shown_since":{connection.shown_since},'
            f'"shown_detected":{connection.shown_detected}'
        )
    if connection.partly or connection.never_from or connection.never_since or connection.unstable_until:
        more += ',"partly":true' if connection.partly else ""
        more += _number("never_from", connection.never_from)
        more += _number("never_since", connection.never_since)
        more += _number("line_drops", connection.line_drops)
        more += _number("unstable_until", connection.unstable_until)
    return f'{{"links":[{links}]{more}}}'


def _restore_connection(unit: Unit, plain: Named) -> None:
    connection, get = unit.connection, plain.get
    if "state" in plain:
        connection.state, connection.detected = _CONNECTIONS[plain["state"]], plain["detected"]
    if "shown" in plain:
        connection.shown = _CONNECTIONS[plain["shown"]]
        _restore_shown(connection, plain["shown_since"], plain["shown_detected"])
    if len(plain) > 6:
        connection.partly = get("partly", False)
        connection.never_from, connection.never_since = get("never_from", 0), get("never_since", 0)
        connection.line_drops, connection.unstable_until = get("line_drops", 0), get("unstable_until", 0)
    connection.links = connection.scoped = tuple([_restore_link(unit.registration, saved) for saved in plain["links"]])


def _restore_shown(connection: UnitConnection, since: int, detected: int) -> None:
    # Mostly the same instants, and each number that was read is an object of its own.
    connection.shown_detected = connection.detected if detected == connection.detected else detected
    connection.shown_since = connection.shown_detected if since == connection.shown_detected else since


def _snapshot_link(link: Link) -> str:
    more = ""
    if link.down_at or link.lost_at or link.streak:
        more += _number("down_at", link.down_at) + _number("lost_at", link.lost_at) + _number("streak", link.streak)
    if link.drops:
        more += f',"drops":{_json([{"minute": minute, "count": count} for minute, count in link.drops.items()])}'
    return (
        f'{{"gateway":{quoted(link.gateway_id)},"state":"{link.state}","last_proof":{link.last_proof},'
        f'"beat":{quoted(link.beat)},"beat_before":{quoted(link.beat_before)}{more}}}'
    )


def _restore_link(registration: Registration, plain: Named) -> Link:
    link, get = Link(registration, plain["gateway"]), plain.get
    link.state, link.last_proof = _CONNECTIONS[plain["state"]], plain["last_proof"]
    link.beat, link.beat_before = plain["beat"], plain["beat_before"]
    link.down_at, link.lost_at, link.streak = get("down_at", 0), get("lost_at", 0), get("streak", 0)
    if "drops" in plain:
        link.drops = {drop["minute"]: drop["count"] for drop in plain["drops"]}
    return link


def _snapshot_condition(condition: Condition) -> str:
    more = ""
    if condition.troubles is not None:
        troubles = {kind.value: _snapshot_trouble(trouble) for kind, trouble in condition.troubles.items()}
        more = f',"troubles":{_json(troubles)}'
    return f'{{"health":"{condition.health}","since":{condition.since}{more}}}'


def _restore_condition(condition: Condition, plain: Named) -> None:
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
    trouble = Trouble(_position(plain, "all_ended"))
    trouble.floors = {system: _known(Position, floor) for system, floor in plain.get("systems_ended", {}).items()}
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
    return Word(_position(plain, "begun"), _position(plain, "ended"), plain["open"])


def _position(plain: Named, name: str) -> Position:
    return _known(Position, plain[name]) if name in plain else UNSAID


def _snapshot_deduplication(deduplication: Deduplication) -> str:
    more = "" if deduplication.recent is None else f',"recent":{_json(deduplication.recent)}'
    more += _number("overflow", deduplication.overflow)
    return f'{{"hour":{deduplication.hour},"beats":{deduplication.beats}{more}}}'


def _restore_deduplication(deduplication: Deduplication, plain: Named) -> None:
    deduplication.hour, deduplication.beats = _same(plain["hour"]), plain["beats"]
    deduplication.overflow, deduplication.recent = plain.get("overflow", 0), plain.get("recent")


def _snapshot_watch(watch: Watch) -> Named:
    return {
        "watermark": watch.watermark,
        "visibility": watch.visibility.value,
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
    watch.watermark, watch.visibility = head["watermark"], VisibilityState(head.get("visibility") or head["sight"])
    watch.seen, watch.proven, watch.resume_from = head["seen"], head["proven"], head["resume_from"]
    watch.clear_since, watch.usable_since = head["clear_since"], head["usable_since"]
    watch.impaired_since, watch.blind_after = head["impaired_since"], head["blind_after"]
    watch.shared_at = head.get("shared_at", 0)
    watch.instances = {
        name: Instance(one["epoch"], one["number"], one["proven_until"], one["written_at"])
        for name, one in head["instances"].items()
    }
