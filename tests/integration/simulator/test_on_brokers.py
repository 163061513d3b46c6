"""The simulator against real brokers, seen by an ordinary client."""

import asyncio
import contextlib
import io
import json
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from deploy.stack.mosquitto import Mosquitto
from deploy.stack.mqtt import Iotcore
from deploy.stack.ports import free_ports
from schemas.gateway import GatewayMessage, GatewayStatus
from services.kernel.words import Lane, SignalKind
from services.runtime.clock import SystemClock
from services.runtime.lifecycle import Stop
from services.simulator.adapters.ledger import FileLedger, read_ledger
from services.simulator.adapters.load_pipes import MqttLoadPipes
from services.simulator.adapters.mqtt import MqttLinks
from services.simulator.adapters.narrator import TextNarrator
from services.simulator.domain.district import HERO, District
from services.simulator.domain.load import LoadPlan, LoadReport
from services.simulator.domain.script import Act, Event, Pace
from services.simulator.domain.signals import Point, Signal
from services.simulator.ports import LinkRefused
from services.simulator.worker.loading import Loader, OutcomeBlocks
from services.simulator.worker.playing import Player

CLOCK = SystemClock()
FAST = Pace(interval_s=0.2, offline_s=0.8)


class Listener:
    """An ordinary subscriber that keeps every message of its branch in order."""

    def __init__(self, port: int, branch: str = "firenet/#") -> None:
        self.messages: list[tuple[str, bytes]] = []
        self._ready = False
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"listen-{secrets.token_hex(4)}")
        self._client.on_message = lambda _, __, message: self._keep(message.topic, bytes(message.payload))
        self._client.on_connect = lambda client, *_: client.subscribe(branch, qos=1)
        self._client.on_subscribe = lambda *_: self._set_ready()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _keep(self, topic: str, body: bytes) -> None:
        if "/$" not in topic:  # what processes of ingest say among themselves stays at a broker that tests share
            self.messages.append((topic, body))

    def _set_ready(self) -> None:
        self._ready = True

    async def ready(self) -> None:
        await until(lambda: self._ready)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def signals(self, start: int = 0) -> list[GatewayMessage]:
        return [
            GatewayMessage.model_validate_json(body)
            for topic, body in self.messages[start:]
            if not topic.endswith("/status")
        ]

    def statuses(self, gateway_id: str) -> list[str]:
        wanted = f"firenet/v1/{gateway_id}/status"
        return [GatewayStatus.model_validate_json(body).state for topic, body in self.messages if topic == wanted]

    def sequences(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        for topic, body in self.messages:
            if not topic.endswith("/status"):
                found[topic.split("/")[2]].append(json.loads(body)["seq"])
        return found


async def until(condition: Callable[[], bool], limit_s: float = 90) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():  # noqa: ASYNC110 - the other side is a thread of the client library
            await asyncio.sleep(0.01)


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker of this test alone: retained messages of others would count."""
    (port,) = free_ports(1)
    broker = Mosquitto(tmp_path / "mosquitto", port=port)
    broker.start()
    yield broker
    broker.stop()


def links(port: int) -> MqttLinks:
    return MqttLinks(host="127.0.0.1", port=port, username=None, password=None, clock=CLOCK)


def player(
    district: District, script: list[Event], port: int, pace: Pace = FAST, told: io.StringIO | None = None
) -> Player:
    return Player(
        district=district, script=script, pace=pace, links=links(port), narrator=TextNarrator(told or io.StringIO()),
        clock=CLOCK, seed=1, gateways_per_connection=20,
    )  # fmt: skip


async def test_a_link_that_was_not_cut_keeps_its_one_connection_when_restored(own_broker: Mosquitto) -> None:
    """Two of one name throw each other out at the broker for ever."""
    listener = Listener(own_broker.port)
    await listener.ready()
    link = await links(own_broker.port).open("G000001", "G000001")
    await link.restore()
    await link.publish(Signal("G000001", "U000001", SignalKind.HEARTBEAT, 1, CLOCK.now()))
    await until(lambda: bool(listener.signals()))
    assert listener.statuses("G000001") == ["online"]
    await link.close()
    listener.close()


async def test_everybody_is_heard_and_numbers_grow_by_one(mosquitto_broker: Mosquitto) -> None:
    listener = Listener(mosquitto_broker.port)
    await listener.ready()
    district = District.generate(1, units=60, towns=5)
    everybody = {gateway.gateway_id for gateway in district.speaking()}
    playing, stop = player(district, [], mosquitto_broker.port), Stop()
    running = asyncio.create_task(playing.run(stop))
    await until(lambda: min(len(listener.sequences()[name]) for name in everybody) >= 5)
    stop.set()
    await running
    await until(lambda: len(listener.signals()) >= playing.tally.heartbeats)
    listener.close()
    sequences = listener.sequences()
    assert set(sequences) == everybody
    assert all(numbers == list(range(len(numbers))) for numbers in sequences.values())


async def test_dropped_gateway_leaves_its_last_will_and_comes_back(own_broker: Mosquitto) -> None:
    listener = Listener(own_broker.port)
    await listener.ready()
    district = District.generate(1, units=10, towns=2)
    (hero,) = district.gateways_of(HERO)
    told = io.StringIO()
    script = [
        Event(0.5, Act.DROP, (HERO,), zh="断线", en="line lost"),
        Event(2.0, Act.RECOVER, (HERO,), zh="恢复", en="back"),
    ]
    stop = Stop()
    running = asyncio.create_task(player(district, script, own_broker.port, told=told).run(stop))
    await until(lambda: len(listener.statuses(hero.gateway_id)) == 3)
    assert listener.statuses(hero.gateway_id) == ["online", "offline", "online"]
    own = [body for topic, body in listener.messages if topic.split("/")[2] == hero.gateway_id]
    silence = own.index(b'{"v":1,"state":"offline"}')
    assert GatewayStatus.model_validate_json(own[silence + 1]).state == "online"  # nothing in between
    stop.set()
    await running
    await until(lambda: listener.statuses(hero.gateway_id) == ["online", "offline", "online", "offline"])
    listener.close()
    newcomer = Listener(own_broker.port, f"firenet/v1/{hero.gateway_id}/status")
    await until(lambda: newcomer.statuses(hero.gateway_id) == ["offline"])  # retained
    newcomer.close()
    assert "✂ 断线 | line lost" in told.getvalue()


async def test_fire_goes_out_on_the_alarm_branch_with_its_point(own_broker: Mosquitto) -> None:
    listener = Listener(own_broker.port, "firenet/v1/+/alarm/#")
    await listener.ready()
    point = Point("2-014", "smoke_detector", "三层")
    script = [
        Event(0.1, Act.SIGNAL, (HERO,), kind=SignalKind.FIRE, point=point, zh="火警", en="fire"),
        Event(
            0.2,
            Act.SIGNAL,
            (HERO,),
            kind=SignalKind.RESTORE,
            restores=SignalKind.FIRE,
            point=point,
            zh="解除",
            en="over",
        ),
    ]
    stop = Stop()
    running = asyncio.create_task(player(District.generate(1, units=5, towns=1), script, own_broker.port).run(stop))
    await until(lambda: len(listener.messages) == 2)
    stop.set()
    await running
    listener.close()
    fire, over = listener.signals()
    assert (fire.kind, fire.point and fire.point.address, over.restores) == ("fire", "2-014", "fire")


async def test_link_survives_a_restart_of_the_broker_and_events_arrive(own_broker: Mosquitto) -> None:
    link = await links(own_broker.port).open("survivor")
    own_broker.stop()
    district = District.generate(1, units=1, towns=1)
    gateway = district.gateways[0]
    fault = Signal(gateway.gateway_id, HERO, SignalKind.FAULT, 0, CLOCK.now(), Point("1", "pump", "泵"))
    sent = asyncio.ensure_future(link.publish(fault))
    again = Mosquitto(own_broker.folder, port=own_broker.port)
    again.start()
    listener = Listener(own_broker.port)
    await listener.ready()
    async with asyncio.timeout(90):
        await sent
    await link.close()
    listener.close()
    again.stop()


async def test_embedded_broker_is_served_as_well(iotcore_broker: Iotcore) -> None:
    """The demo runs on it: same story, same last will, nothing lost."""
    listener = Listener(iotcore_broker.port)
    await listener.ready()
    district = District.generate(1, units=60, towns=5)
    (hero,) = district.gateways_of(HERO)
    script = [
        Event(0.3, Act.DROP, (HERO,), zh="断线", en="line lost"),
        Event(1.5, Act.RECOVER, (HERO,), zh="恢复", en="back"),
        Event(2.0, Act.SIGNAL, (HERO,), kind=SignalKind.FIRE, point=Point("1", "pump", "泵"), zh="火警", en="fire"),
    ]
    playing, stop = player(district, script, iotcore_broker.port), Stop()
    running = asyncio.create_task(playing.run(stop))
    await until(lambda: playing.tally.others == 1)
    stop.set()
    await running
    await until(lambda: len(listener.signals()) >= playing.tally.heartbeats + playing.tally.others)
    await until(lambda: listener.statuses(hero.gateway_id) == ["online", "offline", "online", "offline"])
    listener.close()
    assert all(numbers == list(range(len(numbers))) for numbers in listener.sequences().values())


async def test_no_broker_is_one_sentence() -> None:
    (port,) = free_ports(1)
    with pytest.raises(LinkRefused, match=f"no MQTT broker at 127.0.0.1:{port}"):
        await links(port).open("nobody")


async def load(port: int, plan: LoadPlan, ledger: Path) -> LoadReport:
    outcomes, page = OutcomeBlocks(), FileLedger(ledger)
    pipes = MqttLoadPipes(
        plan=plan, outcomes=outcomes, clock=CLOCK, host="127.0.0.1", port=port, connections=3, window=500,
        prefix=f"load-{secrets.token_hex(3)}",
    )  # fmt: skip
    with contextlib.closing(page):
        return await Loader(plan=plan, outcomes=outcomes, pipes=pipes, ledger=page, clock=CLOCK).run(
            Stop(), settle_s=90
        )


async def test_ledger_says_what_the_broker_delivered(own_broker: Mosquitto, tmp_path: Path) -> None:
    listener = Listener(own_broker.port)
    await listener.ready()
    gateways = [(f"G{number}", f"U{number}") for number in range(50)]
    plan = LoadPlan(3000, 1.5, gateways, event_share=0.05)
    report = await load(own_broker.port, plan, tmp_path / "ledger.tsv")
    await until(lambda: len(listener.messages) >= plan.total)
    listener.close()
    rows = list(read_ledger(tmp_path / "ledger.tsv"))
    assert (report.sent, report.acked, report.unknown) == (plan.total, plan.total, 0)
    assert all(row.acked_at is not None and row.acked_at >= row.sent_at >= row.intended_at for row in rows)
    delivered = sorted((topic.split("/")[2], json.loads(body)["seq"]) for topic, body in listener.messages)
    assert delivered == sorted((row.gateway_id, row.seq) for row in rows)
    assert all(numbers == sorted(numbers) for numbers in listener.sequences().values())
    assert {signal.kind.value for signal in listener.signals()} == {"heartbeat", "fault", "restore"}


async def test_broker_that_dies_leaves_unknowns_and_the_run_goes_on(own_broker: Mosquitto, tmp_path: Path) -> None:
    """Acknowledged and unknown are kept apart, and nothing that was never sent stands in the ledger."""
    gateways = [(f"G{number}", f"U{number}") for number in range(20)]
    plan = LoadPlan(1500, 6, gateways, lane=Lane.UP)
    listener = Listener(own_broker.port)
    await listener.ready()
    running = asyncio.create_task(load(own_broker.port, plan, tmp_path / "ledger.tsv"))
    await until(lambda: len(listener.messages) > 1000)
    listener.close()
    await asyncio.to_thread(own_broker.kill)
    again = Mosquitto(own_broker.folder, port=own_broker.port)
    await asyncio.to_thread(again.start)
    try:
        report = await running
    finally:
        again.stop()
    rows = list(read_ledger(tmp_path / "ledger.tsv"))
    assert len(rows) == report.sent == report.acked + report.unknown
    assert report.sent == plan.total
    assert sum(row.acked_at is None for row in rows) == report.unknown
