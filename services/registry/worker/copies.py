"""Whether Kafka keeps what it confirms as safely as it was set to, asked again and again: any broker may go."""

from collections import Counter
from collections.abc import Mapping, Sequence

from services.registry.domain.copies import Shortcoming, TopicCopies
from services.registry.domain.errors import BusUnavailable
from services.registry.metrics import RegistryMetrics
from services.registry.ports import Copies
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger

SEVERAL = 3
"""With so many brokers each topic is to have so many copies, whatever was set when it was made."""


def shortcomings(brokers: int, wanted: int, topics: Sequence[TopicCopies]) -> Mapping[Shortcoming, list[str]]:
    """Return the topics that fall short in each way."""
    copies = max(wanted, SEVERAL if brokers >= SEVERAL else 1)
    found: dict[Shortcoming, list[str]] = {one: [] for one in Shortcoming}
    for topic in topics:
        if topic.copies < copies:
            found[Shortcoming.FEW_COPIES].append(topic.name)
        if topic.min_in_sync != max(1, copies - 1):
            found[Shortcoming.MIN_IN_SYNC].append(topic.name)
        if topic.in_sync < topic.copies:
            found[Shortcoming.COPY_BEHIND].append(topic.name)
    return found


class CopiesWatch:
    """`wanted`: the copies that topics are made with."""

    def __init__(self, *, copies: Copies, wanted: int, metrics: RegistryMetrics) -> None:
        self._copies = copies
        self._wanted = wanted
        self._metrics = metrics
        self._said: Mapping[Shortcoming, list[str]] = {}

    async def run(self, every_s: float, stop: Stop) -> None:
        while not stop.is_set():
            await self.look()
            await stop.wait_for(every_s)

    async def look(self) -> None:
        """Ask Kafka once; what is new is logged. While it does not answer the figures stand still."""
        try:
            brokers, topics = await self._copies.copies()
        except BusUnavailable as error:
            get_logger().warning("copies_not_known", error=str(error)[:200])
            return
        found = shortcomings(brokers, self._wanted, topics)
        for one, names in found.items():
            self._metrics.topics_short.labels(str(one)).set(len(names))
        if found != self._said and any(found.values()):
            counts = Counter({str(one): len(names) for one, names in found.items()})
            get_logger().error("topics_fall_short", brokers=brokers, wanted=self._wanted, **counts)
        self._said = found
