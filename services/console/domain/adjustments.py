"""Adjustments as the console shows them: time that somebody asks to be counted otherwise than it was measured."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.console.domain.errors import NotAllowed
from services.console.domain.viewer import Role, Viewer
from services.kernel.words import AdjustmentKind, AdjustmentState, CountedAs, SignalKind


class Decision(StrEnum):
    """What somebody may do with an adjustment."""

    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    END = "end"


@dataclass(frozen=True, slots=True)
class NewAdjustment:
    """What is asked for, over [starts_at, ends_at)."""

    unit_id: str
    what: AdjustmentKind
    starts_at: datetime
    ends_at: datetime
    reason: str
    evidence: str | None = None
    counted_as: CountedAs | None = None
    system: str | None = None
    address: str | None = None
    trouble: SignalKind | None = None


@dataclass(frozen=True, slots=True)
class AdjustmentRow:
    """One of them with the name of its unit and of who asked, and what the viewer may do with it."""

    adjustment_id: str
    unit_id: str
    unit_name: str
    what: AdjustmentKind
    starts_at: datetime
    ends_at: datetime
    reason: str
    evidence: str | None
    counted_as: CountedAs | None
    system: str | None
    address: str | None
    trouble: str | None
    requested_by: str
    requested_at: datetime
    approvals: tuple[str, ...]
    approvals_needed: int
    state: AdjustmentState
    changed_at: datetime | None
    note: str
    may: tuple[Decision, ...] = ()


@dataclass(frozen=True, slots=True)
class AdjustmentPage:
    """`total` match the query; `waiting` of the slice wait for a decision."""

    total: int
    waiting: int
    rows: tuple[AdjustmentRow, ...]


@dataclass(frozen=True, slots=True)
class InForceRow:
    """What lets a unit off right now: an adjustment, or the exempt days of its row (`adjustment_id` None)."""

    unit_id: str
    unit_name: str
    what: AdjustmentKind
    since: datetime
    until: datetime
    reason: str
    adjustment_id: str | None
    system: str | None
    address: str | None
    trouble: str | None


@dataclass(frozen=True, slots=True)
class AdjustmentQuery:
    """None means any."""

    state: AdjustmentState | None = None
    unit_id: str | None = None
    offset: int = 0
    limit: int = 50


def may_ask(viewer: Viewer) -> Viewer:
    """Return who may ask for an adjustment. Raises NotAllowed for who administers accounts.

    He could make the account that approves it.
    """
    if viewer.administers:
        raise NotAllowed("who makes accounts asks for no adjustment")
    return viewer


def may(viewer: Viewer, row: AdjustmentRow, now: datetime) -> tuple[Decision, ...]:
    """Return what to offer to a viewer. The registry decides; this spares him a click that it would refuse."""
    asked_by_viewer = row.requested_by == viewer.username
    lets_off = row.what is not AdjustmentKind.CORRECTION
    if row.state is AdjustmentState.REQUESTED:
        if asked_by_viewer:
            return (Decision.WITHDRAW,)
        if viewer.role is not Role.BRIGADE or viewer.username in row.approvals:
            return ()
        return (Decision.REJECT,) if lets_off and row.ends_at <= now else (Decision.APPROVE, Decision.REJECT)
    if row.state is AdjustmentState.APPROVED and lets_off and row.ends_at > now:
        return (Decision.END,) if asked_by_viewer or viewer.role is not Role.DEPARTMENT else ()
    return ()
