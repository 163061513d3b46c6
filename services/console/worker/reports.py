"""Answers for reports: who may see whose, which periods there are, a few at a time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date, timedelta

from services.console.domain.errors import NotFound, TooBusy
from services.console.domain.history import Subject, may_see
from services.console.domain.report import ListedPeriod, Report, ReportQuery, Sheet, period_of
from services.console.domain.viewer import Viewer
from services.console.ports.reports import ReportFacts, ReportPrinter
from services.kernel.calendar import CHINA
from services.kernel.words import Dimension, Period
from services.runtime.clock import Clock


class ReportService:
    """Implements the port `Reports`."""

    def __init__(
        self, facts: ReportFacts, printer: ReportPrinter, clock: Clock, *, parallel: int = 2, waiting: int = 16
    ) -> None:
        self._facts = facts
        self._printer = printer
        self._clock = clock
        self._turns = asyncio.Semaphore(parallel)  # as for the history: the live page needs connections too
        self._waiting = 0
        self._waiting_bound = waiting

    async def periods(self, viewer: Viewer, subject: Subject) -> Sequence[ListedPeriod]:
        may_see(viewer, subject)
        closed = await self._facts.periods(subject)
        known = {(each.kind, each.first) for each in closed}
        today = self._clock.now().astimezone(CHINA).date()
        open_ = []
        for kind in Period:
            first, last = period_of(kind, today)
            before = period_of(kind, first - timedelta(days=1))
            for begin, end in ((first, last), before):
                if (kind, begin) not in known:
                    open_.append(ListedPeriod(kind, begin, end, 0, None))
        order = list(Period)
        return sorted([*closed, *open_], key=lambda each: (order.index(each.kind), -each.first.toordinal()))

    async def report(self, viewer: Viewer, subject: Subject, kind: Period, first: date) -> Report:
        may_see(viewer, subject)
        query = self._query(subject, kind, first)
        async with self._turn():
            whole = viewer.slice.whole and subject.dimension is Dimension.DISTRICT
            return await self._facts.report(query, self._clock.now(), centre=whole)

    async def printed(self, sheet: Sheet) -> bytes:
        async with self._turn():
            return await self._printer.pdf(sheet)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for one of the turns that reports are read and printed in. Raises TooBusy when too many wait."""
        if self._waiting >= self._waiting_bound:
            raise TooBusy("too many reports are made already")
        self._waiting += 1
        try:
            async with self._turns:
                yield
        finally:
            self._waiting -= 1

    def _query(self, subject: Subject, kind: Period, first: date) -> ReportQuery:
        """Return the period that begins on this day; what begins on no such day, or later than today, is not there."""
        begin, last = period_of(kind, first)
        if begin != first or first > self._clock.now().astimezone(CHINA).date():
            raise NotFound
        return ReportQuery(subject, kind, first, last)
