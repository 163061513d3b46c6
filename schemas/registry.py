"""`firenet.registry.v1` (compacted): units, gateways, contacts, packs, approved adjustments.

Each record holds all versions of one entity.
"""

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
from services.kernel.position import EAST, NORTH, SOUTH, WEST
from services.kernel.words import (
    AdjustmentKind,
    Construction,
    ContactRole,
    CountedAs,
    Language,
    RobotProvider,
    SignalKind,
    TelephoneUse,
)

Telephone = Annotated[str, StringConstraints(pattern=r"^[0-9]{3,12}(-[0-9]{1,10}){0,2}$")]
"""As it is dialled in China, an extension behind the second dash: 13800138000, 0591-87654321, 0591-87654321-801."""


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
    control_room_phone: Telephone | None = None
    responsible_person: ShortText | None = Field(default=None, description="消防安全责任人, by name")
    responsible_phone: Telephone | None = None
    address_en: ShortText = ""
    longitude: float | None = Field(default=None, ge=WEST, le=EAST, allow_inf_nan=False, description="degrees east")
    latitude: float | None = Field(default=None, ge=SOUTH, le=NORTH, allow_inf_nan=False, description="degrees north")
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

    @model_validator(mode="after")
    def _position_is_whole(self) -> Self:
        if (self.longitude is None) != (self.latitude is None):
            raise ValueError("a position needs longitude and latitude together")
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


GATEWAYS_TOPICS = "firenet/"
"""What gateways say stands below: no notice goes there."""
RobotName = Annotated[
    str, StringConstraints(pattern=rf"^({'|'.join(RobotProvider)}):[A-Za-z0-9][A-Za-z0-9_.-]{{0,63}}$")
]
MqttTopic = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-][A-Za-z0-9_./-]{0,199}$")]
WebhookUrl = Annotated[AnyUrl, UrlConstraints(allowed_schemes=["https", "http"], max_length=400)]


class ContactVersion(Version):
    """Who is told for a body (`office`) or a unit (the other roles), by e-mail, signed webhook, group robot and MQTT.

    `body_code` is a department code of the pack or a unit id. `webhook_secret_ref` names a secret, never holds it; nor
    does `robot`, written `provider:name`. `mqtt_topic` is one of the broker that alerts is set up for.
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
    mqtt_topic: MqttTopic | None = None
    apprise: Identifier | None = Field(default=None, description="file with the URL of a service of Apprise")
    phone: Telephone | None = Field(
        default=None, description="for people to call; notices go there only as `sms` and `voice` say"
    )
    sms: TelephoneUse | None = None
    voice: TelephoneUse | None = None
    duty_times: str | None = Field(
        default=None,
        max_length=400,
        description="days and hours, Asia/Shanghai, in which notices of cases that are not urgent go there, such as"
        " `Mo-Fr 08:30-17:30; Sa,Su 09:00-12:00`; none, or what cannot be read: always. At most 120 are written",
    )
    retired_on: date | None = None

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        by_telephone = self.sms is not None or self.voice is not None
        if not any((self.email, self.webhook_url, self.robot, self.mqtt_topic, self.apprise, by_telephone)):
            raise ValueError("a contact needs an address: e-mail, webhook, robot, MQTT topic, Apprise or telephone")
        if by_telephone and self.phone is None:
            raise ValueError("text messages and calls need a telephone number")
        if (self.mqtt_topic or "").startswith(GATEWAYS_TOPICS):
            raise ValueError("gateways speak there: a notice would be taken for an alarm")
        if (self.webhook_url is None) != (self.webhook_secret_ref is None):
            raise ValueError("webhook_url and webhook_secret_ref go together")
        return self


class DepartmentVersion(Version):
    """Bodies of the district beyond those that the pack ships: streets and towns, and renamed departments."""

    department: Department


class PackVersion(Version):
    pack: Pack


Account = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
AdjustmentText = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class AdjustmentVersion(Version):
    """Approved: of [starts_at, ends_at) the time of `unit_id` is counted otherwise than it was measured.

    Known since `recorded_at`, the last approval; `valid_from` is the day of `starts_at`. A later version cuts it short.
    `counted_as` goes with a correction, which is of the whole unit. What else is narrowed down by `system`, `address`
    or `trouble` lets off these troubles of the unit only, never its connection.
    """

    adjustment_id: Identifier
    unit_id: Identifier
    what: AdjustmentKind
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    counted_as: CountedAs | None = None
    system: ShortText | None = Field(default=None, description="as signals name it; null: any")
    address: ShortText | None = Field(default=None, description="of a component; null: any")
    trouble: Literal[SignalKind.FAULT, SignalKind.ISOLATION] | None = Field(
        default=None, description="only troubles of this kind; a fire is never let off"
    )
    reason: AdjustmentText
    evidence: AdjustmentText | None = Field(default=None, description="a document's number, a file, a log entry")
    requested_by: Account
    requested_at: AwareDatetime
    approved_by: tuple[Account, ...] = Field(min_length=1, max_length=2)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.ends_at < self.starts_at:
            raise ValueError("ends_at lies before starts_at")
        if (self.what is AdjustmentKind.CORRECTION) != (self.counted_as is not None):
            raise ValueError("counted_as goes with a correction")
        if self.counted_as is not None and (self.system, self.address, self.trouble) != (None, None, None):
            raise ValueError("a correction is of the whole unit")
        people = (self.requested_by, *self.approved_by)
        if len(set(people)) != len(people):
            raise ValueError("who asks and who approve are different people")
        return self


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


class AdjustmentRecord(Wire):
    kind: Literal["adjustment"] = "adjustment"
    id: Identifier
    versions: tuple[AdjustmentVersion, ...] = Field(min_length=1)


class RegistryData(Wire):
    """`versions` are in the order of (`valid_from`, `recorded_at`); the last that is valid on a day holds that day."""

    record: Annotated[
        UnitRecord | GatewayRecord | ContactRecord | DepartmentRecord | PackRecord | AdjustmentRecord,
        Field(discriminator="kind"),
    ]


class RegistryEvent(Event[RegistryData]):
    """source `/registry`, subject = `{kind}:{id}` = record key."""

    type: Literal["cn.firenet.registry.v1"] = "cn.firenet.registry.v1"
