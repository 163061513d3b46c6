"""What rules exports. Live gauges carry the same overlay as the database views: behind a stalled watermark, unknown."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from services.kernel.words import Connection, FindingKind, Health, Phase, SignalKind, VisibilityState
from services.rules.domain.rate import EVERY
from services.rules.domain.time.instants import SECOND
from services.rules.domain.time.watch import visibility_now
from services.rules.domain.words import TROUBLES, Anomaly, Aspect

REFUSALS = ("undecodable", "unexpected")
RECORD_KINDS = (*SignalKind, "tick")


class PartitionView(NamedTuple):
    """One partition as of its last checkpoint."""

    watermark: int | None
    visibility: VisibilityState
    blind_after: int
    connections: Mapping[str, Mapping[Connection, int]]
    health: Mapping[str, Mapping[Health, int]]
    unstable: int = 0


Views = Callable[[], Mapping[int, PartitionView]]


class RulesMetrics:
    """Counters of the work done; every label value stands at zero from the start."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.records = Counter("firenet_rules_records", "Records handled, by kind.", ["kind"], registry=registry)
        self.refused = Counter("firenet_rules_refused", "Records without effect.", ["reason"], registry=registry)
        self.anomalies = Counter("firenet_rules_anomalies", "Inputs with less effect.", ["reason"], registry=registry)
        self.transitions = Counter("firenet_rules_transitions", "State changes saved.", ["aspect"], registry=registry)
        self.components = Counter(
            "firenet_rules_component_transitions",
            "Beginnings and ends of a trouble at a component saved.",
            ["kind"],
            registry=registry,
        )
        self.findings = Counter("firenet_rules_findings", "Findings saved.", ["kind", "phase"], registry=registry)
        self.published = Counter("firenet_rules_findings_published", "Findings that Kafka has.", registry=registry)
        self.checkpoints = Histogram(
            "firenet_rules_checkpoint_seconds",
            "Time of one checkpoint in the database.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=registry,
        )
        self.line_drops = Counter(
            "firenet_rules_line_drops", "Times that the line of a gateway was lost or came back.", registry=registry
        )
        self.state_bytes = Counter("firenet_rules_state_bytes", "Bytes of state saved.", registry=registry)
        self.retries = Counter("firenet_rules_retries", "Waits for a dependency.", ["dependency"], registry=registry)
        self.partitions = Gauge("firenet_rules_partitions", "Partitions owned by this process.", registry=registry)
        self.registry_refused = Gauge(
            "firenet_rules_registry_records_refused", "Registry records that could not be read.", registry=registry
        )
        self._start_at_zero()

    def _start_at_zero(self) -> None:
        for kind in RECORD_KINDS:
            self.records.labels(kind)
        for reason in REFUSALS:
            self.refused.labels(reason)
        for anomaly in Anomaly:
            self.anomalies.labels(anomaly)
        for aspect in Aspect:
            self.transitions.labels(aspect)
        for kind in TROUBLES:
            self.components.labels(kind)
        for finding in FindingKind:
            for phase in Phase:
                self.findings.labels(finding, phase)
        for dependency in ("database", "kafka"):
            self.retries.labels(dependency)


class LiveCollector(Collector):
    """Units and visibility as they are now; computed when Prometheus asks."""

    def __init__(self, views: Views, now: Callable[[], int]) -> None:
        self._views = views
        self._now = now

    def collect(self) -> Iterable[GaugeMetricFamily]:
        now = self._now()
        views = dict(self._views())
        visibilities = {
            number: visibility_now(v.visibility, v.watermark, v.blind_after, now) for number, v in views.items()
        }
        yield from self._visibility(views, visibilities, now)
        yield from self._units(views, visibilities)

    @staticmethod
    def _visibility(
        views: Mapping[int, PartitionView], visibilities: Mapping[int, VisibilityState], now: int
    ) -> Iterable[GaugeMetricFamily]:
        watermark = GaugeMetricFamily(
            "firenet_rules_watermark_timestamp_seconds", "Every instance proved up to here.", labels=["partition"]
        )
        lag = GaugeMetricFamily("firenet_rules_watermark_lag_seconds", "Now less the watermark.", labels=["partition"])
        seen = GaugeMetricFamily(
            "firenet_rules_visibility", "1 for the visibility it has.", labels=["partition", "visibility"]
        )
        for number, view in views.items():
            if view.watermark is not None:
                watermark.add_metric([str(number)], view.watermark / SECOND)
                lag.add_metric([str(number)], (now - view.watermark) / SECOND)
            for visibility in VisibilityState:
                seen.add_metric([str(number), visibility], float(visibilities[number] is visibility))
        return (watermark, lag, seen)

    @staticmethod
    def _units(
        views: Mapping[int, PartitionView], visibilities: Mapping[int, VisibilityState]
    ) -> Iterable[GaugeMetricFamily]:
        connections: dict[tuple[str, str], int] = defaultdict(int)
        healths: dict[tuple[str, str], int] = defaultdict(int)
        for number, view in views.items():
            blind = visibilities[number] is VisibilityState.BLIND
            for department, states in view.connections.items():
                for connection, count in states.items():
                    connections[department, overlaid(connection, blind=blind)] += count
            for department, by_health in view.health.items():
                for health, count in by_health.items():
                    hidden = blind and health is not Health.FIRE
                    healths[department, Health.UNKNOWN if hidden else health] += count
        units = GaugeMetricFamily(
            "firenet_rules_units", "Units by lead department and connection.", labels=["department", "connection"]
        )
        health_units = GaugeMetricFamily(
            "firenet_rules_units_health", "Units by lead department and health.", labels=["department", "health"]
        )
        for family, counts in ((units, connections), (health_units, healths)):
            for labels, count in sorted(counts.items()):
                family.add_metric(labels, count)
        unstable = GaugeMetricFamily(
            "firenet_rules_units_unstable", "Units with a line that drops and comes back again and again."
        )
        unstable.add_metric([], sum(view.unstable for view in views.values()))
        return (units, health_units, unstable)


def overlaid(connection: Connection, *, blind: bool) -> Connection:
    """Return a connection as it may be shown: nothing that depends on hearing the unit is known while we are blind."""
    hidden = (Connection.ONLINE, Connection.LATE, Connection.OFFLINE)
    return Connection.UNKNOWN if blind and connection in hidden else connection


ALL_UNITS = EVERY
