"""How long a fire waits when a broker dies: the limits of brokers and of our clients, added up."""

from pathlib import Path

from deploy.stack.kafka import Kafka, Node, new_cluster_id
from services.runtime.kafka import ANSWERED_WITHIN_MS, STORED_WITHIN_MS

ALARM_MS = 10_000
"""GB 50440: from the alarm at the unit to the centre."""
DEFAULTS = {
    "broker.session.timeout.ms": 9000,
    "broker.heartbeat.interval.ms": 2000,
    "controller.quorum.fetch.timeout.ms": 2000,
    "controller.quorum.election.timeout.ms": 1000,
}
"""Of Kafka 4.1."""


def limits(folder: Path, nodes: int) -> dict[str, int]:
    several = [Node(n, 20_000 + n, 21_000 + n, f"rack-{n}") for n in range(1, nodes + 1)]
    kafka = Kafka(folder, port=20_001, controller_port=21_001, number=1, nodes=several, cluster_id=new_cluster_id())
    said = dict(line.split("=", 1) for line in kafka._properties().splitlines())
    return {name: int(said.get(name, value)) for name, value in DEFAULTS.items()}


def test_others_lead_in_time_even_when_the_controller_died_with_the_broker(tmp_path: Path) -> None:
    found = limits(tmp_path, 3)
    until_a_controller = found["controller.quorum.fetch.timeout.ms"] + found["controller.quorum.election.timeout.ms"]
    assert until_a_controller + found["broker.session.timeout.ms"] <= 0.7 * ALARM_MS


def test_a_broker_that_is_only_slow_is_given_several_chances(tmp_path: Path) -> None:
    found = limits(tmp_path, 3)
    assert found["broker.session.timeout.ms"] >= 5 * found["broker.heartbeat.interval.ms"]


def test_clients_leave_a_silent_broker_before_others_lead() -> None:
    assert STORED_WITHIN_MS <= ANSWERED_WITHIN_MS <= 0.7 * ALARM_MS
