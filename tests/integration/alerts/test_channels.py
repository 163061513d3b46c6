"""A fire told on a topic and by text message; a broker that is away keeps no other channel waiting."""

import asyncio
import json
from pathlib import Path

from deploy.stack.mosquitto import Mosquitto
from deploy.stack.ports import free_ports
from services.kernel.words import TelephoneUse
from tests.contract.alerts.provider_server import provider_server
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
    async with scenario(kafka_broker, database, tmp_path) as here, provider_server() as provider:
        account = {
            "provider": "aliyun",
            "url": provider.url,
            "key_id": "id",
            "key": "hidden",
            "sign_name": "消防监控",
            "templates": {"fire": {"code": "SMS_1", "parameters": {"name": "unit"}, "text": "{unit}发生火警"}},
            "per_number_a_day": 50,
        }
        (here.folder / "sms.json").write_text(json.dumps(account))
        here.start(
            ALERTS_MQTT_HOST="127.0.0.1",
            ALERTS_MQTT_PORT=str(port),
            ALERTS_MQTT_SECURITY="none",
            ALERTS_SMS_GATEWAY=str(here.folder / "sms.json"),
        )
        await here.publish(
            pack_record(sample_pack()),
            contact_record(
                "c-centre",
                "centre",
                email="centre@firenet-demo.cn",
                mqtt_topic="centre/fires",
                phone="13800138000",
                sms=TelephoneUse.FIRES,
            ),
            unit_record("U1"),
            gateway_record("U1"),
            fire("U1", "s1"),
        )
        await here.until_row("SELECT 1 FROM alerts.notices WHERE channel = 'email' AND state = 'accepted'")
        await here.until_row("SELECT 1 FROM alerts.notices WHERE channel = 'sms' AND state = 'accepted'")
        await here.until_row("SELECT 1 FROM alerts.notices WHERE channel = 'mqtt' AND reason = 'connect'")
        broker.start()
        try:
            with subscribed(port, "centre/#") as centre:
                assert await asyncio.to_thread(centre.arrived.acquire, timeout=LIMIT_S)
                await here.until_row("SELECT 1 FROM alerts.notices WHERE channel = 'mqtt' AND state = 'accepted'")
            told = json.loads(centre.messages[0].payload)
        finally:
            broker.stop()
    assert json.loads(provider.received[0].body["TemplateParam"]) == {"name": "第U1医院"}
    assert "hidden" not in here.logs()
    assert centre.messages[0].topic == "centre/fires"
    assert told["type"] == "cn.firenet.fire.notice.v1"
    assert told["data"]["unit"]["id"] == "U1"
