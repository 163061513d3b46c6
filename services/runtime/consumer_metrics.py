"""What a consumer of a group tells of itself: how far behind it is, and how often its partitions were dealt anew."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

LABELS = ("group", "topic")


class Consumer(Protocol):
    """A member of a group, as `KafkaLoop` is."""

    @property
    def group(self) -> str: ...

    @property
    def topic(self) -> str: ...

    @property
    def rebalances(self) -> int:
        """How often the group has given it partitions."""
        ...

    @property
    def gaps(self) -> int:
        """How often it went on although records between its offset and what Kafka has were gone."""
        ...

    @property
    def unknown_topics(self) -> int:
        """How often nobody could say whether its offsets are of the topic that there is."""
        ...

    def lags(self) -> Mapping[int, int]:
        """Return, of each partition that it has, how many records of it are not worked off."""
        ...


class ConsumerCollector(Collector):
    """Asks the consumers when Prometheus does."""

    def __init__(self, registry: CollectorRegistry, consumers: Sequence[Consumer] = ()) -> None:
        self._consumers = list(consumers)
        registry.register(self)

    def watch(self, consumer: Consumer) -> None:
        """Tell of this one too; of a group and topic that are watched already it takes the place."""
        same = [one for one in self._consumers if (one.group, one.topic) == (consumer.group, consumer.topic)]
        for one in same:
            self._consumers.remove(one)
        self._consumers.append(consumer)

    def collect(self) -> Iterator[Metric]:
        lag = GaugeMetricFamily(
            "firenet_consumer_lag_records",
            "Records that stand in Kafka and are not worked off, as of the last answer of the broker.",
            labels=(*LABELS, "partition"),
        )
        partitions = GaugeMetricFamily(
            "firenet_consumer_partitions", "Partitions that the group has given to this process.", labels=LABELS
        )
        rebalances = CounterMetricFamily(
            "firenet_consumer_rebalances", "Times that the group gave this process its partitions.", labels=LABELS
        )
        gaps = CounterMetricFamily(
            "firenet_consumer_log_gaps",
            "Partitions that were gone on with although Kafka no longer had the record that was next.",
            labels=LABELS,
        )
        unknown = CounterMetricFamily(
            "firenet_consumer_topic_unknown",
            "Times that Kafka or the database did not say in time whether the saved offsets are of the topic there is.",
            labels=LABELS,
        )
        for one in self._consumers:
            names = (one.group, one.topic)
            lags = one.lags()
            for number, records in sorted(lags.items()):
                lag.add_metric((*names, str(number)), records)
            partitions.add_metric(names, len(lags))
            rebalances.add_metric(names, one.rebalances)
            gaps.add_metric(names, one.gaps)
            unknown.add_metric(names, one.unknown_topics)
        yield from (lag, partitions, rebalances, gaps, unknown)
