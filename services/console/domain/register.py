"""The register as the console shows it: entities with all their versions, and proposals to change them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from services.console.domain.errors import NotAllowed
from services.console.domain.viewer import Role, Viewer
from services.kernel.words import AdjustmentState, EntityKind, ProposalKind


class ProposalDecision(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True)
class EntityQuery:
    """`text`: a part of id, name or address, in small letters; "" means any."""

    kind: EntityKind
    text: str = ""
    offset: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True)
class EntityRow:
    """What holds today of an entity; of one that only begins later, what it begins with. `facts` as on the topic."""

    id: str
    valid_from: date
    recorded_at: datetime
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EntityPage:
    total: int
    rows: tuple[EntityRow, ...]


@dataclass(frozen=True, slots=True)
class EntityVersion:
    """`by` and `file`: whose import it was, and of which file; None for what no import noted (a new route)."""

    valid_from: date
    recorded_at: datetime
    facts: Mapping[str, Any]
    by: str | None
    file: str | None


@dataclass(frozen=True, slots=True)
class Entity:
    """All versions, the latest day first. `related`: gateways and contacts of a unit. `waiting`: proposals about it."""

    kind: EntityKind
    id: str
    versions: tuple[EntityVersion, ...]
    related: tuple[tuple[EntityKind, str], ...]
    waiting: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PackRow:
    pack_id: str
    version: int
    valid_from: date
    recorded_at: datetime
    by: str | None


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """A proposal without its file, and what the viewer may do with it. `entities`: the first ids that it changes."""

    proposal_id: str
    kind: ProposalKind
    file_name: str
    reason: str
    rows: int
    entities: tuple[str, ...]
    entities_total: int
    valid_from: date | None
    requested_by: str
    requested_at: datetime
    approvals: tuple[str, ...]
    approvals_needed: int
    state: AdjustmentState
    changed_at: datetime | None
    note: str
    may: tuple[ProposalDecision, ...] = ()


@dataclass(frozen=True, slots=True)
class ProposalPage:
    """`waiting`: so many wait for a decision, whatever was asked for."""

    total: int
    waiting: int
    rows: tuple[ProposalRow, ...]


@dataclass(frozen=True, slots=True)
class HandedIn:
    """A file (`content`, base64) or a form (`row`: texts by field)."""

    kind: ProposalKind
    file_name: str
    content: str | None
    row: Mapping[str, str] | None
    reason: str
    valid_from: date | None
    meant: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that is taken out."""

    name: str
    media_type: str
    content: bytes


def may_read_register(viewer: Viewer) -> Viewer:
    """Return who reads; a department reads of its slice. Raises NotAllowed for a screen."""
    if viewer.is_screen:
        raise NotAllowed("a screen reads no register")
    return viewer


def may_work_on_register(viewer: Viewer) -> Viewer:
    """Return who may work on the register. Raises NotAllowed for anybody but brigade and centre."""
    if viewer.role not in (Role.BRIGADE, Role.CENTRE):
        raise NotAllowed("the register is worked on by brigade and centre")
    return viewer


def may_propose(viewer: Viewer) -> Viewer:
    """Return who may propose a change. Raises NotAllowed for others, and for who administers accounts.

    He could make the account that approves it.
    """
    if viewer.administers:
        raise NotAllowed("who makes accounts proposes nothing")
    return may_work_on_register(viewer)


def may(viewer: Viewer, row: ProposalRow) -> tuple[ProposalDecision, ...]:
    """Return what to offer to a viewer. The registry decides; this spares him a click that it would refuse."""
    if row.state is not AdjustmentState.REQUESTED:
        return ()
    if row.requested_by == viewer.username:
        return (ProposalDecision.WITHDRAW,)
    if viewer.role is not Role.BRIGADE or viewer.username in row.approvals:
        return ()
    return (ProposalDecision.APPROVE, ProposalDecision.REJECT)
