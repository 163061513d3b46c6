"""Scores of bodies for the page: within the viewer's slice. Points are taken by the registry, which has the audit."""

from services.console.domain.errors import NotFound
from services.console.domain.evaluation import (
    EvaluationBoard,
    NewCircular,
    NewPoints,
    ScoredPeriod,
    ScoredScheme,
    decidable,
    may_enter,
    require_enters,
)
from services.console.domain.register import ProposalDecision
from services.console.domain.viewer import Viewer
from services.console.ports.evaluation import CircularDrafts, ScoreOrders, ScoreRepository
from services.kernel.words import FileKind, Language
from services.runtime.clock import Clock


class EvaluationUseCases:
    """Implements the port `Evaluation`."""

    def __init__(self, repository: ScoreRepository, orders: ScoreOrders, drafts: CircularDrafts, clock: Clock) -> None:
        self._repository = repository
        self._orders = orders
        self._drafts = drafts
        self._clock = clock

    async def board(self, viewer: Viewer, wanted: ScoredPeriod | None) -> EvaluationBoard:
        periods = await self._repository.periods(viewer.slice)
        shown = wanted or next(iter(periods), None)
        rows = [] if shown is None else await self._repository.scores(viewer.slice, shown)
        circulars = [] if shown is None or not may_enter(viewer) else await self._repository.circulars(shown)
        waiting = decidable(await self._repository.waiting(), viewer) if may_enter(viewer) else []
        return EvaluationBoard(periods, shown, rows, may_enter(viewer), circulars, waiting)

    async def enter(self, viewer: Viewer, asked: NewPoints) -> str:
        return await self._orders.enter(asked, require_enters(viewer))

    async def decide(self, viewer: Viewer, entry_id: str, decision: ProposalDecision, note: str) -> str:
        return await self._orders.decide_points(decision, entry_id, require_enters(viewer), note)

    async def circular(self, viewer: Viewer, scheme: ScoredScheme, period: ScoredPeriod) -> str:
        scores = await self._repository.scores(require_enters(viewer).slice, period)
        rows = [row for row in scores if row.scheme == scheme]
        if not rows:
            raise NotFound
        return await self._drafts.draft(NewCircular(scheme, period, rows, self._clock.now()))

    async def circular_file(self, viewer: Viewer, document_id: str, language: Language, kind: FileKind) -> bytes:
        require_enters(viewer)
        return await self._repository.circular_file(document_id, language, kind)
