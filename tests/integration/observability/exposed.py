"""The metrics of all services with sample values, served over HTTP as their status pages serve them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from deploy.stack.ports import HOST
from services.alerts.app import WATCHED
from services.alerts.metrics import AlertsMetrics
from services.alerts.settings import Lane
from services.compliance.metrics import ArchiveMetrics, ClosingMetrics
from services.console.metrics import Metrics as ConsoleMetrics
from services.console.metrics import RateGauges, ReportMailMetrics
from services.documents.metrics import DocumentsMetrics
from services.ingest.domain.accounting import MessageCounts
from services.ingest.metrics import LANES, MessageCountsCollector
from services.ingest.metrics import Metrics as IngestMetrics
from services.kernel.ratio import Ratio
from services.kernel.words import REFUSAL_REASONS_IN_USE, Connection, Health, Instrument, RefusalReason, VisibilityState
from services.registry.metrics import RegistryMetrics
from services.rules.domain.time.instants import SECOND
from services.rules.metrics import LiveCollector, PartitionView, RulesMetrics
from services.runtime.clock import Clock
from services.runtime.consumer_metrics import ConsumerCollector

S1_CONNECTED, S1_UNITS, S1_UNKNOWN = 9_999, 10_000, 1


class Work(Collector):
    """Something that happens before each scrape, so that counters rise and rates are not nought."""

    def __init__(self, happens: Callable[[], None]) -> None:
        self._happens = happens

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        self._happens()
        return ()


class Follower:
    """A member of a group with one partition, of which it has worked off everything."""

    gaps = 0
    rebalances = 1
    unknown_topics = 0

    def __init__(self, group: str, topic: str) -> None:
        self.group = group
        self.topic = topic

    def lags(self) -> dict[int, int]:
        return {0: 0}


def ingest(clock: Clock) -> CollectorRegistry:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    metrics = IngestMetrics(registry)
    received = 0

    def work() -> None:
        nonlocal received
        received += 100
        metrics.ticks.inc()
        metrics.proven_until.set(clock.now().timestamp())
        for lane in LANES:
            metrics.batch_seconds.labels(lane).observe(0.004)
            metrics.ack_lag_seconds.labels(lane).observe(0.02)

    def account() -> MessageCounts:
        refused = dict.fromkeys(REFUSAL_REASONS_IN_USE, 0) | {RefusalReason.NOT_JSON: received // 100}
        return MessageCounts(received + 1, received - received // 100, 0, refused, 0, 1)

    registry.register(Work(work))
    registry.register(MessageCountsCollector(dict.fromkeys(LANES, account)))
    metrics.gateways.set(200)
    for lane in LANES:
        metrics.connected.labels(lane).set(1)
    return registry


def rules(clock: Clock) -> CollectorRegistry:
    registry = CollectorRegistry()
    ConsumerCollector(registry, [Follower("rules", "firenet.signals.v1")])
    metrics = RulesMetrics(registry)
    metrics.partitions.set(12)
    registry.register(Work(lambda: metrics.checkpoints.observe(0.01)))

    def now() -> int:
        return int(clock.now().timestamp() * SECOND)

    view = PartitionView(
        watermark=None,
        visibility=VisibilityState.CLEAR,
        blind_after=10 * SECOND,
        connections={"health": {Connection.ONLINE: 9_998, Connection.LATE: 1, Connection.UNKNOWN: 1}},
        health={"health": {Health.NORMAL: 9_999, Health.FIRE: 1}},
    )
    registry.register(LiveCollector(lambda: {0: view._replace(watermark=now() - SECOND)}, now))
    return registry


def alerts(lane: Lane) -> CollectorRegistry:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    ConsumerCollector(
        registry, [Follower(f"alerts-{lane}", topic) for topic in ("firenet.alarms.v1", "firenet.findings.v1")]
    )
    metrics = AlertsMetrics(registry)
    metrics.open_cases.labels("connection_lost", "health").set(3)
    metrics.waiting.labels("email", "none").set(1)
    metrics.steps.labels("connection_lost", "H0").inc()
    metrics.nobody.labels("H1").inc()
    metrics.fire_latency.observe(0.2)
    metrics.synthetic_last_success.set(1.7e9)
    metrics.rejected.labels("firenet.findings.v1")
    metrics.duplicates.labels("firenet.findings.v1")

    def work() -> None:
        for task in ("registry", *WATCHED[lane]):
            metrics.turns.labels(task).inc()

    registry.register(Work(work))
    return registry


def documents(_: Clock) -> CollectorRegistry:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    metrics = DocumentsMetrics(registry)
    metrics.age.observe(0.4)
    registry.register(Work(metrics.issued.labels(Instrument.FAULT_NOTICE).inc))
    return registry


def compliance(clock: Clock) -> CollectorRegistry:
    registry = CollectorRegistry()
    closing = ClosingMetrics(registry)
    closing.known_at.set(clock.now().timestamp() - 3600)
    for gauge, ratio in ((closing.low, 0.998), (closing.high, 0.999)):
        for state in ("closed", "running"):
            for slice_kind, slice_id in (("district", "gulou"), ("department", "health")):
                gauge.labels("time_weighted_networking_rate", "S1", "day", state, slice_kind, slice_id).set(ratio)
    metrics = ArchiveMetrics(registry, ["firenet.signals.v1"])
    metrics.free.set(1 << 30)
    metrics.waiting.labels("full").set(1)

    def work() -> None:
        metrics.records.labels("firenet.signals.v1").inc(10)
        closing.steps.inc()

    registry.register(Work(work))
    return registry


def registry(_: Clock) -> CollectorRegistry:
    exposed = CollectorRegistry()
    metrics = RegistryMetrics(exposed)
    exposed.register(Work(lambda: metrics.adjustments.labels("approve", "ok").inc()))
    return exposed


def console(_: Clock) -> CollectorRegistry:
    registry = CollectorRegistry()
    ConsoleMetrics(registry).snapshot_seconds.observe(0.02)
    ReportMailMetrics(registry).turns.labels("ok").inc()
    live = Ratio(S1_CONNECTED, S1_UNITS, S1_UNKNOWN)
    scopes = ("S1", "S2", "S")
    RateGauges(registry).show({(scope,): live for scope in scopes}, {(scope, "health"): live for scope in scopes})
    return registry


SERVICES: dict[str, Callable[[Clock], CollectorRegistry]] = {
    "ingest": ingest,
    "rules": rules,
    "alerts": lambda _: alerts("ordinary"),
    "alerts-fire": lambda _: alerts("fire"),
    "documents": documents,
    "compliance": compliance,
    "registry": registry,
    "console": console,
}


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gave it
        """A test's output is for what went wrong."""


@contextmanager
def serving(clock: Clock) -> Iterator[Mapping[str, str]]:
    """Yield the address of each service's metrics."""
    servers = {
        name: make_server(HOST, 0, make_wsgi_app(make(clock)), handler_class=_Quiet) for name, make in SERVICES.items()
    }
    threads = [Thread(target=server.serve_forever, args=(0.05,)) for server in servers.values()]
    for thread in threads:
        thread.start()
    try:
        yield {name: f"{HOST}:{server.server_port}" for name, server in servers.items()}
    finally:
        for server in servers.values():
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()
