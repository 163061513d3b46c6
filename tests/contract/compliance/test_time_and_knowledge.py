"""Time, knowledge and connection by the rules of figures.md 3 to 5, through the pipe."""

from pathlib import Path
from typing import Any

import pytest

from tests.contract.compliance.scenario import DAY, Scenario, iso


@pytest.fixture
def district(tmp_path: Path) -> Scenario:
    return Scenario(tmp_path).unit().gateway()


def spans(told: Any) -> list[tuple[str, str]]:
    return [(each["from"], each["to"]) for each in told]


def states(found: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [(start, end, connection) for start, end, connection, *_ in found]


# R1


def test_r1_a_correction_dated_back_before_a_later_row_reaches_only_up_to_it(district: Scenario) -> None:
    district.unit(since="2026-03-12", town="T003").ticks(0, 3 * DAY, 60)
    district.unit(since="2026-03-11", town="T002", recorded_at=iso(2.5 * DAY))
    for town, days in (("T001", 1), ("T002", 1), ("T003", 1)):
        assert district.counts("coverage", 0, 3 * DAY, slice={"town": town})[1] == days * DAY
    assert district.counts("coverage", 0, 3 * DAY, slice={"town": "T002"}, known_at=iso(2.4 * DAY))[1] == 0


def test_r1_of_rows_of_one_day_the_one_recorded_last_holds(district: Scenario) -> None:
    district.ticks(0, 600).unit(town="T009", recorded_at=iso(300))
    assert district.counts("coverage", 0, 600, slice={"town": "T009"})[1] == 600
    assert district.counts("coverage", 0, 200, slice={"town": "T001"}, known_at=iso(299))[1] == 200


def test_r1_exempt_until_is_the_last_exempt_day(tmp_path: Path) -> None:
    district = Scenario(tmp_path).gateway().ticks(0, 2 * DAY, 60)
    district.unit(exempt_from="2026-03-10", exempt_until="2026-03-10", exempt_reason="x")
    assert states(district.connection(0, 2 * DAY))[0] == (0, DAY, "exempt")


def test_a_registry_record_of_the_log_replaces_the_earlier_one_whole(district: Scenario) -> None:
    row = {**district.rows["unit", "U1"][0], "valid_from": "2026-03-11"}
    district.ticks(0, 2 * DAY, 60).registry_line(DAY, "unit", "U1", [row])
    assert district.counts("coverage", 0, 2 * DAY)[1] == DAY
    assert district.counts("coverage", 0, DAY, known_at=iso(DAY - 1))[1] == DAY - 60


# R2, R3


def test_r3_a_gap_of_exactly_blind_after_is_none(district: Scenario) -> None:
    assert district.tick(0).tick(60).tick(120.000001).ask()["blind"] == [{"from": iso(60), "to": iso(120.000001)}]


def test_r3_two_blind_gaps_that_touch_are_two(district: Scenario) -> None:
    told = district.tick(0).tick(100).tick(200).ask()
    assert spans(told["blind"]) == [(iso(0), iso(100)), (iso(100), iso(200))]


def test_r2_the_pack_of_the_day_at_which_a_gap_begins_says_whether_it_is_blind(district: Scenario) -> None:
    district.second_pack = district.pack.replace("valid_from: '2026-01-01'", "valid_from: '2026-03-11'").replace(
        "blind_after_s: 60", "blind_after_s: 600"
    )
    told = district.tick(DAY - 300).tick(DAY - 200).tick(DAY + 100).tick(DAY + 700).ask()
    assert spans(told["blind"]) == [(iso(DAY - 300), iso(DAY - 200)), (iso(DAY - 200), iso(DAY + 100))]


# R4 to R6


def test_r4_an_instance_that_is_forgotten_is_not_waited_for_and_one_tick_makes_it_expected_again(
    district: Scenario,
) -> None:
    district.tick(0, "i2").ticks(0, 660)
    assert spans(district.ask()["impaired"]) == [(iso(0), iso(660))]
    told = district.tick(661, "i2", proven_until=iso(601)).tick(720).ask()
    assert told["through"] == iso(660)


def test_r4_a_second_copy_of_a_tick_changes_nothing(district: Scenario) -> None:
    district.ticks(0, 120)
    district.log.append((119, 99, district.log[0][2]))
    assert district.ask()["through"] == iso(120)


def test_r5_who_is_slow_is_waited_for_and_who_says_leaving_is_not(district: Scenario) -> None:
    district.ticks(0, 300).ticks(0, 300, instance="i2", proven_until=iso(0))
    assert district.ask()["through"] == iso(0)
    assert district.tick(300.5, "i2", state="leaving", proven_until=iso(0)).ask()["through"] == iso(300)


def test_r6_impaired_time_begins_at_the_watermark_before_the_tick_that_shows_it(district: Scenario) -> None:
    district.ticks(0, 30, 10, "i2").ticks(0, 240, 10).tick(245, "i2").tick(250)
    assert spans(district.ask()["impaired"]) == [(iso(30), iso(245))]


def test_r6_impaired_time_that_goes_on_is_cut_at_the_horizon(district: Scenario) -> None:
    district.tick(0, "i2").ticks(0, 240)
    told = district.ask()
    assert spans(told["impaired"]) == [(iso(0), iso(240))]


# R7, R8


def test_r7_the_horizon_is_known_at_when_nobody_has_looked_for_longer_than_blind_after(district: Scenario) -> None:
    district.ticks(0, 600).heartbeats(0, 600)
    assert district.ask(known_at=iso(660))["through"] == iso(600)
    told = district.ask(known_at=iso(660.000001))
    assert (told["through"], spans(told["blind"])) == (iso(660.000001), [(iso(600), iso(660.000001))])
    assert district.counts("live_networking_rate", 660, known_at=iso(661)) == (0, 1, 1, 0)


def test_r7_without_a_tick_the_horizon_is_1970(district: Scenario) -> None:
    assert district.ask()["through"] == "1970-01-01T00:00:00.000000Z"


def test_r8_a_signal_received_at_the_horizon_does_not_count_yet(district: Scenario) -> None:
    district.ticks(0, 600)
    assert states(district.signal(600).connection(0, 600)) == [(0, 600, "offline")]
    assert states(district.signal(599.999999).connection(0, 600))[-1] == (599.999999, 600, "online")


# R9 to R11


def test_r9_of_two_copies_the_one_with_the_smallest_time_counts_and_the_other_has_no_effect(district: Scenario) -> None:
    district.ticks(0, 600).signal(240, signal_id="a", recorded=300).signal(100, signal_id="a", recorded=500)
    found = district.connection(0, 600)
    assert states(found) == [(0, 100, "unknown"), (100, 600, "offline")]


def test_r9_an_earlier_copy_of_another_kind_takes_the_place_of_a_heartbeat(district: Scenario) -> None:
    """And the other way round: the fault that came later says nothing."""
    district.ticks(0, 600).signal(200, signal_id="a").signal(100, "gap", signal_id="a", recorded=500)
    district.signal(300, "fault", signal_id="b").signal(250, signal_id="b", recorded=500)
    assert states(district.connection(0, 600))[0] == (0, 250, "offline")
    assert district.counts("fault_cure_timely_rate", 0, 600, limit_s=1)[1] == 0


def test_r9_what_is_known_of_copies_is_what_had_come_by_then(district: Scenario) -> None:
    district.ticks(0, 600).signal(240, signal_id="a").signal(100, signal_id="a", recorded=500)
    asked: dict[str, Any] = {
        "figures": [{"metric": "unit_availability", "scope": "S1", "unit": "U1", "from": iso(0), "to": iso(400)}]
    }
    before = district.ask(known_at=iso(450), **asked)["figures"][0]
    assert (before["numerator"], before["unknown"]) == (160_000_000, 240_000_000)
    assert district.ask(**asked)["figures"][0]["numerator"] == 0


@pytest.mark.parametrize(
    ("kind", "flags", "proof"),
    [
        ("heartbeat", [], True), ("heartbeat", ["repeated"], True), ("heartbeat", ["clock_behind"], True),
        ("fault", ["test_or_omission"], True), ("link_up", [], True), ("unreadable_alarm", [], True),
        ("gap", [], False), ("link_down", [], False), ("heartbeat", ["retained"], False), ("fire", ["replayed"], False),
    ],
)  # fmt: skip
def test_r10_what_proves_life(district: Scenario, kind: str, flags: list[str], proof: bool) -> None:
    district.ticks(0, 200).signal(100, kind, flags=flags)
    assert (district.connection(0, 200)[-1][2] == "online") is proof


def test_r10_a_proof_received_in_impaired_time_counts(district: Scenario) -> None:
    district.tick(0, "i2").ticks(0, 240).signal(150)
    assert states(district.connection(0, 240))[-1] == (150, 240, "online")


def test_r11_a_replayed_signal_tells_troubles_from_when_it_was_refused(district: Scenario) -> None:
    district.ticks(0, 600).signal(500, "fault", flags=["replayed"], first_received_at=iso(100))
    district.signal(550, "fire", flags=["retained"])
    assert district.health(0, 600) == [(0, 100, "unknown"), (100, 600, "fault")]


# R12


def test_r12_the_profile_is_that_of_the_row_on_the_day_of_the_anchor(district: Scenario) -> None:
    """EN-DP4: 30 s x 3, from 11 March on; the last proof of the 10th still has its 240 s."""
    district.unit(since="2026-03-11", profile="EN-DP4").ticks(DAY - 600, DAY + 600).heartbeats(DAY - 630, DAY - 30)
    district.signal(DAY + 200).signal(DAY + 291)
    assert states(district.connection(DAY - 60, DAY + 291)) == [
        (DAY - 60, DAY + 60, "online"), (DAY + 60, DAY + 200, "late"), (DAY + 200, DAY + 291, "offline"),
    ]  # fmt: skip


def test_r12_a_profile_that_the_pack_lacks_is_the_default(tmp_path: Path) -> None:
    district = Scenario(tmp_path).unit(profile="NONE").gateway().ticks(0, 600).signal(0)
    assert states(district.connection(0, 240)) == [(0, 240, "offline")]


# R44


def test_r44_a_gateway_that_moves_costs_its_old_unit_nothing_and_has_one_deadline_to_be_heard(
    district: Scenario,
) -> None:
    district.unit("U2").gateway(unit_id="U2", since="2026-03-11").ticks(DAY - 600, DAY + 600)
    district.heartbeats(DAY - 620, DAY - 200).heartbeats(DAY + 100, DAY + 600, unit="U2")
    assert states(district.connection(DAY - 200, DAY + 200)) == [
        (DAY - 200, DAY - 110, "online"), (DAY - 110, DAY, "late"), (DAY, DAY + 200, "offline"),
    ]  # fmt: skip
    assert states(district.connection(DAY - 100, DAY + 200, "U2")) == [
        (DAY - 100, DAY, "offline"), (DAY, DAY + 100, "unknown"), (DAY + 100, DAY + 200, "online"),
    ]  # fmt: skip


def test_r44_a_proof_of_a_pair_outside_its_runs_counts_for_nothing(district: Scenario) -> None:
    district.unit("U2", commissioned_on=None).gateway("G2", "U2", since="2026-03-11").ticks(0, 600)
    district.signal(100, gateway="G2", unit="U2").signal(100, gateway="G3", unit="U2")
    assert states(district.connection(0, 600, "U2")) == [(0, 600, "never_connected")]


def test_r44_rows_of_neighbouring_days_are_one_run(district: Scenario) -> None:
    district.gateway(since="2026-03-11", carrier="carrier-b").ticks(DAY - 600, DAY + 600)
    district.heartbeats(DAY - 600, DAY + 600)
    assert states(district.connection(DAY - 60, DAY + 600)) == [(DAY - 60, DAY + 600, "online")]


# R18, R19


def test_r18_who_is_not_commissioned_is_never_unknown(tmp_path: Path) -> None:
    district = Scenario(tmp_path).unit(commissioned_on="2026-03-11").gateway().ticks(DAY - 600, DAY - 300)
    district.ticks(DAY, DAY + 60).signal(DAY - 500)
    assert district.connection(DAY - 600, DAY + 60) == [
        (DAY - 600, DAY - 500, "never_connected", "registry", None),
        (DAY - 500, DAY, "commissioning", "registry", None),
        (DAY, DAY + 60, "unknown", "unproven", "self"),
    ]


def test_r18_a_commissioned_unit_without_a_gateway_is_offline_by_itself(tmp_path: Path) -> None:
    district = Scenario(tmp_path).unit().ticks(0, 600)
    assert district.connection(0, 600) == [(0, 600, "offline", "registry", "unit")]


def test_r19_a_later_row_without_it_withdraws_the_commissioning(district: Scenario) -> None:
    district.unit(since="2026-03-11", commissioned_on=None).ticks(DAY - 60, DAY + 60).signal(DAY - 60)
    assert states(district.connection(DAY - 60, DAY + 60)) == [
        (DAY - 60, DAY, "online"), (DAY, DAY + 60, "commissioning"),
    ]  # fmt: skip


# R20


def outage(district: Scenario, losses: dict[int, float]) -> list[str]:
    """Lose unit n at losses[n]; return whose each outage is. Three within 120 s are a common cause."""
    district.pack = district.pack.replace("units: 10", "units: 3")
    district.ticks(0, 2000)
    for number, at in losses.items():
        district.unit(f"V{number}", town=f"T{number}").gateway(f"H{number}", f"V{number}").signal(
            at, gateway=f"H{number}", unit=f"V{number}"
        )
    found = {number: district.connection(0, 2000, f"V{number}") for number in losses}
    return [[each[4] for each in found[number] if each[2] == "offline"][-1] for number in losses]


def test_r20_a_closed_window_of_losses_of_enough_units_is_the_carriers(tmp_path: Path) -> None:
    assert outage(Scenario(tmp_path), {1: 100, 2: 160, 3: 220}) == ["carrier"] * 3


def test_r20_losses_further_apart_are_each_units_own(tmp_path: Path) -> None:
    assert outage(Scenario(tmp_path), {1: 100, 2: 160, 3: 220.000001}) == ["unit"] * 3


def test_r20_a_loss_is_in_any_window_that_holds_enough(tmp_path: Path) -> None:
    assert outage(Scenario(tmp_path), {1: 40, 2: 150, 3: 160, 4: 270, 5: 391}) == ["carrier"] * 4 + ["unit"]


def test_r20_the_outage_that_goes_on_after_blindness_keeps_its_attribution(tmp_path: Path) -> None:
    district = Scenario(tmp_path)
    district.ticks(2200, 3000)
    assert outage(district, {1: 100, 2: 160, 3: 220}) == ["carrier"] * 3
    found = district.connection(0, 3000, "V1")[-2:]
    assert found == [(1980, 2200, "unknown", "blind", "self"), (2200, 2980, "offline", "no_proof", "carrier")]


# R21 to R24


@pytest.mark.parametrize(
    ("occurred", "expected"),
    [(400, 400), (500, 500), (500.000001, 500), (500 - DAY, 0), (500 - DAY - 0.000001, 500)],
)
def test_r21_the_devices_own_time_holds_within_a_day_before_it_was_received(
    district: Scenario, occurred: float, expected: float
) -> None:
    district.ticks(0, 600).signal(500, "fault", occurred_at=iso(occurred), flags=["clock_ahead"])
    assert [start for start, _, health in district.health(0, 600) if health == "fault"] == [expected]


def test_r21_events_of_one_instant_are_taken_by_their_number(district: Scenario) -> None:
    district.ticks(0, 600).signal(500, "restore", restores="fire", seq=7).signal(500, "fire", seq=6)
    assert "fire" not in [health for *_, health in district.health(0, 600)]


def test_r22_a_star_ends_a_system_and_no_point_ends_all(district: Scenario) -> None:
    district.ticks(0, 900).signal(100, "fault", point="1", system="a").signal(100, "fault", point="1", system="b")
    district.signal(100, "fault").signal(200, "restore", point="*", system="a", restores="fault")
    assert district.counts("fault_cure_timely_rate", 0, 900, limit_s=100) == (1, 3, 0, 0)
    district.signal(300, "restore", restores="fault")
    assert district.counts("fault_cure_timely_rate", 0, 900, limit_s=200) == (3, 3, 0, 0)


def test_r22_what_may_be_a_test_cures_nothing_and_what_is_repeated_says_nothing(district: Scenario) -> None:
    district.ticks(0, 900).signal(100, "fault").signal(150, "fault", flags=["repeated"])
    district.signal(200, "restore", restores="fault", flags=["test_or_omission"])
    district.signal(250, "restore", restores="fault", flags=["repeated"])
    assert district.counts("fault_cure_timely_rate", 0, 900, limit_s=9999) == (0, 1, 1, 0)


def test_r23_a_fault_restored_under_an_isolation_ends_with_the_isolation(district: Scenario) -> None:
    district.ticks(0, 900).signal(100, "fault", point="p").signal(200, "isolation", point="p")
    district.signal(200, "restore", point="p", restores="fault")
    district.signal(400, "restore", point="p", restores="isolation")
    assert district.counts("fault_cure_timely_rate", 0, 900, limit_s=300) == (1, 1, 0, 0)
    assert district.counts("fault_cure_timely_rate", 0, 900, limit_s=299) == (0, 1, 0, 0)


def test_r23_not_if_it_is_said_again_before(district: Scenario) -> None:
    district.ticks(0, 900).signal(100, "fault", point="p").signal(200, "isolation").signal(
        250, "restore", point="p", restores="fault"
    )
    district.signal(300, "fault", point="p").signal(400, "restore", restores="isolation")
    assert district.counts("fault_cure_timely_rate", 0, 900, limit_s=9999) == (0, 1, 1, 0)


def test_r24_the_gravest_trouble_of_any_gateway_is_the_units(district: Scenario) -> None:
    district.gateway("G2").ticks(0, 600).heartbeats(0, 600).heartbeats(0, 600, gateway="G2")
    district.signal(100, "fault", gateway="G2").signal(200, "isolation", point="p").signal(300, "isolation")
    district.signal(400, "fire", gateway="G2").signal(500, "restore", restores="all", gateway="G2")
    district.signal(550, "restore", restores="all")
    assert [health for *_, health in district.health(0, 600)] == [
        "normal", "fault", "partly_isolated", "isolated", "fire", "isolated", "normal",
    ]  # fmt: skip
