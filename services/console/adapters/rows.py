"""Rows and JSON documents of the database as values of the domain."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from services.console.domain.cases import CaseRow, CaseSignal, PlannedStep, TakenStep
from services.console.domain.picture import Names
from services.console.domain.units import CaseMark, UnitRow

Row = tuple[Any, ...]


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


def case_row(row: Row, taken: tuple[TakenStep, ...], deliveries: dict[str, int]) -> CaseRow:
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
        after_s=float(step.get("after_s", 0)),
    )


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


def names(rows: Iterable[Row]) -> Names:
    """Return the names in force; a department's own registry row overrides what the pack calls it."""
    pack: Mapping[str, Any] = {}
    bodies: dict[str, tuple[str, str]] = {}
    own: dict[str, tuple[str, str]] = {}
    for kind, _, body in rows:
        if kind == "pack":
            pack = body.get("pack", body)  # the newest in force wins
            bodies |= {row["code"]: _named(row) for row in pack.get("departments", [])}
        else:
            row = body.get("department", body)
            own[row["code"]] = _named(row)
    steps = {step.code: (step.name_zh, step.name_en) for ladder in pack.get("ladders", {}).values()
             for step in planned_steps(ladder)}  # fmt: skip
    return Names(
        district=_named(pack) if pack else ("", ""),
        bodies=bodies | own,
        categories={row["code"]: _named(row) for row in pack.get("routes", [])},
        scopes={code: _named(row) for code, row in pack.get("scopes", {}).items() if row.get("headline")},
        steps=steps,
        targets=_targets(pack),
    )


def _named(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row.get("name_zh", "")), str(row.get("name_en", ""))


def _targets(pack: Mapping[str, Any]) -> dict[str, Fraction]:
    """Return each scope's target; one that names the live rate comes before any other for the same scope."""
    targets: dict[str, Fraction] = {}
    rows = list(pack.get("targets", {}).values())
    rows.sort(key=lambda row: row.get("metric") == "live_networking_rate")
    for row in rows:
        targets[row["scope"]] = Fraction(str(row["value"]))
    return targets
