"""The two lanes end to end on real parts."""

import asyncio
import json
from email import message_from_bytes, policy
from pathlib import Path

from services.kernel.words import ContactRole, FindingKind, Phase
from tests.integration.alerts.scenario import (
    contact_record,
    finding,
    fire,
    gateway_record,
    pack_record,
    restore,
    sample_pack,
    scenario,
    unit_record,
    until,
)


async def test_fire_reaches_centre_and_control_room_and_its_end_too(
    kafka_broker: str, database: str, tmp_path: Path
) -> None:
    async with scenario(kafka_broker, database, tmp_path) as here:
        centre, room, health = here.hook(), here.hook(), here.hook()
        await here.publish(
            pack_record(sample_pack()),
            unit_record("U1"),
            gateway_record("U1"),
            contact_record("c-centre", "centre", url=centre.url),
            contact_record("c-room", "U1", ContactRole.CONTROL_ROOM, url=room.url, lang="en"),
            contact_record("c-health", "health", url=health.url),
        )
        here.start()
        await here.publish(fire("U1", "s1", point="1-001"))
        await until(lambda: _count(centre, 1), "the centre is told")
        await until(lambda: _count(room, 1), "the control room is told")
        # the finding that rules makes of the same signal joins the case without a second notice
        await here.publish(finding("U1", "s1", kind=FindingKind.FIRE))
        await here.publish(fire("U1", "s1", point="1-001"), fire("U1", "s2", point="1-002"))
        await until(lambda: _count(centre, 2), "the centre is told of the second point")
        await here.until_row("SELECT sum(next_offset) FROM alerts.partitions WHERE topic = 'firenet.findings.v1'")
        await here.publish(restore("U1", "s3"))
        await until(lambda: _count(centre, 3), "all-clear")
        await until(lambda: _count(room, 2), "all-clear")
        await here.until_row("SELECT count(*) = 0 FROM alerts.audit_pending")
        first = json.loads(centre.received[0].body)
        assert first["type"] == "cn.firenet.fire.notice.v1"
        assert first["data"]["evidence"]["topic"] == "firenet.alarms.v1"
        assert json.loads(centre.received[2].body)["data"]["purpose"] == "all_clear"
        assert await here.one("SELECT count(*) FROM alerts.cases") == 1
        assert not health.received
        assert centre.bad_signatures == room.bad_signatures == 0


async def test_lost_connection_climbs_and_the_all_clear_goes_to_those_who_were_told(
    kafka_broker: str, database: str, tmp_path: Path
) -> None:
    async with scenario(kafka_broker, database, tmp_path) as here:
        await here.publish(
            pack_record(sample_pack()),
            unit_record("U1", lead="health", copies=("T01",)),
            gateway_record("U1"),
            contact_record("c-centre", "centre", email="centre@mail.firenet-demo.cn"),
            contact_record("c-room", "U1", ContactRole.CONTROL_ROOM, email="room@mail.firenet-demo.cn"),
            contact_record("c-man", "U1", ContactRole.MANAGER, email="manager@mail.firenet-demo.cn", lang="en"),
            contact_record("c-street", "T01", email="street@mail.firenet-demo.cn"),
            contact_record("c-health", "health", email="health@mail.firenet-demo.cn"),
            contact_record("c-brigade", "brigade", email="brigade@mail.firenet-demo.cn"),
            contact_record("c-other", "education", email="education@mail.firenet-demo.cn"),
        )
        here.start(ALERTS_CLOCK_RATE="43200")
        await here.publish(finding("U1", "d1"))
        await here.until_row("SELECT count(*) = 5 FROM alerts.steps")
        await until(lambda: _mailed(here.mailbox.mails, "health@mail.firenet-demo.cn"), "the department's letter")
        letter = message_from_bytes(here.mailbox.to("health@mail.firenet-demo.cn")[0], policy=policy.default)
        body = letter.get_body()
        assert body is not None
        text = body.get_content()
        assert "第U1医院" in text
        assert "firenet.signals.v1 分区 3 偏移 4711" in text
        assert "工作日" in text
        recipients = {"centre", "room", "manager", "street", "health"}
        assert await here.one("SELECT due_at > now() FROM alerts.clocks WHERE kind = 'reply'")
        await until(lambda: _ended(here), "all notices ended")
        await here.publish(finding("U1", "d1", Phase.ENDED))
        await here.until_row("SELECT state = 'closed' FROM alerts.cases")
        await here.until_row(
            "SELECT count(*) = %s FROM alerts.notices WHERE purpose = 'all_clear' AND state = 'accepted'",
            len(recipients),
        )
        cleared = {
            row["address"].split("@")[0]
            for row in await here.rows("SELECT address FROM alerts.notices WHERE purpose = 'all_clear'")
        }
        assert cleared == recipients
        steps = await here.rows("SELECT step, recipients, nobody FROM alerts.steps ORDER BY taken_at")
        assert [row["step"] for row in steps] == ["H0", "H1", "H2", "H3", "H4"]
        assert steps[3]["nobody"] == "board_only"
        await here.until_row("SELECT count(*) = 0 FROM alerts.notices WHERE NOT published")


async def _count(hook: object, most: int) -> bool:
    await asyncio.sleep(0)
    return len(hook.received) >= most  # type: ignore[attr-defined] # a Hook


async def _mailed(mails: list[tuple[str, bytes]], to: str) -> bool:
    return any(address == to for address, _ in mails)


async def _ended(here: object) -> bool:
    query = "SELECT count(*) = 0 FROM alerts.notices WHERE state IN ('pending', 'sending')"
    return bool(await here.one(query))  # type: ignore[attr-defined] # a Scenario
