"""Puts together what waits for one address: later, alone, or in one digest. Delivery takes it from there."""

from collections import defaultdict
from collections.abc import Callable

from services.alerts.domain.escalation.ladder import Pace
from services.alerts.domain.noise.digest import GroupClocks, Grouped, WaitingNotice, group
from services.alerts.domain.routing.contacts import Address
from services.alerts.metrics import AlertsMetrics
from services.alerts.ports import Directory, GroupStore
from services.runtime.clock import Clock

AT_ONCE = 20_000


class GroupingWorker:
    """Any number may run, one at a time works. Where the pack has no rules any more each notice leaves alone."""

    def __init__(
        self,
        *,
        store: GroupStore,
        directory: Directory,
        metrics: AlertsMetrics,
        clock: Clock,
        pace: Pace,
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._directory = directory
        self._metrics = metrics
        self._clock = clock
        self._pace = pace
        self._wake = wake

    async def turn(self) -> int:
        """Decide about what is due; return how many notices may leave now. Raises StoreUnavailable, NoPack."""
        leaving = 0
        async with self._store.transaction() as transaction:
            if not await transaction.alone():
                return 0
            now = self._clock.now()
            waiting: dict[Address, list[WaitingNotice]] = defaultdict(list)
            for one in await transaction.waiting(now, AT_ONCE):
                waiting[one.to].append(one)
            if not waiting:
                return 0
            clocks = await transaction.clocks(list(waiting))
            grouped = {to: self._group(those, clocks.get(to, GroupClocks())) for to, those in waiting.items()}
            await transaction.save(grouped, waiting)
        for each in grouped.values():
            leaving += len(each.alone) + sum(len(one.members) for one in each.digests)
            self._metrics.digests.inc(len(each.digests))
            self._metrics.digest_members.inc(sum(len(one.members) for one in each.digests))
        if leaving:
            self._wake()
        return leaving

    def _group(self, waiting: list[WaitingNotice], clocks: GroupClocks) -> Grouped:
        now = self._clock.now()
        rules = self._directory.rules(now, waiting[0].district).grouping
        if rules is None:
            return Grouped(clocks, alone=tuple(one.notice_id for one in waiting))
        return group(waiting, clocks, rules, self._pace, now)
