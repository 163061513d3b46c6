"""Wires compliance together; the only place that sees settings and names adapters."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry

from schemas.codec import HEADERS
from schemas.topics import LOGGED, SIGNALS, all_topics
from services.compliance.adapters.file_archive import FileArchive
from services.compliance.adapters.kafka_source import KafkaSource
from services.compliance.adapters.log_fold import ArchiveFold, suppose
from services.compliance.adapters.outbox import PostgresOutbox
from services.compliance.adapters.postgres_facts import PostgresFacts
from services.compliance.adapters.postgres_scores import PostgresScores
from services.compliance.adapters.postgres_what_ifs import PostgresWhatIfs
from services.compliance.metrics import ArchiveMetrics, ClosingMetrics, WhatIfMetrics
from services.compliance.ports import Place
from services.compliance.settings import ComplianceSettings
from services.compliance.worker.archiving import Archiving
from services.compliance.worker.closing import Closing
from services.compliance.worker.scoring import Scoring
from services.compliance.worker.sending import Sending
from services.compliance.worker.what_ifs import WhatIfs
from services.kernel.retention import archive_from, whole_years_from
from services.runtime.clock import Clock, SystemClock
from services.runtime.kafka import BatchProducer
from services.runtime.lifecycle import Stop, supervise
from services.runtime.logging import get_logger
from services.runtime.names import under_a_name
from services.runtime.postgres import Pool, open_pool
from services.runtime.status import Readiness, StatusServer, process_registry

STUCK_S = 15.0
COMPUTING_STUCK_S = 300.0
"""A step of the log, or the figures of a year, are worked off without a look at the clock in between."""
TRANSACTION_S = 900.0


def _archived() -> dict[str, int]:
    return {each.name: each.partitions for each in all_topics().values() if each.name in LOGGED}


@dataclass(frozen=True, slots=True)
class Topics:
    """What is archived, with the number of partitions; others than the real ones in tests only."""

    archived: dict[str, int] = field(default_factory=_archived)


def readiness(archiving: Archiving, clock: Clock, closing: Closing | None = None) -> Readiness:
    """Ready means progress: both loops turn, and archiving waits for nobody. A short wait is none.

    Closing may wait for a database for as long as it likes: nothing is lost by that, so it is said and makes nobody
    unready who only archives.
    """
    now_s, progress = clock.monotonic(), archiving.progress
    turning = progress.turned_s is not None and now_s - progress.turned_s < STUCK_S
    waits = progress.waits_for
    long = progress.waits_since_s is not None and now_s - progress.waits_since_s >= STUCK_S
    state = "turning" if turning else "not turning"
    checks = {"archive": state if waits is None else f"waits, {waits}"}
    if closing is not None:
        checks["figures"] = _closing_state(closing, now_s)
    return Readiness(turning and not long, checks)


def _closing_state(closing: Closing, now_s: float) -> str:
    progress = closing.progress
    if progress.waits_for is not None:
        return f"waits, {progress.waits_for}"
    return (
        "turning" if progress.turned_s is not None and now_s - progress.turned_s < COMPUTING_STUCK_S else "not turning"
    )


async def run(settings: ComplianceSettings, stop: Stop, topics: Topics | None = None) -> None:
    """Run compliance until stop. Kafka, the database and the archive's disk are waited for. Raises TaskDied."""
    topics = topics or Topics()
    await under_a_name("compliance", settings, settings.http_port, stop, lambda named: _run(named, stop, topics))


async def _run(settings: ComplianceSettings, stop: Stop, topics: Topics) -> None:
    clock, registry, log = SystemClock(), process_registry(), get_logger()
    producer = BatchProducer(settings.kafka_bootstrap, f"{settings.instance}-figures", headers=HEADERS)
    dsn = settings.database_dsn.get_secret_value()
    async with open_pool(dsn, "compliance", 1, 4, transaction_timeout_s=TRANSACTION_S) as pool:
        sending = Sending(PostgresOutbox(pool, producer), log.info)
        closing = _closing(settings, topics, clock, registry, log.info, pool, sending.wake)
        archiving = _archiving(settings, topics, clock, registry, log.info, closing)
        what_ifs = WhatIfs(
            store=PostgresWhatIfs(pool),
            facts=PostgresFacts(pool),
            suppose=suppose,
            metrics=WhatIfMetrics(registry),
            clock=clock,
            tell=log.info,
        )
        status = StatusServer(
            settings.http_host, settings.http_port, lambda: readiness(archiving, clock, closing), registry
        )
        try:
            await supervise(
                stop,
                {
                    "archiving": archiving.run(stop),
                    "closing": closing.run(stop),
                    "sending": sending.run(stop),
                    "what_ifs": what_ifs.run(stop),
                    "status": status.serve(stop),
                },
            )
        finally:
            await producer.stop()


def _closing(
    settings: ComplianceSettings,
    topics: Topics,
    clock: Clock,
    registry: CollectorRegistry,
    tell: Callable[..., Any],
    pool: Pool,
    wake: Callable[[], None],
) -> Closing:
    signals = [Place(SIGNALS, number) for number in range(topics.archived[SIGNALS])]
    metrics = ClosingMetrics(registry)
    return Closing(
        log=ArchiveFold(settings.archive_root, signals, step_s=settings.step_s, tell=tell),
        store=PostgresFacts(pool),
        metrics=metrics,
        clock=clock,
        tell=tell,
        wake=wake,
        poll_s=settings.poll_s,
        kept_from=lambda now, unclosed: whole_years_from(now, settings.keep_days, unclosed),
        scoring=Scoring(PostgresScores(pool), metrics, tell),
    )


def _archiving(
    settings: ComplianceSettings,
    topics: Topics,
    clock: Clock,
    registry: CollectorRegistry,
    tell: Callable[..., Any],
    closing: Closing,
) -> Archiving:
    kept_for_ever = {each.name for each in all_topics().values() if each.retention_days is None}
    return Archiving(
        source=KafkaSource(
            settings.kafka_bootstrap, settings.archive_group, topics.archived, f"{settings.instance}-archive"
        ),
        archive=FileArchive(
            settings.archive_root,
            roll_bytes=settings.archive_roll_bytes,
            roll_s=settings.archive_roll_s,
            min_free_bytes=settings.archive_min_free_bytes,
            clock=clock,
        ),
        metrics=ArchiveMetrics(registry, list(topics.archived)),
        clock=clock,
        kept_from=lambda now: archive_from(now, settings.archive_keep_days, closing.needs_from),
        dropped_topics=frozenset(topics.archived) - kept_for_ever,
        context_topics=frozenset(topics.archived) - {SIGNALS},
        log=tell,
    )
