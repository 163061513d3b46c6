"""Scores of bodies, points that people enter, circulars."""

from collections.abc import Sequence
from typing import Protocol

from services.console.domain.evaluation import (
    CircularRow,
    EvaluationBoard,
    NewCircular,
    NewPoints,
    ScoredPeriod,
    ScoredScheme,
    ScoreRow,
    WaitingPoints,
)
from services.console.domain.register import ProposalDecision
from services.console.domain.viewer import Slice, Viewer
from services.kernel.words import FileKind, Language


class ScoreRepository(Protocol):
    """Scores of bodies, read. Every method raises DataUnavailable when there is no answer in time."""

    async def periods(self, slice_: Slice) -> Sequence[ScoredPeriod]:
        """Return the periods that have scores of the slice, the newest first."""
        ...

    async def scores(self, slice_: Slice, period: ScoredPeriod) -> Sequence[ScoreRow]:
        """Return the scores of the slice that stand for a period, by scheme and body."""
        ...

    async def waiting(self) -> Sequence[WaitingPoints]:
        """Return points that nobody has decided about, the oldest first."""
        ...

    async def circulars(self, period: ScoredPeriod) -> Sequence[CircularRow]:
        """Return the circulars of a period, the newest first."""
        ...

    async def circular_file(self, document_id: str, language: Language, kind: FileKind) -> bytes:
        """Raises NotFound, also for a document that is no circular."""
        ...


class ScoreOrders(Protocol):
    async def enter(self, asked: NewPoints, viewer: Viewer) -> str:
        """Return the id of the entry once it is stored. Raises as `AdjustmentOrders`."""
        ...

    async def decide_points(self, decision: ProposalDecision, entry_id: str, viewer: Viewer, note: str) -> str:
        """Return the state of the entry then. Raises as `AdjustmentOrders`."""
        ...


class CircularPrinter(Protocol):
    async def draft(self, request: bytes) -> str:
        """Return the id of the document that the encoded request became.

        Raises DocumentsUnavailable, DocumentRefused.
        """
        ...


class CircularDrafts(Protocol):
    async def draft(self, asked: NewCircular) -> str:
        """Return the id of the draft that it became; the same scores have the same one.

        Raises DocumentsUnavailable, DocumentRefused, DataUnavailable.
        """
        ...


class Evaluation(Protocol):
    """What the pages may do with scores. Raises as those above do."""

    async def board(self, viewer: Viewer, wanted: ScoredPeriod | None) -> EvaluationBoard:
        """Return the scores of a period, of the newest where none is asked for."""
        ...

    async def enter(self, viewer: Viewer, asked: NewPoints) -> str:
        """Raises NotAllowed for another one than the brigade."""
        ...

    async def decide(self, viewer: Viewer, entry_id: str, decision: ProposalDecision, note: str) -> str:
        """Return the state of the entry then. Raises NotAllowed, SamePerson, NotWaiting, NotFound."""
        ...

    async def circular(self, viewer: Viewer, scheme: ScoredScheme, period: ScoredPeriod) -> str:
        """Return the id of the draft. Raises NotAllowed for another one than the brigade, NotFound without scores."""
        ...

    async def circular_file(self, viewer: Viewer, document_id: str, language: Language, kind: FileKind) -> bytes:
        """Raises NotAllowed for another one than the brigade, NotFound."""
        ...
