"""What is wrong inside one unit, by what its signals say of its components."""

from collections.abc import Iterator

from services.kernel.words import FindingKind, Health
from services.rules.domain.unit.points import Trouble, Word
from services.rules.domain.words import TROUBLES


class Condition:
    """`health` as it is written down, since `since`. `troubles` is None until the first word about any component."""

    __slots__ = ("health", "since", "troubles")

    def __init__(self) -> None:
        self.health = Health.UNKNOWN
        self.since = 0
        self.troubles: dict[FindingKind, Trouble] | None = None

    def open_points(self, kind: FindingKind) -> int:
        trouble = self.troubles.get(kind) if self.troubles else None
        return trouble.open_count if trouble else 0

    def open_words(self, kind: FindingKind) -> Iterator[tuple[str, Word]]:
        return self.troubles[kind].open_words() if self.troubles else iter(())

    def trouble(self, kind: FindingKind) -> Trouble:
        if self.troubles is None:
            self.troubles = {known: Trouble() for known in TROUBLES}
        return self.troubles[kind]

    def of_points(self, *, heard: bool) -> Health:
        """Return the gravest thing that the open points say; UNKNOWN before the unit's first word."""
        if self.troubles is None:
            return Health.NORMAL if heard else Health.UNKNOWN
        if self.troubles[FindingKind.FIRE].open_count:
            return Health.FIRE
        if self.troubles[FindingKind.ISOLATION].whole_unit:
            return Health.ISOLATED
        if self.troubles[FindingKind.FAULT].open_count:
            return Health.FAULT
        if self.troubles[FindingKind.ISOLATION].open_count:
            return Health.PARTLY_ISOLATED
        return Health.NORMAL
