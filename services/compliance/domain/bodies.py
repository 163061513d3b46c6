"""Findings about bodies: a district, town or department is below a target at the close of a period that counts.

    first target missed: began --> another close, another target: changed --> .. --> no target missed any more: ended

Of a body one finding is open at most; it goes on while any target is missed. Missed means non-compliant: what may lie
on either side of a target (our own blindness) neither begins nor ends anything.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.compliance.domain.figure import Figure
from services.compliance.domain.publishing import Key
from services.kernel.ids import derive
from services.kernel.ratio import Verdict
from services.kernel.words import Dimension, Phase

BODIES = (Dimension.DISTRICT, Dimension.TOWN, Dimension.DEPARTMENT)
"""Slices that somebody answers for; a community or a category of units is nobody."""


class About(NamedTuple):
    """A target of a body, at the closes of one kind of period."""

    body_id: str
    metric: str
    scope: str
    period_kind: str


class Standing(NamedTuple):
    """What the newest close said about a target.

    `figure_from`: where its period begins, with the revision of its figure. `finding_id`: of the body's
    finding, while the target is missed and after. One that is not missed any more is kept, so that a revision of an
    older close does not count again.
    """

    finding_id: str
    about: About
    figure_from: int
    revision: int
    is_missed: bool


class BodyFinding(NamedTuple):
    """What is said of a body's finding: the close that says so, its figure, and how many targets are missed now."""

    finding_id: str
    phase: Phase
    key: Key
    revision: int
    figure: Figure
    missed: int

    @property
    def event_id(self) -> str:
        """The same in every process and after every crash."""
        of = (self.key.metric, self.key.scope, self.key.window.kind.value, str(self.key.window.start))
        return derive(self.finding_id, self.phase.value, *of, str(self.revision))


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is published, and what stands about each target that was looked at."""

    findings: Sequence[BodyFinding]
    standing: Sequence[Standing]


def findings(standing: Iterable[Standing], published: Sequence[tuple[Key, int, Figure]]) -> Assessment:
    """Return what newly published figures (key, revision, figure) begin, change and end.

    By their ends, of those that end together the shortest first: a day is told of before the month that ends with it.
    """
    held = {each.about: each for each in standing}
    touched: dict[About, Standing] = {}
    found: list[BodyFinding] = []
    for key, revision, figure in sorted(
        published, key=lambda each: (each[0].window.end, -each[0].window.start, each[0])
    ):
        about = About(key.slice_id, key.metric, key.scope, key.window.kind.value)
        before = held.get(about)
        if not _counts(key, figure) or (before is not None and key.window.start < before.figure_from):
            continue
        was = before is not None and before.is_missed
        missed = was if figure.verdict is Verdict.UNDETERMINED else figure.verdict is Verdict.NON_COMPLIANT
        others = [each for each in held.values() if each.about != about and _is_open(each, about.body_id)]
        finding_id = _finding(before, others, missed, key, revision)
        held[about] = touched[about] = Standing(finding_id, about, key.window.start, revision, missed)
        phase = _phase(was or bool(others), missed or bool(others))
        if phase is not None and (was or missed):
            found.append(BodyFinding(finding_id, phase, key, revision, figure, len(others) + missed))
    return Assessment(found, list(touched.values()))


def _is_open(standing: Standing, body_id: str) -> bool:
    return standing.is_missed and standing.about.body_id == body_id


def _finding(before: Standing | None, others: Sequence[Standing], missed: bool, key: Key, revision: int) -> str:
    """Return the id of the body's finding: that which is open, or a new one, derived from the close that begins it."""
    if others:
        return others[0].finding_id
    if before is not None and (before.is_missed or not missed):
        return before.finding_id
    of = (key.slice_id, key.metric, key.scope, key.window.kind.value, str(key.window.start))
    return derive("body finding", *of, str(revision)) if missed else ""


def _phase(was_open: bool, is_open: bool) -> Phase | None:
    if is_open:
        return Phase.CHANGED if was_open else Phase.BEGAN
    return Phase.ENDED if was_open else None


def _counts(key: Key, figure: Figure) -> bool:
    return (
        key.slice_kind in BODIES and figure.target is not None and key.window.kind in figure.pack.publication.findings
    )
