"""Has clocks counted again that a calendar of before had counted, and writes down what moved."""

from datetime import datetime

from services.alerts.domain.audit.entry import AuditEntry
from services.alerts.domain.escalation.ladder import Pace
from services.alerts.domain.escalation.recounting import Recounted, recount
from services.alerts.domain.ids import CaseId
from services.alerts.metrics import AlertsMetrics
from services.alerts.ports import CaseStore, Changes
from services.alerts.worker.notice_composer import ACTOR
from services.runtime.clock import Clock

CASES_AT_ONCE = 500


class RecountingWorker:
    """Any number may run, of any version: only clocks of an older calendar than one's own are counted again."""

    def __init__(self, *, store: CaseStore, pace: Pace, metrics: AlertsMetrics, clock: Clock) -> None:
        self._store = store
        self._pace = pace
        self._metrics = metrics
        self._clock = clock

    async def turn(self) -> int:
        """Return how many cases were looked at. Raises StoreUnavailable."""
        async with self._store.transaction() as transaction:
            versions = await transaction.calendar_versions()
            old = [version for version in versions if self._pace.calendar.supersedes(version)]
            cases = await transaction.counted_by(old, CASES_AT_ONCE) if old else []
            now, changes = self._clock.now(), Changes()
            moved: list[Recounted] = []
            for case in cases:
                after, clocks = recount(case, now, self._pace)
                changes.put(after)
                changes.audit += [_entry(case.case_id, one, now) for one in clocks if one.moved]
                moved += [one for one in clocks if one.moved]
            await transaction.save(changes)
        for one in moved:
            self._metrics.recounted.labels(one.kind).inc()
        return len(cases)


def _entry(case_id: CaseId, one: Recounted, now: datetime) -> AuditEntry:
    detail = {
        "clock": str(one.kind),
        "step": one.after.step,
        "was_due_at": one.before.due_at.isoformat(),
        "due_at": one.after.due_at.isoformat(),
        "counted_by": one.before.calendar_version,
        "calendar": one.after.calendar_version,
    }
    return AuditEntry(now, ACTOR, "clock_recounted", case_id, {**detail})
