"""Wires compliance together; the only place that sees settings and names adapters."""

from dataclasses import dataclass, field
from datetime import timedelta

from schemas.topics import EXCHANGES, REGISTRY, SIGNALS, all_topics
from services.compliance.adapters.file_archive import FileArchive
from services.compliance.adapters.kafka_source import KafkaSource
from services.compliance.metrics import ArchiveMetrics
from services.compliance.settings import ComplianceSettings
from services.compliance.worker.archiving import Archiving
from services.runtime.clock import Clock, SystemClock
from services.runtime.lifecycle import Stop, supervise
from services.runtime.logging import get_logger
from services.runtime.status import Readiness, StatusServer, process_registry

STUCK_S = 15.0


def _archived() -> dict[str, int]:
    return {each.name: each.partitions for each in all_topics().values() if each.name in (SIGNALS, EXCHANGES, REGISTRY)}


@dataclass(frozen=True, slots=True)
class Topics:
    """What is archived, with the number of partitions; others than the real ones in tests only."""

    archived: dict[str, int] = field(default_factory=_archived)


def readiness(archiving: Archiving, clock: Clock) -> Readiness:
    """Ready means progress: the loop turns, and waits for nobody. A short wait is none."""
    now_s, progress = clock.monotonic(), archiving.progress
    turning = progress.turned_s is not None and now_s - progress.turned_s < STUCK_S
    waits = progress.waits_for
    long = progress.waits_since_s is not None and now_s - progress.waits_since_s >= STUCK_S
    state = "turning" if turning else "not turning"
    return Readiness(turning and not long, {"archive": state if waits is None else f"waits, {waits}"})


async def run(settings: ComplianceSettings, stop: Stop, topics: Topics | None = None) -> None:
    """Run compliance until stop. Kafka and the archive's disk are waited for. Raises TaskDied."""
    topics, clock, registry, log = topics or Topics(), SystemClock(), process_registry(), get_logger()
    kept_for_ever = {each.name for each in all_topics().values() if each.retention_days is None}
    archiving = Archiving(
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
        keep=timedelta(days=settings.archive_keep_days),
        dropped_topics=frozenset(topics.archived) - kept_for_ever,
        context_topics=frozenset(topics.archived) & {EXCHANGES, REGISTRY},
        log=log.info,
    )
    status = StatusServer(settings.http_host, settings.http_port, lambda: readiness(archiving, clock), registry)
    await supervise(stop, {"archiving": archiving.run(stop), "status": status.serve(stop)})
