"""Wires rules together; the only place that sees settings and names adapters."""

from dataclasses import dataclass, field

from schemas import codec
from schemas.topics import FINDINGS, REGISTRY, SIGNALS, all_topics
from services.rules.adapters.decode import SignalDecoder
from services.rules.adapters.loop_handler import LoopHandler
from services.rules.adapters.outbox import OutboxPublisher
from services.rules.adapters.pg_store import PostgresStore
from services.rules.adapters.positions import TOPIC_IDS
from services.rules.adapters.registry_view import CompactedRegistryView
from services.rules.adapters.retention import TABLES, Horizon
from services.rules.domain.time.instants import micros, span
from services.rules.metrics import LiveCollector, RulesMetrics
from services.rules.settings import RulesSettings
from services.rules.worker import RulesWorker, publish_findings
from services.runtime.clock import Clock, SystemClock
from services.runtime.consumer_metrics import ConsumerCollector
from services.runtime.kafka import BatchProducer, CompactedFollower, KafkaUnavailable, partition_of
from services.runtime.kafka_loop import KafkaLoop
from services.runtime.lifecycle import Stop, supervise
from services.runtime.logging import get_logger
from services.runtime.names import under_a_name
from services.runtime.patience import backoff_s
from services.runtime.postgres import AWAY, Pool, open_pool
from services.runtime.retention import Counters, Retention, edition
from services.runtime.status import Readiness, StatusServer, process_registry
from services.runtime.topic_ids import SavedTopicIds

STUCK_S = 15.0
BACKOFF_CAP_S = 5.0


@dataclass(frozen=True, slots=True)
class Topics:
    """Where rules reads and writes; others than the real ones in tests only."""

    signals: str = SIGNALS
    registry: str = REGISTRY
    findings: str = FINDINGS
    partitions: int = field(default_factory=lambda: all_topics()["signals"].partitions)


def readiness(worker: RulesWorker, view: CompactedRegistryView, clock: Clock) -> Readiness:
    """Ready means progress: the loop turns, partitions are owned, and checkpoints get through."""
    now, progress = clock.monotonic(), worker.progress
    turning = progress.turned_at is not None and now - progress.turned_at < STUCK_S
    saving = progress.waiting_since is None or now - progress.waiting_since < STUCK_S
    checks = {
        "loop": "turning" if turning else "not turning",
        "partitions": str(len(worker.held)) if worker.held else "none owned",
        "checkpoint": "saved" if saving else f"waiting: {progress.last_error}",
        "policy_pack": "known" if view.has_pack else "not known yet, nobody is in scope",
    }
    return Readiness(turning and saving and bool(worker.held), checks)


async def run(settings: RulesSettings, stop: Stop, topics: Topics | None = None) -> None:
    """Run rules until stop. Kafka is waited for. Raises TaskDied when a part of it ends early."""
    topics = topics or Topics()
    await under_a_name("rules", settings, settings.http_port, stop, lambda named: _run(named, stop, topics))


async def _run(settings: RulesSettings, stop: Stop, topics: Topics) -> None:
    clock = SystemClock()
    log = get_logger()
    registry = process_registry()
    metrics = RulesMetrics(registry)
    view = CompactedRegistryView(lambda unit_id: partition_of(unit_id.encode(), topics.partitions), settings.clock_rate)
    follower = CompactedFollower(settings.kafka_bootstrap, topics.registry, view.on_record)
    producer = BatchProducer(settings.kafka_bootstrap, f"{settings.instance}-findings", headers=codec.HEADERS)
    dsn = settings.database_dsn.get_secret_value()
    async with open_pool(dsn, "rules", min_size=2, max_size=4) as pool:
        worker = RulesWorker(
            store=PostgresStore(pool),
            registry=view,
            decoder=SignalDecoder(),
            metrics=metrics,
            clock=clock,
            owner=settings.instance,
            never_grace=span(settings.never_grace_s / settings.clock_rate),
            log=log.info,
        )
        metrics.registry_refused.set_function(lambda: view.refused)
        registry.register(LiveCollector(lambda: worker.views, lambda: micros(clock.now())))
        loop = KafkaLoop(
            settings.kafka_bootstrap,
            topics.signals,
            settings.group,
            LoopHandler(worker),
            settings.instance,
            static=True,
            topic_ids=SavedTopicIds(settings.kafka_bootstrap, pool, TOPIC_IDS),
        )
        ConsumerCollector(registry, [loop])
        try:
            if not await _started(producer, stop):
                return
            removed = Counters(metrics.retention_rows, metrics.retention_chunks, metrics.retention_failures)
            retention = Retention(pool, TABLES, Horizon(pool, settings.keep_days), removed)
            await supervise(
                stop,
                {
                    "retention": _forget(pool, retention, stop),
                    "registry": follower.run(stop),
                    "signals": _consume(loop, follower, settings.registry_deadline_s, stop),
                    "findings": publish_findings(worker, OutboxPublisher(pool, producer, topics.findings), stop),
                    "status": StatusServer(
                        settings.http_host, settings.http_port, lambda: readiness(worker, view, clock), registry
                    ).serve(stop),
                },
            )
        finally:
            await producer.stop()


async def _forget(pool: Pool, retention: Retention, stop: Stop) -> None:
    """Say once what the database is, then keep it from growing without end."""
    try:
        get_logger().info("storage_found", **await edition(pool))
    except AWAY as error:
        get_logger().warning("storage_not_told", error=type(error).__name__)
    await retention.run(stop)


async def _started(producer: BatchProducer, stop: Stop) -> bool:
    """Connect, trying until Kafka answers: both may come back at the same time. False when stop came first."""
    attempt = 0
    while not stop.is_set():
        try:
            await producer.start()
            return True
        except KafkaUnavailable as error:
            attempt += 1
            get_logger().warning("kafka_not_ready", error=str(error)[:200], attempt=attempt)
            await stop.wait_for(backoff_s(attempt, BACKOFF_CAP_S))
    return False


async def _consume(loop: KafkaLoop, follower: CompactedFollower, deadline_s: float, stop: Stop) -> None:
    # The first signal must meet the whole registry: its units would be unregistered otherwise.
    await follower.caught_up(deadline_s)
    await loop.run(stop)
