"""A fire on real parts, told by a robot in the centre's group chat: once, and again while the robot refuses it."""

from pathlib import Path

from tests.contract.alerts.provider_server import robot_server
from tests.integration.alerts.scenario import (
    contact_record,
    fire,
    gateway_record,
    pack_record,
    sample_pack,
    scenario,
    unit_record,
)


async def test_a_fire_refused_by_the_robots_code_is_told_again(
    kafka_broker: str, database: str, tmp_path: Path
) -> None:
    async with scenario(kafka_broker, database, tmp_path) as here, robot_server() as robot:
        robot.answers = [b'{"errcode":310000,"errmsg":"sign not match"}']
        (here.folder / "centre-group").write_text(f"{robot.url}\nSECtest\n")
        here.start()
        await here.publish(
            pack_record(sample_pack()),
            contact_record("c-centre", "centre", robot="dingtalk:centre-group"),
            unit_record("U1"),
            gateway_record("U1"),
            fire("U1", "s1"),
        )
        await here.until_row("SELECT 1 FROM alerts.notices WHERE channel = 'robot' AND state = 'accepted'")
        assert await here.one("SELECT attempts FROM alerts.notices WHERE channel = 'robot'") == 2
        texts = [body["text"]["content"] for _, _, body in robot.received]
        assert len(texts) == 2
        assert texts[0] == texts[1]
        assert "火警" in texts[0]
        assert "hidden" not in here.logs()
