"""Which gateway speaks for which unit, as of a day (Asia/Shanghai)."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from services.kernel.calendar import CHINA
from services.kernel.effective import in_force
from services.kernel.synthetic import SYNTHETIC


class RegistrationStatus(Enum):
    """Why a gateway that asked has no unit to speak for."""

    UNKNOWN = "unknown"
    NOT_YET = "not_yet"
    RETIRED = "retired"


class Device(NamedTuple):
    """How a gateway speaks GB/T 26875.3. `address` are its six address bytes, None when not registered.

    `networks` are where it may call from, anywhere when empty.
    """

    profile: str = "standard"
    address: bytes | None = None
    networks: tuple[IPv4Network | IPv6Network, ...] = ()


class Sender(NamedTuple):
    """The unit that a gateway speaks for, and how it does."""

    unit_id: str
    device: Device = Device()


class Version(NamedTuple):
    """Valid from the start of `valid_from` until the next version; from `retired_on` on it speaks for nobody."""

    valid_from: date
    unit_id: str
    retired_on: date | None
    device: Device = Device()


SYNTHETIC_SENDER = Sender(SYNTHETIC)
"""Speaks for the unit of its own name, which is in no register, as long as no register knows such a gateway."""


def standing_on(versions: Sequence[Version], day: date) -> Sender | RegistrationStatus:
    """Return who speaks on `day`, or why nobody does; `versions` as in `Directory.put`."""
    holding = in_force(versions, day)
    if holding is None:
        return RegistrationStatus.NOT_YET if versions else RegistrationStatus.UNKNOWN
    if holding.retired_on is not None and holding.retired_on <= day:
        return RegistrationStatus.RETIRED
    return Sender(holding.unit_id, holding.device)


class Directory:
    """All gateways, kept up to date record by record; answers for the day of the instant asked about.

    The answers of one day are remembered: a look-up is one dictionary access.
    """

    def __init__(self) -> None:
        self._versions: dict[str, tuple[Version, ...]] = {}
        self._today: dict[str, Sender | RegistrationStatus] = {}
        self._addresses: dict[bytes, set[str]] = {}
        self._day = date.min
        self._starts = datetime.max.replace(tzinfo=UTC)
        self._ends = datetime.min.replace(tzinfo=UTC)

    def __len__(self) -> int:
        return len(self._versions)

    def put(self, gateway_id: str, versions: Sequence[Version]) -> None:
        """Take over every version of one gateway, in the order of (valid_from, recorded_at)."""
        self.remove(gateway_id)
        self._versions[gateway_id] = tuple(versions)
        for version in versions:
            if version.device.address is not None:
                self._addresses.setdefault(version.device.address, set()).add(gateway_id)

    def remove(self, gateway_id: str) -> None:
        for version in self._versions.pop(gateway_id, ()):
            holders = self._addresses.get(version.device.address or b"", set())
            holders.discard(gateway_id)
            if version.device.address is not None and not holders:
                self._addresses.pop(version.device.address, None)
        self._today.pop(gateway_id, None)

    def gateway_at(self, address: bytes, at: datetime) -> str | None:
        """Return the gateway that is registered under six address bytes at `at`; None for none, and for two."""
        holders = [
            gateway_id
            for gateway_id in self._addresses.get(address, ())
            if isinstance(sender := self.sender(gateway_id, at), Sender) and sender.device.address == address
        ]
        return holders[0] if len(holders) == 1 else None

    def gateways_of(self, unit_id: str, at: datetime) -> list[str]:
        """Return the gateways that speak for a unit at `at`, in order; looks at all there are."""
        return sorted(
            gateway_id
            for gateway_id in self._versions
            if isinstance(sender := self.sender(gateway_id, at), Sender) and sender.unit_id == unit_id
        )

    def sender(self, gateway_id: str, at: datetime) -> Sender | RegistrationStatus:
        """Return who the gateway speaks for at the aware instant `at`, and how; or why for nobody."""
        if not self._starts <= at < self._ends:
            self._turn_to(at)
        known = self._today.get(gateway_id)
        if known is None:
            versions = self._versions.get(gateway_id)
            if versions is None:  # not remembered: anybody can invent ids without end
                return SYNTHETIC_SENDER if gateway_id == SYNTHETIC else RegistrationStatus.UNKNOWN
            known = self._today[gateway_id] = standing_on(versions, self._day)
        return known

    def _turn_to(self, at: datetime) -> None:
        midnight = at.astimezone(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
        self._day = midnight.date()
        self._starts = midnight.astimezone(UTC)  # comparing instants of one zone object costs a fifth
        self._ends = self._starts + timedelta(days=1)
        self._today.clear()
