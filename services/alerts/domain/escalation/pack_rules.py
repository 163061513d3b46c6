"""What a policy pack says about cases on one day."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.escalation.guarded import AreaEvent, GuardedTime
from services.alerts.domain.escalation.steps import LadderStep
from services.kernel.words import ListingLevel, Recipient


@dataclass(frozen=True, slots=True)
class GroupingRules:
    """How notices to one address come together: see `noise.digest`.

    The first to a quiet address waits `wait` for others; after a mail the next one waits `interval`. A common cause
    that stands is told again every `repeat`. As many as `least` make a digest, which tells `named` of them one by one.
    """

    wait: timedelta
    interval: timedelta
    repeat: timedelta
    least: int
    named: int


@dataclass(frozen=True, slots=True)
class FlappingRules:
    """As many `begins` within `window` are flapping, which is over after so long a `quiet`; `tells` hear of it once."""

    begins: int
    window: timedelta
    quiet: timedelta
    tells: tuple[Recipient, ...]
    clause: str


@dataclass(frozen=True, slots=True)
class PackRules:
    """What a policy pack says about cases on one day. Waits are the pack's own, before any clock rate.

    `common_wait`: so long after a loss its cause may still show itself. `common_mass`: so many losses of a district
    that nothing smaller explains are one cause; 0: never. `grouping` None: each notice leaves alone. `flapping`
    None: whatever comes again opens its case again. Kinds `over_quota` would ask more of a telephone in a day than its
    provider takes: their ordinary notices go to no telephone. `un_acknowledge`: a case of the
    kind that somebody took and that has not ended so long afterwards is nobody's again; a kind without one stays his.
    `levels`: which governments list for supervision, `listing_clause` by which clause.
    """

    pack_id: str
    version: int
    ladders: dict[CaseKind, tuple[LadderStep, ...]]
    group_wait: timedelta
    reopen_within: timedelta
    common_by: tuple[str, ...]
    common_units: int
    common_window: timedelta
    common_hold: timedelta
    common_recipients: tuple[Recipient, ...]
    common_clause: str
    common_wait: timedelta = timedelta(0)
    common_mass: int = 0
    grouping: GroupingRules | None = None
    flapping: FlappingRules | None = None
    guarded: tuple[GuardedTime, ...] = ()
    area_events: tuple[AreaEvent, ...] = ()
    expired: bool = False
    over_quota: frozenset[CaseKind] = frozenset()
    un_acknowledge: Mapping[CaseKind, timedelta] = field(default_factory=dict)
    levels: tuple[ListingLevel, ...] = tuple(ListingLevel)
    listing_clause: str = ""

    def spans_of(self, kind: CaseKind, town: str, begins: datetime) -> tuple[GuardedTime, ...]:
        """Return the days on which clocks of such a case run otherwise: of area events that in which it begins."""
        return self.guarded + tuple(one.span for one in self.area_events if one.holds(kind, town, begins))

    def first_wait(self, kind: CaseKind) -> timedelta:
        """Return how long the first notice of a case waits; a lost connection as long as a cause may show itself."""
        return max(self.group_wait, self.common_wait) if kind is CaseKind.CONNECTION_LOST else self.group_wait


WITHOUT_PACK = PackRules(
    pack_id="none",
    version=1,
    ladders={},
    group_wait=timedelta(0),
    # so that a line that drops again and again does not tell the centre each time
    reopen_within=timedelta(days=1),
    common_by=(),
    common_units=0,
    common_window=timedelta(0),
    common_hold=timedelta(0),
    common_recipients=(),
    common_clause="",
)
"""Where a district has no pack: the centre is told once of every kind, of a fire the control room too.

See `fallback_ladder`. Never the ladder of another district: its clauses bind nobody here.
"""
