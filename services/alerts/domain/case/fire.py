"""What a fire case knows beside every other: what burns, and what has ended, for what either lane brings too late."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime


@dataclass(frozen=True, slots=True)
class FireState:
    """`burning` holds the keys of components on fire, `alarms` how many a notice named.

    `reported` are those that a notice named since the fire lane last brought their end. They outlive the closing by the
    ordinary lane: of a fire that is over by then, the fire lane's other components are still told.

    What ended it is remembered in received times: `ended` the ends that came by the fire lane, by the key of what they
    cover, `restored_at` the newest of these; `over_at` the newest end that rules told.
    """

    burning: frozenset[str] = frozenset()
    alarms: int = 0
    reported: frozenset[str] = frozenset()
    ended: Mapping[str, datetime] = field(default_factory=dict)
    restored_at: datetime | None = None
    over_at: datetime | None = None

    def with_alarm(self, component: str) -> "FireState":
        """Return the state after a notice named one component more."""
        return replace(self, alarms=self.alarms + 1, reported=self.reported | {component})

    @property
    def newest_end(self) -> datetime | None:
        return max((end for end in (self.restored_at, self.over_at) if end is not None), default=None)
