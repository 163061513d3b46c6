"""What the services say of themselves."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.console.domain.system_health import ServiceSeen, Stored, SystemHealth
from services.console.domain.viewer import Viewer


class SystemStore(Protocol):
    async def stored(self, now: datetime) -> Stored:
        """Return what the database tells of FireNet itself. Raises DataUnavailable."""
        ...


class SystemProbe(Protocol):
    """Looks at FireNet's own processes. Neither method raises: who does not answer is seen not to."""

    async def services(self) -> Sequence[ServiceSeen]:
        """Return every service that was named, with every instance that its name led to."""
        ...

    async def broker_end(self) -> datetime | None:
        """Return when the broker's certificate ends, None where nobody could see."""
        ...


class SystemHealths(Protocol):
    async def now(self, viewer: Viewer) -> SystemHealth:
        """Return how FireNet is, some seconds old at most. Raises NotAllowed."""
        ...
