"""What a row must find elsewhere: its unit, its town, its category and departments in the pack in force."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from services.kernel.words import BodyKind, ContactRole
from services.registry.domain.bodies import Body
from services.registry.domain.devices import STANDARD, shown_address
from services.registry.domain.entities import Contact, Gateway, Unit, Version
from services.registry.domain.errors import RowError
from services.registry.domain.policy import Policies, Policy, policy_on
from services.registry.domain.rows import ParsedRow
from services.registry.domain.timeline import periods
from services.registry.domain.twins import looks, meant
from services.registry.domain.words import NOTHING, Said


@dataclass(frozen=True, slots=True)
class Known:
    """What the register holds, as far as rows refer to it. `bodies` are those of the departments files.

    `unit_looks` are the units by how their ids look: for a row that names one nearly.
    """

    policies: Policies
    bodies: Mapping[str, Body]
    units: Collection[str]
    unit_looks: Mapping[str, str] = field(default_factory=dict)

    def body(self, code: str, policy: Policy | None) -> Body | None:
        """Return a body by its code; a row of a departments file renames what the pack ships."""
        if code in self.bodies:
            return self.bodies[code]
        return None if policy is None else policy.bodies.get(code)

    def codes(self) -> set[str]:
        return {*self.bodies, *(code for each in self.policies for code in each.content.bodies)}

    def anywhere(self, code: str) -> bool:
        """Tell whether a body of that code stands in the departments files or in any pack."""
        return code in self.bodies or any(code in each.content.bodies for each in self.policies)


def unique(column: str, rows: Iterable[ParsedRow]) -> list[RowError]:
    """Return an error for each row that repeats the id of an earlier one."""
    first: dict[str, int] = {}
    errors: list[RowError] = []
    for parsed in rows:
        earlier = first.setdefault(parsed.facts.id, parsed.row)
        if earlier != parsed.row:
            expected = Said(
                f"each id once in a file (row {earlier} has it)", f"编号在文件中不重复（第 {earlier} 行已有）"
            )
            errors.append(RowError(parsed.row, column, expected, parsed.facts.id))
    return errors


def shared_addresses(
    rows: Iterable[ParsedRow], timelines: Mapping[str, Sequence[Version[Gateway]]], today: date
) -> list[RowError]:
    """Return an error for each row whose device address another gateway has on the same day, from today on.

    `timelines` are the versions of every gateway as they would be with all `rows` taken. Of two holders ingest would
    believe neither.
    """
    holders: dict[str, list[tuple[date, date, str]]] = {}
    for gateway_id, versions in timelines.items():
        for first, end, facts in periods(versions):
            retired = end if facts.retired_on is None else min(end, facts.retired_on)
            if facts.device_address is not None and max(first, today) < retired:
                holders.setdefault(facts.device_address, []).append((max(first, today), retired, gateway_id))
    errors: list[RowError] = []
    for parsed in rows:
        gateway = parsed.facts
        if not isinstance(gateway, Gateway) or gateway.device_address is None:
            continue
        held = holders.get(gateway.device_address, ())
        own = [period for period in held if period[2] == gateway.gateway_id]
        others = {
            other for first, end, other in held for since, until, _ in own
            if other != gateway.gateway_id and first < until and since < end
        }  # fmt: skip
        if others:
            expected = Said(
                f"an address that no other gateway has on the same day ({min(others)} has it)",
                f"同一时期其他装置未使用的地址（{min(others)} 正在使用）",
            )
            shown = shown_address(gateway.device_address, gateway.device_profile or STANDARD)
            errors.append(RowError(parsed.row, "device_address", expected, shown))
    return errors


def check_row(parsed: ParsedRow, known: Known, today: date) -> list[RowError]:
    """Return everything that `parsed` refers to and that the register does not hold."""
    facts = parsed.facts
    if isinstance(facts, Unit):
        return _check_unit(parsed.row, facts, known, max(parsed.valid_from or today, today))
    if isinstance(facts, Gateway):
        return _check_unit_exists(parsed.row, "unit_id", facts.unit_id, known)
    if isinstance(facts, Contact):
        return _check_contact(parsed.row, facts, known)
    return []


def _check_unit(row: int, unit: Unit, known: Known, day: date) -> list[RowError]:
    policy = policy_on(known.policies, unit.district, day)
    if policy is None:
        having = known.policies.districts()
        expected = Said(
            f"a district with a policy pack ({', '.join(having) or 'none: import a policy pack first'})",
            f"已有政策包的区县（{'、'.join(having) or '尚无，请先导入政策包'}）",
        )
        return [RowError(row, "district", expected, unit.district)]
    errors: list[RowError] = []
    town = known.body(unit.town, policy)
    if town is None or town.kind is not BodyKind.STREET:
        near = meant(unit.town, looks(known.bodies))
        expected = Said(
            f"the code of a street or town from the departments file{near}", f"部门表中街道或乡镇的代码{near.zh}"
        )
        errors.append(RowError(row, "town", expected, unit.town))
    if unit.category not in policy.routes:
        near = meant(unit.category, looks(policy.routes))
        expected = Said(
            f"a category of pack {policy.pack_id}{near}", f"政策包 {policy.pack_id} 中的场所类别代码{near.zh}"
        )
        errors.append(RowError(row, "category", expected, unit.category))
    if unit.profile is not None and unit.profile not in policy.profiles:
        known_profiles = ", ".join(sorted(policy.profiles))
        expected = Said(
            f"a supervision profile of the pack ({known_profiles})", f"政策包中的监测档位（{known_profiles}）"
        )
        errors.append(RowError(row, "profile", expected, unit.profile))
    errors.extend(
        RowError(row, "also_told", Said("codes of departments", "部门代码"), code)
        for code in unit.also_told
        if known.body(code, policy) is None
    )
    return errors


def _check_unit_exists(row: int, column: str, unit_id: str, known: Known) -> list[RowError]:
    if unit_id in known.units:
        return []
    near = meant(unit_id, known.unit_looks)
    expected = Said(f"the id of a unit in the register{near}", f"登记册中已有的单位编号{near.zh}")
    return [RowError(row, column, expected, unit_id)]


def _check_contact(row: int, contact: Contact, known: Known) -> list[RowError]:
    if contact.role is not ContactRole.OFFICE:
        return _check_unit_exists(row, "body_code", contact.body_code, known)
    if known.anywhere(contact.body_code):
        return []
    near = meant(contact.body_code, looks(known.codes()))
    expected = Said(f"the code of a department, street or town{near}", f"部门、街道或乡镇的代码{near.zh}")
    return [RowError(row, "body_code", expected, contact.body_code)]


def pack_misses(policy: Policy, units: Iterable[Unit], bodies: Mapping[str, Body]) -> list[RowError]:
    """Return what living units of the pack's district need and a new version of the pack no longer has."""
    wanted: dict[tuple[str, str], list[str]] = {}
    for unit in units:
        if unit.district != policy.district or unit.retired_on is not None:
            continue
        if unit.category not in policy.routes:
            wanted.setdefault(("routes", unit.category), []).append(unit.unit_id)
        if unit.profile is not None and unit.profile not in policy.profiles:
            wanted.setdefault(("profiles", unit.profile), []).append(unit.unit_id)
        for code in unit.also_told:
            if code not in policy.bodies and code not in bodies:
                wanted.setdefault(("departments", code), []).append(unit.unit_id)
    return [
        RowError(
            0,
            part,
            Said(
                f"{code}, which {len(ids)} units use (first {ids[0]})",
                f"{code}（{len(ids)} 个单位正在使用，如 {ids[0]}）",
            ),
            NOTHING,
        )
        for (part, code), ids in sorted(wanted.items())
    ]
