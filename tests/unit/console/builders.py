"""Rows as a test wants them, everything else ordinary."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from services.console.domain.cases import CaseRow
from services.console.domain.units import UnitRow
from services.console.domain.viewer import BodyCode, Role, Username, Viewer
from tests.fakes.console import T0

CENTRE = Viewer(Username("centre"), Role.CENTRE, None, "监控中心")
HEALTH = Viewer(Username("health"), Role.DEPARTMENT, BodyCode("health"), "卫生健康局")

_UNIT = UnitRow(
    unit_id="U1", name="第一医院", name_en="First Hospital", town="dongjie", community="", category="HOSPITAL",
    address="", lead_department="health", copy_departments=(), routed=True, scopes=("S1",), connection="online",
    connection_since=T0, connection_detected_at=T0, health="normal", health_since=T0, last_proof_at=T0,
    partly_connected=False, open_fires=0, open_faults=0, open_isolations=0,
)  # fmt: skip

_CASE = CaseRow(
    case_id="C1", kind="connection_lost", state="open", unit_id="U1", unit_name="第一医院", unit_name_en="",
    town="dongjie", category="HOSPITAL", lead_department="health", copy_departments=(), cause_key=None, members=0,
    effective_at=T0, detected_at=T0, opened_at=T0, closed_at=None, drops=1, step="H0", next_step="H1",
    next_step_at=T0 + timedelta(hours=1), held_until=None, reply_due_at=None, acknowledged_at=None,
    acknowledged_by=None, acknowledged_note=None, acknowledged_step=None, plan=(), taken=(), deliveries={},
)  # fmt: skip


def unit(unit_id: str = "U1", **changes: Any) -> UnitRow:
    return replace(_UNIT, unit_id=unit_id, **changes)


def case(case_id: str = "C1", **changes: Any) -> CaseRow:
    return replace(_CASE, case_id=case_id, **changes)
