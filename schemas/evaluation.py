"""The part of a policy pack that says how bodies are evaluated (考核): who is scored, by what, and what grade follows.

No source gives weights or bands (`compliance.md` 1.9 no. 2), so nothing stands here unless a district writes it.
"""

from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from schemas.base import Identifier, ShortText, Wire
from services.kernel.words import UNNAMED, Dimension, Grade, PublishedMetric

WHOLE = 100
"""What the points of all criteria come to, and the weights of a roll-up."""

Share = Annotated[str, StringConstraints(pattern=r"^(0(\.[0-9]{1,12})?|1(\.0{1,12})?)$")]
"""From 0 to 1, a decimal as text so that it is compared exactly."""

ScopeText = Annotated[
    str,
    StringConstraints(max_length=400, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}(\+[A-Za-z0-9][A-Za-z0-9_.-]{0,63})*$"),
]
"""A scope, or several joined by `+`: their union, each unit once."""


class _PointsByShare(Wire):
    """A share gives the points: none up to `none_at`, all from `full_at` on; between them they grow evenly.

    `left_out_if_empty`: a body that has nothing to count is measured by the other criteria alone; without it the
    criterion stays open.
    """

    none_at: Share = "0"
    full_at: Share = "1"
    left_out_if_empty: bool = False

    @model_validator(mode="after")
    def _climbs(self) -> Self:
        if Fraction(self.none_at) >= Fraction(self.full_at):
            raise ValueError("`none_at` must lie below `full_at`")
        return self


class RateOf(_PointsByShare):
    """The published figure of the body's month gives the points: none up to `none_at`, all from `full_at` on."""

    metric: PublishedMetric
    scope: ScopeText


class ListingsOf(_PointsByShare):
    """Of the body's listings (挂牌督办) due in the month, the share put right in time (按期整改) gives the points.

    None up to `none_at`, all from `full_at` on; it is empty where none was due. Whose a listing is, is said by its case
    on the day of the listing: its town, its lead department.
    """


class Criterion(Wire):
    """What at most `points` are given for: a rate, listings, or what a person enters after looking (人工评分)."""

    name_zh: ShortText
    name_en: ShortText
    points: int = Field(ge=1, le=WHOLE)
    rate: RateOf | None = None
    listings: ListingsOf | None = None
    manual: bool = False
    clause: ShortText

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if [self.rate is not None, self.listings is not None, self.manual].count(True) != 1:
            raise ValueError("a criterion is measured by `rate` or `listings` or is `manual: true`, one of them")
        return self


class Bands(Wire):
    """From how many of 100 points on a grade is given; below the last it is `not_competent` (不称职)."""

    excellent: int = Field(ge=1, le=WHOLE)
    good: int = Field(ge=1, le=WHOLE)
    competent: int = Field(ge=1, le=WHOLE)

    @model_validator(mode="after")
    def _descend(self) -> Self:
        if not self.excellent > self.good > self.competent:
            raise ValueError("bands must fall from `excellent` over `good` to `competent`")
        return self


class YearOf(Wire):
    """Of 100: how much the mean of the months counts in the year's score, and how much that of the quarters."""

    months: int = Field(ge=0, le=WHOLE)
    quarters: int = Field(ge=0, le=WHOLE)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.months + self.quarters != WHOLE:
            raise ValueError(f"`months` and `quarters` must come to {WHOLE}")
        return self


class ScoredBody(Wire):
    """A body that answers for one slice under another name: a police station for a town."""

    name_zh: ShortText
    name_en: ShortText
    slice: Identifier


class NotCompetentYears(Wire):
    """After so many years running that closed not competent the hard rule of the source holds."""

    years: int = Field(default=2, ge=1, le=10)
    clause: ShortText


class Evaluation(Wire):
    """Who is scored each month, by what, and what grade follows.

    Scored are `bodies`, where any are named, else every slice of the dimension that has published figures. `green` and
    `red`: the grades that bring a body on the lists of the circular.
    """

    name_zh: ShortText
    name_en: ShortText
    dimension: Literal[Dimension.TOWN, Dimension.DEPARTMENT, Dimension.COMMUNITY]
    bodies: dict[Identifier, ScoredBody] = Field(default={}, max_length=500)
    criteria: dict[Identifier, Criterion] = Field(min_length=1, max_length=30)
    bands: Bands
    year: YearOf
    not_competent: NotCompetentYears
    green: tuple[Grade, ...] = (Grade.EXCELLENT,)
    red: tuple[Grade, ...] = (Grade.NOT_COMPETENT,)
    clause: ShortText

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if sum(each.points for each in self.criteria.values()) != WHOLE:
            raise ValueError(f"the points of all criteria must come to {WHOLE}")
        if self.dimension in UNNAMED and not self.bodies and any(each.manual for each in self.criteria.values()):
            raise ValueError(f"a person enters points for `bodies` that are named, where they are by {self.dimension}")
        if self.dimension in UNNAMED and any(each.listings for each in self.criteria.values()):
            raise ValueError(f"a listing is a town's and a department's, none of a {self.dimension}")
        if both := set(self.green) & set(self.red):
            raise ValueError(f"a grade stands on one list: {min(both)}")
        return self
