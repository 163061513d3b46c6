"""What a command has to say when it is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from services.registry.domain.entities import Gateway, Kind, Routing, Unit
from services.registry.domain.errors import RowError
from services.registry.domain.explain import Gap, StepExplained
from services.registry.domain.policy import Policy, RouteRule, Supervision
from services.registry.domain.scopes import Membership
from services.registry.domain.words import Said


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of one file. With errors nothing of it was taken; `errors` is cut, `total_errors` is not.

    `errors` name columns as the file does and `chinese` is its language, None where it does not show. `asks`: all of
    them are questions, whether it is meant so. `notes` are what its reader should know, taken or not.
    """

    file: str
    kind: Kind | None
    rows: int = 0
    changed: int = 0
    versions: int = 0
    rerouted: int = 0
    errors: tuple[RowError, ...] = ()
    total_errors: int = 0
    chinese: bool | None = None
    asks: bool = False
    notes: tuple[Said, ...] = ()

    @property
    def refused(self) -> bool:
        return self.total_errors > 0


@dataclass(frozen=True, slots=True)
class UnitExplained:
    """`routed_since`: the first day of those on which the route has been this one without a break."""

    unit: Unit
    route: Routing
    routed_since: date
    policy: Policy
    scopes: Sequence[Membership]
    supervision: Supervision
    steps: Sequence[StepExplained]
    gateways: Sequence[Gateway] = ()


@dataclass(frozen=True, slots=True)
class PackExplained:
    """The newest version of a pack, the day from which the register holds it, and how many living units it answers for.

    `answers`: for each body that leads, its name and the categories it leads for, in the order of the pack.
    """

    policy: Policy
    since: date
    units: int
    answers: Sequence[tuple[str, str, Sequence[RouteRule]]]
    by_street: Sequence[RouteRule]
    by_nobody: Sequence[RouteRule]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What `check` found. `unrouted` are ids of living units that no clause gives a department; their target is 0."""

    units: int
    unrouted: Sequence[str]
    gaps: Sequence[Gap]
    without_gateway: int
    expired: Sequence[str]
    unpublished: int

    @property
    def clean(self) -> bool:
        return not (self.gaps or self.expired or self.unpublished)
