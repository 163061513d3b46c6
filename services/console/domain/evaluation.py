"""Scores of bodies as the console shows them, and points that a person enters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from services.console.domain.errors import NotAllowed
from services.console.domain.viewer import Role, Viewer
from services.kernel.words import Period


@dataclass(frozen=True, slots=True)
class ScoredPeriod:
    """A month, quarter or year that has scores, by its first day."""

    kind: Period
    first: date


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """The revision of a score that stands; `score` as compliance published it."""

    revision: int
    published_at: datetime
    score: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EvaluationBoard:
    """`periods` the newest first; `shown` None where there are none. `may_enter`: whether the viewer enters points."""

    periods: Sequence[ScoredPeriod]
    shown: ScoredPeriod | None
    rows: Sequence[ScoreRow]
    may_enter: bool


@dataclass(frozen=True, slots=True)
class NewPoints:
    """`points` None takes back what was entered."""

    scheme_id: str
    body_id: str
    criterion_id: str
    month: date
    points: str | None
    reason: str


def may_enter(viewer: Viewer) -> bool:
    return viewer.role is Role.BRIGADE and not viewer.administers


def require_enters(viewer: Viewer) -> Viewer:
    """Return who enters points. Raises NotAllowed for who does not."""
    if not may_enter(viewer):
        raise NotAllowed
    return viewer
