"""Findings about grades: a body's year closed not competent for certain (不称职), and the next certain year ends it.

    a year not competent: began --> the next one too: changed --> .. --> a year that is not, or a revision: ended

Of a scheme and body one finding is open at most; it goes on over the years that closed not competent running. A score
in which anything is open judges nobody: it begins nothing, and what rested on it ends.
"""

from collections.abc import Iterable, Mapping
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


def newest_years(scores: Iterable[Score]) -> Mapping[Subject, Score]:
    """Return of each scheme and body the newest year that is certain."""
    years = [one for one in scores if one.window.kind is Period.YEAR and not one.is_provisional]
    return {one.subject: one for one in sorted(years, key=lambda one: one.window.start)}


def grade_findings(
    told: Mapping[Subject, Graded], newest: Mapping[Subject, Score], revisions: Mapping[Subject, int]
) -> list[GradeFinding]:
    """Return what is to be told that was not, and in `revisions` stands which revision each of `newest` has."""
    found = []
    for subject in sorted(told.keys() | newest.keys()):
        before, score = told.get(subject), newest.get(subject)
        is_open = before is not None and before.is_open
        if score is not None and score.grade is Grade.NOT_COMPETENT:
            finding_id = before.finding_id if before is not None and is_open else _new_id(score, revisions, before)
            now = Graded(finding_id, score.window.start, revisions[subject], True)
            if now != before:
                phase = Phase.CHANGED if is_open else Phase.BEGAN
                found.append(GradeFinding(subject, finding_id, phase, score.window, now.revision, score))
        elif before is not None and is_open:
            window = window_of(Period.YEAR, day_of(before.year_from))
            is_next = score is not None and score.window.start > before.year_from
            window = score.window if score is not None and is_next else window
            revision = revisions[subject] if is_next else before.revision + 1
            ended = score if score is not None and score.window == window else None
            found.append(GradeFinding(subject, before.finding_id, Phase.ENDED, window, revision, ended))
    return found


def _new_id(score: Score, revisions: Mapping[Subject, int], before: Graded | None) -> str:
    """Return the id of a finding that begins: of this revision of the year, and after what was told last.

    An id that was once used is that of a case that is closed, and alerts opens no second case of it.
    """
    after = () if before is None else (str(before.year_from), str(before.revision))
    return derive(METRIC, *score.subject, str(score.window.start), str(revisions[score.subject]), *after)
