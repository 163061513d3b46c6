"""Keeps the initials of units' names, so that a unit is found by them."""

from services.console.domain.errors import DataUnavailable
from services.console.ports.district import Initials, NameRepository
from services.runtime.lifecycle import Stop

AT_ONCE = 200
"""Names worked off between two looks at anything else: some 20 ms."""
EVERY_S = 30.0


class NameIndexer:
    """Looks for names without initials and writes them down; a new name is found at the next look."""

    def __init__(self, repository: NameRepository, initials: Initials) -> None:
        self._repository = repository
        self._initials = initials

    async def turn(self) -> int:
        """Return how many names got their initials. Raises DataUnavailable."""
        missing = await self._repository.missing(AT_ONCE)
        if missing:
            await self._repository.keep({name: self._initials(name) for name in missing})
        return len(missing)

    async def run(self, stop: Stop) -> None:
        while not stop.is_set():
            try:
                busy = await self.turn() > 0
            except DataUnavailable:
                busy = False  # the page says that the database is away
            await stop.wait_for(0.05 if busy else EVERY_S)
