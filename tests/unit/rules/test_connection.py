"""Connection: deadlines run on the watermark, never early, never late."""

from tests.unit.rules.scenario import LATE_AFTER, OFFLINE_AFTER, Scenario, since_t0, when

LATE_S = LATE_AFTER / 1e6
OFFLINE_S = OFFLINE_AFTER / 1e6


def test_a_listed_unit_has_never_connected() -> None:
    scenario = Scenario()
    assert scenario.connection() == "never_connected"
    assert scenario.moves() == ["never_connected"]


def test_one_heartbeat_brings_a_unit_online_for_the_first_time() -> None:
    scenario = Scenario()
    scenario.tick(0)
    scenario.beat(1)
    assert scenario.connection() == "online"
    assert since_t0(scenario.transitions()[-1].effective) == 1
    assert scenario.health() == "normal"


def test_deadline_is_declared_when_the_watermark_passes_it_and_not_before() -> None:
    scenario = Scenario()
    scenario.tick(0)
    scenario.beat(0)
    scenario.ticks(1, OFFLINE_S)
    assert scenario.connection() == "late"
    scenario.tick(OFFLINE_S + 0.000001)
    lost = scenario.transitions()[-1]
    assert (lost.to_state, since_t0(lost.effective), since_t0(lost.detected)) == ("offline", 0, OFFLINE_S)


def test_a_late_batch_of_ticks_declares_the_same_instants() -> None:
    scenario = Scenario()
    scenario.tick(0)
    scenario.beat(0)
    for at_s in range(9, 300, 9):
        scenario.tick(at_s)
    assert [since_t0(t.detected) for t in scenario.transitions()[1:]] == [0, LATE_S, OFFLINE_S]


def test_a_proof_at_the_exact_deadline_is_in_time() -> None:
    scenario = Scenario()
    scenario.tick(0)
    scenario.beat(0)
    scenario.ticks(1, OFFLINE_S)
    scenario.beat(OFFLINE_S)
    scenario.tick(OFFLINE_S + 1)
    assert scenario.moves() == ["never_connected", "online", "late", "online"]


def test_a_lost_unit_needs_two_proofs_in_a_row() -> None:
    scenario = Scenario()
    scenario.tick(0)
    scenario.beat(0)
    scenario.ticks(1, 300)
    assert scenario.connection() == "offline"
    scenario.beat(301)
    assert scenario.connection() == "offline"
    scenario.beat(361)
    assert scenario.connection() == "online"
    assert since_t0(scenario.transitions()[-1].effective) == 361
    assert scenario.phases("connection_lost") == ["began", "ended"]


def test_two_proofs_with_a_deadline_between_them_are_not_in_a_row() -> None:
    scenario = Scenario()
    scenario.tick(0)
    scenario.beat(0)
    scenario.ticks(1, 300)
    scenario.beat(301)
    scenario.ticks(302, 600)
    scenario.beat(600)
    assert scenario.connection() == "offline"


def test_connection_lost_begins_at_detection_with_the_last_proof_as_effective() -> None:
    scenario = Scenario()
    scenario.tick(0)
    scenario.beat(5)
    scenario.ticks(1, 300)
    (found,) = scenario.findings("connection_lost")
    assert (since_t0(found.moment.effective), since_t0(found.moment.detected)) == (5, 5 + OFFLINE_S)
    assert (found.clause, found.pack_id, found.pack_version) == ("000 S1", "sample-2026", 1)


def test_flapping_ten_times_tells_ten_losses_with_ids_of_their_own() -> None:
    scenario = Scenario()
    scenario.tick(0)
    at_s = 0.0
    for _ in range(10):
        scenario.beat(at_s)
        scenario.beat(at_s + 60)
        scenario.ticks(at_s + 1, at_s + 330)
        at_s += 331
    assert scenario.phases("connection_lost") == ["began", "ended"] * 9 + ["began"]
    assert len({f.event_id for f in scenario.findings("connection_lost")}) == 19


def test_link_down_makes_a_unit_late_at_once_and_its_deadline_stays() -> None:
    scenario = Scenario()
    scenario.tick(0)
    scenario.beat(0)
    scenario.signal(2, "link_down")
    assert scenario.connection() == "late"
    scenario.ticks(1, OFFLINE_S + 1)
    assert scenario.connection() == "offline"


def test_a_retained_message_proves_nothing() -> None:
    scenario = Scenario()
    scenario.tick(0)
    scenario.signal(1, "link_up", retained=True)
    assert scenario.connection() == "never_connected"
    scenario.signal(2, "link_up")
    assert scenario.connection() == "online"


def test_link_down_that_is_older_than_the_last_proof_changes_nothing() -> None:
    scenario = Scenario()
    scenario.tick(0)
    scenario.beat(5)
    scenario.signal(2, "link_down")
    assert scenario.connection() == "online"


def test_a_heartbeat_of_an_online_unit_says_nothing() -> None:
    scenario = Scenario()
    scenario.tick(0)
    scenario.beat(0)
    before, samples = scenario.said.size(), len(scenario.said.samples)
    scenario.ticks(1, 59)
    scenario.beat(60)
    assert scenario.said.size() - len(scenario.said.samples) == before - samples
    assert scenario.engine.units["U1"].connection.last_proof() == when(60)


def test_the_heap_does_not_grow_with_heartbeats() -> None:
    scenario = Scenario()
    scenario.tick(0)
    for at_s in range(1000):
        scenario.beat(at_s)
        scenario.tick(at_s + 0.5)
    assert len(scenario.engine.deadlines) < 10


def test_heartbeats_from_before_the_loss_do_not_revive_a_unit() -> None:
    scenario = Scenario()
    scenario.tick(0)
    scenario.beat(0)
    scenario.ticks(1, 300)
    for at_s in (1, 60, 120, 180, 240):
        scenario.beat(at_s)
    assert scenario.connection() == "offline"
