"""Who can be told, and where."""

from dataclasses import dataclass

from services.alerts.domain.ids import BodyCode, ContactId
from services.kernel.duty_times import DutyTimes
from services.kernel.words import Channel, TelephoneUse


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody who can be told, with at least one address."""

    contact_id: ContactId
    body_code: BodyCode
    role: str
    lang: str
    email: str | None = None
    webhook_url: str | None = None
    webhook_secret_ref: str | None = None
    robot: str | None = None
    mqtt_topic: str | None = None
    apprise: str | None = None
    phone: str | None = None
    sms: TelephoneUse | None = None
    voice: TelephoneUse | None = None
    duty: DutyTimes | None = None
    """None: always on duty."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where one copy goes. `secret_ref` names the webhook's signing secret, never holds it; nor does a robot's name."""

    contact_id: ContactId
    body_code: BodyCode
    channel: Channel
    address: str
    secret_ref: str | None
    lang: str


@dataclass(frozen=True, slots=True)
class Telephones:
    """By which a unit is called. `responsible`: of who answers for its fire safety, by name `person`."""

    control_room: str | None = None
    responsible: str | None = None
    person: str | None = None

    def __bool__(self) -> bool:
        return bool(self.control_room or self.responsible)


NO_TELEPHONES = Telephones()
