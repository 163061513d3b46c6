"""Parts of the ingest tests: a Kafka of their own, since some of them stop it; fresh gateways for each test."""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import pytest

from deploy.stack.kafka import Kafka
from deploy.stack.mosquitto import Mosquitto
from deploy.stack.mqtt import Iotcore
from deploy.stack.ports import free_ports
from services.runtime.clock import SystemClock
from tests.hivemq.broker import HiveMq, why_not
from tests.integration.ingest.log import Written, create_topics, read_all, register
from tests.integration.ingest.process import Gateway, IngestProcess
from tests.parts import run_part


@pytest.fixture(scope="package")
def own_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    port, controller_port = free_ports(2)
    yield from run_part(Kafka(tmp_path_factory.mktemp("ingest-kafka"), port=port, controller_port=controller_port))


Broker = Mosquitto | Iotcore | HiveMq


class Site:
    """One broker, one ingest process, any number of gateways; names nobody else uses.

    `marked`: the broker delivers again under the number that a message had, marked as a duplicate. `one_queue`: of a
    share group, so that ticks prove nothing there (decision 114).
    """

    def __init__(self, folder: Path, kafka: Kafka, broker: Broker, **settings: str) -> None:
        self.kafka = kafka
        self.broker = broker
        self.marked = True
        self.one_queue = False
        self._since = SystemClock().now()
        self._names = secrets.token_hex(4)
        self._folder = folder
        self._settings = settings
        self.ingest = self.twin()
        self._members: list[IngestProcess] = []
        self._gateways: list[Gateway] = []

    async def gateways(self, count: int) -> list[Gateway]:
        """Register gateways and connect them. To be called before ingest starts."""
        return self.connect(self.broker.port, await self.register(count))

    async def register(self, count: int) -> list[str]:
        """Register gateways and return their names. To be called before ingest starts."""
        await create_topics(self.kafka.bootstrap)
        names = [f"G{self._names}{number}" for number in range(count)]
        await register(self.kafka.bootstrap, {name: f"U{name[1:]}" for name in names})
        return names

    def connect(self, port: int, names: Sequence[str]) -> list[Gateway]:
        """Connect gateways to this port, and return all that are connected anywhere."""
        self._gateways += [Gateway(port, name) for name in names]
        return self._gateways

    def twin(self) -> IngestProcess:
        """Return another process under the same name, as a careless deployment would start it."""
        return IngestProcess(self._folder, self.kafka.bootstrap, self.broker.port, f"i{self._names}", **self._settings)

    def member(self) -> IngestProcess:
        """Return one more process of the same share group, which nobody gave a name."""
        group = {"INGEST_MQTT_SHARE_GROUP": f"i{self._names}"} | self._settings
        self._members.append(IngestProcess(self._folder, self.kafka.bootstrap, self.broker.port, "", **group))
        return self._members[-1]

    async def written(self) -> Written:
        """Return what stands in Kafka since this site is there: many tests before it wrote to the same Kafka."""
        return await read_all(self.kafka.bootstrap, self._since)

    async def close(self) -> None:
        for gateway in self._gateways:
            gateway.close()
        for process in (self.ingest, *self._members):
            await process.stop()


@pytest.fixture
async def site(tmp_path: Path, own_kafka: Kafka, mosquitto_broker: Mosquitto) -> AsyncIterator[Site]:
    made = Site(tmp_path, own_kafka, mosquitto_broker)
    yield made
    await made.close()


@pytest.fixture(params=["mosquitto-5", "mosquitto-3.1.1", "iotcore-3.1.1"])
async def any_site(request: pytest.FixtureRequest, tmp_path: Path, own_kafka: Kafka) -> AsyncIterator[Site]:
    name, _, protocol = str(request.param).partition("-")
    broker = request.getfixturevalue(f"{name}_broker")
    settings = {"INGEST_MQTT_PROTOCOL": protocol} | ({"INGEST_MQTT_SHARE_GROUP": ""} if name == "iotcore" else {})
    made = Site(tmp_path, own_kafka, broker, **settings)
    yield made
    await made.close()


def own_broker(name: str, folder: Path) -> Broker:
    """Start a broker of one test: names from the series are the same in each test, and so would be the sessions."""
    if name == "hivemq" and (why := why_not()) is not None:
        pytest.skip(why)
    (port,) = free_ports(1)
    kinds: dict[str, Callable[[Path, int], Broker]] = {
        "mosquitto": lambda folder, port: Mosquitto(folder, port=port),
        "iotcore": lambda folder, port: Iotcore(folder, port=port),
        "hivemq": lambda folder, port: HiveMq(folder, port=port),
    }
    broker = kinds[name](folder / name, port)
    broker.start()
    return broker


@pytest.fixture
async def own_broker_site(tmp_path: Path, own_kafka: Kafka) -> AsyncIterator[Site]:
    """With a Mosquitto that the test may stop."""
    broker = own_broker("mosquitto", tmp_path)
    made = Site(tmp_path, own_kafka, broker)
    yield made
    await made.close()
    broker.stop()


@pytest.fixture(params=["mosquitto", "hivemq"])
async def group_site(request: pytest.FixtureRequest, tmp_path: Path, own_kafka: Kafka) -> AsyncIterator[Site]:
    """Members of one share group. HiveMQ hands what a member left unacknowledged to another, as a new delivery."""
    broker = own_broker(request.param, tmp_path)
    made = Site(tmp_path, own_kafka, broker)
    made.marked = request.param == "mosquitto"
    made.one_queue = request.param == "hivemq"
    yield made
    await made.close()
    broker.stop()


@pytest.fixture(params=["mosquitto", "iotcore", "hivemq"])
async def plain_site(request: pytest.FixtureRequest, tmp_path: Path, own_kafka: Kafka) -> AsyncIterator[Site]:
    """Members without a share group: one works, the next stands by. The embedded broker marks no redelivery."""
    broker = own_broker(request.param, tmp_path)
    protocol = "3.1.1" if request.param == "iotcore" else "5"
    made = Site(tmp_path, own_kafka, broker, INGEST_MQTT_SHARE_GROUP="", INGEST_MQTT_PROTOCOL=protocol)
    made.marked = request.param != "iotcore"
    yield made
    await made.close()
    broker.stop()
