"""What runs beside: sealing the audit chain, publishing ended notices, looking after the promises."""

from datetime import timedelta

from services.alerts.metrics import AlertsMetrics
from services.alerts.ports import AuditLog, Auditor, NoticeStream, Unpublished
from services.kernel.words import AlarmState
from services.runtime.clock import Clock

SEAL_AT_ONCE = 500
"""Some 10 ms in which the process does nothing else: a fire may wait for that long."""
PUBLISH_AT_ONCE = 1000
OVERDUE_GRACE = timedelta(seconds=60)
REMEMBER_EVENTS = timedelta(days=30)


async def publish_turn(outbox: Unpublished, stream: NoticeStream) -> int:
    """Put what waits on its topic (ended notices, requests); a crash in between repeats some, with the same ids."""
    waiting = await outbox.unpublished(PUBLISH_AT_ONCE)
    if waiting:
        await stream.send([(key, value) for _, key, value in waiting])
        await outbox.mark_published([one for one, _, _ in waiting])
    return len(waiting)


async def seal_turn(log: AuditLog) -> int:
    return await log.seal(SEAL_AT_ONCE)


class EscalationMonitor:
    """The escalation auditor: says how many open cases and notices nothing, or nobody, would bring forward."""

    def __init__(self, *, auditor: Auditor, metrics: AlertsMetrics, clock: Clock) -> None:
        self._auditor = auditor
        self._metrics = metrics
        self._clock = clock

    async def turn(self) -> None:
        now = self._clock.now()
        seen = await self._auditor.overview(now, now - OVERDUE_GRACE)
        metrics = self._metrics
        metrics.open_cases.clear()
        for (kind, department), count in seen.open_cases.items():
            metrics.open_cases.labels(kind, department).set(count)
        metrics.waiting.clear()
        for (channel, reason), count in seen.waiting.items():
            metrics.waiting.labels(channel, reason).set(count)
        age = (now - seen.oldest_due).total_seconds() if seen.oldest_due else 0.0
        metrics.oldest_due.set(max(0.0, age))
        for why, count in seen.violations.items():
            metrics.violations.labels(why).set(count)
        for state in AlarmState:
            metrics.alarm_states.labels(state).set(seen.alarm_states.get(state, 0))
        metrics.unsealed.set(seen.unsealed)

    async def forget(self) -> None:
        await self._auditor.forget_seen(self._clock.now() - REMEMBER_EVENTS)
        await self._auditor.forget_files()
