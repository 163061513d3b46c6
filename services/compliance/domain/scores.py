"""Scores of bodies (考核): of a month from published figures, listings and what people entered, of more from months.

Nothing that is missing is guessed. A criterion that is open may come to anything between none and all of its points, so
a score lies between two bounds; where these have one grade it is that grade, provisional as long as anything is open.
Sources: docs/domain/compliance.md 1.4; the pack gives weights, bands and the clause of each.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

from services.compliance.domain.errors import Refused
from services.compliance.domain.formulas.score import ANYTHING, Span, given, mean, of_points, weighted
from services.compliance.domain.listings import DueListing, ListedAct, Owner, by_owner, due_listings, in_time, within
from services.compliance.domain.period import Window, window_of, windows_between
from services.compliance.domain.policy import Policies, Policy
from services.compliance.domain.publishing import Key, is_published
from services.compliance.domain.scheme import Criterion, Scheme
from services.kernel.calendar import day_of
from services.kernel.ratio import Ratio
from services.kernel.words import EvaluationList, Grade, Period, ScoreGap

ROLLED_UP = (Period.QUARTER, Period.YEAR)


class Cited(NamedTuple):
    """A published figure by which points are given. `revision` None: computed from the log, and not published."""

    key: Key
    revision: int | None
    ratio: Ratio


class Entry(NamedTuple):
    """What somebody entered for a criterion, of a body and the month that begins on a day. None: taken back.

    `most`: of how many points, by the pack that held then. `body_id` without the district, or behind it and a slash.
    """

    entry_id: str
    district: str
    scheme_id: str
    body_id: str
    criterion_id: str
    month: int
    points: Fraction | None
    most: int
    account: str
    reason: str


class Mark(NamedTuple):
    """What share of its points a criterion gave; None where it is open or left out, and `gap` says why."""

    criterion: Criterion
    share: Span | None
    gap: ScoreGap | None = None
    is_left_out: bool = False
    figure: Cited | None = None
    entry: Entry | None = None
    listings: Sequence[DueListing] = ()

    @property
    def is_open(self) -> bool:
        return (self.share is None or self.gap is ScoreGap.NOT_DECIDED) and not self.is_left_out


class Subject(NamedTuple):
    """Whose score it is, by which scheme."""

    scheme_id: str
    body_id: str


class Part(NamedTuple):
    """What a longer period is made of: the score of a month or a quarter, or that there is none."""

    window: Window
    span: Span | None
    is_open: bool


@dataclass(frozen=True, slots=True)
class Score:
    """`marks` of a month, `parts` of a longer period. `span` None: nothing of it counts anything at all.

    `grade` None: the bounds have different ones, `worst` and `best`. `years_not_competent`: of a year, how many running
    up to it closed not competent for certain; `rule_holds`: as many as the pack's hard rule names.
    """

    scheme: Scheme
    body_id: str
    window: Window
    span: Span | None
    worst: Grade | None
    best: Grade | None
    is_open: bool
    marks: Sequence[Mark] = ()
    parts: Sequence[Part] = ()
    years_not_competent: int = 0
    rule_holds: bool = False

    @property
    def subject(self) -> Subject:
        return Subject(self.scheme.scheme_id, self.body_id)

    @property
    def grade(self) -> Grade | None:
        return self.worst if self.worst is self.best else None

    @property
    def is_provisional(self) -> bool:
        """Whether what is open, or was not seen, could still make another grade of it; such a score judges nobody."""
        return self.is_open or self.grade is None

    @property
    def list(self) -> EvaluationList | None:
        """Return the list of the circular that the body is on; what is provisional is on none."""
        if self.is_provisional or self.grade is None:
            return None
        if self.grade in self.scheme.green:
            return EvaluationList.GREEN
        return EvaluationList.RED if self.grade in self.scheme.red else None

    @property
    def gaps(self) -> Sequence[ScoreGap]:
        """Return why something is not known, each reason once."""
        found = [mark.gap for mark in self.marks if mark.gap is not None and not mark.is_left_out]
        found += [ScoreGap.NO_MONTH for part in self.parts if part.span is None]
        return tuple(dict.fromkeys(found))


Figures = Mapping[tuple[str, str], Cited | None]
"""Of one slice and month, by metric and scope. None: published, and nothing that it counts was ever in the slice."""


def month_score(
    scheme: Scheme,
    body_id: str,
    window: Window,
    figures: Figures,
    entries: Mapping[str, Entry],
    listings: Sequence[DueListing] = (),
) -> Score:
    """Return a month's score from the figures of the body's slice, its entries by criterion, and its listings."""
    due = within(listings, window)
    marks = [
        _mark_of_listings(each, due) if each.listings else _mark(each, figures, entries.get(each.criterion_id))
        for each in scheme.criteria
    ]
    if all(mark.is_left_out for mark in marks if not mark.criterion.is_manual):
        # nothing was measured: what a person entered would be the whole score, and a slip in the register a sanction
        marks = [mark._replace(is_left_out=False) for mark in marks]
    counted = [(mark.criterion.points, mark.share or ANYTHING) for mark in marks if not mark.is_left_out]
    return _scored(scheme, body_id, window, weighted(counted), any(mark.is_open for mark in marks), marks=marks)


def _mark(criterion: Criterion, figures: Figures, entry: Entry | None) -> Mark:
    if criterion.metric is None:
        # of another number of points: it was entered under another pack, and what it is worth is not for us to say
        if entry is None or entry.points is None or entry.most != criterion.points:
            return Mark(criterion, None, ScoreGap.NOT_ENTERED, entry=entry)
        return Mark(criterion, of_points(entry.points, criterion.points), entry=entry)
    of = criterion.metric, criterion.scope
    if of not in figures:
        return Mark(criterion, None, ScoreGap.NO_FIGURE)
    cited = figures[of]
    share = None if cited is None else given(cited.ratio, criterion.none_at, criterion.full_at)
    if share is None:
        left_out = criterion.left_out_if_empty
        return Mark(criterion, None, ScoreGap.NOTHING_COUNTED, left_out, cited)
    gap = None if share.low == share.high else ScoreGap.BLIND
    return Mark(criterion, share, gap, figure=cited)


def _mark_of_listings(criterion: Criterion, due: Sequence[DueListing]) -> Mark:
    ratio = in_time(due)
    share = given(ratio, criterion.none_at, criterion.full_at)
    if share is None:
        return Mark(criterion, None, ScoreGap.NOTHING_COUNTED, criterion.left_out_if_empty)
    return Mark(criterion, share, ScoreGap.NOT_DECIDED if ratio.unknown else None, listings=due)


def rolled_up(scheme: Scheme, body_id: str, window: Window, months: Mapping[Window, Score]) -> Score:
    """Return the score of a quarter, the mean of its months, or of a year, from its months and its quarters."""
    parts = [_part(each, months.get(each)) for each in _within(Period.MONTH, window)]
    of_months = mean([part.span or ANYTHING for part in parts])
    span = of_months
    if window.kind is Period.YEAR:
        quarters = [rolled_up(scheme, body_id, each, months) for each in _within(Period.QUARTER, window)]
        of_quarters = mean([each.span or ANYTHING for each in quarters])
        span = weighted([(scheme.months, of_months or ANYTHING), (scheme.quarters, of_quarters or ANYTHING)])
    return _scored(scheme, body_id, window, span, any(part.is_open for part in parts), parts=parts)


def _within(kind: Period, window: Window) -> list[Window]:
    return list(windows_between(kind, day_of(window.start), day_of(window.end - 1)))


def _part(window: Window, score: Score | None) -> Part:
    if score is None or score.span is None:
        return Part(window, None, True)
    return Part(window, score.span, score.is_open)


def _scored(
    scheme: Scheme,
    body_id: str,
    window: Window,
    span: Span | None,
    is_open: bool,
    marks: Sequence[Mark] = (),
    parts: Sequence[Part] = (),
) -> Score:
    worst, best = (None, None) if span is None else (scheme.grade(span.low), scheme.grade(span.high))
    return Score(scheme, body_id, window, span, worst, best, is_open, marks, parts)


def evaluated(
    policies: Policies, figures: Iterable[Cited], entries: Iterable[Entry], acts: Iterable[ListedAct] = ()
) -> list[Score]:
    """Return the score of every month that has published figures, and of every quarter and year that ends with one.

    Which scheme holds is said by the pack of the period's last day. `entries` in the order in which they were made: of
    several for one criterion, body and month the last holds. `acts`: what was done with listings, in any order.
    """
    by_month: dict[Window, dict[tuple[str, str], dict[tuple[str, str], Cited | None]]] = {}
    for cited in figures:
        slices = by_month.setdefault(cited.key.window, {})
        slices.setdefault((cited.key.slice_kind, cited.key.slice_id), {})[cited.key.metric, cited.key.scope] = cited
    entered: dict[tuple[str, str, str, int], dict[str, Entry]] = {}
    for entry in entries:
        # a body is called otherwise once another district has a pack, and what was entered for it stands
        of = entry.district, entry.scheme_id, entry.body_id.rpartition("/")[2], entry.month
        entered.setdefault(of, {})[entry.criterion_id] = entry
    listings = by_owner(due_listings(acts), policies.judging)
    found: list[Score] = []
    for district in policies.districts():
        prefix = f"{district}/" if len(policies.districts()) > 1 else ""
        months = [
            month_score(
                scheme,
                prefix + body_id,
                window,
                _with_nothing(scheme, pack, by_slice),
                entered.get((district, scheme.scheme_id, body_id, day_of(window.start)), {}),
                listings.get(Owner(district, scheme.dimension, scheme.slice_of(body_id)), ()),
            )
            for window, slices in sorted(by_month.items())
            for pack in _pack(policies, district, window)
            for scheme in pack.schemes
            for body_id, by_slice in _bodies(scheme, slices, prefix)
        ]
        found += [*months, *_longer(policies, district, months)]
    return found


def _pack(policies: Policies, district: str, window: Window) -> Iterator[Policy]:
    """Yield the pack by which a period is scored; none where none holds on its last day: nobody can judge it."""
    with suppress(Refused):
        yield policies.in_force(district, day_of(window.end - 1))


def _with_nothing(scheme: Scheme, pack: Policy, figures: Figures) -> Figures:
    """Add what the pack publishes and nobody published: no unit of its scope was in the slice that month.

    Of a slice that has none of the scheme's figures we know nothing, not that there was nothing.
    """
    asked = {(each.metric, each.scope) for each in scheme.criteria if each.metric is not None}
    if not asked & figures.keys():
        return figures
    of_nothing = {(m, scope) for m, scope in asked if scope in pack.published and is_published(m, pack)}
    return dict.fromkeys(of_nothing) | dict(figures)


def _bodies(scheme: Scheme, slices: Mapping[tuple[str, str], Figures], prefix: str) -> Iterator[tuple[str, Figures]]:
    """Yield each body of a district, without what its id begins with, and the figures of its slice."""
    kind = scheme.dimension.value
    if scheme.bodies:
        for body_id, body in sorted(scheme.bodies.items()):
            yield body_id, slices.get((kind, prefix + body.slice_id), {})
        return
    for (slice_kind, slice_id), figures in sorted(slices.items()):
        used = any(scheme.uses(metric, scope) for metric, scope in figures)
        # the slice without a name is that of units that belong to nobody
        if slice_kind == kind and slice_id.startswith(prefix) and slice_id != prefix and used:
            yield slice_id.removeprefix(prefix), figures


def _longer(policies: Policies, district: str, months: Sequence[Score]) -> Iterator[Score]:
    """Yield the scores of every quarter and year whose last month is scored.

    Of a year they say how many running closed not competent: what is provisional, or no year before it, ends the count.
    """
    by_subject: dict[Subject, dict[Window, Score]] = {}
    for score in months:
        by_subject.setdefault(score.subject, {})[score.window] = score
    running: dict[tuple[Subject, Window], int] = {}
    for window in _ending_with(months):
        for scheme in (each for pack in _pack(policies, district, window) for each in pack.schemes):
            for subject, scored in sorted(by_subject.items()):
                if subject.scheme_id == scheme.scheme_id and any(_holds(window, each) for each in scored):
                    score = rolled_up(scheme, subject.body_id, window, scored)
                    if window.kind is Period.YEAR and not score.is_provisional and score.grade is Grade.NOT_COMPETENT:
                        last_year = window_of(Period.YEAR, day_of(window.start) - 1)
                        years = running[subject, window] = 1 + running.get((subject, last_year), 0)
                        score = replace(score, years_not_competent=years, rule_holds=years >= scheme.years_running)
                    yield score


def _ending_with(months: Sequence[Score]) -> list[Window]:
    """Return the quarters and years that end with one of the months, the earlier first."""
    ends = {score.window.end for score in months}
    windows = {window_of(kind, day_of(end - 1)) for end in ends for kind in ROLLED_UP}
    return sorted((each for each in windows if each.end in ends), key=lambda each: (each.end, -each.start))


def _holds(window: Window, other: Window) -> bool:
    return window.start <= other.start and other.end <= window.end
