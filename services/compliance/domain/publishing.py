"""Figures of periods from their sums: what `evaluate` returns for the same ask, at a fraction of the cost.

A test holds the two equal on random histories; `replay` does so on the real log.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from services.compliance.domain.errors import Refused
from services.compliance.domain.evaluation import formula_of, judged
from services.compliance.domain.figure import Counted, Figure, FigureAsk
from services.compliance.domain.formulas.duty_check_answer_rate import answered
from services.compliance.domain.formulas.fault_cure_timely_rate import cured
from services.compliance.domain.formulas.live_networking_rate import rate
from services.compliance.domain.formulas.transmission_timely_rate import reached
from services.compliance.domain.period import Window
from services.compliance.domain.policy import Policies, Policy
from services.compliance.domain.tally import Part, Tally
from services.compliance.domain.visibility import Visibility
from services.kernel.calendar import day_of
from services.kernel.ratio import Ratio
from services.kernel.words import Dimension


class Key(NamedTuple):
    """What a published figure is of; its revisions share it."""

    metric: str
    scope: str
    slice_kind: str
    slice_id: str
    window: Window


@dataclass(frozen=True, slots=True)
class Reading:
    """What a formula is read from. `limit`: within which something must be. `horizon`: open faults are so old there."""

    tally: Tally
    limit: int
    horizon: int


def _times(reading: Reading) -> Counted:
    return Counted(Ratio(*reading.tally.times.time))


def _coverage(reading: Reading) -> Counted:
    _, counted, unknown, exempt = reading.tally.times.time
    return Counted(Ratio(counted - unknown, counted, exempt=exempt))


def _cured(reading: Reading) -> Counted:
    return cured(reading.tally.faults, reading.limit, reading.horizon)


FORMULAS: Mapping[str, Callable[[Reading], Counted]] = {
    "access_rate": lambda reading: Counted(reading.tally.access),
    "live_networking_rate": lambda reading: rate(reading.tally.connections, reading.tally.partly),
    "online_rate": lambda reading: rate(reading.tally.commissioned, reading.tally.partly),
    "time_weighted_networking_rate": _times,
    "coverage": _coverage,
    "meeting_units_rate": lambda reading: Counted(reading.tally.meeting),
    "data_completeness": lambda reading: Counted(Ratio(*reading.tally.times.beats)),
    "device_intact_rate": lambda reading: Counted(Ratio(*reading.tally.times.points)),
    "isolation_rate": lambda reading: Counted(reading.tally.isolation),
    "fault_cure_timely_rate": _cured,
    "tested_in_time_rate": lambda reading: Counted(Ratio(*reading.tally.times.tests)),
    "transmission_timely_rate": lambda reading: reached(reading.tally.times.transmissions, reading.limit),
    "duty_check_answer_rate": lambda reading: answered([check.end for check in reading.tally.checks]),
}
"""Every formula of the catalogue but that of one unit, which is published nowhere."""


def figures_of(
    window: Window, part: Part, tally: Tally, policies: Policies, visibility: Visibility
) -> Iterator[tuple[Key, Figure]]:
    """Yield every figure that the pack publishes of a part over a period. Raises Refused `no_pack`."""
    pack = policies.in_force(part.district, day_of(window.end - 1))
    for metric in FORMULAS:
        yield from figure_of(metric, window, part, tally, policies, visibility, pack)


def figure_of(
    metric: str, window: Window, part: Part, tally: Tally, policies: Policies, visibility: Visibility, pack: Policy
) -> Iterator[tuple[Key, Figure]]:
    """Yield one of them; nothing where the pack has no number for it, or no pack for a day of it."""
    if not is_published(metric, pack):
        return
    ask = ask_of(metric, window, part, policies, pack)
    counted = FORMULAS[metric](Reading(tally, ask.limit, visibility.through))
    try:
        yield key_of(metric, window, part, policies), judged(policies, visibility, ask, lambda _: counted)
    except Refused:
        return  # a day of it without a pack: nobody can judge it


def is_published(metric: str, pack: Policy) -> bool:
    """Tell whether figures of a metric are published: the pack has the numbers that its formula needs."""
    if metric not in FORMULAS:
        return False
    needs, said = formula_of(metric).needs, pack.publication
    without = ("availability" in needs and said.availability is None) or (
        "limit_s" in needs and metric not in said.limits
    )
    return not without


def ask_of(metric: str, window: Window, part: Part, policies: Policies, pack: Policy) -> FigureAsk:
    """Return what the command line would be asked for the same figure."""
    formula, said = formula_of(metric), pack.publication
    asked = {part.dimension.value: part.value}
    if len(policies.districts()) > 1:
        asked["district"] = part.district
    return FigureAsk(
        metric,
        part.scope,
        asked,
        None,
        window.end if formula.instant else window.start,
        window.end,
        limit=said.limits.get(metric, 0),
        availability=said.availability or Fraction(0) if "availability" in formula.needs else Fraction(0),
    )


def key_of(metric: str, window: Window, part: Part, policies: Policies) -> Key:
    """Return the key. Where several districts share an installation, what is not a district is named with its own."""
    within = len(policies.districts()) > 1 and part.dimension is not Dimension.DISTRICT
    return Key(
        metric, part.scope, part.dimension.value, f"{part.district}/{part.value}" if within else part.value, window
    )


def part_of(key: Key, policies: Policies) -> Part:
    """Return the part that a key is of."""
    dimension = Dimension(key.slice_kind)
    district, slash, value = key.slice_id.partition("/")
    if slash and len(policies.districts()) > 1 and dimension is not Dimension.DISTRICT:
        return Part(key.scope, dimension, value, district)
    own = key.slice_id if dimension is Dimension.DISTRICT else ""
    return Part(key.scope, dimension, key.slice_id, policies.judging(own))
