"""Policy packs of the wire in the words of the domain."""

from fractions import Fraction

from schemas import pack as wire
from schemas.evaluation import WHOLE, Evaluation
from schemas.evaluation import Criterion as WireCriterion
from services.compliance.domain.policy import CommonCause, DutyToTest, Policies, Policy, Profile, Publication
from services.compliance.domain.scheme import Criterion, Named, Scheme, ScoredBody
from services.kernel.calendar import day_number, whole_micros
from services.kernel.policy import Target
from services.kernel.scope import Scope
from services.kernel.words import Grade


def policies(packs: list[wire.Pack]) -> Policies:
    return Policies([_policy(pack) for pack in packs])


def _policy(pack: wire.Pack) -> Policy:
    cause = pack.common_cause
    return Policy(
        district=pack.district,
        pack_id=pack.pack_id,
        version=pack.version,
        valid_from=day_number(pack.valid_from),
        valid_to=day_number(pack.valid_to),
        blind_after=whole_micros(pack.blind_after_s),
        close_after=whole_micros(pack.close_after_s),
        scopes={name: _scope(scope) for name, scope in pack.scopes.items()},
        targets=[_target(name, target) for name, target in sorted(pack.targets.items())],
        profiles={name: _profile(profile) for name, profile in pack.profiles.items()},
        default_profile=pack.default_profile,
        common_cause=CommonCause(cause.by, cause.units, whole_micros(cause.window_s)),
        published=pack.published_scopes(),
        dimensions=pack.dimensions,
        publication=_publication(pack.publication),
        test_duties=[_test_duty(duty) for duty in pack.test_duty],
        schemes=[_scheme(name, said, pack) for name, said in sorted(pack.evaluation.items())],
    )


def _publication(said: wire.Publication) -> Publication:
    limits = {"fault_cure_timely_rate": said.cure_limit_s, "transmission_timely_rate": said.transmission_limit_s}
    return Publication(
        None if said.availability is None else Fraction(said.availability),
        {metric: whole_micros(limit_s) for metric, limit_s in limits.items() if limit_s is not None},
        said.findings,
    )


def _test_duty(duty: wire.DutyToTest) -> DutyToTest:
    deadline = whole_micros(duty.every_s) + whole_micros(duty.buffer_s)
    return DutyToTest(frozenset(duty.scopes), frozenset(duty.categories), deadline, duty.counts)


def _scheme(name: str, said: Evaluation, pack: wire.Pack) -> Scheme:
    bands = (
        (Grade.EXCELLENT, said.bands.excellent),
        (Grade.GOOD, said.bands.good),
        (Grade.COMPETENT, said.bands.competent),
    )
    return Scheme(
        scheme_id=name,
        called=Named(said.name_zh, said.name_en, said.clause),
        pack_id=pack.pack_id,
        pack_version=pack.version,
        dimension=said.dimension,
        bodies={code: ScoredBody(body.slice, Named(body.name_zh, body.name_en)) for code, body in said.bodies.items()},
        criteria=[_criterion(code, each) for code, each in said.criteria.items()],
        bands=[(grade, Fraction(least, WHOLE)) for grade, least in bands],
        months=said.year.months,
        quarters=said.year.quarters,
        years_running=said.not_competent.years,
        hard_rule=said.not_competent.clause,
        green=frozenset(said.green),
        red=frozenset(said.red),
    )


def _criterion(code: str, said: WireCriterion) -> Criterion:
    called = Named(said.name_zh, said.name_en, said.clause)
    rate, listings = said.rate, said.listings
    if listings is not None:
        none_at, full_at = Fraction(listings.none_at), Fraction(listings.full_at)
        return Criterion(
            code, said.points, called, none_at=none_at, full_at=full_at,
            left_out_if_empty=listings.left_out_if_empty, listings=True,
        )  # fmt: skip
    if rate is None:
        return Criterion(code, said.points, called)
    return Criterion(
        code, said.points, called, rate.metric.value, rate.scope, Fraction(rate.none_at), Fraction(rate.full_at),
        rate.left_out_if_empty,
    )  # fmt: skip


def _scope(scope: wire.Scope) -> Scope:
    groups = tuple(
        frozenset(fact.value for fact in (wanted.any if isinstance(wanted, wire.AnyOf) else (wanted,)))
        for wanted in scope.all
    )
    return Scope(groups, scope.starts == "acceptance_date", scope.clause)


def _target(name: str, target: wire.Target) -> Target:
    return Target.written(name, target.metric, target.scope, target.op, target.value, target.due, target.clause)


def _profile(profile: wire.Profile) -> Profile:
    interval = max(1, whole_micros(profile.interval_s))
    return Profile(interval, profile.misses * interval + whole_micros(profile.grace_s), profile.stable_heartbeats)
