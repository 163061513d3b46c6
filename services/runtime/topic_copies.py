"""How Kafka keeps a topic."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TopicCopies:
    """Of its partitions the one with the fewest copies, and the one with the fewest up to date."""

    name: str
    copies: int
    in_sync: int
    min_in_sync: int
