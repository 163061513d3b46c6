"""Which gateway speaks for which unit, as of a day (Asia/Shanghai)."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum
from typing import NamedTuple

# China has kept one time zone without summer time since 1991: a fixed offset is exact for every instant we meet.
CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")


class Standing(Enum):
    """Why a gateway that asked has no unit to speak for."""

    UNKNOWN = "unknown"
    NOT_YET = "not_yet"
    RETIRED = "retired"


class Version(NamedTuple):
    """Valid from the start of `valid_from` until the next version; from `retired_on` on it speaks for nobody."""

    valid_from: date
    unit_id: str
    retired_on: date | None


def standing_on(versions: Sequence[Version], day: date) -> str | Standing:
    """Return the unit id in force on `day`, or why there is none. The last version that is valid holds the day."""
    holding: Version | None = None
    for version in versions:
        if version.valid_from <= day:
            holding = version
    if holding is None:
        return Standing.NOT_YET if versions else Standing.UNKNOWN
    if holding.retired_on is not None and holding.retired_on <= day:
        return Standing.RETIRED
    return holding.unit_id


class Directory:
    """All gateways, kept up to date record by record; answers for the day of the instant asked about.

    The answers of one day are remembered: a look-up is one dictionary access.
    """

    def __init__(self) -> None:
        self._versions: dict[str, tuple[Version, ...]] = {}
        self._today: dict[str, str | Standing] = {}
        self._day = date.min
        self._starts = datetime.max.replace(tzinfo=UTC)
        self._ends = datetime.min.replace(tzinfo=UTC)

    def __len__(self) -> int:
        return len(self._versions)

    def put(self, gateway_id: str, versions: Sequence[Version]) -> None:
        """Take over every version of one gateway, in the order of (valid_from, recorded_at)."""
        self._versions[gateway_id] = tuple(versions)
        self._today.pop(gateway_id, None)

    def remove(self, gateway_id: str) -> None:
        self._versions.pop(gateway_id, None)
        self._today.pop(gateway_id, None)

    def unit_of(self, gateway_id: str, at: datetime) -> str | Standing:
        """Return the unit that the gateway speaks for at the aware instant `at`, or why there is none."""
        if not self._starts <= at < self._ends:
            self._turn_to(at)
        known = self._today.get(gateway_id)
        if known is None:
            versions = self._versions.get(gateway_id)
            if versions is None:  # not remembered: anybody can invent ids without end
                return Standing.UNKNOWN
            known = self._today[gateway_id] = standing_on(versions, self._day)
        return known

    def _turn_to(self, at: datetime) -> None:
        midnight = at.astimezone(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
        self._day = midnight.date()
        self._starts = midnight.astimezone(UTC)  # comparing instants of one zone object costs a fifth
        self._ends = self._starts + timedelta(days=1)
        self._today.clear()
