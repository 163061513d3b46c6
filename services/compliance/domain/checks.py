"""Duty checks: whether somebody was there to press the key (R32)."""

from collections.abc import Iterable
from typing import NamedTuple

from services.kernel.words import ExchangeStep

ENDS = (ExchangeStep.ANSWERED, ExchangeStep.NOT_ANSWERED, ExchangeStep.FAILED, ExchangeStep.UNKNOWN)
"""The steps that end a check; the first of them holds."""


class CheckStep(NamedTuple):
    """One step of one check; `ordered_at` in microseconds."""

    command_id: str
    gateway_id: str
    ordered_at: int
    step: ExchangeStep


class Check(NamedTuple):
    """`end` is None while the check has none."""

    gateway_id: str
    ordered_at: int
    end: ExchangeStep | None


def checks(steps: Iterable[CheckStep]) -> list[Check]:
    """Return every check that has a step, in the order in which they first appear."""
    found: dict[tuple[str, str], Check] = {}
    for step in steps:
        key = (step.gateway_id, step.command_id)
        held = found.setdefault(key, Check(step.gateway_id, step.ordered_at, None))
        if held.end is None and step.step in ENDS:
            found[key] = held._replace(end=step.step)
    return list(found.values())
