"""Rows and JSON documents of the database as values of the domain."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from operator import attrgetter
from typing import Any

from services.console.domain.cases import (
    CaseRow,
    CaseSignal,
    Component,
    Owner,
    PlannedStep,
    Receipt,
    Shelved,
    TakenStep,
)
from services.console.domain.dashboard_snapshot import AreaEvent, Names
from services.console.domain.rates import LIVE_RATE
from services.console.domain.units import CaseMark, OutageRevision, UnitOutage, UnitRow
from services.kernel.alarm_state import AlarmFact, alarm_state
from services.kernel.calendar import day_number
from services.kernel.policy import DatedPack, Packs, Target, target_for
from services.runtime.postgres import Connection

Row = tuple[Any, ...]


async def all_rows(connection: Connection, statement: str, *listed: Any, **named: Any) -> list[Row]:
    """Return what a statement finds; its parameters are listed or named."""
    return await (await connection.execute(statement.encode(), named or listed or None)).fetchall()


def unit_row(row: Row, mark: CaseMark | None) -> UnitRow:
    return UnitRow(
        unit_id=row[0],
        name=row[1],
        name_en=row[2],
        town=row[3],
        community=row[4],
        category=row[5],
        address=row[6],
        lead_department=row[7],
        copy_departments=tuple(row[8]),
        routed=row[9],
        scopes=tuple(row[10]),
        connection=row[11],
        connection_since=row[12],
        connection_detected_at=row[13],
        health=row[14],
        health_since=row[15],
        last_proof_at=row[16],
        partly_connected=row[17],
        open_fires=row[18],
        open_faults=row[19],
        open_isolations=row[20],
        case=mark,
        line_drops=row[21],
        unstable_until=row[22],
    )


def outages_of(rows: Iterable[Row]) -> tuple[UnitOutage, ...]:
    """Return the outages of a unit in the order of the rows, each with its revisions in that order."""
    found: dict[datetime, list[OutageRevision]] = {}
    for started_at, *revision in rows:
        found.setdefault(started_at, []).append(OutageRevision(*revision))
    return tuple(UnitOutage(started_at, tuple(revisions)) for started_at, revisions in found.items())


def case_row(
    row: Row, taken: tuple[TakenStep, ...], deliveries: dict[str, int], receipts: tuple[Receipt, ...]
) -> CaseRow:
    return CaseRow(
        case_id=row[0],
        kind=row[1],
        state=row[2],
        unit_id=row[3],
        unit_name=row[4],
        unit_name_en=row[5],
        town=row[6],
        category=row[7],
        lead_department=row[8],
        copy_departments=tuple(row[9]),
        cause_key=row[10],
        members=row[11],
        effective_at=row[12],
        detected_at=row[13],
        opened_at=row[14],
        closed_at=row[15],
        drops=row[16],
        step=row[17],
        next_step=row[18],
        next_step_at=row[19],
        held_until=row[20],
        reply_due_at=row[21],
        acknowledged_at=row[22],
        acknowledged_by=row[23],
        acknowledged_note=row[24],
        acknowledged_step=row[25],
        plan=planned_steps(row[26]),
        taken=taken,
        deliveries=deliveries,
        address=row[27],
        receipts=receipts,
        owner=None if row[28] is None else Owner(row[28], row[29], row[30], row[31]),
        alarm_state=alarm_state(AlarmFact(row[32])),
        shelved=None if row[33] is None else Shelved(row[34], row[33]),
    )


def case_signal(row: Row) -> CaseSignal:
    return CaseSignal(
        received_at=row[0],
        kind=row[1],
        gateway_id=row[2],
        address=row[3],
        label=row[4],
        text=row[5],
        salvaged=row[6],
        notes=tuple(str(note) for note in row[7]) if isinstance(row[7], list) else (),
        refusal_id=row[8],
    )


def components(found: Iterable[Row]) -> Mapping[str, tuple[Component, ...]]:
    """Return components by the first column, what burns first, then in the order in which they alarmed."""
    by: dict[str, list[Component]] = defaultdict(list)
    for row in found:
        by[row[0]].append(Component(*row[1:]))
    ordered = {key: tuple(sorted(each, key=lambda one: (not one.burning, one.since))) for key, each in by.items()}
    return defaultdict(tuple, ordered)


def planned_steps(ladder: Any) -> tuple[PlannedStep, ...]:
    """Return the ladder's steps from its snapshot: a list of steps, or an object that holds one under `steps`."""
    steps = ladder.get("steps", []) if isinstance(ladder, dict) else ladder
    if not isinstance(steps, list):
        return ()
    return tuple(_planned(step) for step in steps if isinstance(step, dict) and "code" in step)


def _planned(step: Mapping[str, Any]) -> PlannedStep:
    return PlannedStep(
        code=str(step["code"]),
        name_zh=str(step.get("name_zh", "")),
        name_en=str(step.get("name_en", "")),
        document=str(step.get("document", "")),
        clause=str(step.get("clause", "")),
        tells=tuple(str(role) for role in step.get("tells", ())),
        after_s=_after_s(step),
    )


def _after_s(step: Mapping[str, Any]) -> float | None:
    seconds = step.get("after_s")
    return None if seconds is None else float(seconds)


def flat(document: Any) -> tuple[tuple[str, str], ...]:
    """Return a JSON object as pairs of texts in order; nested parts get dotted names. Bounded to 40 pairs."""
    pairs: list[tuple[str, str]] = []

    def walk(prefix: str, value: Any) -> None:
        if len(pairs) >= 40:
            return
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(f"{prefix}.{key}" if prefix else str(key), inner)
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                walk(f"{prefix}.{index}" if prefix else str(index), inner)
        elif value is not None:
            pairs.append((prefix, str(value)))

    walk("", document)
    return tuple(pairs)


def names(packs: Sequence[Row], departments: Iterable[Row]) -> Names:
    """Return the names of today; a department's own registry row overrides what the pack calls it.

    Shape:  `packs` (today, first day in the registry, body), every version; `departments` (body,).
    """
    known = Packs(_dated(since, body.get("pack", body)) for _, since, body in packs)
    standing = [
        pack.content
        for district in known.districts()
        if (pack := known.standing(district, day_number(packs[0][0]))) is not None
    ]
    # bodies of packs that are over too: an open case may name one
    bodies = {row["code"]: _named(row) for pack in [*(each.content for each in known), *standing]
              for row in pack.get("departments", [])}  # fmt: skip
    own = {row["code"]: _named(row) for row in (body.get("department", body) for (body,) in departments)}
    steps = {step.code: (step.name_zh, step.name_en) for pack in standing for ladder in pack.get("ladders", {}).values()
             for step in planned_steps(ladder)}  # fmt: skip
    called = [_named(pack) for pack in standing]
    return Names(
        district=("、".join(zh for zh, _ in called), ", ".join(en for _, en in called)),
        bodies=bodies | own,
        categories={row["code"]: _named(row) for pack in standing for row in pack.get("routes", [])},
        scopes={code: _named(row) for pack in standing for code, row in pack.get("scopes", {}).items()
                if row.get("headline")},
        all_scopes={code: _named(row) for pack in standing for code, row in pack.get("scopes", {}).items()},
        packs={str(each.content.get("pack_id", "")): _named(each.content) for each in known},
        steps=steps,
        targets=_targets(standing),
        evaluations={f"{pack.get('pack_id', '')}/{code}": row
                     for pack in standing for code, row in pack.get("evaluation", {}).items()},
        events=_events(known),
        bridges={str(pack.get("pack_id", "")): (pack.get("major_danger") or {}).get("alarm_system_down")
                 for pack in standing},
    )  # fmt: skip


def _dated(since: date, pack: Mapping[str, Any]) -> DatedPack[Mapping[str, Any]]:
    first, last = date.fromisoformat(pack["valid_from"]), date.fromisoformat(pack["valid_to"])
    return DatedPack(
        pack["district"], pack["pack_id"], pack["version"], day_number(max(since, first)), day_number(last), pack
    )


def _events(packs: Packs[Mapping[str, Any]]) -> tuple[AreaEvent, ...]:
    """Return the events of packs that hold in their district on any of the event's days."""
    several = len(packs.districts()) > 1
    found: dict[AreaEvent, None] = {}
    for pack in packs:
        for row in pack.content.get("area_events", []):
            first, last = date.fromisoformat(row["first"]), date.fromisoformat(row["last"])
            standing = [packs.standing(pack.district, day) for day in range(day_number(first), day_number(last) + 1)]
            if any(one is not None and one.content is pack.content for one in standing):
                within = _named(pack.content) if several else ("", "")
                found[AreaEvent(_named(row), first, last, tuple(row.get("towns", ())), pack.district, within)] = None
    return tuple(sorted(found, key=lambda event: (event.first, event.last, event.name)))


def _named(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row.get("name_zh", "")), str(row.get("name_en", ""))


def _targets(packs: Iterable[Mapping[str, Any]]) -> dict[str, Target]:
    """Return the target of the live rate of each scope that has one.

    Where districts differ it is the lower: nobody is called below a target that does not bind him.
    """
    of_scope: dict[str, list[Target]] = defaultdict(list)
    for pack in packs:
        own = [_target(id_, row) for id_, row in pack.get("targets", {}).items()]
        for scope in {target.scope for target in own}:
            target = target_for(own, LIVE_RATE, scope)
            if target is not None:
                of_scope[scope].append(target)
    return {scope: min(targets, key=attrgetter("value")) for scope, targets in of_scope.items()}


def _target(id_: str, row: Mapping[str, Any]) -> Target:
    text, op = str(row["value"]), row.get("op", ">=")
    return Target(id_, row["metric"], row["scope"], op, Fraction(text), text, row["due"], row["clause"])
