"""A tick claims nothing that was not proven on every lane."""

from services.ingest.domain.readiness import ConnectionHealth, problems
from services.ingest.domain.watermark import InstanceWatermark
from tests.unit.ingest.build import NOON, after


def watermark() -> InstanceWatermark:
    return InstanceWatermark(("main", "fire"), epoch=7, since=NOON)


def test_no_tick_before_every_lane_has_proved_something() -> None:
    ours = watermark()
    ours.settled("main", after(1))
    assert ours.tick(after(2)) is None


def test_a_tick_reaches_as_far_as_the_lane_that_is_behind() -> None:
    ours = watermark()
    ours.settled("main", after(1))
    ours.settled("fire", after(5))
    tick = ours.tick(after(6))
    assert tick is not None
    assert (tick.proven_until, tick.sent_at, tick.epoch, tick.number, tick.leaving) == (after(1), after(6), 7, 1, False)


def test_no_second_tick_without_more_proof() -> None:
    ours = watermark()
    ours.settled("main", after(1))
    ours.settled("fire", after(1))
    assert ours.tick(after(2)) is not None
    assert ours.tick(after(3)) is None
    ours.settled("main", after(3))
    assert ours.tick(after(4)) is None
    ours.settled("fire", after(3))
    tick = ours.tick(after(4))
    assert tick is not None
    assert (tick.proven_until, tick.number) == (after(3), 2)


def test_a_probe_that_comes_back_again_or_late_takes_nothing_back() -> None:
    ours = watermark()
    for lane in ("main", "fire"):
        ours.settled(lane, after(5))
        ours.settled(lane, after(2))
    assert ours.proven_until() == after(5)


def test_a_probe_of_an_earlier_process_proves_nothing() -> None:
    ours = watermark()
    ours.settled("main", after(-1))
    ours.settled("fire", after(1))
    assert ours.proven_until() is None


def test_a_farewell_claims_only_what_was_told() -> None:
    ours = watermark()
    assert ours.leaving_tick(after(1)) is None
    for lane in ("main", "fire"):
        ours.settled(lane, after(1))
    ours.tick(after(2))
    for lane in ("main", "fire"):
        ours.settled(lane, after(3))
    leaving_tick = ours.leaving_tick(after(4))
    assert leaving_tick is not None
    assert (leaving_tick.proven_until, leaving_tick.leaving, leaving_tick.number) == (after(1), True, 2)


WELL = ConnectionHealth(thread_alive=True, connected=True, subscribed=True, heard_age_s=0.5)
STORED = {"main": 0.5, "device": 0.5}


def test_readiness_names_what_does_not_advance() -> None:
    assert set(problems(True, {"main": WELL, "fire": WELL}, {"tcp": True}, STORED).values()) == {"ok"}
    sick = {
        "registry": problems(False, {"main": WELL}, {}, STORED)["registry"],
        "thread": problems(True, {"main": WELL._replace(thread_alive=False)}, {}, STORED)["mqtt_main"],
        "connection": problems(True, {"main": WELL._replace(connected=False)}, {}, STORED)["mqtt_main"],
        "subscription": problems(True, {"main": WELL._replace(subscribed=False)}, {}, STORED)["mqtt_main"],
        "silence": problems(True, {"main": WELL._replace(heard_age_s=5.1)}, {}, STORED)["mqtt_main"],
        "never heard": problems(True, {"main": WELL._replace(heard_age_s=None)}, {}, STORED)["mqtt_main"],
        "port": problems(True, {"main": WELL}, {"tcp": False}, STORED)["port_tcp"],
        "store": problems(True, {"main": WELL}, {}, {"device": 5.1})["store_device"],
    }
    assert "ok" not in sick.values()
