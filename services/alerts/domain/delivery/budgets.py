"""How much a destination is given: a pace, which its provider keeps, and a quota, which somebody pays for.

A pace (a robot's 20 in a minute) holds everybody, fires at most a minute: beyond it the provider takes nothing for ten.
A quota (text messages a day) holds ordinary notices alone: the lanes of fires have none, and of every quota a part that
no ordinary notice gets. What a fire spends beyond it the provider itself refuses, and it is tried again.

Paces are counted in memory, by each lane. What is spent of quotas stands in the database, for all processes and starts
together; only lanes of ordinary notices look there, so that no fire waits for it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.escalation.steps import LadderStep
from services.alerts.domain.escalation.triggers import Elapsed
from services.kernel.words import Channel, Recipient

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Budget:
    """At most so many within any `window`."""

    most: int
    window: timedelta


@dataclass(frozen=True, slots=True)
class Quota:
    """How many ordinary notices a day a number gets, and all numbers of the channel together; None: no bound."""

    per_number: int
    in_all: int | None = None


LOOK_AGAIN = timedelta(minutes=15)
"""So long a notice waits that found its quota spent."""


@dataclass(slots=True)
class Spent:
    """What was begun within the last `DAY`, by channel and number."""

    by: Counter[tuple[Channel, str]] = field(default_factory=Counter)

    def spend(self, channel: Channel, address: str, quota: Quota) -> bool:
        """Count one attempt more, if the quota has it; say whether it had."""
        in_all = sum(count for (of, _), count in self.by.items() if of is channel)
        if self.by[channel, address] >= quota.per_number or (quota.in_all is not None and in_all >= quota.in_all):
            return False
        self.by[channel, address] += 1
        return True


def part_of_fires(most: int) -> int:
    """Return how much of `most` is kept for fires."""
    return 3 * most // 10


def part_of_others(most: int) -> int:
    return most - part_of_fires(most)


def worst_a_day(ladder: Iterable[LadderStep]) -> int:
    """Return how many notices one case can bring to one contact within a day, its all-clear included.

    Whoever is told under one role is told at each step that names it. Steps that no fixed wait sets apart may all fall
    on one day.
    """
    steps = [step for step in ladder if not step.board_only]
    return 1 + max((_within_a_day(steps, role) for role in Recipient), default=0)


def _within_a_day(steps: Iterable[LadderStep], role: Recipient) -> int:
    telling = [step.trigger for step in steps if role in step.tells]
    waits = sorted(trigger.after for trigger in telling if isinstance(trigger, Elapsed))
    loose = len(telling) - len(waits)
    return loose + max((sum(begin <= one < begin + DAY for one in waits) for begin in waits), default=0)


def over_quota(ladders: Mapping[CaseKind, Iterable[LadderStep]], per_number_a_day: int) -> dict[CaseKind, int]:
    """Return the kinds whose ladder, by one case alone, asks more of a number than it takes in a day, and how much."""
    worst = {kind: worst_a_day(ladder) for kind, ladder in ladders.items()}
    return {kind: most for kind, most in worst.items() if most > per_number_a_day}
