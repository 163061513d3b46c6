"""Questions what a pack would have said of a closed period: checked by the registry, answered by compliance."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from services.console.domain.errors import FaultyFile, NotFound
from services.console.domain.viewer import Viewer
from services.console.domain.what_if import NewWhatIf, PackSource, WhatIfRow, first_day, may_suppose
from services.console.ports.register import RegisterOrders, WhatIfRepository
from services.kernel.words import Period
from services.runtime.clock import Clock


class WhatIfUseCases:
    """Implements the port `WhatIfWork`."""

    def __init__(self, repository: WhatIfRepository, orders: RegisterOrders, clock: Clock) -> None:
        self._repository = repository
        self._orders = orders
        self._clock = clock

    async def ask(self, viewer: Viewer, kind: Period, day: date, source: PackSource) -> Mapping[str, Any]:
        may_suppose(viewer)
        now = self._clock.now()
        first = first_day(kind, day, now)
        try:
            pack = await self._orders.checked_pack(await self._content(source), viewer)
        except FaultyFile as faulty:
            return {"report": faulty.report}
        made = await self._repository.ask(NewWhatIf(kind, first, source.label, pack), viewer.username, now)
        return {"what_if_id": made}

    async def rows(self, viewer: Viewer) -> Sequence[WhatIfRow]:
        may_suppose(viewer)
        return await self._repository.rows(self._clock.now())

    async def one(self, viewer: Viewer, what_if_id: int) -> WhatIfRow:
        may_suppose(viewer)
        return await self._repository.one(what_if_id, self._clock.now())

    async def _content(self, source: PackSource) -> str:
        """Return the file as base64."""
        if source.content is not None:
            return source.content
        if source.proposal_id is not None:
            return b64encode(await self._orders.file(source.proposal_id)).decode()
        if source.pack_id is None or source.version is None:
            raise NotFound
        return b64encode((await self._orders.pack(source.pack_id, source.version)).content).decode()
