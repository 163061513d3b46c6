"""What the services say of themselves."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from services.console.domain.health_charts import HealthDay, Sample
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


class HealthSamples(Protocol):
    """One sample a minute, whoever of several consoles took it. Every call raises DataUnavailable."""

    async def keep(self, sample: Sample, before: datetime) -> None:
        """Store it, and forget those older than `before`. Of a minute that has one only what it lacks is added."""
        ...

    async def since(self, first: datetime) -> Sequence[Sample]:
        """Return the samples from `first` on, oldest first."""
        ...

    async def refused(self, first: datetime) -> Mapping[datetime, int]:
        """Return how many messages were refused in each hour from `first` on; hours without any are left out."""
        ...


class SystemHealths(Protocol):
    async def now(self, viewer: Viewer) -> SystemHealth:
        """Return how FireNet is, some seconds old at most. Raises NotAllowed."""
        ...

    async def day(self, viewer: Viewer) -> HealthDay:
        """Return how it was in the last day, half a minute old at most. Raises NotAllowed, DataUnavailable."""
        ...
