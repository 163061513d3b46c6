"""Wire models to domain values and back."""

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, assert_never

from pydantic import AnyUrl

from schemas import pack as wire_pack
from schemas import registry as wire
from services.kernel.policy import Target
from services.kernel.scope import Scope
from services.kernel.words import FINDINGS_OF_BODIES, AdjustmentKind, CaseCondition, ContactRole, Language, TelephoneUse
from services.registry.domain.adjustments import AdjustmentRequest, ApprovedAdjustment
from services.registry.domain.bodies import Body
from services.registry.domain.entities import Contact, Facts, Gateway, History, Kind, Routing, Unit, Version
from services.registry.domain.policy import (
    CountedScope,
    Evaluation,
    GuardedSpan,
    LadderStep,
    Obligation,
    Policy,
    RouteRule,
    Supervision,
)

_MODELS: dict[Kind, type[wire.Version]] = {
    Kind.UNIT: wire.UnitVersion,
    Kind.GATEWAY: wire.GatewayVersion,
    Kind.CONTACT: wire.ContactVersion,
    Kind.DEPARTMENT: wire.DepartmentVersion,
    Kind.PACK: wire.PackVersion,
    Kind.ADJUSTMENT: wire.AdjustmentVersion,
}
_ADJUSTMENT_FIELDS = (
    "unit_id", "what", "starts_at", "ends_at", "counted_as", "system", "address", "trouble", "reason", "evidence",
)  # fmt: skip
_UNIT_FIELDS = (
    "unit_id", "name", "name_en", "district", "town", "community", "category", "address", "key_unit",
    "auto_fire_facilities", "crowded_place", "flammable_place", "fire_alarm_system", "accepted_on", "commissioned_on",
    "retired_on", "exempt_from", "exempt_until", "exempt_reason", "profile", "also_told",
    "control_room_phone", "responsible_person", "responsible_phone", "address_en", "longitude", "latitude",
)  # fmt: skip


def to_wire(version: Version[Facts]) -> wire.Version:
    """Return the wire model of a version; what the domain let pass and the wire refuses is our bug and raises."""
    facts = version.facts
    times: dict[str, Any] = {"valid_from": version.valid_from, "recorded_at": version.recorded_at}
    if isinstance(facts, Unit):
        return _unit_to_wire(facts, version.route, times)
    if isinstance(facts, Gateway):
        return wire.GatewayVersion(
            gateway_id=facts.gateway_id,
            unit_id=facts.unit_id,
            carrier=facts.carrier,
            vendor=facts.vendor,
            device_profile=facts.device_profile,
            device_address=facts.device_address,
            networks=facts.networks,
            points=facts.points,
            retired_on=facts.retired_on,
            **times,
        )
    if isinstance(facts, Contact):
        return _contact_to_wire(facts, times)
    if isinstance(facts, Body):
        return wire.DepartmentVersion(department=_body_to_wire(facts), **times)
    if isinstance(facts, ApprovedAdjustment):
        return _adjustment_to_wire(facts, times)
    return wire.PackVersion(pack=wire_pack.Pack.model_validate_json(facts.document, extra="ignore"), **times)


def _unit_to_wire(unit: Unit, route: Routing | None, times: dict[str, Any]) -> wire.UnitVersion:
    assert route is not None, "a unit's version carries its route"
    return wire.UnitVersion(
        **{name: getattr(unit, name) for name in _UNIT_FIELDS},
        construction=unit.construction,
        lead_department=route.lead,
        copy_departments=route.copies,
        routed=route.routed,
        route_clause=route.clause,
        **times,
    )


def _contact_to_wire(contact: Contact, times: dict[str, Any]) -> wire.ContactVersion:
    """Build without validating again: an address was checked in full when its row was read, and costs 0.1 ms."""
    return wire.ContactVersion.model_construct(
        contact_id=contact.contact_id,
        body_code=contact.body_code,
        role=contact.role,
        name=contact.name,
        lang=contact.lang,
        email=contact.email,
        webhook_url=None if contact.webhook_url is None else AnyUrl(contact.webhook_url),
        webhook_secret_ref=contact.webhook_secret_ref,
        robot=contact.robot,
        mqtt_topic=contact.mqtt_topic,
        apprise=contact.apprise,
        phone=contact.phone,
        sms=contact.sms,
        voice=contact.voice,
        duty_times=contact.duty_times,
        retired_on=contact.retired_on,
        **times,
    )


def _adjustment_to_wire(held: ApprovedAdjustment, times: dict[str, Any]) -> wire.AdjustmentVersion:
    return wire.AdjustmentVersion(
        adjustment_id=held.adjustment_id,
        **{name: getattr(held.request, name) for name in _ADJUSTMENT_FIELDS},
        requested_by=held.requested_by,
        requested_at=held.requested_at,
        approved_by=held.approved_by,
        **times,
    )


def _body_to_wire(body: Body) -> wire_pack.Department:
    return wire_pack.Department(
        code=body.code,
        kind=body.kind,
        name_zh=body.name_zh,
        name_en=body.name_en,
        matters=body.matters,
        clause=body.clause,
    )


def from_json(kind: Kind, body: str | bytes) -> Version[Facts]:
    """Return the version in a stored body: validated before it was stored, by this version or by the next."""
    if kind is Kind.CONTACT:
        return _contact_from_json(body)
    return from_wire(_MODELS[kind].model_validate_json(body, extra="ignore"))


def _contact_from_json(body: str | bytes) -> Version[Facts]:
    """Read a contact without the e-mail validator, which would take most of the time of a large register."""
    found: dict[str, Any] = json.loads(body)
    retired_on = found["retired_on"]
    contact = Contact(
        contact_id=found["contact_id"],
        body_code=found["body_code"],
        role=ContactRole(found["role"]),
        name=found["name"],
        lang=Language(found["lang"]),
        email=found["email"],
        webhook_url=found["webhook_url"],
        webhook_secret_ref=found["webhook_secret_ref"],
        robot=found.get("robot"),  # rows of before have none
        mqtt_topic=found.get("mqtt_topic"),
        apprise=found.get("apprise"),
        phone=found.get("phone"),  # a version from before has none
        sms=TelephoneUse(sms) if (sms := found.get("sms")) else None,
        voice=TelephoneUse(voice) if (voice := found.get("voice")) else None,
        duty_times=found.get("duty_times"),
        retired_on=None if retired_on is None else date.fromisoformat(retired_on),
    )
    return Version(contact, date.fromisoformat(found["valid_from"]), datetime.fromisoformat(found["recorded_at"]))


def from_wire(version: wire.Version) -> Version[Facts]:
    route: Routing | None = None
    facts: Facts
    match version:
        case wire.UnitVersion():
            facts = Unit(
                **{name: getattr(version, name) for name in _UNIT_FIELDS},
                construction=version.construction,
            )
            route = Routing(version.lead_department, version.copy_departments, version.routed, version.route_clause)
        case wire.GatewayVersion():
            facts = _gateway(version)
        case wire.ContactVersion():
            facts = _contact(version)
        case wire.DepartmentVersion():
            facts = _body(version.department)
        case wire.PackVersion():
            facts = policy_of(version.pack)
        case wire.AdjustmentVersion():
            facts = _adjustment(version)
        case _:
            raise TypeError(f"no domain value for {type(version).__name__}")
    return Version(facts, version.valid_from, version.recorded_at, route)


def _gateway(version: wire.GatewayVersion) -> Gateway:
    return Gateway(
        gateway_id=version.gateway_id,
        unit_id=version.unit_id,
        carrier=version.carrier,
        vendor=version.vendor,
        device_profile=version.device_profile,
        device_address=version.device_address,
        networks=version.networks,
        points=version.points,
        retired_on=version.retired_on,
    )


def _contact(version: wire.ContactVersion) -> Contact:
    return Contact(
        contact_id=version.contact_id,
        body_code=version.body_code,
        role=version.role,
        name=version.name,
        lang=version.lang,
        email=version.email,
        webhook_url=None if version.webhook_url is None else str(version.webhook_url),
        webhook_secret_ref=version.webhook_secret_ref,
        robot=version.robot,
        mqtt_topic=version.mqtt_topic,
        apprise=version.apprise,
        phone=version.phone,
        sms=version.sms,
        voice=version.voice,
        duty_times=version.duty_times,
        retired_on=version.retired_on,
    )


def _adjustment(version: wire.AdjustmentVersion) -> ApprovedAdjustment:
    return ApprovedAdjustment(
        version.adjustment_id,
        AdjustmentRequest(**{name: getattr(version, name) for name in _ADJUSTMENT_FIELDS}),
        version.requested_by,
        version.requested_at,
        version.approved_by,
    )


def _body(department: wire_pack.Department) -> Body:
    return Body(
        code=department.code,
        kind=department.kind,
        name_zh=department.name_zh,
        name_en=department.name_en,
        matters=department.matters,
        clause=department.clause,
    )


def policy_of(pack: wire_pack.Pack) -> Policy:
    """Return the registry's view of a pack; its `document` is the whole pack."""
    document = pack.model_dump(mode="json")
    return Policy(
        pack_id=pack.pack_id,
        number=pack.version,
        district=pack.district,
        valid_from=pack.valid_from,
        valid_to=pack.valid_to,
        # sorted: jsonb keeps no order of keys, and two packs are compared by this text
        document=json.dumps(document, ensure_ascii=False, sort_keys=True),
        bodies={department.code: _body(department) for department in pack.departments},
        routes={route.code: _rule(route) for route in pack.routes},
        default_copies=pack.default_route.copies,
        default_clause=pack.default_route.clause,
        default_profile=pack.default_profile,
        profiles={name: _supervision(name, profile) for name, profile in pack.profiles.items()},
        ladders={name: tuple(_step(step, ladder) for step in ladder.steps) for name, ladder in pack.ladders.items()},
        scopes={name: _scope(name, scope) for name, scope in pack.scopes.items()},
        targets=tuple(
            Target.written(name, each.metric, each.scope, each.op, each.value, each.due, each.clause)
            for name, each in sorted(pack.targets.items())
        ),
        obligations=tuple(_obligation(name, each) for name, each in sorted(pack.obligations.items())),
        proposals=tuple(_proposals("", document)),
        single_approval={
            AdjustmentKind.EXEMPTION: timedelta(seconds=pack.single_approval.exemption_s),
            AdjustmentKind.MAINTENANCE: timedelta(seconds=pack.single_approval.maintenance_s),
            AdjustmentKind.TEST: timedelta(seconds=pack.single_approval.test_s),
        },
        findings=pack.publication.findings,
        guarded=tuple(
            GuardedSpan(one.name_zh, one.name_en, one.first, one.last, one.times, one.clause) for one in pack.guarded
        ),
        area_events=tuple(
            GuardedSpan(one.name_zh, one.name_en, one.first, one.last, 0, one.clause, one.towns, one.kinds)
            for one in pack.area_events
        ),
        evaluations={
            name: Evaluation(
                {code: each.points for code, each in said.criteria.items() if each.manual}, frozenset(said.bodies)
            )
            for name, said in pack.evaluation.items()
        },
    )


def _proposals(path: str, value: object) -> Iterator[tuple[str, str]]:
    """Yield path and text of everything that says of itself to be our own choice."""
    if isinstance(value, str):
        if "proposal" in value and not path.endswith("note"):
            yield path.removeprefix("."), value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _proposals(f"{path}.{name}", part)
    elif isinstance(value, list):
        for at, part in enumerate(value):
            name = part.get("code", at) if isinstance(part, dict) else at
            yield from _proposals(f"{path}.{name}", part)


def _scope(name: str, scope: wire_pack.Scope) -> CountedScope:
    groups = tuple(
        frozenset(fact.value for fact in (wanted.any if isinstance(wanted, wire_pack.AnyOf) else (wanted,)))
        for wanted in scope.all
    )
    rule = Scope(groups, scope.starts == "acceptance_date", scope.clause)
    return CountedScope(name, scope.name_zh, scope.name_en, rule)


def _supervision(name: str, profile: wire_pack.Profile) -> Supervision:
    silence = timedelta(seconds=profile.interval_s * profile.misses + profile.grace_s)
    return Supervision(name, timedelta(seconds=profile.interval_s), silence, profile.anchor)


def _obligation(name: str, obligation: wire_pack.Obligation) -> Obligation:
    return Obligation(
        name=name,
        name_zh=obligation.name_zh,
        name_en=obligation.name_en,
        owner=obligation.owner,
        counted_over=obligation.counted_over,
        share="" if obligation.share is None else f"{obligation.share:g}",
        due=obligation.due,
        clause=obligation.clause,
    )


def _rule(route: wire_pack.Route) -> RouteRule:
    return RouteRule(
        category=route.code,
        name_zh=route.name_zh,
        name_en=route.name_en,
        lead=route.lead,
        street_leads=route.street_leads,
        copies=route.copies,
        clause=route.clause,
    )


def _step(step: wire_pack.Step, ladder: wire_pack.Ladder) -> LadderStep:
    return LadderStep(
        code=step.code,
        name_zh=step.name_zh,
        name_en=step.name_en,
        when=_when(step.timing),
        tells=step.tells,
        document=step.document,
        board_only=step.board_only,
        clause=step.clause,
        of_bodies=bool(FINDINGS_OF_BODIES & set(ladder.kinds)),
    )


def _when(timing: wire_pack.Trigger) -> str:
    """Return the trigger in words, as in `after 4 h`."""
    if timing.elapsed is not None:
        return f"after {_hours(timing.elapsed.after_s)}"
    if timing.event is not None:
        return f"on {timing.event.kind}"
    if timing.overdue is not None:
        return f"when the {timing.overdue.clock} is overdue"
    if timing.period_close is not None:
        return f"at the close of a {timing.period_close.period.replace('_', '-')}"
    if timing.condition is not None and timing.condition.name is CaseCondition.MAJOR_DANGER:
        return "once it is a major hazard by `major_danger`"
    if timing.condition is not None:
        return f"at a close with which it is {timing.condition.name.replace('_', ' ')}"
    working = timing.working_time
    assert working is not None, "the other triggers do not come through the check of the pack"
    if working.working_days is not None:
        return f"after {working.working_days} working days ({working.calendar})"
    return f"after {_hours(working.working_s or 0)} of working days ({working.calendar})"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:g} h"


def record(history: History[Facts]) -> wire.RegistryData:
    """Return the record of one entity with all its versions."""
    versions: Any = tuple(to_wire(version) for version in history.versions)
    match history.kind:
        case Kind.UNIT:
            return wire.RegistryData(record=wire.UnitRecord(id=history.id, versions=versions))
        case Kind.GATEWAY:
            return wire.RegistryData(record=wire.GatewayRecord(id=history.id, versions=versions))
        case Kind.CONTACT:
            return wire.RegistryData(record=wire.ContactRecord(id=history.id, versions=versions))
        case Kind.DEPARTMENT:
            return wire.RegistryData(record=wire.DepartmentRecord(id=history.id, versions=versions))
        case Kind.PACK:
            return wire.RegistryData(record=wire.PackRecord(id=history.id, versions=versions))
        case Kind.ADJUSTMENT:
            return wire.RegistryData(record=wire.AdjustmentRecord(id=history.id, versions=versions))
        case _:
            assert_never(history.kind)
