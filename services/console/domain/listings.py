"""Who may do what with listings for supervision (挂牌督办). What may follow on what, alerts decides."""

from dataclasses import dataclass
from datetime import date

from services.console.domain.errors import NotAllowed
from services.console.domain.viewer import Role, Viewer
from services.kernel.words import ListingAct, ListingLevel, ListingState

OF_DEPARTMENTS = frozenset({ListingAct.HAND_IN, ListingAct.ASK_EXTENSION})
OF_CENTRE = frozenset({ListingAct.PROPOSE})


@dataclass(frozen=True, slots=True)
class ListingPage:
    """Which listings, a page of them, the newest first."""

    states: tuple[ListingState, ...] = ()
    town: str | None = None
    department: str | None = None
    case_id: str | None = None
    overdue: bool = False
    offset: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True)
class ListingOrder:
    """What is said with an act; which of it is needed alerts knows. `revision`: as the page showed the listing."""

    act: ListingAct
    revision: int
    text: str = ""
    level: ListingLevel | None = None
    number: str = ""
    on: date | None = None
    until: date | None = None
    inspector: str = ""


def acts_of(viewer: Viewer) -> frozenset[ListingAct]:
    """Return what the viewer may do at all; an administrator, who makes accounts, approves nothing."""
    if viewer.administers:
        return frozenset()
    if viewer.role is Role.BRIGADE:
        return frozenset(ListingAct)
    if viewer.role is Role.CENTRE:
        return OF_CENTRE
    return OF_DEPARTMENTS if viewer.role is Role.DEPARTMENT else frozenset()


def require_act(viewer: Viewer, act: ListingAct) -> None:
    """Raise NotAllowed unless the viewer may do that."""
    if act not in acts_of(viewer):
        raise NotAllowed
