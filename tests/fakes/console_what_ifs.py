"""Questions what a pack would have said, in memory; `answers` is what compliance said of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.console.domain.errors import NotFound, WhatIfRunning, WhatIfsWaiting
from services.console.domain.what_if import KEPT, LISTED, MAX_OPEN, TAKEN_WITHIN, NewWhatIf, WhatIfRow

OPEN = ("waiting", "running")


@dataclass
class FakeWhatIfs:
    """Implements ports.WhatIfRepository."""

    kept: list[WhatIfRow] = field(default_factory=list)
    answers: dict[int, tuple[str, str, Mapping[str, Any] | None]] = field(default_factory=dict)
    numbers: int = 0

    async def ask(self, new: NewWhatIf, by: str, now: datetime) -> int:
        self.kept = [row for row in self.kept if row.asked_at > now - KEPT]
        waiting = [row for row in (self._now(each, now) for each in self.kept) if row.state in OPEN]
        if any(row.asked_by == by for row in waiting):
            raise WhatIfRunning
        if len(waiting) >= MAX_OPEN:
            raise WhatIfsWaiting
        self.numbers += 1
        self.kept.append(WhatIfRow(self.numbers, new.kind, new.first, new.source, by, now, "waiting", ""))
        return self.numbers

    async def rows(self, now: datetime) -> Sequence[WhatIfRow]:
        found = [self._now(row, now) for row in reversed(self.kept) if row.asked_at > now - KEPT]
        return [replace(row, result=None) for row in found[:LISTED]]

    async def one(self, what_if_id: int, now: datetime) -> WhatIfRow:
        for row in self.kept:
            if row.what_if_id == what_if_id and row.asked_at > now - KEPT:
                return self._now(row, now)
        raise NotFound

    def _now(self, row: WhatIfRow, now: datetime) -> WhatIfRow:
        if row.what_if_id in self.answers:
            state, reason, result = self.answers[row.what_if_id]
            return replace(row, state=state, reason=reason, result=result)
        return row if row.asked_at > now - TAKEN_WITHIN else replace(row, state="failed", reason="not_taken")
