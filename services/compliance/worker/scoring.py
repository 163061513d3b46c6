"""Bodies are scored anew by new figures of a month, entered points, acts of listings, and packs.

All scores are made of what stands, so that it does not matter in which order any of it came; a revision is stored of
each that is another than before, and of each that is not made any more.
"""

from collections.abc import Callable
from typing import Any

from services.compliance.domain.policy import Policies
from services.compliance.domain.scores import evaluated
from services.compliance.metrics import ClosingMetrics
from services.compliance.ports import ScoreStore, Unavailable


class Scoring:
    """Called between the steps of closing, whose packs it goes by."""

    def __init__(self, store: ScoreStore, metrics: ClosingMetrics, tell: Callable[..., Any]) -> None:
        self._store = store
        self._metrics = metrics
        self._tell = tell
        self._made_of: object = None

    def figures_changed(self) -> None:
        """Figures of a month were published."""
        self._made_of = None

    async def turn(self, policies: Policies) -> int:
        """Score what has to be scored anew; return how many scores are other than before. Raises Unavailable."""
        schemes = policies.schemes()
        # without a scheme only once: what stands of an earlier pack is withdrawn
        made_of = policies, await self._store.entered() if schemes else None
        if made_of == self._made_of:
            return 0
        figures = await self._store.figures({scheme.dimension.value for scheme in schemes}) if schemes else ()
        entries = await self._store.entries() if schemes else ()
        acts = await self._store.listings() if schemes else ()
        self._made_of = made_of
        try:
            scores = evaluated(policies, figures, entries, acts)
        except Exception as error:  # noqa: BLE001 - our bug about a score must stop neither figures nor the archive
            self._metrics.scoring_failures.inc()
            self._tell("scoring_failed", error=f"{type(error).__name__}: {str(error)[:200]}")
            return 0
        try:
            new = await self._store.save(scores)
        except Unavailable:
            self._made_of = None
            raise
        self._metrics.scores.inc(new)
        self._metrics.provisional.set(sum(score.is_provisional for score in scores))
        if new:
            self._tell("scores_published", scores=new)
        return new
