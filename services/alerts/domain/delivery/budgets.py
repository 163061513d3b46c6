"""How much a destination is given: a pace, which its provider keeps, and a quota, which somebody pays for.

A pace (a robot's 20 in a minute) holds everybody, fires at most a minute: beyond it the provider takes nothing for ten.
A quota (text messages a day) holds ordinary notices alone: the lanes of fires have none, and of every quota a part that
no ordinary notice gets. What a fire spends beyond it the provider itself refuses, and it is tried again.

Budgets are counted in memory, per process and life. With n processes that deliver ordinary notices, and r of their
starts within a day, these may get (n + r) times their part of a quota: see decision 70 for what an operator does then.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.escalation.steps import LadderStep
from services.alerts.domain.escalation.triggers import Elapsed
from services.kernel.words import Recipient

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Budget:
    """At most so many within any `window`."""

    most: int
    window: timedelta


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
