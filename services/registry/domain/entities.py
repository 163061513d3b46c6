"""What the register holds, and that each fact has a day it begins and an instant we learned it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Generic, TypeVar, cast

from services.kernel.words import Construction, ContactRole, Language, TelephoneUse
from services.registry.domain.adjustments import ApprovedAdjustment
from services.registry.domain.bodies import Body
from services.registry.domain.devices import Network
from services.registry.domain.policy import Policy


class Kind(StrEnum):
    """Kinds of entity, in the order in which one may refer to the other."""

    PACK = "pack"
    DEPARTMENT = "department"
    UNIT = "unit"
    GATEWAY = "gateway"
    CONTACT = "contact"
    ADJUSTMENT = "adjustment"


@dataclass(frozen=True, slots=True)
class Unit:
    unit_id: str
    name: str
    name_en: str
    district: str
    town: str
    community: str
    category: str
    address: str
    key_unit: bool
    auto_fire_facilities: bool
    crowded_place: bool
    flammable_place: bool
    fire_alarm_system: bool
    construction: Construction = Construction.EXISTING
    accepted_on: date | None = None
    commissioned_on: date | None = None
    retired_on: date | None = None
    exempt_from: date | None = None
    exempt_until: date | None = None
    exempt_reason: str | None = None
    profile: str | None = None
    also_told: tuple[str, ...] = ()
    control_room_phone: str | None = None
    responsible_person: str | None = None
    responsible_phone: str | None = None
    address_en: str = ""
    longitude: float | None = None
    latitude: float | None = None
    """Degrees east and north, both or neither, in the coordinate system that the district works in."""

    @property
    def id(self) -> str:
        return self.unit_id


@dataclass(frozen=True, slots=True)
class Gateway:
    """`device_address`: six bytes in the order of the wire, as hex. `networks`: where it may call from by itself.

    Without a network only a certificate proves that a call is this device's. `points`: how many components are
    registered behind it; None when nobody has said.
    """

    gateway_id: str
    unit_id: str
    carrier: str
    vendor: str = ""
    device_profile: str | None = None
    device_address: str | None = None
    networks: tuple[Network, ...] = ()
    points: int | None = None
    retired_on: date | None = None

    @property
    def id(self) -> str:
        return self.gateway_id


@dataclass(frozen=True, slots=True)
class Contact:
    contact_id: str
    body_code: str
    role: ContactRole
    name: str
    lang: Language = Language.ZH
    email: str | None = None
    webhook_url: str | None = None
    webhook_secret_ref: str | None = None
    robot: str | None = None
    mqtt_topic: str | None = None
    apprise: str | None = None
    phone: str | None = None
    sms: TelephoneUse | None = None
    voice: TelephoneUse | None = None
    duty_times: str | None = None
    """In the form of `kernel.duty_times`; None: always on duty."""
    retired_on: date | None = None

    @property
    def id(self) -> str:
        return self.contact_id


Facts = Unit | Gateway | Contact | Body | Policy | ApprovedAdjustment
F = TypeVar("F", bound=Facts)
F_co = TypeVar("F_co", bound=Facts, covariant=True)


@dataclass(frozen=True, slots=True)
class Routing:
    """Who answers for a unit. `routed` is False when no clause names a body and the default route holds."""

    lead: str
    copies: tuple[str, ...]
    routed: bool
    clause: str


@dataclass(frozen=True, slots=True)
class Version(Generic[F_co]):
    """Facts valid from the start of `valid_from` (Asia/Shanghai) until the next version; known since `recorded_at`.

    `route` is there for units and only for them.
    """

    facts: F_co
    valid_from: date
    recorded_at: datetime
    route: Routing | None = None


@dataclass(frozen=True, slots=True)
class History(Generic[F_co]):
    """All versions of one entity, in the order of (`valid_from`, `recorded_at`)."""

    kind: Kind
    id: str
    versions: Sequence[Version[F_co]]


def of_type(versions: Iterable[Version[Facts]], wanted: type[F]) -> list[Version[F]]:
    """Return those versions whose facts are of the wanted type, in the same order."""
    return [cast("Version[F]", version) for version in versions if isinstance(version.facts, wanted)]
