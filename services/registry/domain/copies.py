"""In which ways Kafka may keep a topic less safely than it was set to be."""

from dataclasses import dataclass
from enum import StrEnum


class Shortcoming(StrEnum):
    FEW_COPIES = "few_copies"
    """Fewer copies than were set, or fewer than three where three brokers could keep three."""
    MIN_IN_SYNC = "min_in_sync"
    """A record is confirmed by another number of copies than all but one: too few, or none may be away."""
    COPY_BEHIND = "copy_behind"
    """A copy is not up to date: its broker is away, or its disk is full."""


@dataclass(frozen=True, slots=True)
class TopicCopies:
    """How a topic is kept: of its partitions the one with the fewest copies, and the one with the fewest up to date."""

    name: str
    copies: int
    in_sync: int
    min_in_sync: int
