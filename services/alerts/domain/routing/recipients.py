"""Who is told: a step's roles resolved through the registry's contacts, into one address per copy."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from services.alerts.domain.case.case import Case
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.subject import SubjectFacts, SubjectKind, body_code
from services.alerts.domain.escalation.steps import LadderStep
from services.alerts.domain.ids import BodyCode, ContactId
from services.alerts.domain.routing.contacts import Address, Contact
from services.kernel.words import Channel, Recipient, StepExit, TelephoneUse

_UNIT_ROLES = {
    Recipient.UNIT_CONTROL_ROOM: "control_room",
    Recipient.UNIT_MANAGER: "manager",
    Recipient.MAINTENANCE: "maintenance",
    Recipient.GRID_OFFICER: "grid_officer",
}
_OF_A_KIND = frozenset({Recipient.CENTRE, Recipient.BRIGADE, Recipient.COMMITTEE, Recipient.GOVERNMENT})
"""Told as all bodies of that kind in the district."""


class ContactDirectory(Protocol):
    """The registry's contacts as they stand now."""

    def bodies(self, kind: str, district: str) -> Sequence[BodyCode]:
        """Return the district's bodies of a kind (`centre`, `brigade`, `committee`, `government`).

        `acceptance`: who accepts buildings there.
        """
        ...

    def contacts(self, body: str) -> Sequence[Contact]:
        """Return the contacts of a body or unit that are in force."""
        ...


@dataclass(frozen=True, slots=True)
class Recipients:
    """`names` are body codes and unit roles with at least one address; `missing` are roles without any.

    `nobody` says why no notice is made at all. `instead` is set when the centre stands in for an empty step.
    `parties` says as whom each contact is told: the first of the names that it answers for.
    `off_duty` are those who are left out for others of the same name who are on duty, and until when they are off.
    """

    addresses: tuple[Address, ...]
    names: tuple[str, ...]
    missing: tuple[str, ...] = ()
    nobody: str | None = None
    instead: bool = False
    parties: Mapping[ContactId, str] = field(default_factory=dict)
    off_duty: Mapping[ContactId, datetime] = field(default_factory=dict)


def recipients_of(
    book: ContactDirectory, case: Case, tells: Iterable[Recipient], now: datetime, but: frozenset[str] = frozenset()
) -> Recipients:
    """Return one address per contact and channel, without repetition, in the order of the roles.

    Bodies of `but` are left out. Of each name those are told who are on duty `now`, all of them when nobody is. Of an
    urgent case all are told at any hour.
    """
    contacts: dict[str, Contact] = {}
    names: list[str] = []
    missing: list[str] = []
    parties: dict[ContactId, str] = {}
    off_duty: dict[ContactId, datetime] = {}
    for role in tells:
        for name, resolved in _resolve(book, case, role):
            if name in but:
                continue
            # who has a telephone for fires alone is not told of anything else, and must not count as told
            found = [contact for contact in resolved if addresses_of(contact, urgent=case.is_urgent)]
            (names if found else missing).append(name)
            off = {} if case.is_urgent else _off_duty(found, now)
            if len(off) < len(found):
                off_duty.update(off)
                found = [contact for contact in found if contact.contact_id not in off]
            contacts.update((contact.contact_id, contact) for contact in found)
            for contact in found:
                parties.setdefault(contact.contact_id, name)
    addresses = tuple(
        address for contact in contacts.values() for address in addresses_of(contact, urgent=case.is_urgent)
    )
    # who is told under another name is told
    off_duty = {contact_id: until for contact_id, until in off_duty.items() if contact_id not in parties}
    named, lacking = tuple(dict.fromkeys(names)), tuple(dict.fromkeys(missing))
    return Recipients(addresses, named, lacking, parties=parties, off_duty=off_duty)


def _off_duty(contacts: Iterable[Contact], now: datetime) -> dict[ContactId, datetime]:
    """Return those who are off duty, and until when."""
    until = ((contact.contact_id, contact.duty.off_until(now)) for contact in contacts if contact.duty)
    return {contact_id: end for contact_id, end in until if end is not None}


def recipients_of_step(book: ContactDirectory, case: Case, step: LadderStep, now: datetime) -> Recipients:
    """Return whom to tell at `step`: nobody for a board entry, the centre when the step's own people are unknown.

    A step that is not taken once the case is acknowledged does not tell those who have signed: their own
    acknowledgement, for others it goes on.
    """
    if step.board_only:
        return Recipients((), (), nobody="board_only")
    but = case.signers if StepExit.ACKNOWLEDGED in step.exits and not case.is_urgent else frozenset()
    recipients = recipients_of(book, case, step.tells, now, but)
    if recipients.addresses:
        return recipients
    if but and not recipients.missing:
        return Recipients((), (), nobody="signed")
    centre = recipients_of(book, case, (Recipient.CENTRE,), now)
    reason = "no_contact:" + ",".join(recipients.missing)
    if not centre.addresses:
        return Recipients((), (), recipients.missing, nobody=reason[:200] + ";no_contact:centre")
    return replace(centre, missing=recipients.missing, nobody=reason[:200], instead=True, parties={})


def recipients_of_first_step(book: ContactDirectory, case: Case, step: LadderStep, now: datetime) -> Recipients:
    """Return whom the first step of an urgent case tells: its own people, and the centre and of a fire the unit itself.

    Whatever the pack says, the monitoring centre and the control room are told of every fire.
    """
    always = (Recipient.CENTRE, Recipient.UNIT_CONTROL_ROOM) if case.is_fire else (Recipient.CENTRE,)
    tells = tuple(dict.fromkeys((*step.tells, *always)))
    return recipients_of_step(book, case, replace(step, tells=tells, board_only=False), now)


def addresses_of(contact: Contact, *, urgent: bool) -> list[Address]:
    """Return an address per channel that the contact has for such a case; a telephone often is for urgent ones alone.

    Telephones are written as URIs, so that a number's messages and its calls are two destinations.
    """
    found = []
    if contact.webhook_url:
        found.append(_address(contact, Channel.WEBHOOK, contact.webhook_url, contact.webhook_secret_ref))
    if contact.mqtt_topic:
        found.append(_address(contact, Channel.MQTT, contact.mqtt_topic, None))
    if contact.robot:
        found.append(_address(contact, Channel.ROBOT, contact.robot, None))
    if contact.apprise:
        found.append(_address(contact, Channel.APPRISE, f"apprise:{contact.apprise}", None))
    if contact.email:
        found.append(_address(contact, Channel.EMAIL, contact.email, None))
    if contact.phone and _rings(contact.sms, urgent=urgent):
        found.append(_address(contact, Channel.SMS, f"sms:{contact.phone}", None))
    if contact.phone and _rings(contact.voice, urgent=urgent):
        found.append(_address(contact, Channel.VOICE, f"tel:{contact.phone}", None))
    return found


def _rings(use: TelephoneUse | None, *, urgent: bool) -> bool:
    return use is TelephoneUse.ALL or (use is TelephoneUse.FIRES and urgent)


def _address(contact: Contact, channel: Channel, address: str, secret_ref: str | None) -> Address:
    return Address(contact.contact_id, contact.body_code, channel, address, secret_ref, contact.lang)


def _resolve(book: ContactDirectory, case: Case, role: Recipient) -> list[tuple[str, list[Contact]]]:
    facts = case.facts
    if role in _UNIT_ROLES:
        return [(str(role), _of_unit(book, case, _UNIT_ROLES[role]))]
    if role is Recipient.BODY:
        own = body_code(facts.subject) if facts.subject.kind is SubjectKind.BODY else ""
        # a district is no office: what it does about its figure its brigade does
        codes: Sequence[str] = (own,) if own and own != facts.district else _of_kind(book, Recipient.BRIGADE, facts)
    elif role in _OF_A_KIND:
        codes = _of_kind(book, role, facts)
    elif role is Recipient.STREET:
        codes = (facts.town,) if facts.town else ()
    elif role is Recipient.ACCEPTANCE:
        return [(code, _offices(book, code)) for code in _of_acceptance(book, case)]
    else:
        codes = tuple(code for code in (facts.lead_department, *facts.copy_departments) if code)
    if not codes:
        return [(str(role), [])]
    return [(code, _offices(book, code)) for code in codes]


def _offices(book: ContactDirectory, code: str) -> list[Contact]:
    return [contact for contact in book.contacts(code) if contact.role == "office"]


def _of_acceptance(book: ContactDirectory, case: Case) -> list[str]:
    """Return who accepts buildings, where the route of this one names them; nobody is missing where it does not.

    The registry copies to them what is built and not connected yet. What they answer for themselves is new to them
    only as long as it was never connected: of a line that is lost a department hears later.
    """
    facts = case.facts
    named = {*facts.copy_departments}
    if case.kind is CaseKind.NEVER_CONNECTED:
        named.add(facts.lead_department)
    return [code for code in book.bodies(str(Recipient.ACCEPTANCE), facts.district) if code in named]


def _of_kind(book: ContactDirectory, role: Recipient, facts: SubjectFacts) -> Sequence[str]:
    return book.bodies(str(role), facts.district) or (str(role),)


def _of_unit(book: ContactDirectory, case: Case, role: str) -> list[Contact]:
    own = [contact for contact in book.contacts(case.subject.id) if contact.role == role]
    if own or role != "grid_officer" or not case.facts.town:
        return own
    return [contact for contact in book.contacts(case.facts.town) if contact.role == role]
