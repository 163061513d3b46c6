"""Answers for the rate by day: who may see whose, a few at a time, and never more than a bounded span."""

import asyncio
from collections.abc import Sequence

from services.console.domain.errors import TooBusy
from services.console.domain.history import HistoryQuery, RateHistory, Subject, may_see
from services.console.domain.viewer import BodyCode, Viewer
from services.console.ports.reports import RateHistories
from services.kernel.words import Dimension


class HistoryService:
    """Implements the port `Histories`."""

    def __init__(self, histories: RateHistories, *, parallel: int = 2, waiting: int = 32) -> None:
        self._histories = histories
        self._turns = asyncio.Semaphore(parallel)  # a year is a heavy question: the live page needs connections too
        self._waiting = 0
        self._waiting_bound = waiting

    async def subjects(self, viewer: Viewer) -> Sequence[Subject]:
        own = viewer.slice.department
        if own is None:
            return await self._histories.subjects()
        if not own:
            return []
        return [await self._own(own)]

    async def history(self, viewer: Viewer, query: HistoryQuery) -> RateHistory:
        may_see(viewer, query.subject)
        if self._waiting >= self._waiting_bound:
            raise TooBusy("too many histories are read already")
        self._waiting += 1
        try:
            async with self._turns:
                return await self._histories.history(query)
        finally:
            self._waiting -= 1

    async def _own(self, body: BodyCode) -> Subject:
        """Return what a body answers for: a street for its area, whoever leads; any other for what it leads."""
        return Subject(Dimension.TOWN if await self._histories.is_town(body) else Dimension.DEPARTMENT, body)
