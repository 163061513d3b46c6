"""What is said of topics that Kafka keeps less safely than they were set to be."""

import pytest
from prometheus_client import CollectorRegistry

from services.registry.domain.copies import Shortcoming, TopicCopies
from services.registry.domain.errors import BusUnavailable
from services.registry.metrics import RegistryMetrics
from services.registry.worker.copies import CopiesWatch, shortcomings

SAFE = TopicCopies("t", copies=3, in_sync=3, min_in_sync=2)
ALONE = TopicCopies("t", copies=1, in_sync=1, min_in_sync=1)


@pytest.mark.parametrize(
    ("brokers", "wanted", "topic", "found"),
    [
        (3, 3, SAFE, set()),
        (5, 3, SAFE, set()),
        (1, 1, ALONE, set()),
        (3, 1, ALONE, {Shortcoming.FEW_COPIES, Shortcoming.MIN_IN_SYNC}),
        (3, 3, TopicCopies("t", 3, 3, 1), {Shortcoming.MIN_IN_SYNC}),
        (3, 3, TopicCopies("t", 3, 3, 3), {Shortcoming.MIN_IN_SYNC}),
        (2, 3, TopicCopies("t", 3, 2, 2), {Shortcoming.COPY_BEHIND}),
        (2, 2, TopicCopies("t", 2, 2, 1), set()),
    ],
)
def test_what_falls_short(brokers: int, wanted: int, topic: TopicCopies, found: set[Shortcoming]) -> None:
    assert {one for one, names in shortcomings(brokers, wanted, [topic]).items() if names} == found


class Cluster:
    def __init__(self) -> None:
        self.topics: list[TopicCopies] | None = [SAFE]

    async def copies(self) -> tuple[int, list[TopicCopies]]:
        if self.topics is None:
            raise BusUnavailable("away")
        return 3, self.topics


async def test_the_figures_follow_kafka_and_stand_still_without_an_answer() -> None:
    registry, cluster = CollectorRegistry(), Cluster()
    watch = CopiesWatch(copies=cluster, wanted=3, metrics=RegistryMetrics(registry))

    async def behind() -> float | None:
        await watch.look()
        return registry.get_sample_value("firenet_registry_topics_short", {"shortcoming": "copy_behind"})

    assert await behind() == 0
    cluster.topics = [SAFE, TopicCopies("u", 3, 2, 2)]
    assert await behind() == 1
    cluster.topics = None
    assert await behind() == 1
    cluster.topics = [SAFE]
    assert await behind() == 0
