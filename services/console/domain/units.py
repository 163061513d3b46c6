"""Units as the console lists them: states, the question a reader asks, and one row of the answer."""

from dataclasses import dataclass
from datetime import datetime

from services.console.domain.cases import Telephone
from services.kernel.words import Connection, Health


@dataclass(frozen=True, slots=True)
class UnitQuery:
    """Which units, from where on. Empty filters ask for everything; `troubled` leaves out those that are well."""

    connection: tuple[Connection, ...] = ()
    health: tuple[Health, ...] = ()
    town: str | None = None
    department: str | None = None
    category: str | None = None
    scope: str | None = None
    text: str = ""
    troubled: bool = False
    offset: int = 0
    limit: int = 100


@dataclass(frozen=True, slots=True)
class CaseMark:
    """The most pressing open case of a unit, as its row shows it."""

    case_id: str
    kind: str
    step: str | None
    next_step: str | None
    next_step_at: datetime | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None


@dataclass(frozen=True, slots=True)
class UnitRow:
    """One unit as of the read. States already carry our blindness: unknown is not offline.

    `line_drops` times its line was lost within ten minutes: not to be called stable before `unstable_until`; 0 and None
    where it holds. `address_en` is read for one unit alone, and "" where the register has none.
    """

    unit_id: str
    name: str
    name_en: str
    town: str
    community: str
    category: str
    address: str
    lead_department: str
    copy_departments: tuple[str, ...]
    routed: bool
    scopes: tuple[str, ...]
    connection: str
    connection_since: datetime | None
    connection_detected_at: datetime | None
    health: str
    health_since: datetime | None
    last_proof_at: datetime | None
    partly_connected: bool
    open_fires: int
    open_faults: int
    open_isolations: int
    case: CaseMark | None = None
    line_drops: int = 0
    unstable_until: datetime | None = None
    address_en: str = ""


@dataclass(frozen=True, slots=True)
class UnitPage:
    total: int
    rows: tuple[UnitRow, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """One change of a unit's state; `effective_at` counts, `detected_at` is when we knew."""

    aspect: str
    from_state: str
    to_state: str
    effective_at: datetime
    detected_at: datetime
    cause: str
    evidence: str


@dataclass(frozen=True, slots=True)
class OutageRevision:
    """What compliance published of an outage, and from when on it was known; it counts until the next one.

    `ended_at` None: it went on. `group`: the carrier or town whose common cause it was, with `group_units` units lost
    together from `group_from` on; "", None and None where it is the unit's own, or ours. `withdrawn`: there was none.
    """

    revision: int
    known_at: datetime
    ended_at: datetime | None
    connection: str
    attribution: str
    gateway_id: str
    lost_at: datetime | None
    group: str
    group_from: datetime | None
    group_units: int | None
    withdrawn: bool


@dataclass(frozen=True, slots=True)
class UnitOutage:
    """An outage of a unit. `revisions` the oldest first, never empty; the last one stands."""

    started_at: datetime
    revisions: tuple[OutageRevision, ...]


@dataclass(frozen=True, slots=True)
class UnitDetail:
    """A unit with its changes of the last day, newest first, its open cases, and its last outages, newest first."""

    unit: UnitRow
    since: datetime
    passages: tuple[Passage, ...]
    cases: tuple[CaseMark, ...]
    telephones: tuple[Telephone, ...] = ()
    outages: tuple[UnitOutage, ...] = ()


@dataclass(frozen=True, slots=True)
class Tally:
    """How many units stand in each state. `token` changes whenever any unit's row changed."""

    connection: dict[str, int]
    health: dict[str, int]
    total: int
    troubled: int
    unrouted: int
    token: str
