"""How often each component of a unit began the same trouble lately, and which of them run away.

    a begin within the window is remembered
    +---------+   as many as the pack says: a finding    +-----------+
    | counted | ---------------------------------------> | runs away |
    +---------+ <--------------------------------------- +-----------+
                  none for `quiet`, all of it time in which we looked

Nothing is held back by it: what a component says counts as ever, a fire of it is told each time.
"""

from typing import NamedTuple

from services.kernel.words import FindingKind
from services.rules.domain.facts import RunawayRule

MAX_REMEMBERED = 64
"""Components and kinds of one unit that are counted at a time: a panel that says everything again and again is known by
those that it said last."""


class ComponentTrouble(NamedTuple):
    """What was said of which component."""

    kind: FindingKind
    point: str


class Repeats:
    """Of one unit. `begins`: the instants of the last begins of each, oldest first; what was said last stands last.

    `running`: the last begin of each that runs away. `problem_id`: of the open finding, "" for none; it stands here and
    not with those of the unit, for the version before would take a kind that it does not know for damage.
    `timer`: the instant of its entry on the agenda, 0 for none.
    """

    __slots__ = ("begins", "problem_id", "running", "timer")

    def __init__(self) -> None:
        self.begins: dict[ComponentTrouble, tuple[int, ...]] = {}
        self.running: dict[ComponentTrouble, int] = {}
        self.problem_id = ""
        self.timer = 0

    def begun(self, trouble: ComponentTrouble, at: int, rule: RunawayRule) -> bool:
        """Count one begin more; return whether it runs away from this one on."""
        if trouble in self.running:
            self.running[trouble] = max(at, self.running[trouble])
            return False
        begins = [one for one in (*self.begins.pop(trouble, ()), at) if one > at - rule.window]
        if len(begins) >= rule.begins and len(self.running) < MAX_REMEMBERED:
            self.running[trouble] = at
            return True
        self.begins[trouble] = tuple(begins[-rule.begins :])
        if len(self.begins) > MAX_REMEMBERED:
            del self.begins[next(iter(self.begins))]
        return False

    def settle(self, at: int, rule: RunawayRule, clear_since: int | None) -> list[ComponentTrouble]:
        """Forget what is past at `at`; return what no longer runs away.

        `clear_since`: since when we have looked without a break, None while we do not: nothing is quiet then.
        """
        self.begins = {trouble: begins for trouble, begins in self.begins.items() if begins[-1] + rule.window > at}
        if clear_since is None:
            return []
        quiet = [trouble for trouble, last in self.running.items() if max(last, clear_since) + rule.quiet <= at]
        for trouble in quiet:
            del self.running[trouble]
        return quiet

    def next_look(self, now: int, rule: RunawayRule, clear_since: int | None) -> int | None:
        """Return the next instant at which something is past; None when nothing is remembered."""
        looks = [begins[-1] + rule.window for begins in self.begins.values()]
        looks += [
            now + rule.quiet if clear_since is None else max(last, clear_since) + rule.quiet
            for last in self.running.values()
        ]
        return min(looks, default=None)
