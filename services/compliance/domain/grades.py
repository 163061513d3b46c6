"""Findings about grades: a body's year closed not competent for certain (不称职), and the next certain year ends it.

    a year not competent: began --> the next one too: changed --> .. --> a year that is not, or a revision: ended

Of a scheme and body one finding is open at most; it goes on over the years that closed not competent running. Each of
these is told, and one that was told and does not run any more is taken back by a change. A score in which anything is
open judges nobody: it begins nothing, and what rested on it ends.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from services.compliance.domain.period import Window, window_of
from services.compliance.domain.scores import Score, Subject
from services.kernel.calendar import day_of
from services.kernel.ids import derive
from services.kernel.words import Grade, Period, Phase

METRIC = "evaluation"
"""In the place of a figure's metric: the close that a grade brings is that of a score."""


class Graded(NamedTuple):
    """What was told last of a body: the year and the revision of its score, and whether its finding is open."""

    finding_id: str
    year_from: int
    revision: int
    is_open: bool


class GradeFinding(NamedTuple):
    """What is to be told. `score` None: the one that it rested on is not certain any more, or not made."""

    subject: Subject
    finding_id: str
    phase: Phase
    window: Window
    revision: int
    score: Score | None

    @property
    def event_id(self) -> str:
        """The same in every process and after every crash."""
        return derive(self.finding_id, self.phase, str(self.window.start), str(self.revision))

    @property
    def is_missed(self) -> bool:
        """Whether the year of it is one not competent for certain; a change can say that one is not any more."""
        score = self.score
        is_certain = self.phase is not Phase.ENDED and score is not None and not score.is_provisional
        return is_certain and score is not None and score.grade is Grade.NOT_COMPETENT


class Judged(NamedTuple):
    """The score of a year as it stands, and which revision of it that is."""

    score: Score
    revision: int

    @property
    def year_from(self) -> int:
        return self.score.window.start


def years_of(
    scores: Iterable[Score], revisions: Mapping[tuple[Subject, Window], int]
) -> Mapping[Subject, Sequence[Judged]]:
    """Return the years of each scheme and body, the oldest first, also those in which anything is open."""
    found: dict[Subject, list[Judged]] = {}
    for one in sorted(scores, key=lambda one: one.window.start):
        if one.window.kind is Period.YEAR:
            found.setdefault(one.subject, []).append(Judged(one, revisions[one.subject, one.window]))
    return found


def grade_findings(told: Mapping[Subject, Graded], years: Mapping[Subject, Sequence[Judged]]) -> list[GradeFinding]:
    """Return what is to be told that was not."""
    found: list[GradeFinding] = []
    for subject in sorted(told.keys() | years.keys()):
        before, own = told.get(subject), years.get(subject, ())
        newest = max((each for each in own if not each.score.is_provisional), key=_begin, default=None)
        if newest is not None and newest.score.grade is Grade.NOT_COMPETENT:
            found += _running(subject, before, own, newest)
        elif before is not None and before.is_open:
            found.append(_ended(subject, before, newest))
    return found


def _begin(one: Judged) -> int:
    return one.year_from


def _running(
    subject: Subject, before: Graded | None, years: Sequence[Judged], newest: Judged
) -> Iterator[GradeFinding]:
    """Yield the years that run up to the newest and were not told, the oldest first.

    Whoever reads it counts the years that it was told. So each of them is told, also where they were closed before
    anything was, or an older one became certain later; and one that does not run any more is taken back.
    """
    at = years.index(newest) + 1
    first = at - newest.score.years_not_competent
    running = list(years[first:at])
    is_open = before is not None and before.is_open
    finding_id = before.finding_id if before is not None and is_open else _new_id(newest, before)
    if before is not None and is_open:
        known = [(each.year_from, each.revision) for each in running]
        if (before.year_from, before.revision) in known:  # and those before it: how many run is in the score itself
            running = running[known.index((before.year_from, before.revision)) + 1 :]
        else:
            if before.year_from > newest.year_from:
                window = window_of(Period.YEAR, day_of(before.year_from))
                yield GradeFinding(subject, finding_id, Phase.CHANGED, window, before.revision + 1, None)
            for each in years[max(0, first - 1) : first]:
                yield GradeFinding(subject, finding_id, Phase.CHANGED, each.score.window, each.revision, each.score)
    phase = Phase.CHANGED if is_open else Phase.BEGAN
    for each in running:
        yield GradeFinding(subject, finding_id, phase, each.score.window, each.revision, each.score)
        phase = Phase.CHANGED


def _ended(subject: Subject, before: Graded, newest: Judged | None) -> GradeFinding:
    if newest is not None and newest.year_from > before.year_from:
        window = newest.score.window
        return GradeFinding(subject, before.finding_id, Phase.ENDED, window, newest.revision, newest.score)
    window = window_of(Period.YEAR, day_of(before.year_from))
    score = newest.score if newest is not None and newest.score.window == window else None
    return GradeFinding(subject, before.finding_id, Phase.ENDED, window, before.revision + 1, score)


def _new_id(newest: Judged, before: Graded | None) -> str:
    """Return the id of a finding that begins: of this revision of the year, and after what was told last.

    An id that was once used is that of a case that is closed, and alerts opens no second case of it.
    """
    after = () if before is None else (str(before.year_from), str(before.revision))
    return derive(METRIC, *newest.score.subject, str(newest.year_from), str(newest.revision), *after)
