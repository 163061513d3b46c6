"""The registry takes effect as the watermark passes it: scopes, exemptions, gateways, retirement, packs."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from services.kernel.words import Dimension
from services.rules.domain.facts import GatewayVersion, Profile
from services.rules.domain.rate import RateKey, RateRow
from services.rules.domain.snapshot import restore, snapshot_head, snapshot_unit
from services.rules.domain.time.instants import SECOND, day_start
from services.rules.domain.words import Anomaly
from tests.unit.rules.scenario import IN_S2, LISTED, OFFLINE_AFTER, PACK, Scenario, since_t0, unit_version, when

TODAY = date(2026, 3, 2)
TOMORROW = TODAY + timedelta(days=1)
MIDNIGHT_S = 14 * 3600.0


def counts(scenario: Scenario, scope: str) -> tuple[int, int]:
    """Return denominator and numerator of the district in `scope`."""
    rows = {row.key: row for row in scenario.engine.counters.rates.rows()}
    row = rows.get(RateKey(scope, "district", "sample"))
    return (0, 0) if row is None else (row.in_scope, row.connected)


def alive(scenario: Scenario, first_s: float, last_s: float, *gateways: str) -> None:
    """Ticks every 10 s, beats of these gateways of U1 every minute."""
    at_s = first_s
    while at_s <= last_s:
        if (at_s - first_s) % 60 == 0:
            for name in gateways:
                scenario.beat(at_s, "U1", name)
        scenario.tick(at_s)
        at_s += 10


def test_an_exempt_unit_is_counted_but_tells_nothing() -> None:
    scenario = Scenario(0)
    scenario.list_unit("U1", unit_version(exempt_from=TODAY, exempt_until=TODAY))
    scenario.tick(0)
    scenario.beat(0)
    scenario.ticks(1, 400)
    assert scenario.connection() == "exempt"
    assert counts(scenario, "S1") == (1, 0)
    assert scenario.said.findings == []


def test_an_exemption_ends_at_midnight_and_the_clock_starts_without_an_event() -> None:
    scenario = Scenario(0)
    scenario.list_unit("U1", unit_version(exempt_from=TODAY, exempt_until=TODAY))
    scenario.tick(0)
    scenario.beat(0)
    alive(scenario, 10, MIDNIGHT_S)
    assert scenario.connection() == "exempt"
    scenario.tick(MIDNIGHT_S + 1)
    assert scenario.connection() == "offline"
    (began,) = scenario.findings("connection_lost")
    assert since_t0(began.moment.detected) == MIDNIGHT_S


def test_an_open_loss_ends_when_the_unit_becomes_exempt() -> None:
    scenario = Scenario(0)
    scenario.list_unit("U1", unit_version(exempt_from=TOMORROW, exempt_until=TOMORROW))
    scenario.tick(0)
    scenario.beat(0)
    alive(scenario, 10, MIDNIGHT_S + 10)
    assert scenario.connection() == "exempt"
    assert scenario.phases("connection_lost") == ["began", "ended"]
    assert scenario.findings("connection_lost")[-1].moment.cause == "registry"


def test_a_unit_retires_on_its_day_and_leaves_every_scope() -> None:
    scenario = Scenario(0)
    scenario.list_unit("U1", unit_version(retired_on=TOMORROW))
    alive(scenario, 0, MIDNIGHT_S, "G1")
    assert counts(scenario, "S1") == (1, 1)
    scenario.tick(MIDNIGHT_S + 1)
    assert scenario.connection() == "retired"
    assert (counts(scenario, "S1"), counts(scenario, "ALL")) == ((0, 0), (0, 0))


def test_a_building_enters_s2_on_its_acceptance_date() -> None:
    scenario = Scenario(0)
    scenario.list_unit("U1", unit_version(facts=IN_S2, accepted_on=TOMORROW, commissioned_on=None))
    alive(scenario, 0, MIDNIGHT_S)
    assert (counts(scenario, "S2"), counts(scenario, "S")) == ((0, 0), (0, 0))
    scenario.tick(MIDNIGHT_S + 1)
    assert (counts(scenario, "S2"), counts(scenario, "S")) == ((1, 0), (1, 0))
    alive(scenario, MIDNIGHT_S + 10, MIDNIGHT_S + 3700)
    (began,) = scenario.findings("never_connected")
    assert since_t0(began.moment.effective) == MIDNIGHT_S
    assert since_t0(began.moment.detected) == MIDNIGHT_S + 3600
    assert began.clause == "000 S2"


def test_a_unit_in_both_scopes_stands_once_in_the_union() -> None:
    scenario = Scenario(0)
    both = frozenset({*IN_S2, "key_unit", "auto_fire_facilities", "crowded_place"})
    scenario.list_unit("U1", unit_version(facts=both, accepted_on=LISTED))
    assert (counts(scenario, "S1"), counts(scenario, "S2"), counts(scenario, "S")) == ((1, 0), (1, 0), (1, 0))


def test_a_unit_that_is_in_no_scope_is_supervised_all_the_same() -> None:
    scenario = Scenario(0)
    scenario.list_unit("U1", unit_version(facts=frozenset({"key_unit"})))
    assert (counts(scenario, "S1"), counts(scenario, "ALL")) == ((0, 0), (1, 0))
    scenario.tick(0)
    scenario.beat(0)
    scenario.ticks(1, 300)
    assert scenario.findings("connection_lost")[0].clause == "H0"


def test_a_unit_that_never_connected_is_a_finding_from_its_listing_day() -> None:
    scenario = Scenario(never_grace_s=600)
    scenario.ticks(0, 599)
    assert scenario.said.findings == []
    scenario.ticks(600, 602)
    (began,) = scenario.findings("never_connected")
    assert began.moment.effective == day_start(LISTED)
    assert since_t0(began.moment.detected) == 600
    scenario.beat(603)
    assert scenario.phases("never_connected") == ["began", "ended"]


def test_blind_time_does_not_count_towards_the_grace_of_a_new_unit() -> None:
    scenario = Scenario(never_grace_s=600)
    scenario.ticks(0, 500)
    scenario.ticks(900, 1499)
    assert scenario.said.findings == []
    scenario.ticks(1500, 1502)
    assert scenario.phases("never_connected") == ["began"]


def test_a_unit_without_commissioning_that_speaks_is_not_counted_as_connected() -> None:
    scenario = Scenario(0)
    scenario.list_unit("U1", unit_version(commissioned_on=None))
    scenario.tick(0)
    scenario.beat(1)
    assert (scenario.connection(), counts(scenario, "S1")) == ("commissioning", (1, 0))
    scenario.ticks(2, 300)
    assert scenario.connection() == "never_connected"
    assert scenario.findings("connection_lost") == []


def test_commissioning_takes_effect_when_the_watermark_passes_its_recording() -> None:
    scenario = Scenario(0)
    scenario.list_unit("U1", unit_version(commissioned_on=None))
    alive(scenario, 0, 60, "G1")
    assert scenario.connection() == "commissioning"
    done = unit_version(valid_from=TODAY, recorded_at=when(65), commissioned_on=TODAY)
    scenario.list_unit("U1", unit_version(commissioned_on=None), done)
    assert scenario.connection() == "commissioning"
    scenario.beat(62)
    scenario.tick(66)
    assert scenario.connection() == "online"
    assert [one.to_state for one in scenario.transitions()] == ["never_connected", "online"], "as the links were"
    assert since_t0(scenario.transitions(aspect="duty")[-1].effective) == 65


def test_of_two_gateways_one_lost_means_partly_connected_and_not_counted() -> None:
    scenario = Scenario(0)
    scenario.list_unit("U1", gateways=("GA", "GB"))
    alive(scenario, 0, 60, "GA")
    assert (scenario.connection(), scenario.engine.units["U1"].connection.partly) == ("never_connected", True)
    alive(scenario, 70, 130, "GA", "GB")
    assert (scenario.connection(), scenario.engine.units["U1"].connection.partly) == ("online", False)
    alive(scenario, 190, 500, "GA")
    assert (scenario.connection(), scenario.engine.units["U1"].connection.partly) == ("offline", True)
    assert counts(scenario, "S1") == (1, 0)
    assert scenario.phases("connection_lost") == ["began"]
    alive(scenario, 510, 600, "GA", "GB")
    assert (scenario.connection(), scenario.phases("connection_lost")) == ("online", ["began", "ended"])


def test_a_gateway_that_retires_no_longer_holds_its_unit_down() -> None:
    scenario = Scenario(0)
    scenario.list_unit("U1", gateways=("GA", "GB"))
    alive(scenario, 0, 600, "GA")
    assert scenario.connection() == "never_connected"
    first = GatewayVersion(LISTED, day_start(LISTED), "U1", "carrier-a")
    gone = first._replace(valid_from=TODAY, recorded_at=when(620), retired_on=TODAY)
    scenario.engine.registry(gateways={"GB": (first, gone)})
    alive(scenario, 610, 640, "GA")
    assert scenario.connection() == "online"


def test_a_gateway_that_moves_to_another_unit_leaves_the_first_with_what_it_has_left() -> None:
    scenario = Scenario(0)
    scenario.list_unit("U1", gateways=("GA",))
    scenario.list_unit("U2", gateways=())
    alive(scenario, 0, 60, "GA")
    moved = (
        GatewayVersion(LISTED, day_start(LISTED), "U1", "carrier-a"),
        GatewayVersion(TODAY, when(70), "U2", "carrier-a"),
    )
    scenario.engine.registry(gateways={"GA": moved})
    scenario.ticks(61, 80)
    scenario.beat(81, "U2", "GA")
    assert (scenario.connection("U1"), scenario.connection("U2")) == ("never_connected", "online")


def test_a_new_unit_is_known_at_once_before_the_watermark_reaches_its_recording() -> None:
    scenario = Scenario(0)
    scenario.tick(0)
    scenario.list_unit("U1", unit_version(recorded_at=when(100)))
    assert scenario.connection() == "never_connected"


def test_a_unit_speaks_before_the_registry_names_it_and_nothing_is_lost() -> None:
    scenario = Scenario(0)
    scenario.tick(0)
    scenario.signal(1, "fire", "p1", signal_id="first-fire")
    scenario.signal(2, "fault", "p2")
    assert scenario.said.transitions == []
    scenario.list_unit("U1")
    assert (scenario.connection(), scenario.health()) == ("online", "fire")
    assert scenario.phases("fire") == ["began"]
    assert scenario.phases("fault") == ["began"]
    scenario.signal(3, "restore", restores="all")
    assert (scenario.health(), scenario.phases("fire")) == ("normal", ["began", "ended"])


def test_a_gateway_that_speaks_before_the_registry_names_it_counts_while_the_named_one_is_retired() -> None:
    """At once, and not only when the unit's facts are read again: a restart reads them."""
    scenario = Scenario(0)
    scenario.list_unit("U1", gateways=())
    retired = GatewayVersion(LISTED, day_start(LISTED), "U1", "carrier-a", retired_on=TODAY)
    scenario.engine.registry(gateways={"GA": (retired,)})
    scenario.tick(0)
    scenario.beat(1, "U1", "GB")
    assert scenario.connection() == "online"
    scenario.engine.registry(units={"U1": (unit_version(),)})
    assert scenario.moves() == ["never_connected", "online"]


def test_a_gateway_that_is_not_registered_does_not_count_beside_one_that_is() -> None:
    scenario = Scenario(1)
    scenario.tick(0)
    scenario.beat(1, "U1", "GX")
    assert scenario.connection() == "never_connected"


def test_a_row_that_comes_late_is_told_after_what_was_told_already() -> None:
    """Of one unit the transitions read in the order of `detected` end in the state that holds."""
    scenario = Scenario(1)
    scenario.tick(0)
    scenario.beat(1)
    scenario.ticks(2, 10)
    scenario.list_unit("U1", unit_version(recorded_at=when(-5), exempt_from=TODAY, exempt_until=TODAY))
    told = scenario.transitions(aspect="duty")
    assert [one.to_state for one in sorted(told, key=lambda one: one.detected)][-1] == scenario.connection() == "exempt"


def test_what_the_links_did_under_an_exemption_is_written_and_an_exemption_that_is_lifted_takes_nothing_away() -> None:
    scenario = Scenario(0)
    exempt = unit_version(valid_from=TODAY, recorded_at=when(5), exempt_from=TODAY, exempt_until=TODAY)
    lifted = unit_version(valid_from=TODAY, recorded_at=when(600))
    scenario.list_unit("U1", unit_version(), exempt)
    alive(scenario, 0, 60, "G1")
    assert scenario.connection() == "exempt"
    scenario.ticks(61, 500)
    assert (scenario.connection(), scenario.findings("connection_lost")) == ("exempt", [])
    scenario.list_unit("U1", unit_version(), exempt, lifted)
    scenario.ticks(501, 602)
    assert scenario.connection() == "offline"
    assert scenario.moves() == ["never_connected", "online", "late", "offline"]
    assert scenario.moves(aspect="duty") == ["due", "exempt", "due"]
    lost = scenario.transitions()[-1]
    assert (since_t0(lost.effective), since_t0(lost.detected)) == (60, 60 + OFFLINE_AFTER / SECOND)
    (began,) = scenario.findings("connection_lost")
    assert since_t0(began.moment.effective) == 600, "nobody is blamed for the time of the exemption"


def test_the_pack_says_which_scopes_make_a_union_and_by_what_units_are_counted() -> None:
    other = replace(PACK, union=("S2",), dimensions=(Dimension.DISTRICT, Dimension.COMMUNITY))
    scenario = Scenario(1, pack=other, never_grace_s=60)
    scenario.ticks(0, 120)
    assert scenario.findings("never_connected") == [], "S1 makes no duty by this pack"
    keys = {row.key for row in scenario.engine.counters.rates.rows() if row.in_scope}
    assert keys == {
        RateKey(scope, dimension, value)
        for scope in ("S1", "ALL")
        for dimension, value in (("district", "sample"), ("community", "c-1"))
    }
    scenario.engine.registry(packs={PACK.pack_id: (replace(PACK, recorded_at=when(-1)),)})
    scenario.collect()
    scenario.ticks(121, 300)
    assert scenario.phases("never_connected") == ["began"]
    assert {row.key.scope for row in scenario.engine.counters.rates.rows() if row.in_scope} == {"S1", "S", "ALL"}


@pytest.mark.thorough
def test_strangers_are_bounded() -> None:
    scenario = Scenario(0)
    scenario.engine.registry()
    for number in range(10_050):
        scenario.beat(0, f"X{number}")
    assert len(scenario.engine.units) == 10_000
    assert scenario.engine.anomalies[Anomaly.TOO_MANY_UNLISTED] == 50


def test_a_new_pack_moves_units_between_scopes_on_its_first_day() -> None:
    scenario = Scenario(1)
    alive(scenario, 0, 60, "G1")
    tomorrow = replace(PACK, version=2, valid_from=TOMORROW, recorded_at=when(30), scopes=PACK.scopes[1:])
    scenario.engine.registry(packs={"sample-2026": (PACK, tomorrow)})
    assert counts(scenario, "S1") == (1, 1)
    alive(scenario, 70, MIDNIGHT_S, "G1")
    assert counts(scenario, "S1") == (1, 1)
    scenario.tick(MIDNIGHT_S + 1)
    assert (counts(scenario, "S1"), counts(scenario, "ALL")) == ((0, 0), (1, 1))


def test_a_shorter_profile_shortens_the_deadline_that_is_running() -> None:
    scenario = Scenario(1)
    scenario.tick(0)
    scenario.beat(0)
    quick = replace(PACK.profiles["CN-FAST"], late_after=45 * SECOND, offline_after=90 * SECOND)
    shorter = replace(PACK, version=2, recorded_at=when(20), profiles={"CN-FAST": quick})
    scenario.engine.registry(packs={"sample-2026": (PACK, shorter)})
    scenario.ticks(1, 89)
    assert scenario.connection() == "late"
    scenario.ticks(90, 92)
    assert scenario.connection() == "offline"


def test_a_profile_that_calls_a_unit_late_sooner_shortens_the_look_that_is_due() -> None:
    scenario = Scenario(1)
    scenario.tick(0)
    scenario.beat(0)
    patient = replace(PACK.profiles["CN-FAST"], late_after=45 * SECOND)
    scenario.engine.registry(packs={"sample-2026": (PACK, replace(PACK, version=2, recorded_at=when(20),
                                                               profiles={"CN-FAST": patient}))})  # fmt: skip
    scenario.ticks(1, 46)
    assert scenario.connection() == "late"


def test_a_shorter_profile_shortens_the_doubt_about_a_unit_that_nobody_sees_yet() -> None:
    slow = Profile.of(300, 3, 60, 2, 300, 1.0)
    patient = replace(PACK, profiles={"CN-FAST": slow})
    scenario = Scenario(1, pack=patient)
    scenario.ticks(0, 5, "i1", "i2")
    scenario.beat(5)
    scenario.tick(40)
    assert scenario.connection() == "unknown"
    scenario.engine.registry(packs={"sample-2026": (patient, replace(PACK, version=2, recorded_at=when(45)))})
    scenario.ticks(41, 59)
    scenario.ticks(60, 60 + OFFLINE_AFTER / 1e6 + 1, "i1", "i2")
    assert scenario.connection() == "offline"


def test_patience_with_ticks_is_never_longer_than_half_a_deadline() -> None:
    scenario = Scenario(0)
    quick = replace(PACK.profiles["CN-FAST"], late_after=3 * SECOND, offline_after=8 * SECOND)
    scenario.engine.registry(packs={"sample-2026": (replace(PACK, profiles={"CN-FAST": quick}),)})
    assert scenario.engine.watch.blind_after == 4 * SECOND


def test_without_a_pack_units_are_supervised_by_the_default_profile() -> None:
    scenario = Scenario(1, pack=None)
    scenario.tick(0)
    scenario.beat(0)
    scenario.ticks(1, OFFLINE_AFTER / 1e6 + 1)
    assert scenario.connection() == "offline"
    (found,) = scenario.findings("connection_lost")
    assert (found.pack_id, found.clause) == ("none", "no policy pack")


@pytest.mark.parametrize("department", ["health", "education"])
def test_a_unit_that_changes_department_leaves_the_old_counters(department: str) -> None:
    scenario = Scenario(0)
    scenario.list_unit("U1")
    scenario.tick(0)
    scenario.list_unit("U1", unit_version(), unit_version(valid_from=TODAY, lead_department=department))
    rows = {row.key.value: row.in_scope for row in scenario.engine.counters.rates.rows()
            if row.key.scope == "S1" and row.key.dimension == "department"}  # fmt: skip
    assert {name: count for name, count in rows.items() if count} == {department: 1}
    assert {name for name, tally in scenario.engine.counters.health.items() if any(tally.values())} == {department}


def test_a_pack_of_a_few_days_gives_way_to_that_of_the_year_when_it_is_over() -> None:
    scenario = Scenario(1)
    alive(scenario, 0, 60, "G1")
    guard = replace(
        PACK, pack_id="guard", valid_from=date(2026, 3, 2), valid_to=date(2026, 3, 2), scopes=PACK.scopes[1:]
    )
    scenario.engine.registry(packs={"sample-2026": (PACK,), "guard": (guard,)})
    assert (counts(scenario, "S1"), counts(scenario, "ALL")) == ((0, 0), (1, 1))
    alive(scenario, 70, MIDNIGHT_S, "G1")
    scenario.tick(MIDNIGHT_S + 1)
    assert counts(scenario, "S1") == (1, 1)
    assert scenario.engine.units["U1"].registration.pack.pack_id == "sample-2026"


def test_a_pack_that_has_run_out_goes_on_until_the_next_begins() -> None:
    scenario = Scenario(1, pack=replace(PACK, valid_to=date(2026, 3, 1)))
    alive(scenario, 0, 60, "G1")
    assert counts(scenario, "S1") == (1, 1)


def test_the_pack_of_another_district_is_not_ours() -> None:
    scenario = Scenario(1, pack=replace(PACK, district="elsewhere"))
    alive(scenario, 0, 60, "G1")
    assert scenario.engine.units["U1"].registration.pack.pack_id == "none"


def test_units_of_one_gateway_are_followed_by_name_as_a_replay_in_another_process_has_to() -> None:
    scenario = Scenario(0)
    names = [f"U{number}" for number in range(1, 9)]
    held = tuple(GatewayVersion(LISTED, day_start(LISTED), name, "carrier-a") for name in names)
    scenario.engine.registry(gateways={"GA": held})
    assert list(scenario.engine.units) == names


def sampled(scenario: Scenario) -> dict[RateKey, RateRow]:
    """Return what each counter was last sampled as."""
    return {one.row.key: one.row for one in scenario.said.samples}


def test_what_the_registry_changed_while_nobody_ran_is_counted_and_sampled_as_if_somebody_had() -> None:
    moved = unit_version(town="town-2", recorded_at=when(70))
    whole, stopped = Scenario(), Scenario()
    for scenario in (whole, stopped):
        scenario.ticks(0, 61, step_s=10)
        scenario.tick(75)
    engine, (listed,) = stopped.engine, whole.engine.units["U1"].registration.versions
    stopped.engine = restore(
        snapshot_head(engine),
        [snapshot_unit(unit) for unit in engine.units.values()],
        never_grace=3600 * SECOND,
        unit_rows={"U1": (listed, moved)},
        gateway_rows=dict(engine.units["U1"].registration.gateways),
        pack_rows={PACK.pack_id: (PACK,)},
        rates=list(engine.counters.rates.rows()),
    )
    whole.list_unit("U1", listed, moved)
    for scenario in (whole, stopped):
        scenario.ticks(80, 130, step_s=10)
    towns = [sampled(stopped)[RateKey("S1", "town", town)].in_scope for town in ("town-1", "town-2")]
    assert towns == [0, 1]
    assert sampled(stopped) == sampled(whole)
    assert sorted(stopped.engine.counters.rates.rows()) == sorted(whole.engine.counters.rates.rows())
