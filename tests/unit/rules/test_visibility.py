"""Our own blindness is never the unit's fault: unknown, not offline, and no wave of offline afterwards."""

from services.rules.domain.snapshot import restore, snapshot_head
from services.rules.domain.words import Anomaly
from tests.unit.rules.scenario import OFFLINE_AFTER, Scenario, since_t0, when

OFFLINE_S = OFFLINE_AFTER / 1e6
NAMES = ("U1", "U2", "U3")


def busy(scenario: Scenario, first_s: float, last_s: float, *instances: str) -> None:
    """Every unit beats once a minute, every instance ticks once a second."""
    at_s = first_s
    while at_s <= last_s:
        if at_s % 60 == 0:
            for name in NAMES:
                scenario.beat(at_s, name)
        scenario.ticks(at_s, at_s, *instances)
        at_s += 1


def test_broker_down_for_twenty_minutes_turns_all_unknown_and_tells_nobody() -> None:
    scenario = Scenario(3)
    busy(scenario, 0, 100)
    busy(scenario, 1300, 1400)
    assert [scenario.connection(name) for name in NAMES] == ["online"] * 3  # each by its beat at 1320
    for name in NAMES:
        assert "offline" not in scenario.moves(name)
        blind = next(t for t in scenario.transitions(name) if t.to_state == "unknown")
        assert (since_t0(blind.effective), since_t0(blind.detected), blind.cause) == (100, 1300, "blind")
    assert scenario.said.findings == []


def test_after_blind_time_a_silent_unit_is_offline_only_after_its_whole_deadline_in_clear_visibility() -> None:
    scenario = Scenario(3)
    busy(scenario, 0, 100)
    scenario.ticks(1300, 1300 + OFFLINE_S)
    assert scenario.connection() == "unknown"
    scenario.tick(1300 + OFFLINE_S + 0.5)
    assert scenario.connection() == "offline"
    lost = scenario.transitions()[-1]
    assert (since_t0(lost.effective), since_t0(lost.detected)) == (1300, 1300 + OFFLINE_S)


def test_a_unit_that_was_offline_before_blind_time_keeps_its_one_open_finding() -> None:
    scenario = Scenario(3)
    busy(scenario, 0, 0)
    scenario.ticks(1, 300)
    assert scenario.connection() == "offline"
    scenario.ticks(1300, 1600)
    assert scenario.moves()[-3:] == ["offline", "unknown", "offline"]
    assert scenario.phases("connection_lost") == ["began"]
    scenario.beat(1601)
    scenario.beat(1602)
    assert scenario.phases("connection_lost") == ["began", "ended"]


def test_one_proof_is_enough_after_blind_time() -> None:
    scenario = Scenario()
    scenario.tick(0)
    scenario.beat(0)
    scenario.ticks(1, 20)
    scenario.ticks(100, 110)
    assert scenario.connection() == "unknown"
    scenario.beat(111)
    assert scenario.connection() == "online"


def test_a_gap_of_exactly_the_patience_is_not_blind() -> None:
    scenario = Scenario()
    scenario.tick(0)
    scenario.beat(0)
    scenario.tick(10)
    assert scenario.connection() == "online"
    scenario.tick(20.000001)
    assert scenario.connection() == "unknown"


def test_a_signal_after_the_gap_shows_it_too_and_does_not_make_visibility_clear() -> None:
    scenario = Scenario(3)
    busy(scenario, 0, 5)
    scenario.beat(500, "U1")
    assert [scenario.connection(name) for name in NAMES] == ["online", "unknown", "unknown"]
    assert scenario.engine.watch.visibility == "blind"
    scenario.ticks(501, 501 + OFFLINE_S + 1)
    assert [scenario.connection(name) for name in NAMES] == ["offline", "offline", "offline"]
    assert since_t0(scenario.transitions("U2")[-1].effective) == 501


def test_a_backlog_in_front_of_ingest_is_no_blindness() -> None:
    """Proofs lag behind the signals by half a minute, yet come every second: nothing was missed."""
    scenario = Scenario()
    scenario.tick(0)
    for at_s in range(1, 200):
        scenario.beat(at_s)
        scenario.lagging_tick(at_s, lag_s=min(30, 0.5 * at_s))
    assert "unknown" not in scenario.moves()


def test_one_of_two_instances_dies_overdue_units_are_unknown_never_offline() -> None:
    scenario = Scenario(3)
    busy(scenario, 0, 60, "i1", "i2")
    scenario.ticks(61, 600, "i1")
    assert scenario.engine.watch.visibility == "impaired"
    assert [scenario.connection(name) for name in NAMES] == ["unknown"] * 3
    unknown = scenario.transitions()[-1]
    assert (unknown.cause, since_t0(unknown.effective)) == ("impaired", 60)
    assert scenario.said.findings == []


def test_units_heard_by_the_other_instance_stay_online_while_one_is_dead() -> None:
    scenario = Scenario(3)
    busy(scenario, 0, 60, "i1", "i2")
    busy(scenario, 61, 500, "i1")
    assert [scenario.connection(name) for name in NAMES] == ["online"] * 3


def test_when_the_dead_instance_returns_deadlines_count_from_then() -> None:
    scenario = Scenario(3)
    busy(scenario, 0, 60, "i1", "i2")
    scenario.ticks(61, 400, "i1")
    scenario.tick(401, "i2", epoch=2)
    scenario.ticks(401, 401 + OFFLINE_S, "i1", "i2")
    assert scenario.connection() == "unknown"
    scenario.ticks(402 + OFFLINE_S, 403 + OFFLINE_S, "i1", "i2")
    assert scenario.connection() == "offline"
    assert since_t0(scenario.transitions()[-1].effective) == 401


def test_an_instance_that_says_goodbye_is_not_waited_for() -> None:
    scenario = Scenario(3)
    busy(scenario, 0, 60, "i1", "i2")
    scenario.tick(61, "i2", leaving=True)
    scenario.ticks(61, 400, "i1")
    assert scenario.engine.watch.visibility == "clear"
    assert scenario.connection() == "offline"


def test_an_instance_that_never_returns_is_forgotten_after_ten_minutes() -> None:
    scenario = Scenario(3)
    busy(scenario, 0, 60, "i1", "i2")
    scenario.ticks(61, 660, "i1")
    assert scenario.engine.watch.visibility == "impaired"
    scenario.ticks(661, 661 + OFFLINE_S + 2, "i1")
    assert (scenario.engine.watch.visibility, scenario.connection()) == ("clear", "offline")


def test_the_watermark_waits_for_the_slower_instance_and_never_goes_back() -> None:
    scenario = Scenario()
    scenario.tick(0, "i1")
    scenario.tick(5, "i1")
    scenario.tick(2, "i2")
    assert since_t0(scenario.engine.watch.watermark or 0) == 5
    scenario.tick(8, "i1")
    assert since_t0(scenario.engine.watch.watermark or 0) == 5
    scenario.tick(9, "i2")
    assert since_t0(scenario.engine.watch.watermark or 0) == 8


def test_a_repeated_tick_and_one_of_an_older_process_prove_nothing() -> None:
    scenario = Scenario()
    scenario.tick(0, epoch=2)
    scenario.tick(3, epoch=1)
    assert since_t0(scenario.engine.watch.watermark or 0) == 0
    assert scenario.engine.anomalies[Anomaly.STALE_TICK] == 1


def test_a_fire_that_was_stored_behind_the_watermark_burns_and_is_counted() -> None:
    scenario = Scenario()
    scenario.tick(0)
    scenario.tick(9)
    scenario.signal(3, "fire")
    scenario.beat(4)
    assert scenario.phases("fire") == ["began"]
    assert scenario.engine.anomalies[Anomaly.BEHIND_WATERMARK] == 2


def test_an_end_that_a_woken_process_stores_late_ends_no_fire_that_was_received_after_it() -> None:
    scenario = Scenario()
    scenario.tick(0)
    scenario.signal(1, "fire", point="1/2", content="fire")
    scenario.signal(2, "restore", restores="fire", point="1/2", content="restore")
    scenario.signal(10, "fire", point="1/2", content="fire")
    scenario.tick(11)
    scenario.signal(2, "restore", restores="fire", point="1/2", content="restore")
    assert (scenario.phases("fire"), scenario.health()) == (["began", "ended", "began"], "fire")


def test_without_any_tick_nothing_is_ever_offline() -> None:
    scenario = Scenario()
    scenario.beat(0)
    for at_s in range(1, 2000, 5):
        scenario.beat(at_s, "U9")
    assert scenario.connection() == "online"


def losses(scenario: Scenario) -> list[int]:
    return [signal.missing for signal in scenario.said.signals if signal.kind == "gap"]


def test_a_loss_is_none_while_several_instances_of_ingest_share_the_messages_nor_soon_after() -> None:
    scenario = Scenario()
    scenario.ticks(0, 3)
    scenario.signal(4, "gap", missing=3)
    scenario.tick(5, "i2")
    scenario.signal(6, "gap", missing=4)
    scenario.tick(7, "i2", leaving=True)
    head = snapshot_head(scenario.engine)
    scenario.signal(7000, "gap", missing=5)
    scenario.signal(7001, "gap", missing=-2)
    scenario.signal(7206, "gap", missing=6)
    assert losses(scenario) == [3, -2, 6], "what is taken back is taken back always"
    assert scenario.engine.anomalies[Anomaly.UNPROVEN_LOSS] == 2
    again = restore(head, [], never_grace=0, unit_rows={}, gateway_rows={}, pack_rows={})
    assert again.watch.is_shared(when(7000))
    del head["shared_at"]
    assert not restore(head, [], never_grace=0, unit_rows={}, gateway_rows={}, pack_rows={}).watch.is_shared(when(7000))
