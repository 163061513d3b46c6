"""Refusals as the console shows them: what could not be used, why, and what became of it since."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.console.domain.errors import NotAllowed
from services.console.domain.viewer import Role, Viewer

COUNTED = timedelta(hours=24)
"""The counts by reason and by gateway go back so far."""

ORDER_LAPSES = timedelta(minutes=2)
"""An order to replay that nothing came of may be given anew after this."""

KEPT_PER_HOUR = 500
"""Rows kept of one gateway for one reason within an hour; beyond it a flood is only counted."""

KEPT_BYTES = 4096
"""Raw bytes kept of each; the log has all."""


class State(StrEnum):
    """`open` until a replay made signals of it."""

    OPEN = "open"
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """`gateway_id` is a claim, "" for nobody. `waiting`: a replay was ordered and nothing has come back yet."""

    refusal_id: str
    received_at: datetime
    reason: str
    detail: str
    gateway_id: str
    topic: str
    peer: str
    instance: str
    raw_bytes: int
    state: State
    waiting: bool
    decided_at: datetime | None
    decided_by: str | None
    signals: int | None
    decided_reason: str | None
    decided_detail: str | None


@dataclass(frozen=True, slots=True)
class RefusalDetail:
    """One refusal with its place on the log and its bytes, or the first of them."""

    row: RefusalRow
    partition: int
    offset: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class RefusalCount:
    name: str
    refused: int


@dataclass(frozen=True, slots=True)
class RefusalPage:
    """`total` rows match the query; the counts are of everything refused since `counted_since`, the largest first."""

    total: int
    rows: tuple[RefusalRow, ...]
    counted_since: datetime
    reasons: tuple[RefusalCount, ...]
    gateways: tuple[RefusalCount, ...]


@dataclass(frozen=True, slots=True)
class RefusalQuery:
    """None means any."""

    reason: str | None = None
    gateway_id: str | None = None
    state: State | None = None
    offset: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Place:
    """Where on the refusals topic a refusal stands."""

    refusal_id: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class ReplayOrder:
    order_id: str
    by: str
    at: datetime
    places: tuple[Place, ...]


def may_work_refusals(viewer: Viewer) -> None:
    """Raise NotAllowed for departments.

    Whose a refused message is, is only claimed: showing it by that claim could show one unit's bytes to another's
    department.
    """
    if viewer.role not in (Role.BRIGADE, Role.CENTRE):
        raise NotAllowed
