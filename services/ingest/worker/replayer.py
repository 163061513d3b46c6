"""Deciding anew about what was refused: after the registry or a decoder was put right, at a person's order."""

from collections.abc import Callable, Sequence
from datetime import datetime

from services.ingest.domain.directory import Directory
from services.ingest.domain.replays import (
    ReplayNote,
    ReplayOrder,
    StoredRefusal,
    arrival_again,
    in_time,
    note_of,
    refuse_cut,
)
from services.ingest.domain.values import Arrival, Outcome
from services.ingest.metrics import Metrics
from services.ingest.ports import RefusalReader, ReplayStore
from services.runtime.logging import get_logger

Decided = Sequence[tuple[StoredRefusal, Outcome]]


class Replayer:
    """Turns refusals into signals where that is possible now. What is still unusable stays as it is, once."""

    def __init__(
        self,
        classifier: Callable[[Arrival], Outcome],
        directory: Directory,
        refusals: RefusalReader,
        store: ReplayStore,
        metrics: Metrics,
    ) -> None:
        self._classifier = classifier
        self._directory = directory
        self._refusals = refusals
        self._store = store
        self._metrics = metrics

    async def carry_out(self, order: ReplayOrder) -> Sequence[ReplayNote]:
        """Replay the refusals that the order names; those that the log no longer has are counted and logged."""
        found = await self._refusals.at(order.positions)
        missing = len(order.positions) - len(found)
        if missing:
            self._metrics.replays.labels("gone").inc(missing)
            get_logger().warning("refusals_gone", command_id=order.command_id, refusals=missing)
        return await self.replay(found, order)

    async def replay(self, found: Sequence[StoredRefusal], order: ReplayOrder) -> Sequence[ReplayNote]:
        """Store the signals, then what became of each refusal: a crash between the two repeats the same ids."""
        decided = self.decide(found, order.at, adopting=order.adopting)
        outcomes = await self._store.put([outcome for _, outcome in decided])
        notes = [note_of(refusal, outcome, order) for (refusal, _), outcome in zip(decided, outcomes, strict=True)]
        await self._store.note(notes)
        for note in notes:
            self._metrics.replays.labels("accepted" if note.reason is None else "refused").inc()
        get_logger().info(
            "refusals_replayed",
            command_id=order.command_id,
            by=order.by,
            refusals=len(notes),
            accepted=sum(note.reason is None for note in notes),
        )
        return notes

    def decide(self, found: Sequence[StoredRefusal], at: datetime, *, adopting: bool = False) -> Decided:
        """Return what would become of each, in the order in which they were received; nothing is stored."""
        return [(refusal, self._decide(refusal, at, adopting=adopting)) for refusal in sorted(found, key=in_time)]

    def _decide(self, refusal: StoredRefusal, at: datetime, *, adopting: bool) -> Outcome:
        if not refusal.whole:
            return refuse_cut(refusal, at)
        return self._classifier(arrival_again(refusal, self._directory, at, adopting=adopting))
