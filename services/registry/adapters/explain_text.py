"""What the register says of one unit and of one policy pack, as lines for people."""

from collections.abc import Iterator, Sequence

from services.registry.domain.devices import STANDARD, shown_address
from services.registry.domain.entities import Gateway, Unit
from services.registry.domain.policy import Policy, RouteRule
from services.registry.domain.reports import PackExplained, UnitExplained
from services.registry.domain.scopes import Membership


def unit_lines(found: UnitExplained) -> Iterator[str]:
    """Yield the scopes, the route, the profile and the ladders of a unit."""
    unit, route = found.unit, found.route
    yield f"{unit.unit_id} {unit.name} {unit.name_en} ({unit.category}, {unit.town})"
    for each in found.scopes:
        yield _membership(each, unit)
    state = "routed" if route.routed else "UNROUTED, the default route holds"
    copies = f"; also told: {', '.join(route.copies)}" if route.copies else ""
    yield f"answers for it: {route.lead}{copies} [{state}; since {found.routed_since}; clause {route.clause}]"
    yield f"under pack {found.policy.pack_id} version {found.policy.number}"
    yield _supervised(found)
    for gateway in found.gateways:
        yield f"speaks for it: {_spoken(gateway)}"
    for step in found.steps:
        when = f"ladder {step.ladder}, {step.code} {step.when}"
        yield f"{when} {step.name_zh} {step.name_en} [{step.clause}]"
        for recipient in step.recipients:
            reached = ", ".join(recipient.contacts) or ("board entry only" if step.board_only else "NOBODY")
            yield f"    {recipient.role.value}: {recipient.name} ({recipient.body_code}) -> {reached}"


def _spans(policy: Policy) -> Iterator[str]:
    for span in policy.guarded:
        days = f"{span.first} to {span.last}"
        yield f"guarded {span.name_zh} {span.name_en}: {days}, clocks run {span.times} times as fast [{span.clause}]"
    for span in policy.area_events:
        days, where = f"{span.first} to {span.last}", ", ".join(span.towns) or "the whole district"
        held = ", ".join(span.kinds)
        yield f"declared {span.name_zh} {span.name_en}: {days}, {where}: nobody is told of {held} [{span.clause}]"


def pack_lines(found: PackExplained) -> Iterator[str]:
    """Yield the targets, who answers for what, the ladders and what is a proposal."""
    policy = found.policy
    yield (
        f"pack {policy.pack_id} version {policy.number} of district {policy.district}: {policy.valid_from} to "
        f"{policy.valid_to}, held since {found.since}; {found.units} units"
    )
    yield from _asked(policy)
    for code, name, rules in found.answers:
        yield f"{code} {name} answers for {_categories(rules)}"
    if found.by_street:
        yield f"the unit's own street or town answers, by its clause, for {_categories(found.by_street)}"
    if found.by_nobody:
        yield f"no department is named, the default route holds, for {_categories(found.by_nobody)}"
    for ladder, steps in policy.ladders.items():
        climbed = ", ".join(f"{step.code} {step.when}" for step in steps)
        yield f"ladder {ladder}: {climbed}"
        for step in (one for one in steps if one.of_bodies):
            told = "board entry only" if step.board_only else ", ".join(step.tells)
            yield f"    {step.code} {step.name_zh} {step.name_en}: {step.document} -> {told} [{step.clause}]"
    if policy.findings:
        yield f"a body below a target is a finding at the close of: {', '.join(policy.findings)}"
    yield from _spans(policy)
    for profile in policy.profiles.values():
        default = ", the default" if profile.name == policy.default_profile else ""
        silence = f"{profile.offline_after.total_seconds():g} s"
        yield f"profile {profile.name}{default}: offline after {silence} [{profile.anchor}]"
    yield f"proposals of ours, to be confirmed by the district: {len(policy.proposals)}"
    for path, text in policy.proposals:
        yield f"    {path}: {text}"


def _asked(policy: Policy) -> Iterator[str]:
    for scope in policy.scopes.values():
        yield f"scope {scope.name} {scope.name_zh} {scope.name_en} [{scope.rule.clause}]"
    for target in policy.targets:
        yield (
            f"target {target.id}: {target.metric} over {target.scope} {target.op} {target.text}, due {target.due} "
            f"[{target.clause}]"
        )
    for each in policy.obligations:
        what = f"{each.name_zh} {each.name_en}{f' {each.share}' if each.share else ''} of {each.counted_over}"
        yield f"obligation {each.name}, not measured: {what}, by {each.owner}, due {each.due} [{each.clause}]"


def _membership(each: Membership, unit: Unit) -> str:
    head = f"scope {each.scope.name} {each.scope.name_en}"
    if each.member:
        return f"{head}: in since {each.since}, by {', '.join(each.met)} [{each.scope.rule.clause}]"
    if each.lacking:
        lacking = " and ".join(" or ".join(sorted(group)) for group in each.lacking)
        return f"{head}: not in, it lacks {lacking} [{each.scope.rule.clause}]"
    if each.unaccepted:
        when = "it has no acceptance date" if unit.accepted_on is None else f"accepted on {unit.accepted_on}"
        return f"{head}: not in yet, {when} [{each.scope.rule.clause}]"
    return f"{head}: not in, retired on {unit.retired_on} [{each.scope.rule.clause}]"


def _supervised(found: UnitExplained) -> str:
    profile = found.supervision
    default = "" if profile.name == found.unit.profile else ", the pack's default"
    return (
        f"supervised as {profile.name}{default}: a sign of life every {profile.interval.total_seconds():g} s, offline "
        f"after {profile.offline_after.total_seconds():g} s [{profile.anchor}]"
    )


def _categories(rules: Sequence[RouteRule]) -> str:
    return "; ".join(f"{rule.category} {rule.name_zh} [{rule.clause}]" for rule in rules)


def _spoken(gateway: Gateway) -> str:
    said = f"{gateway.gateway_id} ({gateway.carrier})"
    profile = gateway.device_profile or STANDARD
    if gateway.device_address is not None:
        said += f", GB/T 26875.3 {profile} as {shown_address(gateway.device_address, profile)}"
    if gateway.networks:
        said += f", from {', '.join(map(str, gateway.networks))}"
    if gateway.points is not None:
        said += f", {gateway.points} components registered"
    return said
