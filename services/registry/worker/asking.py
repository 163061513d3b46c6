"""Answers from the register: one entity, a list, who would be told, and what is missing."""

from collections.abc import Sequence
from datetime import date

from services.kernel.effective import in_force
from services.registry.domain.bodies import Body
from services.registry.domain.entities import Contact, Facts, Gateway, History, Kind, Unit, Version, of_type
from services.registry.domain.explain import Directory, Gap, explain, find_gaps
from services.registry.domain.policy import Policy, policy_on
from services.registry.domain.reports import CheckReport, PackExplained, UnitExplained
from services.registry.domain.scopes import lives, memberships
from services.registry.ports import Register, Store
from services.registry.worker.importing import load_policies, today_in_shanghai
from services.runtime.clock import Clock


class Answers:
    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def show(self, kind: Kind, entity_id: str) -> History[Facts] | None:
        async with self._store.transaction() as register:
            return (await register.histories(kind, [entity_id])).get(entity_id)

    async def everything(self, kind: Kind) -> Sequence[Version[Facts]]:
        """Return the version in force today of every entity of a kind."""
        async with self._store.transaction() as register:
            return await register.current(kind, self._today())

    async def explain(self, unit_id: str) -> UnitExplained | None:
        """Return who would be told about a unit today, None when it is not known or has no pack yet."""
        today = self._today()
        async with self._store.transaction() as register:
            history = (await register.histories(Kind.UNIT, [unit_id])).get(unit_id)
            policies = await load_policies(register)
            directory = await _directory(register, today)
            gateways = of_type(await register.current(Kind.GATEWAY, today), Gateway)
        version = None if history is None else in_force_or_first(history, today)
        if version is None or not isinstance(version.facts, Unit) or version.route is None:
            return None
        policy = policy_on(policies, version.facts.district, today)
        if policy is None:
            return None
        steps = tuple(explain(version.facts, version.route, policy, directory, today))
        speaking = [
            gateway.facts
            for gateway in gateways
            if gateway.facts.unit_id == unit_id
            and (gateway.facts.retired_on is None or gateway.facts.retired_on > today)
        ]
        units = of_type(history.versions, Unit) if history is not None else []
        return UnitExplained(
            unit=version.facts,
            route=version.route,
            routed_since=_routed_since(units, today),
            policy=policy,
            scopes=memberships(units, policies, max(today, units[0].valid_from)),
            supervision=policy.supervision(version.facts.profile),
            steps=steps,
            gateways=speaking,
        )

    async def explain_pack(self, pack_id: str) -> PackExplained | None:
        """Return what the newest version of a pack says, None when the register does not hold it."""
        today = self._today()
        async with self._store.transaction() as register:
            history = (await register.histories(Kind.PACK, [pack_id])).get(pack_id)
            units = of_type(await register.current(Kind.UNIT, today), Unit)
        if history is None:
            return None
        version = max(of_type(history.versions, Policy), key=lambda each: each.facts.number)
        policy = version.facts
        rules = list(policy.routes.values())
        leads = dict.fromkeys(rule.lead for rule in rules if rule.lead is not None)
        return PackExplained(
            policy=policy,
            since=max(version.valid_from, policy.valid_from),
            units=sum(each.facts.district == policy.district and lives(each.facts, today) for each in units),
            answers=[
                (lead, policy.bodies[lead].name_zh, [rule for rule in rules if rule.lead == lead]) for lead in leads
            ],
            by_street=[rule for rule in rules if rule.street_leads],
            by_nobody=[rule for rule in rules if rule.lead is None and not rule.street_leads],
        )

    async def check(self) -> CheckReport:
        """Return what would leave a notice without a reader, and what the register still owes."""
        today = self._today()
        async with self._store.transaction() as register:
            units = await register.current(Kind.UNIT, today)
            gateways = await register.current(Kind.GATEWAY, today)
            policies = await load_policies(register)
            directory = await _directory(register, today)
            unpublished = len(await register.unpublished(1_000_000))
        living = [
            (version.facts, version.route)
            for version in of_type(units, Unit)
            if version.route is not None and (version.facts.retired_on is None or version.facts.retired_on > today)
        ]
        gaps: list[Gap] = []
        expired: list[str] = []
        for district in sorted({unit.district for unit, _ in living}):
            policy = policy_on(policies, district, today)
            if policy is None:
                continue
            if policy.valid_to < today:
                expired.append(f"{policy.pack_id} of district {district} ran out on {policy.valid_to}")
            gaps.extend(find_gaps([each for each in living if each[0].district == district], policy, directory, today))
        connected = {version.facts.unit_id for version in of_type(gateways, Gateway)}
        return CheckReport(
            units=len(living),
            unrouted=[unit.unit_id for unit, route in living if not route.routed],
            gaps=gaps,
            without_gateway=sum(unit.unit_id not in connected for unit, _ in living),
            expired=expired,
            unpublished=unpublished,
        )

    def _today(self) -> date:
        return today_in_shanghai(self._clock.now())


def _routed_since(versions: Sequence[Version[Unit]], day: date) -> date:
    """Return the first day of the unbroken run of days with the route of `day`, or of a unit's first day after it."""
    day = max(day, versions[0].valid_from)
    begun = sorted({version.valid_from for version in versions if version.valid_from <= day}, reverse=True)
    holding = [(each, in_force(versions, each)) for each in begun]
    since = begun[0]
    for each, version in holding:
        if version is None or holding[0][1] is None or version.route != holding[0][1].route:
            break
        since = each
    return since


def in_force_or_first(history: History[Facts], day: date) -> Version[Facts] | None:
    """Return the version of `day`; for an entity that only begins later, its first."""
    return in_force(history.versions, day) or (history.versions[0] if history.versions else None)


async def _directory(register: Register, today: date) -> Directory:
    bodies = {
        version.facts.code: version.facts for version in of_type(await register.current(Kind.DEPARTMENT, today), Body)
    }
    contacts: dict[str, list[Contact]] = {}
    for version in of_type(await register.current(Kind.CONTACT, today), Contact):
        contacts.setdefault(version.facts.body_code, []).append(version.facts)
    return Directory(bodies, contacts)
