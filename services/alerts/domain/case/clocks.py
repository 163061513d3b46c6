"""The clocks of a case: what falls due when, side by side.

                     opened, reopened                    a letter that wants a signature, an answer
                            |                                        |
                            v                                        v
      step taken,    +-------------+                    +-----------------------+  un_acknowledge is a row of the same
      next one set   |    step     | held: not before   |    receipt, reply     |  shape: set when somebody takes the
             +------>| due_at,step |       its end      |     due_at, step      |  case, stopped with it; when it passes
             |       +-------------+                    +-----------------------+  nobody has taken the case any more
             |        |     |     |                        |                 ^ |
             |   due  |     |     | ladder ended, next     | signed,         | | passes
             +--------+     |     | step waits for an      | answered,       | v
                            |     v event, or case closed  v appeal upheld   | the step for what is overdue is due
              acknowledged, |   (no row)                (no row)-------------+ at that instant; the clock stands
              an exit holds |                                 reply returned   until it is stopped, also when the
                            v                                                  case is closed
                  clock of the step after it, or none

A clock that runs is a row of `alerts.clocks`; one that does not run has none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.kernel.words import ClockKind


@dataclass(frozen=True, slots=True)
class Clock:
    """`due_at` is real time: the clock rate is already in it.

    `step` is the step that is taken then, or whose letter is to be answered by then. `calendar_version` names the
    working days that it was counted by from `counted_from` on, None when none were: what a corrected calendar changes
    is found by it (`escalation/recounting.py`).
    """

    due_at: datetime
    step: str
    calendar_version: str | None = None
    counted_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class Clocks:
    """Those that run, at most one of a kind."""

    running: Mapping[ClockKind, Clock] = field(default_factory=dict)

    @property
    def step(self) -> Clock | None:
        return self.running.get(ClockKind.STEP)

    @property
    def reply(self) -> Clock | None:
        return self.running.get(ClockKind.REPLY)

    def set(self, kind: ClockKind, clock: Clock | None) -> "Clocks":
        """Return the clocks with this one as it is now; None stops it."""
        others = {one: running for one, running in self.running.items() if one is not kind}
        return Clocks(others if clock is None else {**others, kind: clock})
