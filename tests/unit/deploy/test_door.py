"""What opens the door is a probe of ingest on each of its lanes, and nothing else."""

from pathlib import Path

import pytest

from deploy.stack.door import Config, Shut, Way, read_state
from deploy.stack.firenet import FireNet, Options, Ports
from deploy.stack.watcher import LANES, lane_of
from services.ingest.adapters.mqtt_source import subscription
from services.ingest.domain.topics import FIRE_FILTERS, MAIN_FILTERS


@pytest.mark.parametrize("group", ["", "ingest"])
def test_the_probes_of_ingest_are_known_by_their_topics(group: str) -> None:
    for lane, filters in zip(LANES, (MAIN_FILTERS, FIRE_FILTERS), strict=True):
        assert lane_of(subscription(lane, filters, group, "ingest-1").probe_topic) == lane


@pytest.mark.parametrize("topic", ["firenet/v1/G1/up/probe", "firenet/v1/$ingest/i/other/probe", "firenet/v1/x", ""])
def test_what_a_gateway_may_publish_opens_nothing(topic: str) -> None:
    assert lane_of(topic) is None


def test_a_door_that_has_written_nothing_is_shut(tmp_path: Path) -> None:
    assert read_state(tmp_path / "none") == {"open": False, "why": Shut.BROKER_AWAY}


def test_its_settings_come_back_as_they_were_written(tmp_path: Path) -> None:
    config = Config((Way("127.0.0.1", 1, 2),), 2, "state", 10, None, "ingest", "word")
    (tmp_path / "config").write_text(config.text())
    assert Config.read(tmp_path / "config") == config
    assert "word" not in repr(config)


def test_gateways_and_ingest_come_in_by_different_ports_wherever_there_is_a_door(tmp_path: Path) -> None:
    ports = Ports.free()
    for options in (Options(), Options(mosquitto=True, door=True)):
        firenet = FireNet(tmp_path, ports, options)
        assert firenet.door is not None
        assert [way.port for way in firenet.door.ways] == [ports.mqtt]
        assert firenet.mqtt.port == ports.mqtt_inner == firenet.door.broker_port
    secured = FireNet(tmp_path, ports, Options(mosquitto=True, secured=True))
    assert secured.door is not None
    assert {way.port for way in secured.door.ways} == {ports.mqtt_tls, ports.mqtt_certificates}
    assert secured.mqtt.port == ports.mqtt
