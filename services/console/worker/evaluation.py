"""Scores of bodies for the page: within the viewer's slice. Points are taken by the registry, which has the audit."""

from services.console.domain.evaluation import EvaluationBoard, NewPoints, ScoredPeriod, may_enter, require_enters
from services.console.domain.viewer import Viewer
from services.console.ports import ScoreBook, ScoreOrders


class EvaluationDesk:
    """Implements the port `Evaluation`."""

    def __init__(self, book: ScoreBook, orders: ScoreOrders) -> None:
        self._book = book
        self._orders = orders

    async def board(self, viewer: Viewer, wanted: ScoredPeriod | None) -> EvaluationBoard:
        periods = await self._book.periods(viewer.slice)
        shown = wanted or next(iter(periods), None)
        rows = [] if shown is None else await self._book.scores(viewer.slice, shown)
        return EvaluationBoard(periods, shown, rows, may_enter(viewer))

    async def enter(self, viewer: Viewer, asked: NewPoints) -> str:
        return await self._orders.enter(asked, require_enters(viewer))
