"""How bodies are scored, as a version of a policy pack says it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from services.kernel.words import Dimension, Grade


class Named(NamedTuple):
    """What something is called, and the clause that it goes back to."""

    name_zh: str
    name_en: str
    clause: str = ""


@dataclass(frozen=True, slots=True)
class Criterion:
    """Points by a published figure, by `listings`, or else a person enters them.

    `none_at`, `full_at`: the rates that give none and all of them.
    """

    criterion_id: str
    points: int
    called: Named
    metric: str | None = None
    scope: str = ""
    none_at: Fraction = Fraction(0)
    full_at: Fraction = Fraction(1)
    left_out_if_empty: bool = False
    listings: bool = False

    @property
    def is_manual(self) -> bool:
        return self.metric is None and not self.listings


class ScoredBody(NamedTuple):
    """A body under a name of the pack's, and the slice whose figures are its own."""

    slice_id: str
    called: Named


@dataclass(frozen=True, slots=True)
class Scheme:
    """How the bodies of one dimension are scored by one version of a pack.

    `bodies` by code; none: every slice is a body. `bands`: the least share of each grade, the best first; below all of
    them it is not competent. `months`, `quarters`: what they count in a year. `years_running`: how many years not
    competent the hard rule names. `green`, `red`: the grades of the circular's lists.
    """

    scheme_id: str
    called: Named
    pack_id: str
    pack_version: int
    dimension: Dimension
    bodies: Mapping[str, ScoredBody]
    criteria: Sequence[Criterion]
    bands: Sequence[tuple[Grade, Fraction]]
    months: int
    quarters: int
    years_running: int
    hard_rule: str
    green: frozenset[Grade]
    red: frozenset[Grade]

    def grade(self, share: Fraction) -> Grade:
        return next((grade for grade, least in self.bands if share >= least), Grade.NOT_COMPETENT)

    def slice_of(self, body_id: str) -> str:
        """Return whose figures and listings are the body's; `body_id` without the district."""
        return self.bodies[body_id].slice_id if self.bodies else body_id

    def uses(self, metric: str, scope: str) -> bool:
        return any((each.metric, each.scope) == (metric, scope) for each in self.criteria)
