"""Our own blindness is never the unit's fault: unknown, not offline, and no wave of offline afterwards."""

from services.rules.domain.freeze import freeze_head, thaw
from services.rules.domain.words import Oddity
from tests.unit.rules.world import OFFLINE_AFTER, World, since_t0, when

OFFLINE_S = OFFLINE_AFTER / 1e6
NAMES = ("U1", "U2", "U3")


def busy(world: World, first_s: float, last_s: float, *instances: str) -> None:
    """Every unit beats once a minute, every instance ticks once a second."""
    at_s = first_s
    while at_s <= last_s:
        if at_s % 60 == 0:
            for name in NAMES:
                world.beat(at_s, name)
        world.ticks(at_s, at_s, *instances)
        at_s += 1


def test_broker_down_for_twenty_minutes_turns_all_unknown_and_tells_nobody() -> None:
    world = World(3)
    busy(world, 0, 100)
    busy(world, 1300, 1400)
    assert [world.connection(name) for name in NAMES] == ["online"] * 3  # each by its beat at 1320
    for name in NAMES:
        assert "offline" not in world.moves(name)
        blind = next(t for t in world.transitions(name) if t.to_state == "unknown")
        assert (since_t0(blind.effective), since_t0(blind.detected), blind.cause) == (100, 1300, "blind")
    assert world.said.findings == []


def test_after_blind_time_a_silent_unit_is_offline_only_after_its_whole_deadline_in_clear_sight() -> None:
    world = World(3)
    busy(world, 0, 100)
    world.ticks(1300, 1300 + OFFLINE_S)
    assert world.connection() == "unknown"
    world.tick(1300 + OFFLINE_S + 0.5)
    assert world.connection() == "offline"
    lost = world.transitions()[-1]
    assert (since_t0(lost.effective), since_t0(lost.detected)) == (1300, 1300 + OFFLINE_S)


def test_a_unit_that_was_offline_before_blind_time_keeps_its_one_open_finding() -> None:
    world = World(3)
    busy(world, 0, 0)
    world.ticks(1, 300)
    assert world.connection() == "offline"
    world.ticks(1300, 1600)
    assert world.moves()[-3:] == ["offline", "unknown", "offline"]
    assert world.phases("connection_lost") == ["began"]
    world.beat(1601)
    world.beat(1602)
    assert world.phases("connection_lost") == ["began", "ended"]


def test_one_proof_is_enough_after_blind_time() -> None:
    world = World()
    world.tick(0)
    world.beat(0)
    world.ticks(1, 20)
    world.ticks(100, 110)
    assert world.connection() == "unknown"
    world.beat(111)
    assert world.connection() == "online"


def test_a_gap_of_exactly_the_patience_is_not_blind() -> None:
    world = World()
    world.tick(0)
    world.beat(0)
    world.tick(10)
    assert world.connection() == "online"
    world.tick(20.000001)
    assert world.connection() == "unknown"


def test_a_signal_after_the_gap_shows_it_too_and_does_not_make_sight_clear() -> None:
    world = World(3)
    busy(world, 0, 5)
    world.beat(500, "U1")
    assert [world.connection(name) for name in NAMES] == ["online", "unknown", "unknown"]
    assert world.engine.watch.sight == "blind"
    world.ticks(501, 501 + OFFLINE_S + 1)
    assert [world.connection(name) for name in NAMES] == ["offline", "offline", "offline"]
    assert since_t0(world.transitions("U2")[-1].effective) == 501


def test_a_backlog_in_front_of_ingest_is_no_blindness() -> None:
    """Proofs lag behind the signals by half a minute, yet come every second: nothing was missed."""
    world = World()
    world.tick(0)
    for at_s in range(1, 200):
        world.beat(at_s)
        world.lagging_tick(at_s, lag_s=min(30, 0.5 * at_s))
    assert "unknown" not in world.moves()


def test_one_of_two_instances_dies_overdue_units_are_unknown_never_offline() -> None:
    world = World(3)
    busy(world, 0, 60, "i1", "i2")
    world.ticks(61, 600, "i1")
    assert world.engine.watch.sight == "impaired"
    assert [world.connection(name) for name in NAMES] == ["unknown"] * 3
    unknown = world.transitions()[-1]
    assert (unknown.cause, since_t0(unknown.effective)) == ("impaired", 60)
    assert world.said.findings == []


def test_units_heard_by_the_other_instance_stay_online_while_one_is_dead() -> None:
    world = World(3)
    busy(world, 0, 60, "i1", "i2")
    busy(world, 61, 500, "i1")
    assert [world.connection(name) for name in NAMES] == ["online"] * 3


def test_when_the_dead_instance_returns_deadlines_count_from_then() -> None:
    world = World(3)
    busy(world, 0, 60, "i1", "i2")
    world.ticks(61, 400, "i1")
    world.tick(401, "i2", epoch=2)
    world.ticks(401, 401 + OFFLINE_S, "i1", "i2")
    assert world.connection() == "unknown"
    world.ticks(402 + OFFLINE_S, 403 + OFFLINE_S, "i1", "i2")
    assert world.connection() == "offline"
    assert since_t0(world.transitions()[-1].effective) == 401


def test_an_instance_that_says_goodbye_is_not_waited_for() -> None:
    world = World(3)
    busy(world, 0, 60, "i1", "i2")
    world.tick(61, "i2", leaving=True)
    world.ticks(61, 400, "i1")
    assert world.engine.watch.sight == "clear"
    assert world.connection() == "offline"


def test_an_instance_that_never_returns_is_forgotten_after_ten_minutes() -> None:
    world = World(3)
    busy(world, 0, 60, "i1", "i2")
    world.ticks(61, 660, "i1")
    assert world.engine.watch.sight == "impaired"
    world.ticks(661, 661 + OFFLINE_S + 2, "i1")
    assert (world.engine.watch.sight, world.connection()) == ("clear", "offline")


def test_the_watermark_waits_for_the_slower_instance_and_never_goes_back() -> None:
    world = World()
    world.tick(0, "i1")
    world.tick(5, "i1")
    world.tick(2, "i2")
    assert since_t0(world.engine.watch.watermark or 0) == 5
    world.tick(8, "i1")
    assert since_t0(world.engine.watch.watermark or 0) == 5
    world.tick(9, "i2")
    assert since_t0(world.engine.watch.watermark or 0) == 8


def test_a_repeated_tick_and_one_of_an_older_process_prove_nothing() -> None:
    world = World()
    world.tick(0, epoch=2)
    world.tick(3, epoch=1)
    assert since_t0(world.engine.watch.watermark or 0) == 0
    assert world.engine.oddities[Oddity.STALE_TICK] == 1


def test_without_any_tick_nothing_is_ever_offline() -> None:
    world = World()
    world.beat(0)
    for at_s in range(1, 2000, 5):
        world.beat(at_s, "U9")
    assert world.connection() == "online"


def losses(world: World) -> list[int]:
    return [signal.missing for signal in world.said.signals if signal.kind == "gap"]


def test_a_loss_is_none_while_several_instances_of_ingest_share_the_messages_nor_soon_after() -> None:
    world = World()
    world.ticks(0, 3)
    world.signal(4, "gap", missing=3)
    world.tick(5, "i2")
    world.signal(6, "gap", missing=4)
    world.tick(7, "i2", leaving=True)
    head = freeze_head(world.engine)
    world.signal(7000, "gap", missing=5)
    world.signal(7001, "gap", missing=-2)
    world.signal(7206, "gap", missing=6)
    assert losses(world) == [3, -2, 6], "what is taken back is taken back always"
    assert world.engine.oddities[Oddity.UNPROVEN_LOSS] == 2
    again = thaw(head, [], never_grace=0, unit_rows={}, gateway_rows={}, pack_rows={})
    assert again.watch.is_shared(when(7000))
    del head["shared_at"]
    assert not thaw(head, [], never_grace=0, unit_rows={}, gateway_rows={}, pack_rows={}).watch.is_shared(when(7000))
