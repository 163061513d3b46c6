"""What a fire case knows beside every other: what burns, and what has ended, for what either lane brings too late."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class FireState:
    """`burning` holds the keys of components on fire, `alarms` how many were told of.

    What ended it is remembered in received times: `ended` the ends that came by the fire lane, by the key of what they
    cover, `restored_at` the newest of these; `over_at` the newest end that rules told.
    """

    burning: frozenset[str] = frozenset()
    alarms: int = 0
    ended: Mapping[str, datetime] = field(default_factory=dict)
    restored_at: datetime | None = None
    over_at: datetime | None = None

    @property
    def newest_end(self) -> datetime | None:
        return max((end for end in (self.restored_at, self.over_at) if end is not None), default=None)
