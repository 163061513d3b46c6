"""The question that a list of cases answers, and the place in its order where a page begins."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.console.domain.viewer import Username
from services.kernel.words import AlarmState

MAX_PLACE = 300


class CaseView(StrEnum):
    """Which cases. `mine`: open ones that the reader works on; `untaken`: open ones that nobody has acknowledged."""

    OPEN = "open"
    UNTAKEN = "untaken"
    MINE = "mine"
    CLOSED = "closed"


class CaseSort(StrEnum):
    """Orders of open cases. Closed ones come by their end, the latest first."""

    PRESSING = "pressing"
    NEWEST = "newest"
    OLDEST = "oldest"


OVER = frozenset({AlarmState.RETURNED_UNACKNOWLEDGED, AlarmState.NORMAL})
"""States of cases that are closed."""


class BadPlace(ValueError):
    """The text names no place in a list."""


@dataclass(frozen=True, slots=True)
class CasePlace:
    """The row behind which a page begins, by what orders it and not by its number: rows come and go meanwhile.

    `rank` and `due` order by pressing only. `at`: opened, or closed where closed ones are listed.
    """

    rank: int
    due: datetime | None
    at: datetime
    case_id: str

    def __str__(self) -> str:
        return "~".join((str(self.rank), self.due.isoformat() if self.due else "", self.at.isoformat(), self.case_id))

    @staticmethod
    def parse(text: str) -> "CasePlace":
        """Return the place. Raises BadPlace."""
        parts = text.split("~", 3)
        if len(text) > MAX_PLACE or len(parts) != 4 or not text.isprintable():
            raise BadPlace
        try:
            place = CasePlace(
                int(parts[0]),
                datetime.fromisoformat(parts[1]) if parts[1] else None,
                datetime.fromisoformat(parts[2]),
                parts[3],
            )
        except ValueError as error:
            raise BadPlace from error
        aware = place.at.tzinfo is not None and (place.due is None or place.due.tzinfo is not None)
        if not aware or not 0 <= place.rank < 100:
            raise BadPlace
        return place


@dataclass(frozen=True, slots=True)
class CaseQuery:
    """Which cases, in which order, behind which place. Empty filters ask for everything.

    `reader`: whose cases `mine` are. `text`: part of a unit's name, address or initials, or of a case's id.
    An `alarm_state` of what is over lists closed cases, any other open ones, whatever the view would.
    """

    view: CaseView = CaseView.OPEN
    sort: CaseSort = CaseSort.PRESSING
    reader: Username | None = None
    kinds: tuple[str, ...] = ()
    alarm_state: AlarmState | None = None
    step: str | None = None
    town: str | None = None
    department: str | None = None
    text: str = ""
    after: CasePlace | None = None
    limit: int = 60

    @property
    def of_closed(self) -> bool:
        """Say whether closed cases are listed."""
        if self.alarm_state is None:
            return self.view is CaseView.CLOSED
        return self.alarm_state in OVER

    @property
    def narrows(self) -> bool:
        """Say whether somebody looks for certain cases: then a member of a common cause is one of them."""
        chosen = (self.kinds, self.step, self.town, self.department, self.text, self.alarm_state)
        return any(chosen) or self.view is CaseView.MINE
