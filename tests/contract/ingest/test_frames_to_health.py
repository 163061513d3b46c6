"""Frames as rules understands them: from the bytes of a device, over the wire, to the health of its unit."""

from services.ingest.adapters.gb26875_decoder import Gb26875Decoder
from services.ingest.adapters.wire import Encoder
from services.ingest.domain.directory import Sender
from services.ingest.domain.gb26875 import (
    STANDARD,
    Adu,
    Command,
    ComponentAddress,
    Frame,
    Text,
    TimeLabel,
    bodies,
    encode_frame,
)
from services.ingest.domain.gb26875.bodies import Body
from services.ingest.domain.values import Arrival, Signal
from services.kernel.words import FindingKind, Lane, Transport
from services.rules.adapters.decode import SignalDecoder
from services.rules.domain.time.instants import instant
from tests.unit.rules.scenario import Scenario, when

HALL = Text.of("一层大厅", STANDARD, 31)


class Site:
    """A unit whose device sends frames, one a second."""

    def __init__(self) -> None:
        self.scenario = Scenario(1)
        self._second = 0

    def send(self, kind: int, *objects: Body) -> None:
        raw = encode_frame(Frame(self._second, 1, 0, self.now, bytes(6), bytes(6), Command.SEND, Adu(kind, objects)))
        came = Arrival(1, 1, "", raw, instant(when(self._second)))
        reading = Gb26875Decoder().decode(raw, Sender("U1"), came.received_at)
        for part, message in enumerate(reading.messages):
            signal = Signal("G1", "U1", Lane.UP, Transport.MQTT_GB26875, message, message.flags, part)
            self.scenario.feed(SignalDecoder().decode(Encoder("i1").signal(signal, came), self.scenario.offset))
        self._second += 1

    @property
    def now(self) -> TimeLabel:
        return TimeLabel.of_instant(instant(when(self._second)), STANDARD)

    def component(self, number: int, word: int, system: int = 1) -> None:
        where = ComponentAddress(number.to_bytes(4, "little"))
        self.send(2, bodies.ComponentStatus(system, 0, 42, where, word, HALL, self.now))

    def system(self, word: int) -> None:
        self.send(1, bodies.SystemStatus(1, 0, word, self.now))

    def device(self, word: int) -> None:
        self.send(21, bodies.DeviceStatus(word, self.now))

    def operate(self, flags: int) -> None:
        self.send(4, bodies.OperationRecord(1, 0, flags, 1, self.now))

    def open(self) -> tuple[int, int, int]:
        """Points on fire, faulty and isolated."""
        unit = self.scenario.engine.units["U1"]
        return (
            unit.condition.open_points(FindingKind.FIRE),
            unit.condition.open_points(FindingKind.FAULT),
            unit.condition.open_points(FindingKind.ISOLATION),
        )


def test_each_trouble_of_a_component_begins_and_ends_by_itself() -> None:
    site = Site()
    open_after = []
    for word in (0x0003, 0x0103, 0x0009, 0x0101, 0x0001):
        site.component(7, word)
        open_after.append(site.open())
    assert open_after == [(1, 0, 0), (1, 1, 0), (1, 0, 1), (1, 1, 0), (0, 0, 0)]


def test_a_detector_that_burns_and_fails_goes_on_burning_until_it_is_seen_well() -> None:
    site = Site()
    for word in (0x0003, 0x0005, 0x0000):
        site.component(7, word)
    assert (site.open(), site.scenario.health()) == ((1, 1, 0), "fire")
    site.component(7, 0x0001)
    assert (site.open(), site.scenario.health()) == ((0, 0, 0), "normal")


def test_a_system_does_not_speak_for_its_components() -> None:
    site = Site()
    site.component(7, 0x0003)
    site.system(0x0003)
    site.system(0x0001)
    assert site.open() == (1, 0, 0)


def test_a_reset_ends_every_fire_of_its_system_and_of_no_other() -> None:
    site = Site()
    site.component(7, 0x0003)
    site.component(8, 0x0003)
    site.component(7, 0x0003, system=12)
    site.system(0x0003)
    site.operate(0x04)
    assert site.open()[0] == 5
    site.operate(0x01)
    assert site.open()[0] == 1
    site.component(8, 0x0003)  # still burns, and is told again
    assert site.open()[0] == 2


def test_every_power_and_line_of_the_device_is_a_point_of_its_own() -> None:
    site = Site()
    open_after = []
    for word in (0x7D, 0x29, 0x09, 0x01):
        site.device(word)
        open_after.append(site.open()[1])
    assert open_after == [5, 2, 1, 0]


def test_the_fire_key_of_the_device_is_not_ended_by_its_status() -> None:
    site = Site()
    site.send(24, bodies.DeviceOperation(0x04, 1, site.now))
    site.device(0x01)
    assert site.open()[0] == 1
    site.send(24, bodies.DeviceOperation(0x08, 1, site.now))
    assert site.open()[0] == 0
