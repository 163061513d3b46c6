"""The district as it is now: what is read, how changes come, the live stream, cases and what is done with them."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.console.domain.case_list import CaseQuery
from services.console.domain.cases import CaseDetail, CaseList, Fire
from services.console.domain.dashboard_snapshot import DashboardSnapshot, Names
from services.console.domain.district_map import DistrictMap, MapQuery, MapUnit, Position
from services.console.domain.freshness import DataAge, PartitionVisibility
from services.console.domain.rates import RateCounts
from services.console.domain.units import UnitDetail, UnitPage, UnitQuery
from services.console.domain.viewer import Slice, Viewer
from services.kernel.words import AlarmCause, FileKind, Language, Verification


class ReadModel(Protocol):
    """The district as the database has it. Every method raises DataUnavailable when there is no answer in time."""

    async def visibility(self) -> Sequence[PartitionVisibility]:
        """Return each partition's watermark and visibility, judged by the database's own clock."""
        ...

    async def names(self) -> Names:
        """Return the names and targets in force today."""
        ...

    async def snapshot(self, slice_: Slice) -> DashboardSnapshot:
        """Return the slice, all parts from one snapshot of the database."""
        ...

    async def fires(self, slice_: Slice) -> tuple[Fire, ...]:
        """Return what of the snapshot burns or may burn, alone: soon, however large the district is."""
        ...

    async def units(self, slice_: Slice, query: UnitQuery) -> UnitPage:
        """Return the units of the slice that the query asks for, the most pressing first."""
        ...

    async def unit(self, slice_: Slice, unit_id: str, since: datetime) -> UnitDetail:
        """Return one unit with its changes from `since` on. Raises NotFound outside the slice."""
        ...

    async def cases(self, slice_: Slice, query: CaseQuery) -> CaseList:
        """Return a page of the cases of the slice that the query asks for."""
        ...

    async def case(self, slice_: Slice, case_id: str) -> CaseDetail:
        """Return one case. Raises NotFound outside the slice."""
        ...

    async def document_file(
        self, slice_: Slice, case_id: str, document_id: str, language: Language, kind: FileKind
    ) -> bytes:
        """Return a document of a case as a file. Raises NotFound outside the slice."""
        ...


class NameRepository(Protocol):
    """Names of units with the initials by which they are found. Every method raises DataUnavailable."""

    async def missing(self, limit: int) -> Sequence[str]:
        """Return names of units that have no initials yet."""
        ...

    async def keep(self, initials: Mapping[str, str]) -> None:
        """Write down the initials of names; one that is there already stays as it is."""
        ...


Initials = Callable[[str], str]
"""Returns the initials of a name's pinyin in lower case, with its letters and digits as they are."""


class LiveCounts(Protocol):
    async def live_counts(self) -> Sequence[tuple[str, RateCounts]]:
        """Return the whole district's units by connection: dimension (district, town, ...) and one row of it.

        Raises DataUnavailable.
        """
        ...


class Changes(Protocol):
    """Says that something in the database changed; says so too when it may have missed that."""

    def wakes(self) -> AsyncIterator[None]:
        """Yield once per wake-up until the service stops."""
        ...


class CaseCommands(Protocol):
    """Orders to the service that keeps the cases."""

    async def acknowledge(self, case_id: str, viewer: Viewer, note: str) -> None:
        """Return once it is stored: brigade and centre take the case, anybody else signs for it.

        Raises:  NotFound, Conflict (closed or already acknowledged), AlertsUnavailable.
        """
        ...

    async def acknowledge_all(self, case_ids: Sequence[str], viewer: Viewer, note: str) -> Mapping[str, str]:
        """Return what became of each, in the words of alerts; `alone`: it burns, or may. Raises AlertsUnavailable."""
        ...

    async def own(self, case_id: str, viewer: Viewer) -> None:
        """Work on the case in the place of whoever did. Raises like `acknowledge`."""
        ...

    async def release(self, case_id: str, viewer: Viewer) -> None: ...

    async def comment(self, case_id: str, viewer: Viewer, text: str) -> None:
        """Raises like `acknowledge`; Conflict: there are as many as are kept."""
        ...

    async def verify(
        self, case_id: str, viewer: Viewer, finding: Verification, note: str, cause: AlarmCause | None
    ) -> None: ...

    async def shelve(self, case_id: str, viewer: Viewer, minutes: int, note: str) -> None:
        """Put it out of sight for so long. Raises like `acknowledge`; Conflict: it burns, or may."""
        ...

    async def unshelve(self, case_id: str, viewer: Viewer) -> None: ...

    async def escalate(self, case_id: str, viewer: Viewer, step: str, note: str) -> None:
        """Have the next step taken now, if it still is `step`. Raises like `acknowledge`; Conflict: none waits."""
        ...

    async def merge(self, case_id: str, viewer: Viewer, into: str) -> None:
        """Count it among the members of a common cause. Raises like `acknowledge`; Conflict: it is none of these."""
        ...

    async def grave_result(self, viewer: Viewer, body_id: str, text: str, *, begins: bool) -> None:
        """Enter a grave result through neglect of a body, or that its inquiry is over."""
        ...

    async def sign_off(self, viewer: Viewer) -> None:
        """Give back whatever the account works on. Raises AlertsUnavailable."""
        ...


class MapReads(Protocol):
    """What the map is made of. Every method raises DataUnavailable without an answer in time."""

    async def map_units(self, slice_: Slice, query: MapQuery) -> Sequence[MapUnit]:
        """Return how the units of the slice stand, in that part of it."""
        ...

    async def positions(self) -> Mapping[str, Position]:
        """Return the position that the register has of each unit, where it has one."""
        ...


class DistrictMaps(Protocol):
    """What the pages may ask of the map. Raises DataUnavailable."""

    async def now(self, viewer: Viewer, query: MapQuery) -> DistrictMap:
        """Return the map of what the viewer may see."""
        ...


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """One message to a browser: `kind` snapshot, update or beat; `body` is a JSON object; beats have no `id`."""

    kind: str
    body: str
    id: str | None


class Encoder(Protocol):
    """Turns parts of a picture into JSON objects, once for all readers of a slice."""

    def sections(self, snapshot: DashboardSnapshot, names: Names) -> dict[str, str]: ...

    def fires(self, fires: Sequence[Fire]) -> str: ...

    def freshness(self, age: DataAge, now: datetime, read_at: datetime | None) -> str: ...


class Live(Protocol):
    """The shared picture of each slice: one read of the database per change, however many browsers look."""

    def follow(self, viewer: Viewer, last_id: str | None) -> AbstractAsyncContextManager[AsyncIterator[LiveEvent]]:
        """Yield events until the service stops. A reader that falls behind gets the latest state, never a queue.

        Raises:  TooBusy when the account or the service has its fill of streams.
        """
        ...

    def expect(self, slice_: Slice) -> None:
        """Say that a page was sent that will follow this slice in a moment. Returns at once, and raises nothing."""
        ...

    async def section(self, slice_: Slice, name: str) -> str:
        """Return one section of the slice as JSON, at most a second old. Raises DataUnavailable."""
        ...
