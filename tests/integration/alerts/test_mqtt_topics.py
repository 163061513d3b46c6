"""A fire told on the topic of a monitoring centre; its broker being away keeps no other channel waiting."""

import asyncio
import json
from pathlib import Path

from deploy.stack.mosquitto import Mosquitto
from deploy.stack.ports import free_ports
from tests.contract.alerts.test_mqtt_topics import LIMIT_S, subscribed
from tests.integration.alerts.scenario import (
    contact_record,
    fire,
    gateway_record,
    pack_record,
    sample_pack,
    scenario,
    unit_record,
)


async def test_a_fire_reaches_the_centres_topic_and_a_broker_that_is_away_keeps_nobody_waiting(
    kafka_broker: str, database: str, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    broker = Mosquitto(tmp_path / "mosquitto", port=port)
    async with scenario(kafka_broker, database, tmp_path) as here:
        here.start(ALERTS_MQTT_HOST="127.0.0.1", ALERTS_MQTT_PORT=str(port), ALERTS_MQTT_SECURITY="none")
        await here.publish(
            pack_record(sample_pack()),
            contact_record("c-centre", "centre", email="centre@firenet-demo.cn", mqtt_topic="centre/fires"),
            unit_record("U1"),
            gateway_record("U1"),
            fire("U1", "s1"),
        )
        await here.until_row("SELECT 1 FROM alerts.notices WHERE channel = 'email' AND state = 'accepted'")
        await here.until_row("SELECT 1 FROM alerts.notices WHERE channel = 'mqtt' AND reason = 'connect'")
        broker.start()
        try:
            with subscribed(port, "centre/#") as centre:
                assert await asyncio.to_thread(centre.arrived.acquire, timeout=LIMIT_S)
                await here.until_row("SELECT 1 FROM alerts.notices WHERE channel = 'mqtt' AND state = 'accepted'")
            told = json.loads(centre.messages[0].payload)
        finally:
            broker.stop()
    assert centre.messages[0].topic == "centre/fires"
    assert told["type"] == "cn.firenet.fire.notice.v1"
    assert told["data"]["unit"]["id"] == "U1"
