"""The registry takes effect as the watermark passes it: scopes, exemptions, gateways, retirement, packs."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from services.rules.domain.facts import GatewayVersion, Profile
from services.rules.domain.instants import SECOND, day_start
from services.rules.domain.rate import RateKey
from services.rules.domain.words import Oddity
from tests.unit.rules.world import IN_S2, LISTED, OFFLINE_AFTER, PACK, World, since_t0, unit_version, when

TODAY = date(2026, 3, 2)
TOMORROW = TODAY + timedelta(days=1)
MIDNIGHT_S = 14 * 3600.0


def counts(world: World, scope: str) -> tuple[int, int]:
    """Return denominator and numerator of the district in `scope`."""
    rows = {row.key: row for row in world.engine.counters.rates.rows()}
    row = rows.get(RateKey(scope, "district", "sample"))
    return (0, 0) if row is None else (row.in_scope, row.connected)


def alive(world: World, first_s: float, last_s: float, *gateways: str) -> None:
    """Ticks every 10 s, beats of these gateways of U1 every minute."""
    at_s = first_s
    while at_s <= last_s:
        if (at_s - first_s) % 60 == 0:
            for name in gateways:
                world.beat(at_s, "U1", name)
        world.tick(at_s)
        at_s += 10


def test_an_exempt_unit_is_counted_but_tells_nothing() -> None:
    world = World(0)
    world.list_unit("U1", unit_version(exempt_from=TODAY, exempt_until=TODAY))
    world.tick(0)
    world.beat(0)
    world.ticks(1, 400)
    assert world.connection() == "exempt"
    assert counts(world, "S1") == (1, 0)
    assert world.said.findings == []


def test_an_exemption_ends_at_midnight_and_the_clock_starts_without_an_event() -> None:
    world = World(0)
    world.list_unit("U1", unit_version(exempt_from=TODAY, exempt_until=TODAY))
    world.tick(0)
    world.beat(0)
    alive(world, 10, MIDNIGHT_S)
    assert world.connection() == "exempt"
    world.tick(MIDNIGHT_S + 1)
    assert world.connection() == "offline"
    (began,) = world.findings("connection_lost")
    assert since_t0(began.moment.detected) == MIDNIGHT_S


def test_an_open_loss_ends_when_the_unit_becomes_exempt() -> None:
    world = World(0)
    world.list_unit("U1", unit_version(exempt_from=TOMORROW, exempt_until=TOMORROW))
    world.tick(0)
    world.beat(0)
    alive(world, 10, MIDNIGHT_S + 10)
    assert world.connection() == "exempt"
    assert world.phases("connection_lost") == ["began", "ended"]
    assert world.findings("connection_lost")[-1].moment.cause == "registry"


def test_a_unit_retires_on_its_day_and_leaves_every_scope() -> None:
    world = World(0)
    world.list_unit("U1", unit_version(retired_on=TOMORROW))
    alive(world, 0, MIDNIGHT_S, "G1")
    assert counts(world, "S1") == (1, 1)
    world.tick(MIDNIGHT_S + 1)
    assert world.connection() == "retired"
    assert (counts(world, "S1"), counts(world, "ALL")) == ((0, 0), (0, 0))


def test_a_building_enters_s2_on_its_acceptance_date() -> None:
    world = World(0)
    world.list_unit("U1", unit_version(facts=IN_S2, accepted_on=TOMORROW, commissioned_on=None))
    alive(world, 0, MIDNIGHT_S)
    assert (counts(world, "S2"), counts(world, "S")) == ((0, 0), (0, 0))
    world.tick(MIDNIGHT_S + 1)
    assert (counts(world, "S2"), counts(world, "S")) == ((1, 0), (1, 0))
    alive(world, MIDNIGHT_S + 10, MIDNIGHT_S + 3700)
    (began,) = world.findings("never_connected")
    assert since_t0(began.moment.effective) == MIDNIGHT_S
    assert since_t0(began.moment.detected) == MIDNIGHT_S + 3600
    assert began.clause == "000 S2"


def test_a_unit_in_both_scopes_stands_once_in_the_union() -> None:
    world = World(0)
    both = frozenset({*IN_S2, "key_unit", "auto_fire_facilities", "crowded_place"})
    world.list_unit("U1", unit_version(facts=both, accepted_on=LISTED))
    assert (counts(world, "S1"), counts(world, "S2"), counts(world, "S")) == ((1, 0), (1, 0), (1, 0))


def test_a_unit_that_is_in_no_scope_is_supervised_all_the_same() -> None:
    world = World(0)
    world.list_unit("U1", unit_version(facts=frozenset({"key_unit"})))
    assert (counts(world, "S1"), counts(world, "ALL")) == ((0, 0), (1, 0))
    world.tick(0)
    world.beat(0)
    world.ticks(1, 300)
    assert world.findings("connection_lost")[0].clause == "H0"


def test_a_unit_that_never_connected_is_a_finding_from_its_listing_day() -> None:
    world = World(never_grace_s=600)
    world.ticks(0, 599)
    assert world.said.findings == []
    world.ticks(600, 602)
    (began,) = world.findings("never_connected")
    assert began.moment.effective == day_start(LISTED)
    assert since_t0(began.moment.detected) == 600
    world.beat(603)
    assert world.phases("never_connected") == ["began", "ended"]


def test_blind_time_does_not_count_towards_the_grace_of_a_new_unit() -> None:
    world = World(never_grace_s=600)
    world.ticks(0, 500)
    world.ticks(900, 1499)
    assert world.said.findings == []
    world.ticks(1500, 1502)
    assert world.phases("never_connected") == ["began"]


def test_a_unit_without_commissioning_that_speaks_is_not_counted_as_connected() -> None:
    world = World(0)
    world.list_unit("U1", unit_version(commissioned_on=None))
    world.tick(0)
    world.beat(1)
    assert (world.connection(), counts(world, "S1")) == ("commissioning", (1, 0))
    world.ticks(2, 300)
    assert world.connection() == "never_connected"
    assert world.findings("connection_lost") == []


def test_commissioning_takes_effect_when_the_watermark_passes_its_recording() -> None:
    world = World(0)
    world.list_unit("U1", unit_version(commissioned_on=None))
    alive(world, 0, 60, "G1")
    assert world.connection() == "commissioning"
    done = unit_version(valid_from=TODAY, recorded_at=when(65), commissioned_on=TODAY)
    world.list_unit("U1", unit_version(commissioned_on=None), done)
    assert world.connection() == "commissioning"
    world.beat(62)
    world.tick(66)
    assert world.connection() == "online"
    assert since_t0(world.transitions()[-1].effective) == 65


def test_of_two_gateways_one_lost_means_partly_connected_and_not_counted() -> None:
    world = World(0)
    world.list_unit("U1", gateways=("GA", "GB"))
    alive(world, 0, 60, "GA")
    assert (world.connection(), world.engine.units["U1"].partly) == ("never_connected", True)
    alive(world, 70, 130, "GA", "GB")
    assert (world.connection(), world.engine.units["U1"].partly) == ("online", False)
    alive(world, 190, 500, "GA")
    assert (world.connection(), world.engine.units["U1"].partly) == ("offline", True)
    assert counts(world, "S1") == (1, 0)
    assert world.phases("connection_lost") == ["began"]
    alive(world, 510, 600, "GA", "GB")
    assert (world.connection(), world.phases("connection_lost")) == ("online", ["began", "ended"])


def test_a_gateway_that_retires_no_longer_holds_its_unit_down() -> None:
    world = World(0)
    world.list_unit("U1", gateways=("GA", "GB"))
    alive(world, 0, 600, "GA")
    assert world.connection() == "never_connected"
    first = GatewayVersion(LISTED, day_start(LISTED), "U1", "carrier-a")
    gone = first._replace(valid_from=TODAY, recorded_at=when(620), retired_on=TODAY)
    world.engine.registry(gateways={"GB": (first, gone)})
    alive(world, 610, 640, "GA")
    assert world.connection() == "online"


def test_a_gateway_that_moves_to_another_unit_leaves_the_first_with_what_it_has_left() -> None:
    world = World(0)
    world.list_unit("U1", gateways=("GA",))
    world.list_unit("U2", gateways=())
    alive(world, 0, 60, "GA")
    moved = (
        GatewayVersion(LISTED, day_start(LISTED), "U1", "carrier-a"),
        GatewayVersion(TODAY, when(70), "U2", "carrier-a"),
    )
    world.engine.registry(gateways={"GA": moved})
    world.ticks(61, 80)
    world.beat(81, "U2", "GA")
    assert (world.connection("U1"), world.connection("U2")) == ("never_connected", "online")


def test_a_new_unit_is_known_at_once_before_the_watermark_reaches_its_recording() -> None:
    world = World(0)
    world.tick(0)
    world.list_unit("U1", unit_version(recorded_at=when(100)))
    assert world.connection() == "never_connected"


def test_a_unit_speaks_before_the_registry_names_it_and_nothing_is_lost() -> None:
    world = World(0)
    world.tick(0)
    world.signal(1, "fire", "p1", signal_id="first-fire")
    world.signal(2, "fault", "p2")
    assert world.said.transitions == []
    world.list_unit("U1")
    assert (world.connection(), world.health()) == ("online", "fire")
    assert world.phases("fire") == ["began"]
    assert world.phases("fault") == ["began"]
    world.signal(3, "restore", restores="all")
    assert (world.health(), world.phases("fire")) == ("normal", ["began", "ended"])


def test_a_gateway_that_speaks_before_the_registry_names_it_counts_while_the_named_one_is_retired() -> None:
    """At once, and not only when the unit's facts are read again: a restart reads them."""
    world = World(0)
    world.list_unit("U1", gateways=())
    retired = GatewayVersion(LISTED, day_start(LISTED), "U1", "carrier-a", retired_on=TODAY)
    world.engine.registry(gateways={"GA": (retired,)})
    world.tick(0)
    world.beat(1, "U1", "GB")
    assert world.connection() == "online"
    world.engine.registry(units={"U1": (unit_version(),)})
    assert world.moves() == ["never_connected", "online"]


def test_a_gateway_that_is_not_registered_does_not_count_beside_one_that_is() -> None:
    world = World(1)
    world.tick(0)
    world.beat(1, "U1", "GX")
    assert world.connection() == "never_connected"


def test_a_row_that_comes_late_is_told_after_what_was_told_already() -> None:
    """Of one unit the transitions read in the order of `detected` end in the state that holds."""
    world = World(1)
    world.tick(0)
    world.beat(1)
    world.ticks(2, 10)
    world.list_unit("U1", unit_version(recorded_at=when(-5), exempt_from=TODAY, exempt_until=TODAY))
    told = world.transitions()
    assert [one.to_state for one in sorted(told, key=lambda one: one.detected)][-1] == world.connection() == "exempt"


def test_strangers_are_bounded() -> None:
    world = World(0)
    world.engine.registry()
    for number in range(10_050):
        world.beat(0, f"X{number}")
    assert len(world.engine.units) == 10_000
    assert world.engine.oddities[Oddity.TOO_MANY_UNLISTED] == 50


def test_a_new_pack_moves_units_between_scopes_on_its_first_day() -> None:
    world = World(1)
    alive(world, 0, 60, "G1")
    tomorrow = replace(PACK, version=2, valid_from=TOMORROW, recorded_at=when(30), scopes=PACK.scopes[1:])
    world.engine.registry(packs={"sample-2026": (PACK, tomorrow)})
    assert counts(world, "S1") == (1, 1)
    alive(world, 70, MIDNIGHT_S, "G1")
    assert counts(world, "S1") == (1, 1)
    world.tick(MIDNIGHT_S + 1)
    assert (counts(world, "S1"), counts(world, "ALL")) == ((0, 0), (1, 1))


def test_a_shorter_profile_shortens_the_deadline_that_is_running() -> None:
    world = World(1)
    world.tick(0)
    world.beat(0)
    quick = replace(PACK.profiles["CN-FAST"], late_after=45 * SECOND, offline_after=90 * SECOND)
    shorter = replace(PACK, version=2, recorded_at=when(20), profiles={"CN-FAST": quick})
    world.engine.registry(packs={"sample-2026": (PACK, shorter)})
    world.ticks(1, 89)
    assert world.connection() == "late"
    world.ticks(90, 92)
    assert world.connection() == "offline"


def test_a_profile_that_calls_a_unit_late_sooner_shortens_the_look_that_is_due() -> None:
    world = World(1)
    world.tick(0)
    world.beat(0)
    patient = replace(PACK.profiles["CN-FAST"], late_after=45 * SECOND)
    world.engine.registry(packs={"sample-2026": (PACK, replace(PACK, version=2, recorded_at=when(20),
                                                               profiles={"CN-FAST": patient}))})  # fmt: skip
    world.ticks(1, 46)
    assert world.connection() == "late"


def test_a_shorter_profile_shortens_the_doubt_about_a_unit_that_nobody_sees_yet() -> None:
    slow = Profile.of(300, 3, 60, 2, 300, 1.0)
    patient = replace(PACK, profiles={"CN-FAST": slow})
    world = World(1, pack=patient)
    world.ticks(0, 5, "i1", "i2")
    world.beat(5)
    world.tick(40)
    assert world.connection() == "unknown"
    world.engine.registry(packs={"sample-2026": (patient, replace(PACK, version=2, recorded_at=when(45)))})
    world.ticks(41, 59)
    world.ticks(60, 60 + OFFLINE_AFTER / 1e6 + 1, "i1", "i2")
    assert world.connection() == "offline"


def test_patience_with_ticks_is_never_longer_than_half_a_deadline() -> None:
    world = World(0)
    quick = replace(PACK.profiles["CN-FAST"], late_after=3 * SECOND, offline_after=8 * SECOND)
    world.engine.registry(packs={"sample-2026": (replace(PACK, profiles={"CN-FAST": quick}),)})
    assert world.engine.watch.blind_after == 4 * SECOND


def test_without_a_pack_units_are_supervised_by_the_default_profile() -> None:
    world = World(1, pack=None)
    world.tick(0)
    world.beat(0)
    world.ticks(1, OFFLINE_AFTER / 1e6 + 1)
    assert world.connection() == "offline"
    (found,) = world.findings("connection_lost")
    assert (found.pack_id, found.clause) == ("none", "no policy pack")


@pytest.mark.parametrize("department", ["health", "education"])
def test_a_unit_that_changes_department_leaves_the_old_counters(department: str) -> None:
    world = World(0)
    world.list_unit("U1")
    world.tick(0)
    world.list_unit("U1", unit_version(), unit_version(valid_from=TODAY, lead_department=department))
    rows = {row.key.value: row.in_scope for row in world.engine.counters.rates.rows()
            if row.key.scope == "S1" and row.key.dimension == "department"}  # fmt: skip
    assert {name: count for name, count in rows.items() if count} == {department: 1}
    assert {name for name, tally in world.engine.counters.health.items() if any(tally.values())} == {department}


def test_a_pack_of_a_few_days_gives_way_to_that_of_the_year_when_it_is_over() -> None:
    world = World(1)
    alive(world, 0, 60, "G1")
    guard = replace(
        PACK, pack_id="guard", valid_from=date(2026, 3, 2), valid_to=date(2026, 3, 2), scopes=PACK.scopes[1:]
    )
    world.engine.registry(packs={"sample-2026": (PACK,), "guard": (guard,)})
    assert (counts(world, "S1"), counts(world, "ALL")) == ((0, 0), (1, 1))
    alive(world, 70, MIDNIGHT_S, "G1")
    world.tick(MIDNIGHT_S + 1)
    assert counts(world, "S1") == (1, 1)
    assert world.engine.units["U1"].pack.pack_id == "sample-2026"


def test_a_pack_that_has_run_out_goes_on_until_the_next_begins() -> None:
    world = World(1, pack=replace(PACK, valid_to=date(2026, 3, 1)))
    alive(world, 0, 60, "G1")
    assert counts(world, "S1") == (1, 1)


def test_the_pack_of_another_district_is_not_ours() -> None:
    world = World(1, pack=replace(PACK, district="elsewhere"))
    alive(world, 0, 60, "G1")
    assert world.engine.units["U1"].pack.pack_id == "none"


def test_units_of_one_gateway_are_followed_by_name_as_a_replay_in_another_process_has_to() -> None:
    world = World(0)
    names = [f"U{number}" for number in range(1, 9)]
    held = tuple(GatewayVersion(LISTED, day_start(LISTED), name, "carrier-a") for name in names)
    world.engine.registry(gateways={"GA": held})
    assert list(world.engine.units) == names
