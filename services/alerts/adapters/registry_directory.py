"""The registry in memory, followed from firenet.registry.v1: units, routes, contacts, bodies, the pack in force."""

import contextlib
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from schemas import codec
from schemas.pack import Pack
from schemas.registry import ContactRecord, DepartmentRecord, GatewayRecord, PackRecord, UnitRecord
from services.alerts.adapters.packed_versions import (
    ContactFields,
    GatewayFields,
    PackedVersions,
    UnitFields,
    contact_fields,
    gateway_fields,
    unit_fields,
)
from services.alerts.adapters.packs import PackShelf
from services.alerts.domain.case.subject import UNREGISTERED, Subject, SubjectFacts, SubjectKind
from services.alerts.domain.delivery.documents import Named, Particulars
from services.alerts.domain.errors import NoPack
from services.alerts.domain.escalation.pack_rules import WITHOUT_PACK, PackRules
from services.alerts.domain.ids import BodyCode, ContactId
from services.alerts.domain.routing.contacts import Contact, Telephones
from services.kernel import duty_times
from services.kernel.calendar import CHINA, day_number
from services.kernel.duty_times import DutyTimes
from services.kernel.effective import in_force
from services.kernel.words import ACCEPTANCE_ROUTE, BodyKind, ContactRole, Recipient, TelephoneUse
from services.runtime.logging import get_logger

WHOLE_DISTRICT = Named("全区", "the whole district")
"""How a district is called: no file names it."""


class RegistryDirectory:
    """See ports.Directory. `on_record` feeds it; what it cannot read it counts and leaves as it was."""

    def __init__(
        self, today: Callable[[], date], on_rejected: Callable[[], None], per_number_a_day: int | None = None
    ) -> None:
        self._today = today
        self._on_rejected = on_rejected
        self._units = PackedVersions(UnitFields._make)
        self._gateways = PackedVersions(GatewayFields._make)
        self._contacts = PackedVersions(ContactFields._make)
        self._departments: dict[str, DepartmentRecord] = {}
        self._packs = PackShelf(per_number_a_day)
        self._contacts_of: dict[str, tuple[str, ...]] = {}
        self._gateways_of: dict[str, tuple[str, ...]] = {}
        self._sizes: dict[str, Counter[str]] | None = None

    def on_record(self, key: str, value: bytes | None) -> None:
        """Take one record of the topic; None removes the entity."""
        kind, _, entity = key.partition(":")
        self._sizes = None
        if value is None:
            self._remove(kind, entity)
            return
        try:
            record = codec.registry.decode(value).data.record
        except codec.BadRecord as error:
            self._on_rejected()
            get_logger().warning("registry_record_rejected", key=key[:80], detail=error.detail)
            return
        if isinstance(record, UnitRecord):
            self._units.put(record.id, map(unit_fields, record.versions))
        elif isinstance(record, GatewayRecord):
            self._gateways.put(record.id, map(gateway_fields, record.versions))
            for gateway in record.versions:
                _add(self._gateways_of, gateway.unit_id, record.id)
        elif isinstance(record, ContactRecord):
            self._put_contact(record)
        elif isinstance(record, DepartmentRecord):
            self._departments[record.id] = record
        elif isinstance(record, PackRecord):
            self._packs.put(record)
        # Adjustments are of no concern here: rules follows them, and a fire of a unit in maintenance is told as ever.

    def _put_contact(self, record: ContactRecord) -> None:
        self._contacts.put(record.id, map(contact_fields, record.versions))
        for contact in record.versions:
            _add(self._contacts_of, contact.body_code, record.id)
            if contact.duty_times is not None and _duty(contact.duty_times) is None:
                get_logger().warning("duty_times_unreadable", contact_id=record.id, valid_from=str(contact.valid_from))

    def _remove(self, kind: str, entity: str) -> None:
        match kind:
            case "pack":
                self._packs.remove(entity)
            case "unit":
                self._units.remove(entity)
            case "gateway":
                self._gateways.remove(entity)
            case "contact":
                self._contacts.remove(entity)
            case "department":
                self._departments.pop(entity, None)

    def rules(self, now: datetime, district: str) -> PackRules:
        chosen = self._packs.of(district, now.astimezone(CHINA).date())
        return WITHOUT_PACK if chosen is None else chosen.rules

    def longest_window(self, now: datetime) -> timedelta:
        return self._packs.longest_window(now.astimezone(CHINA).date())

    def expired(self, now: datetime) -> list[str]:
        """Return the districts whose pack is past its last day. Raises NoPack when there is none at all."""
        day = now.astimezone(CHINA).date()
        self._packs.of("", day)
        return [district for district, chosen in self._packs.of_all(day).items() if chosen.rules.expired]

    def facts(self, subject: Subject, now: datetime) -> SubjectFacts:
        unit_id = subject.id
        if unit_id.startswith(UNREGISTERED):
            return _unregistered(subject)
        day = now.astimezone(CHINA).date()
        if subject.kind is SubjectKind.BODY:
            return self._body(subject, day)
        version = self._units.in_force(unit_id, day)
        if version is None:
            return SubjectFacts(subject, name=unit_id, carriers=self._carriers(unit_id, day))
        return SubjectFacts(
            subject,
            name=version.name,
            name_en=version.name_en,
            district=version.district,
            town=version.town,
            category=version.category,
            lead_department=version.lead_department,
            copy_departments=version.copy_departments,
            route_clause=version.route_clause,
            carriers=self._carriers(unit_id, day),
        )

    def _body(self, subject: Subject, day: date) -> SubjectFacts:
        """A district, town or department. Several districts: what is no district is named with its own, `D/CODE`."""
        district, slash, code = subject.id.partition("/")
        if not slash:
            district, code = (subject.id if subject.id in self._packs.of_all(day) else ""), subject.id
        unnamed = WHOLE_DISTRICT if code == district else Named(code)
        named = self._body_names(district, day).get(code, unnamed)
        is_street = code in self.bodies(BodyKind.STREET, district)
        return SubjectFacts(
            subject,
            named.zh,
            named.en,
            district,
            town=code if is_street else "",
            lead_department="" if is_street or code == district else code,
        )

    def _carriers(self, unit_id: str, day: date) -> tuple[str, ...]:
        versions = (self._gateways.in_force(gateway, day) for gateway in self._gateways_of.get(unit_id, ()))
        return tuple(sorted({found.carrier for found in versions if found and _serves(found, unit_id, day)}))

    def bodies(self, kind: str, district: str) -> Sequence[BodyCode]:
        """Bodies of the district's own pack, and those of the register that are in no other district's pack.

        Where no pack names a centre, because the district has none or nobody knows which it is, every centre that there
        is: an alarm that reaches one too many is better than one that reaches nobody.
        """
        day = self._today()
        chosen = None
        with contextlib.suppress(NoPack):
            chosen = self._packs.of(district, day)
        if kind == Recipient.ACCEPTANCE:
            routes = () if chosen is None else chosen.pack.routes
            return [BodyCode(one.lead) for one in routes if one.code == ACCEPTANCE_ROUTE and one.lead]
        found = {} if chosen is None else {one.code: one.kind for one in chosen.pack.departments}
        others = {one.code: one.kind for each in self._packs.of_all(day).values() for one in each.pack.departments}
        for record in self._departments.values():
            version = in_force(record.versions, day)
            if version is not None and (version.department.code in found or version.department.code not in others):
                found[version.department.code] = version.department.kind
        wanted = [code for code, of_kind in found.items() if of_kind == kind]
        if chosen is None and kind == Recipient.CENTRE and not (district and wanted):
            wanted = list(dict.fromkeys([*wanted, *(code for code, of_kind in others.items() if of_kind == kind)]))
        return [BodyCode(code) for code in wanted]

    def particulars(
        self, facts: SubjectFacts, recipients: Sequence[str], now: datetime, issuer: Recipient = Recipient.CENTRE
    ) -> Particulars | None:
        """Whoever has no name in the register cannot issue; the centre stands in, as the source of what was found."""
        day = now.astimezone(CHINA).date()
        names = self._body_names(facts.district, day)
        able = [facts.town] if issuer is Recipient.STREET else self.bodies(issuer, facts.district)
        chosen_issuer = next(
            (code for code in (*able, *self.bodies(Recipient.CENTRE, facts.district)) if code in names), None
        )
        if chosen_issuer is None:
            return None
        version = self._units.in_force(facts.subject.id, day)
        chosen = None
        with contextlib.suppress(NoPack):
            chosen = self._packs.of(facts.district, day)
        routes = () if chosen is None else chosen.pack.routes
        numbers = self.telephones(facts.subject, now)
        return Particulars(
            issuer_code=chosen_issuer,
            issuer=names[chosen_issuer],
            name=Named(facts.name, facts.name_en),
            address=version.address if version else "",
            category=next((Named(one.name_zh, one.name_en) for one in routes if one.code == facts.category), None),
            town=names.get(facts.town),
            responsible=self._manager_of(facts.subject.id, day),
            telephone=numbers.responsible or numbers.control_room or "",
            bodies={code: names[code] for code in recipients if code in names},
            scopes={} if chosen is None else _scope_names(chosen.pack),
        )

    def _manager_of(self, unit_id: str, day: date) -> str:
        """Return the name of the unit's fire safety manager, "" where none is registered."""
        return next((one.name for one in self._people(unit_id, day) if one.role == ContactRole.MANAGER), "")

    def telephones(self, subject: Subject, now: datetime) -> Telephones:
        unit = self._units.in_force(subject.id, now.astimezone(CHINA).date())
        people = {contact.role: contact.phone for contact in self.contacts(subject.id) if contact.phone}
        if unit is None:
            return Telephones(people.get(ContactRole.CONTROL_ROOM), people.get(ContactRole.MANAGER))
        own = unit.responsible_phone
        responsible = own or people.get(ContactRole.MANAGER)
        person = unit.responsible_person if own else None
        return Telephones(unit.control_room_phone or people.get(ContactRole.CONTROL_ROOM), responsible, person)

    def _body_names(self, district: str, day: date) -> Mapping[str, Named]:
        chosen = None
        with contextlib.suppress(NoPack):
            chosen = self._packs.of(district, day)
        packs = [chosen.pack] if chosen is not None else [one.pack for one in self._packs.of_all(day).values()]
        found = {one.code: Named(one.name_zh, one.name_en) for pack in packs for one in pack.departments}
        for record in self._departments.values():
            version = in_force(record.versions, day)
            if version is not None:
                found[version.department.code] = Named(version.department.name_zh, version.department.name_en)
        return found

    def contacts(self, body: str) -> Sequence[Contact]:
        return [_contact(version) for version in self._people(body, self._today())]

    def _people(self, body: str, day: date) -> Iterator[ContactFields]:
        """Yield the contacts that a body has on the day, in the order of their ids."""
        for contact_id in self._contacts_of.get(body, ()):
            version = self._contacts.in_force(contact_id, day)
            if version is not None and version.body_code == body and not _retired(version, day):
                yield version

    def sizes(self, district: str) -> Mapping[str, int]:
        if self._sizes is None:
            day = self._today()
            counts: dict[str, Counter[str]] = defaultdict(Counter)
            for unit_id in self._units.ids():
                version = self._units.in_force(unit_id, day)
                if version is not None and not _retired(version, day):
                    counts[version.district][f"town:{version.town}"] += 1
                    counts[version.district].update(f"carrier:{carrier}" for carrier in self._carriers(unit_id, day))
            self._sizes = dict(counts)
        return self._sizes.get(district, Counter())


def _scope_names(pack: Pack) -> dict[str, Named]:
    return {name: Named(scope.name_zh, scope.name_en) for name, scope in pack.scopes.items()}


def _unregistered(subject: Subject) -> SubjectFacts:
    """What is known of a gateway that is in no register: what it calls itself. No department sees its cases."""
    claimed = subject.id.removeprefix(UNREGISTERED)
    if not claimed:
        return SubjectFacts(subject, name="其他未登记网关", name_en="Further unregistered gateways")
    return SubjectFacts(subject, name=f"未登记网关 {claimed}", name_en=f"Unregistered gateway {claimed}")


def _add(ids_of: dict[str, tuple[str, ...]], owner: str, one: str) -> None:
    """Have the ids of an owner hold this one, in their order. Most have a handful: a set takes five times the room."""
    ids = ids_of.get(owner, ())
    place = bisect_left(ids, one)
    if ids[place : place + 1] != (one,):
        ids_of[owner] = (*ids[:place], one, *ids[place:])


def _serves(version: GatewayFields, unit_id: str, day: date) -> bool:
    return version.unit_id == unit_id and not _retired(version, day)


def _retired(version: UnitFields | GatewayFields | ContactFields, day: date) -> bool:
    return version.retired_on is not None and version.retired_on <= day_number(day)


def _contact(version: ContactFields) -> Contact:
    return Contact(
        contact_id=ContactId(version.contact_id),
        body_code=BodyCode(version.body_code),
        role=version.role,
        lang=version.lang,
        email=version.email,
        webhook_url=version.webhook_url,
        webhook_secret_ref=version.webhook_secret_ref,
        robot=version.robot,
        mqtt_topic=version.mqtt_topic,
        apprise=version.apprise,
        phone=version.phone,
        sms=None if version.sms is None else TelephoneUse(version.sms),
        voice=None if version.voice is None else TelephoneUse(version.voice),
        duty=_duty(version.duty_times),
    )


def _duty(text: str | None) -> DutyTimes | None:
    """Return the duty times; what cannot be read costs nobody a notice: such a contact is always on duty."""
    try:
        return None if text is None else duty_times.parse(text)
    except ValueError:
        return None
