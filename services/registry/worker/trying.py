"""A dry run: everything is imported, looked at and undone."""

from collections.abc import Sequence
from datetime import date

from services.registry.domain.effect import Effects, RegisterSnapshot, effects
from services.registry.domain.entities import Kind, Unit, of_type
from services.registry.domain.reports import ImportReport
from services.registry.ports import Store
from services.registry.worker.importing import Importer, load_policies, today_in_shanghai
from services.runtime.clock import Clock


class Trial:
    """Tells what an import would change. Nothing is kept, whatever happens. Raises as the importer does."""

    def __init__(self, *, importer: Importer, store: Store, clock: Clock) -> None:
        self._importer = importer
        self._store = store
        self._clock = clock

    async def files(self, requests: Sequence[tuple[str, Kind | None]]) -> tuple[list[ImportReport], Effects]:
        async with self._store.command(keep=False):
            before = await snapshot(self._store)
            reports = await self._importer.import_files(requests)
            return reports, await self._since(before)

    async def pack(self, path: str, valid_from: date | None) -> tuple[ImportReport, Effects]:
        async with self._store.command(keep=False):
            before = await snapshot(self._store)
            report = await self._importer.import_pack(path, valid_from=valid_from)
            return report, await self._since(before)

    async def _since(self, before: RegisterSnapshot) -> Effects:
        return effects(before, await snapshot(self._store), today_in_shanghai(self._clock.now()))


async def snapshot(store: Store) -> RegisterSnapshot:
    """Return the units and packs as they are in the transaction that is open."""
    async with store.transaction() as register:
        histories = await register.histories(Kind.UNIT)
        policies = await load_policies(register)
    return RegisterSnapshot({key: of_type(each.versions, Unit) for key, each in histories.items()}, policies)
