"""Scores of bodies as the console shows them, and points that a person enters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from services.console.domain.errors import NotAllowed
from services.console.domain.register import ProposalDecision
from services.console.domain.viewer import Role, Viewer
from services.kernel.words import Period


@dataclass(frozen=True, slots=True)
class ScoredPeriod:
    """A month, quarter or year that has scores, by its first day."""

    kind: Period
    first: date


@dataclass(frozen=True, slots=True)
class ScoredScheme:
    """A scheme of a district's pack: two districts may call theirs the same. `district` is "" where there is one."""

    scheme_id: str
    district: str = ""


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """The revision of a score that stands; `score` as compliance published it."""

    revision: int
    published_at: datetime
    score: Mapping[str, Any]

    @property
    def scheme(self) -> ScoredScheme:
        """Return whose scheme it is. A body's id begins with its district where there are several."""
        return ScoredScheme(self.score["scheme"], str(self.score["body"]).rpartition("/")[0])


@dataclass(frozen=True, slots=True)
class CircularRow:
    """A circular (通报) of a period that was asked for. `number` is "" of a draft; `files` by name: zh.pdf, en.docx."""

    document_id: str
    scheme_id: str
    district: str
    number: str
    at: datetime
    files: Sequence[str]


@dataclass(frozen=True, slots=True)
class WaitingPoints:
    """Points that somebody entered and a second person has not decided about; `points` None takes back.

    `may`: what the viewer may do with it.
    """

    entry_id: str
    scheme_id: str
    body_id: str
    criterion_id: str
    month: date
    points: str | None
    most: int
    reason: str
    account: str
    entered_at: datetime
    may: Sequence[ProposalDecision] = ()


@dataclass(frozen=True, slots=True)
class EvaluationBoard:
    """`periods` the newest first; `shown` None where there are none. `may_enter`: whether the viewer enters points.

    `circulars`: of the period shown, the newest first; `waiting`: points of any period that wait for a second person.
    Only the brigade is told of both.
    """

    periods: Sequence[ScoredPeriod]
    shown: ScoredPeriod | None
    rows: Sequence[ScoreRow]
    may_enter: bool
    circulars: Sequence[CircularRow] = ()
    waiting: Sequence[WaitingPoints] = ()


@dataclass(frozen=True, slots=True)
class NewPoints:
    """`points` None takes back what was entered."""

    scheme_id: str
    body_id: str
    criterion_id: str
    month: date
    points: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class NewCircular:
    """What a circular is to tell of: the scores of a scheme that stand for a period, none left out."""

    scheme: ScoredScheme
    period: ScoredPeriod
    rows: Sequence[ScoreRow]
    at: datetime


def placed(rows: Sequence[ScoreRow]) -> Sequence[tuple[ScoreRow, int | None]]:
    """Return the scores with their places, who has one first, then those that may still come highest.

    A place is given where nothing is open of the score, and no other score's bounds reach over it: whatever comes in
    later cannot change it. Equal scores share a place. A body of which nothing counts has none and takes none.
    """
    bounds = [_bounds(row) for row in rows]
    found = []
    for row, own in zip(rows, bounds, strict=True):
        place = None
        if own is not None and own[0] == own[1] and not row.score["provisional"]:
            others = [each for each in bounds if each is not None]
            if all(low > own[0] or high <= own[0] for low, high in others):
                place = 1 + sum(low > own[0] for low, _ in others)
        found.append((row, place, own))
    found.sort(key=lambda one: (one[1] is None, one[1] or 0, -(one[2] or (0, 0))[1], str(one[0].score["body"])))
    return [(row, place) for row, place, _ in found]


def _bounds(row: ScoreRow) -> tuple[Decimal, Decimal] | None:
    """Return between which points it lies; None where nothing of it counts."""
    low, high = row.score["low"], row.score["high"]
    return None if low is None else (Decimal(low), Decimal(high))


def may_enter(viewer: Viewer) -> bool:
    return viewer.role is Role.BRIGADE and not viewer.administers


def decidable(waiting: Sequence[WaitingPoints], viewer: Viewer) -> Sequence[WaitingPoints]:
    """Return them with what the viewer, who may enter points, may do: never decide about his own."""
    own = (ProposalDecision.WITHDRAW,)
    others = (ProposalDecision.APPROVE, ProposalDecision.REJECT)
    return [replace(each, may=own if each.account == viewer.username else others) for each in waiting]


def require_enters(viewer: Viewer) -> Viewer:
    """Return who enters points, and asks for circulars. Raises NotAllowed for who does not."""
    if not may_enter(viewer):
        raise NotAllowed
    return viewer
