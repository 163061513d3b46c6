"""The register as the files that it was made of."""

from services.registry.domain.entities import Kind, of_type
from services.registry.domain.policy import Policy
from services.registry.domain.writing import Written, write_down
from services.registry.ports import Sheets, Store
from services.registry.worker.importing import today_in_shanghai
from services.runtime.clock import Clock

SHEETS = (Kind.DEPARTMENT, Kind.UNIT, Kind.GATEWAY, Kind.CONTACT)


class Exporter:
    def __init__(self, *, store: Store, clock: Clock, sheets: Sheets) -> None:
        self._store = store
        self._clock = clock
        self._sheets = sheets

    async def export(self, *, chinese: bool) -> list[tuple[str, int]]:
        """Write what holds today, and the newest version of each pack; return the files and how many rows each has.

        An import of these files changes nothing. Passwords and certificates are not in them; of a webhook's secret the
        register holds no more than its name.
        Raises:  StoreUnavailable, ExportRefused.
        """
        day = today_in_shanghai(self._clock.now())
        written: list[Written] = []
        async with self._store.transaction() as register:
            for kind in SHEETS:
                written.append(write_down(kind, await register.histories(kind), day, chinese=chinese))
            packs = [of_type(history.versions, Policy) for history in (await register.histories(Kind.PACK)).values()]
        newest = [max((version.facts for version in versions), key=lambda policy: policy.number) for versions in packs]
        return self._sheets.write(written, newest)
