"""The units, gateways and contacts of the register as alerts keeps them: the fields that it asks for, packed.

A district has hundreds of thousands of them, and hardly any is asked for before its unit has a case. As models of the
wire each takes some two kilobytes in a score of objects; packed it is one object of some 200 bytes, unpacked in a few
microseconds when it is asked for.
"""

import marshal
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Generic, NamedTuple, TypeVar

from schemas.registry import ContactVersion, GatewayVersion, UnitVersion
from services.kernel.calendar import day_number
from services.kernel.effective import in_force


class UnitFields(NamedTuple):
    """Days are numbers of `kernel.calendar`, here and below."""

    valid_from: int
    name: str
    name_en: str
    district: str
    town: str
    category: str
    address: str
    lead_department: str
    copy_departments: tuple[str, ...]
    route_clause: str
    control_room_phone: str | None
    responsible_person: str | None
    responsible_phone: str | None
    retired_on: int | None


class GatewayFields(NamedTuple):
    valid_from: int
    unit_id: str
    carrier: str
    retired_on: int | None


class ContactFields(NamedTuple):
    valid_from: int
    contact_id: str
    body_code: str
    role: str
    name: str
    lang: str
    email: str | None
    webhook_url: str | None
    webhook_secret_ref: str | None
    robot: str | None
    mqtt_topic: str | None
    apprise: str | None
    phone: str | None
    sms: str | None
    voice: str | None
    duty_times: str | None
    retired_on: int | None


def unit_fields(version: UnitVersion) -> UnitFields:
    return UnitFields(
        valid_from=day_number(version.valid_from),
        name=version.name,
        name_en=version.name_en,
        district=version.district,
        town=version.town,
        category=version.category,
        address=version.address,
        lead_department=version.lead_department,
        copy_departments=tuple(version.copy_departments),
        route_clause=version.route_clause,
        control_room_phone=version.control_room_phone,
        responsible_person=version.responsible_person,
        responsible_phone=version.responsible_phone,
        retired_on=_day(version.retired_on),
    )


def gateway_fields(version: GatewayVersion) -> GatewayFields:
    return GatewayFields(
        day_number(version.valid_from), version.unit_id, version.carrier, retired_on=_day(version.retired_on)
    )


def contact_fields(version: ContactVersion) -> ContactFields:
    return ContactFields(
        valid_from=day_number(version.valid_from),
        contact_id=version.contact_id,
        body_code=version.body_code,
        role=_text(version.role) or "",
        name=version.name,
        lang=version.lang.value,
        email=_text(version.email),
        webhook_url=_text(version.webhook_url),
        webhook_secret_ref=version.webhook_secret_ref,
        robot=version.robot,
        mqtt_topic=version.mqtt_topic,
        apprise=version.apprise,
        phone=version.phone,
        sms=_text(version.sms),
        voice=_text(version.voice),
        duty_times=version.duty_times,
        retired_on=_day(version.retired_on),
    )


def _day(day: date | None) -> int | None:
    return None if day is None else day_number(day)


def _text(value: object) -> str | None:
    """Return a plain string of an address or a word of a closed set; "" is none."""
    return str(value) if value else None


V = TypeVar("V", UnitFields, GatewayFields, ContactFields)


class PackedVersions(Generic[V]):
    """All versions of the entities of one kind. What is packed never leaves this process and is of our own making."""

    def __init__(self, make: Callable[[Iterable[object]], V]) -> None:
        """`make` is `_make` of the fields' class."""
        self._make: Callable[[Iterable[object]], V] = make
        self._packed: dict[str, bytes] = {}

    def ids(self) -> Iterator[str]:
        return iter(self._packed)

    def put(self, entity: str, versions: Iterable[V]) -> None:
        """Keep all versions of an entity, in the order of the register, instead of those before."""
        self._packed[entity] = marshal.dumps([tuple(version) for version in versions])

    def remove(self, entity: str) -> None:
        self._packed.pop(entity, None)

    def in_force(self, entity: str, day: date) -> V | None:
        """Return the version that holds on the day; None when there is none, or no such entity."""
        packed = self._packed.get(entity)
        if packed is None:
            return None
        versions: list[V] = [self._make(fields) for fields in marshal.loads(packed)]  # noqa: S302 - our own
        return in_force(versions, day_number(day))
