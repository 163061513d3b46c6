"""Every metric of ingest. All label values exist from the start; no gateway and no unit is ever a label."""

from collections.abc import Callable, Iterable, Mapping
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from services.ingest.domain import controls
from services.ingest.domain.accounting import MessageCounts
from services.ingest.domain.connection_policy import EndReason
from services.ingest.domain.sequence_steps import SequenceStep
from services.ingest.domain.values import UnusableAlarm
from services.kernel.words import REFUSAL_REASONS_IN_USE, ControlKind, ExchangeReason, ExchangeStep, Flag, SignalKind

LANES = ("main", "fire", "device", "device_fire")
MQTT_LANES = LANES[:2]
ADOPTED = ("stored", "repeated", "refused")
WHOSE = ("gateway", "unregistered")

_LATENCY_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)


def alarm_labels(unusable_alarm: UnusableAlarm) -> tuple[str, str]:
    """Return the labels of an unusable alarm: whose it was, and whether it was reported."""
    return WHOSE[0 if unusable_alarm.unit_id else 1], "yes" if unusable_alarm.reported else "no"


class Metrics:
    """Counters that the worker and the adapters raise themselves. `lane` says where a message waited.

    main and fire are connections to the broker; device and device_fire are for devices that know none.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
            return Counter(f"firenet_ingest_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
            return Gauge(f"firenet_ingest_{name}", text, labels, registry=registry)

        def latency(name: str, text: str) -> Histogram:
            return Histogram(f"firenet_ingest_{name}", text, ("lane",), buckets=_LATENCY_S, registry=registry)

        self.signals = counter("signals_total", "signals stored, by kind", ("kind",))
        self.flagged = counter(
            "flagged_total", "signals stored with this flag (redelivered: the broker said so)", ("flag",)
        )
        self.undecodable = counter(
            "undecodable_total", "bytes beside usable messages of one payload, refused by themselves", ("reason",)
        )
        self.unusable_alarms = counter(
            "alarm_lane_refused_total",
            "what came on the alarm lane and could not be used: reported to people, or only counted (bounded)",
            ("whose", "reported"),
        )
        self.batch_seconds = latency("kafka_batch_seconds", "from handing a batch to Kafka to its confirmation")
        self.ack_lag_seconds = latency("ack_lag_seconds", "age of the oldest message of a batch when acknowledged")
        self.kafka_retries = counter("kafka_retries_total", "batches that Kafka refused and that were sent again")
        self.ticks = counter("ticks_total", "ticks stored on every partition")
        self.ticks_failed = counter("ticks_failed_total", "ticks that Kafka did not confirm in time")
        self.proven_until = gauge("proven_until_timestamp_seconds", "instant up to which nothing is missing")
        self.connected = gauge("mqtt_connected", "1 while connected and subscribed", ("lane",))
        self.connects = counter("mqtt_connects_total", "connections made", ("lane",))
        self.session_lost = counter(
            "mqtt_session_lost_total", "sessions the broker no longer had: possible loss", ("lane",)
        )
        self.name_waiting = gauge("name_waiting", "1 while every name that would do is in use by another process")
        self.other_members = gauge("other_members", "other processes of ingest that have names at the broker")
        self.sessions_adopted = counter(
            "sessions_adopted_total", "sessions of members that were gone, read to their end and ended"
        )
        self.adoptions_given_up = counter(
            "adoptions_given_up_total", "attempts to read the sessions of a member that is gone which came to no end"
        )
        self.adopted = counter(
            "adopted_messages_total", "messages read from sessions of members that were gone", ("outcome",)
        )
        self.marked_redelivered = counter(
            "marked_redelivered_total",
            "messages that waited here until another process may have read them as well: marked as redelivered",
        )
        self.sequence_missing = counter("sequence_missing_total", "numbers that gateways skipped: lost before us")
        self.sequence_found = counter(
            "sequence_found_total", "numbers that came after they had been counted as missing: taken back"
        )
        self.counting_numbers = gauge(
            "counting_numbers", "1 while numbers that gateways skip are counted: every message comes to this process"
        )
        self.numbers = counter("sequence_total", "numbers of gateways, by what each is beside the last", ("step",))
        self.replays = counter("replays_total", "refusals decided anew at a person's order", ("outcome",))
        self.registry_bad = counter("registry_bad_records_total", "registry records that could not be read")
        self.gateways = gauge("gateways", "gateways in the directory")
        self.clock_ahead = gauge("stamps_ahead_seconds", "stamps ahead of the clock, after it was set back")
        self.device_connections = gauge("device_connections", "TCP connections of devices that are open")
        self.device_connections_made = counter("device_connections_made_total", "TCP connections of devices, all")
        self.device_connections_ended = counter(
            "device_connections_ended_total", "TCP connections of devices that ended, by reason", ("reason",)
        )
        self.device_datagrams = counter("device_datagrams_total", "UDP datagrams of devices read")
        self.device_texts = counter(
            "device_texts_total", "texts that modules said between frames, like one that was kept: only counted"
        )
        self.devices_paused = gauge("devices_paused", "1 while devices are not read because a lane is full")
        self._create_labels()

    def _create_labels(self) -> None:
        self._create_outcomes()
        for kind in SignalKind:
            self.signals.labels(kind)
        for flag in Flag:
            self.flagged.labels(flag)
        for reason in REFUSAL_REASONS_IN_USE:
            self.undecodable.labels(reason)
        for labels in product(WHOSE, ("yes", "no")):
            self.unusable_alarms.labels(*labels)
        for step in SequenceStep:
            self.numbers.labels(step)
        for why in EndReason:
            self.device_connections_ended.labels(why)
        for lane in LANES:
            self.batch_seconds.labels(lane)
            self.ack_lag_seconds.labels(lane)
        for lane in MQTT_LANES:
            self.connects.labels(lane)
            self.session_lost.labels(lane)
            self.connected.labels(lane).set(0)

    def _create_outcomes(self) -> None:
        for counter, outcomes in ((self.adopted, ADOPTED), (self.replays, ("accepted", "refused", "gone"))):
            for outcome in outcomes:
                counter.labels(outcome)


class ExchangeMetrics:
    """What came of the controls that people ordered. `what` is set_clock or duty_check."""

    OUTCOMES = (
        *(step for step in ExchangeStep if step in controls.ENDS - {ExchangeStep.FAILED}),
        *(why for why in ExchangeReason if why not in controls.UNKNOWABLE | controls.NOTES),
    )

    def __init__(self, registry: CollectorRegistry) -> None:
        prefix = "firenet_ingest_exchange"
        self.ended = Counter(
            f"{prefix}s_total", "controls that ended, by what became of them", ("what", "outcome"), registry=registry
        )
        self.seconds = Histogram(
            f"{prefix}_seconds",
            "from the first sending of a control to the confirm of a clock, or to a person's answer to a duty check",
            ("what",),
            buckets=(0.1, 0.5, 1, 2.5, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1800, 15300),
            registry=registry,
        )
        self.open = Gauge(f"{prefix}s_open", "controls that have not ended, of all processes", registry=registry)
        self.unreported = Counter(
            f"{prefix}s_unreported_total", "steps that Kafka did not confirm, to be reported again", registry=registry
        )
        self.bad_records = Counter(
            f"{prefix}_bad_records_total", "records that could not be read", ("topic",), registry=registry
        )
        self.failed = Counter(
            f"{prefix}_errors_total", "orders and steps that met an error of our own", registry=registry
        )
        for what in ControlKind:
            self.seconds.labels(what)
            for outcome in self.OUTCOMES:
                self.ended.labels(what, outcome)
        for topic in ("commands", "exchanges"):
            self.bad_records.labels(topic)

    def count(self, end: controls.ExchangeEvent) -> None:
        """Count one end; those that failed go by why."""
        outcome = end.why if end.step is ExchangeStep.FAILED and end.why is not None else end.step
        self.ended.labels(end.order.what, outcome).inc()
        if end.seconds is not None:
            self.seconds.labels(end.order.what).observe(end.seconds)


class MessageCountsCollector(Collector):
    """Shows the counters of each lane, read at the same instant, so that every scrape adds up exactly."""

    def __init__(self, counts: Mapping[str, Callable[[], MessageCounts]]) -> None:
        self._counts = counts

    def collect(self) -> Iterable[Metric]:
        received = CounterMetricFamily("firenet_ingest_received", "messages received", labels=("lane",))
        stored = CounterMetricFamily("firenet_ingest_stored", "messages stored as signals", labels=("lane",))
        repeated = CounterMetricFamily(
            "firenet_ingest_repeated", "messages that were sent before: a sign of life only", labels=("lane",)
        )
        refused = CounterMetricFamily("firenet_ingest_refused", "messages refused", labels=("lane", "reason"))
        returned = CounterMetricFamily(
            "firenet_ingest_handed_back", "dropped unstored because the broker sends them again", labels=("lane",)
        )
        in_flight = GaugeMetricFamily("firenet_ingest_in_flight", "received, not in Kafka yet", labels=("lane",))
        for lane, read in self._counts.items():
            counts = read()
            received.add_metric((lane,), counts.received)
            stored.add_metric((lane,), counts.stored)
            repeated.add_metric((lane,), counts.repeated)
            returned.add_metric((lane,), counts.handed_back)
            in_flight.add_metric((lane,), counts.in_flight)
            for reason in REFUSAL_REASONS_IN_USE:
                refused.add_metric((lane, reason), counts.refused[reason])
        return (received, stored, repeated, refused, returned, in_flight)
