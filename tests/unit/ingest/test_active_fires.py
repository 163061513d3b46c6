"""The fast lane hears every fire and every end that somebody may wait for, and no stream of good news."""

import pytest

from services.ingest.domain.active_fires import MAX_POINTS, ActiveFires
from services.ingest.domain.values import Accepted, FramePart, Message, Point, Signal
from services.kernel.words import Lane, Restores, SignalKind, Transport
from tests.unit.ingest.build import arrival

FRAME = FramePart("standard", 1, 2, 2, None, (), b"")


def fire(address: str) -> Message:
    return Message(SignalKind.FIRE, point=Point(address, "1.0", None, None), frame=FRAME)


def end(address: str, what: Restores = Restores.ALL) -> Message:
    return Message(SignalKind.RESTORE, point=Point(address, "1.0", None, None), restores=what, frame=FRAME)


def urgent(*messages: Message, unit: str = "U1", active_fires: ActiveFires | None = None) -> list[bool]:
    signals = [
        Signal("G1", unit, Lane.UP, Transport.MQTT_GB26875, message, (), part) for part, message in enumerate(messages)
    ]
    followed = (active_fires or ActiveFires()).follow(Accepted(arrival(), tuple(signals)))
    return [signal.message.concerns_fire for signal in followed.signals]


def test_a_status_that_ends_nothing_is_in_no_hurry() -> None:
    assert urgent(end("7"), end("7", Restores.FIRE), end("7", Restores.FAULT)) == [False] * 3


def test_the_end_of_a_fire_is_urgent_once() -> None:
    assert urgent(fire("7"), end("7"), end("7"), fire("7"), end("7", Restores.FIRE)) == [True, True, False, True, True]


def test_other_points_and_units_are_told_apart() -> None:
    active_fires = ActiveFires()
    assert urgent(fire("7"), end("8"), active_fires=active_fires) == [True, False]
    assert urgent(end("7"), unit="U2", active_fires=active_fires) == [False]
    assert urgent(end("7"), active_fires=active_fires) == [True]


@pytest.mark.parametrize(
    "message", [end("*", Restores.FIRE), end("7")._replace(frame=None), end("7")._replace(point=None)]
)
def test_an_end_that_somebody_says_for_itself_is_always_urgent(message: Message) -> None:
    assert urgent(message) == [True]


def test_beyond_the_bound_every_end_is_urgent_and_memory_does_not_grow() -> None:
    active_fires = ActiveFires()
    assert all(urgent(*[fire(str(number)) for number in range(MAX_POINTS + 50)], active_fires=active_fires))
    assert urgent(end(str(MAX_POINTS + 49)), end("3"), end(str(MAX_POINTS + 48)), active_fires=active_fires) == [
        True,
        True,
        False,
    ]
