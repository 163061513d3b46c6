"""`firenet.registry.v1` (compacted): units, gateways, contacts, packs; each record holds all versions of one entity."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import (
    AnyUrl,
    AwareDatetime,
    EmailStr,
    Field,
    IPvAnyNetwork,
    StringConstraints,
    UrlConstraints,
    model_validator,
)

from schemas.base import Event, Identifier, ShortText, Wire
from schemas.pack import Department, Pack
from services.kernel.words import Construction, ContactRole, Language, RobotProvider


class Version(Wire):
    """Valid from the start of `valid_from` (Asia/Shanghai) until the next version; known since `recorded_at`."""

    valid_from: date
    recorded_at: AwareDatetime


class UnitVersion(Version):
    """Facts of a protected premises. The route is resolved at import and kept with the version in force."""

    unit_id: Identifier
    name: ShortText
    name_en: ShortText = ""
    district: Identifier
    town: Identifier
    community: ShortText
    category: Identifier
    address: ShortText = ""
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
    exempt_until: date | None = Field(default=None, description="last exempt day, inclusive")
    exempt_reason: ShortText | None = None
    profile: Identifier | None = None
    also_told: tuple[Identifier, ...] = Field(
        default=(), description="bodies that the register names for this unit, beside those of its category's route"
    )
    lead_department: Identifier
    copy_departments: tuple[Identifier, ...] = ()
    routed: bool
    route_clause: ShortText

    @model_validator(mode="after")
    def _exemption_is_whole(self) -> Self:
        given = [self.exempt_from is not None, self.exempt_until is not None, self.exempt_reason is not None]
        if any(given) and not all(given):
            raise ValueError("an exemption needs exempt_from, exempt_until and exempt_reason together")
        if self.exempt_from and self.exempt_until and self.exempt_until < self.exempt_from:
            raise ValueError("exempt_until lies before exempt_from")
        return self


class GatewayVersion(Version):
    """A gateway speaks for one unit. `retired_on` ends that.

    For devices that speak GB/T 26875.3: `device_profile` names how this make reads the standard, null for the letter
    of it; `device_address` is the six address bytes in the order of the wire, as hex; `networks` are the addresses it
    may call from (CIDR); when empty, it must prove by a certificate who it is (where the listener asks for one).
    """

    gateway_id: Identifier
    unit_id: Identifier
    carrier: Identifier
    vendor: ShortText = ""
    device_profile: Identifier | None = None
    device_address: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")] | None = None
    networks: tuple[IPvAnyNetwork, ...] = Field(default=(), max_length=16)
    points: int | None = Field(default=None, ge=0, description="how many components are registered; null: not said")
    retired_on: date | None = None


RobotName = Annotated[
    str, StringConstraints(pattern=rf"^({'|'.join(RobotProvider)}):[A-Za-z0-9][A-Za-z0-9_.-]{{0,63}}$")
]
WebhookUrl = Annotated[AnyUrl, UrlConstraints(allowed_schemes=["https", "http"], max_length=400)]


class ContactVersion(Version):
    """Who is told for a body (`office`) or a unit (the other roles), by e-mail, signed webhook and group robot.

    `body_code` is a department code of the pack or a unit id. `webhook_secret_ref` names a secret, never holds it; nor
    does `robot`, written `provider:name`.
    """

    contact_id: Identifier
    body_code: Identifier
    role: ContactRole
    name: ShortText
    lang: Language = Language.ZH
    email: EmailStr | None = None
    webhook_url: WebhookUrl | None = None
    webhook_secret_ref: Identifier | None = None
    robot: RobotName | None = None
    retired_on: date | None = None

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.email is None and self.webhook_url is None and self.robot is None:
            raise ValueError("a contact needs an e-mail address, a webhook URL or a robot")
        if (self.webhook_url is None) != (self.webhook_secret_ref is None):
            raise ValueError("webhook_url and webhook_secret_ref go together")
        return self


class DepartmentVersion(Version):
    """Bodies of the district beyond those that the pack ships: streets and towns, and renamed departments."""

    department: Department


class PackVersion(Version):
    pack: Pack


class UnitRecord(Wire):
    kind: Literal["unit"] = "unit"
    id: Identifier
    versions: tuple[UnitVersion, ...] = Field(min_length=1)


class GatewayRecord(Wire):
    kind: Literal["gateway"] = "gateway"
    id: Identifier
    versions: tuple[GatewayVersion, ...] = Field(min_length=1)


class ContactRecord(Wire):
    kind: Literal["contact"] = "contact"
    id: Identifier
    versions: tuple[ContactVersion, ...] = Field(min_length=1)


class DepartmentRecord(Wire):
    kind: Literal["department"] = "department"
    id: Identifier
    versions: tuple[DepartmentVersion, ...] = Field(min_length=1)


class PackRecord(Wire):
    kind: Literal["pack"] = "pack"
    id: Identifier
    versions: tuple[PackVersion, ...] = Field(min_length=1)


class RegistryData(Wire):
    """`versions` are in the order of (`valid_from`, `recorded_at`); the last that is valid on a day holds that day."""

    record: Annotated[
        UnitRecord | GatewayRecord | ContactRecord | DepartmentRecord | PackRecord, Field(discriminator="kind")
    ]


class RegistryEvent(Event[RegistryData]):
    """source `/registry`, subject = `{kind}:{id}` = record key."""

    type: Literal["cn.firenet.registry.v1"] = "cn.firenet.registry.v1"
