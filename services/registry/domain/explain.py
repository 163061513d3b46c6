"""Who would be told about a unit, at which step, on which clause; and where nobody would."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import assert_never

from services.kernel.words import BodyKind, ContactRole, Recipient
from services.registry.domain.bodies import Body
from services.registry.domain.entities import Contact, Routing, Unit
from services.registry.domain.policy import LadderStep, Policy
from services.registry.domain.routing import acceptance_gate

UNIT_ROLES: Mapping[Recipient, ContactRole] = {
    Recipient.UNIT_CONTROL_ROOM: ContactRole.CONTROL_ROOM,
    Recipient.UNIT_MANAGER: ContactRole.MANAGER,
    Recipient.MAINTENANCE: ContactRole.MAINTENANCE,
    Recipient.GRID_OFFICER: ContactRole.GRID_OFFICER,
}


@dataclass(frozen=True, slots=True)
class StepRecipient:
    """One recipient of a step: a body, or a role of the unit, and the contacts that would get the notice."""

    role: Recipient
    body_code: str
    name: str
    contacts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StepExplained:
    ladder: str
    code: str
    when: str
    name_zh: str
    name_en: str
    document: str
    board_only: bool
    clause: str
    recipients: tuple[StepRecipient, ...]


@dataclass(frozen=True, slots=True)
class Directory:
    """Bodies and living contacts, by the code that they stand for."""

    bodies: Mapping[str, Body]
    contacts: Mapping[str, Sequence[Contact]]

    def reach(self, code: str, role: ContactRole, today: date) -> tuple[str, ...]:
        """Return the ids of contacts of a body or unit that may be told on `today`, with their duty times."""
        return tuple(
            f"{contact.contact_id} (on duty {contact.duty_times})" if contact.duty_times else contact.contact_id
            for contact in self.contacts.get(code, ())
            if contact.role is role and (contact.retired_on is None or contact.retired_on > today)
        )


def explain(unit: Unit, route: Routing, policy: Policy, directory: Directory, today: date) -> Iterator[StepExplained]:
    """Yield each step of each ladder of units with those whom it would tell about `unit` today."""
    for ladder, steps in policy.ladders.items():
        for step in (one for one in steps if not one.of_bodies):
            recipients = tuple(_recipients(unit, route, step, policy, directory, today))
            yield StepExplained(
                ladder, step.code, step.when, step.name_zh, step.name_en, step.document, step.board_only,
                step.clause, recipients,
            )  # fmt: skip


def _recipients(
    unit: Unit, route: Routing, step: LadderStep, policy: Policy, directory: Directory, today: date
) -> Iterator[StepRecipient]:
    for recipient in step.tells:
        if recipient in UNIT_ROLES:
            contacts = directory.reach(unit.unit_id, UNIT_ROLES[recipient], today)
            yield StepRecipient(recipient, unit.unit_id, unit.name, contacts)
        else:
            for code in _bodies(recipient, unit, route, policy):
                body = directory.bodies.get(code) or policy.bodies.get(code)
                name = code if body is None else body.name_zh
                yield StepRecipient(recipient, code, name, directory.reach(code, ContactRole.OFFICE, today))


def _bodies(recipient: Recipient, unit: Unit, route: Routing, policy: Policy) -> tuple[str, ...]:
    match recipient:
        case Recipient.CENTRE:
            return _of_kind(policy, BodyKind.CENTRE)
        case Recipient.BRIGADE:
            return _of_kind(policy, BodyKind.BRIGADE)
        case Recipient.COMMITTEE:
            return _of_kind(policy, BodyKind.COMMITTEE)
        case Recipient.GOVERNMENT:
            return _of_kind(policy, BodyKind.GOVERNMENT)
        case Recipient.BODY:
            return ()  # no unit is one
        case Recipient.STREET:
            return (unit.town,)
        case Recipient.DEPARTMENT:
            return (route.lead, *route.copies)
        case Recipient.ACCEPTANCE:
            return tuple(code for code in acceptance_gate(policy) if code in (route.lead, *route.copies))
        case Recipient.UNIT_CONTROL_ROOM | Recipient.UNIT_MANAGER | Recipient.MAINTENANCE | Recipient.GRID_OFFICER:
            return ()
        case _:
            assert_never(recipient)


def _of_kind(policy: Policy, kind: BodyKind) -> tuple[str, ...]:
    return tuple(code for code, body in policy.bodies.items() if body.kind is kind)


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that would leave a notice without a reader. `example` is one unit of `units` that it would hit."""

    what: str
    units: int
    example: str


def find_gaps(units: Sequence[tuple[Unit, Routing]], policy: Policy, directory: Directory, today: date) -> list[Gap]:
    """Return every recipient that nobody reads for, most units first.

    A unit's own people are counted by role, bodies one by one.
    """
    hit: dict[str, list[str]] = {}
    for unit, route in units:
        seen: set[str] = set()
        for step in explain(unit, route, policy, directory, today):
            for recipient in step.recipients:
                if recipient.contacts or step.board_only:
                    continue
                seen.add(_gap_name(recipient))
        for what in seen:
            hit.setdefault(what, []).append(unit.unit_id)
    gaps = [Gap(what, len(ids), ids[0]) for what, ids in hit.items()]
    return sorted(gaps, key=lambda gap: (-gap.units, gap.what))


def _gap_name(recipient: StepRecipient) -> str:
    if recipient.role in UNIT_ROLES:
        return f"no contact for {recipient.role.value}"
    return f"no contact for body {recipient.body_code} ({recipient.name})"
