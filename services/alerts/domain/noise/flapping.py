"""Flapping: trouble that begins and ends again and again is one case, told once, that stays open until it is quiet.

    each begin within the window is remembered
    +----------------+  as many begins as the pack says: told once   +---------------------------+
    | opens, closes, | --------------------------------------------> | flapping: an end does not |
    | opens again    |                                               | close it                  |
    +----------------+ <-------------------------------------------- +---------------------------+
                          no begin for `quiet` after an end: CLOSED      end: quiet_until set, begin: stopped

The ladder counts from where it began to flap: what would be anew each time would never be told to anybody higher. No
step is taken while it is quiet. An urgent case never flaps: each fire is a case of its own, told at once.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.alerts.domain.escalation.pack_rules import FlappingRules


@dataclass(frozen=True, slots=True)
class Flapping:
    """`begins` are the latest, oldest first; `since` None: it does not flap; at `quiet_until` it is closed."""

    begins: tuple[datetime, ...] = ()
    since: datetime | None = None
    quiet_until: datetime | None = None

    @property
    def holds_open(self) -> bool:
        return self.since is not None

    def begun(self, at: datetime, rules: FlappingRules | None) -> "Flapping":
        """Return it after one begin more; it flaps from the one on that makes them enough."""
        if rules is None:
            return Flapping()
        begins = tuple(one for one in (*self.begins, at) if one > at - rules.window)[-rules.begins :]
        since = self.since or (at if len(begins) >= rules.begins else None)
        return Flapping(begins, since)

    def ended(self, at: datetime, quiet: timedelta) -> "Flapping":
        return replace(self, quiet_until=at + quiet)

    def closed(self) -> "Flapping":
        """Return it when the case is closed: what comes later flaps when there is enough of it again."""
        return Flapping(self.begins if self.since is None else ())
