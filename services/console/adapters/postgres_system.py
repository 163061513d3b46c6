"""What the database tells of FireNet itself."""

from datetime import datetime, timedelta

from services.console.adapters.postgres_read import translated
from services.console.adapters.rows import all_rows
from services.console.adapters.statements import SQL
from services.console.domain.freshness import PartitionVisibility
from services.console.domain.report_schedules import MailCounts
from services.console.domain.system_health import Stored, SyntheticSeen
from services.kernel.words import VisibilityState
from services.runtime.postgres import Pool

STAGES = ("sent", "received", "alarm", "rules", "case", "notice", "receipt")
DAY, WEEK = timedelta(days=1), timedelta(days=7)


class PostgresSystem:
    """See ports.SystemStore."""

    def __init__(self, pool: Pool, deadline_s: float = 5.0) -> None:
        self._pool = pool
        self._deadline_s = deadline_s

    async def stored(self, now: datetime) -> Stored:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            partitions = await all_rows(connection, SQL["visibility"])
            ((waiting, due, tried, fire_tried),) = await all_rows(connection, SQL["system_deliveries"])
            ((findings,),) = await all_rows(connection, SQL["system_findings"])
            ((refused,),) = await all_rows(connection, SQL["system_refused"], since=now - DAY)
            ((size,),) = await all_rows(connection, SQL["system_size"])
            ((certificates, first_end),) = await all_rows(connection, SQL["system_certificates"], since=now - DAY)
            mails = await all_rows(connection, SQL["report_mails_counts"], since=now - WEEK)
            ((report_mails, given_up, oldest),) = mails
            synthetic = await all_rows(connection, SQL["system_synthetic"])
        return Stored(
            partitions=tuple(PartitionVisibility(row[0], row[1], VisibilityState(row[2])) for row in partitions),
            waiting=waiting,
            oldest_due=due,
            oldest_tried=tried,
            oldest_fire_tried=fire_tried,
            findings_waiting=findings,
            refused=refused,
            database_bytes=size,
            certificates=certificates,
            first_end=first_end,
            reports=MailCounts(report_mails, given_up, oldest),
            synthetic=_synthetic(synthetic[0]) if synthetic else None,
        )


def _synthetic(row: tuple[object, ...]) -> SyntheticSeen:
    outcome, started_at, detail, *passed = row
    assert isinstance(started_at, datetime)
    stages = {name: at for name, at in zip(STAGES, passed, strict=True) if isinstance(at, datetime)}
    missing = tuple(name for name in STAGES if name not in stages)
    return SyntheticSeen(str(outcome), started_at, stages, missing, str(detail))
