"""Twenty faults and five fires on real parts: fires at once and alone, faults in few mails, all accounted for."""

import re
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import yaml

from services.kernel.words import FindingKind
from tests.integration.alerts.scenario import (
    ROOT,
    contact_record,
    finding,
    fire,
    pack_record,
    sample_pack,
    scenario,
    unit_record,
)

CENTRE = "centre@mail.firenet-demo.cn"
GROUPING = yaml.safe_load((ROOT / "deploy/packs/sample-2026.yaml").read_text(encoding="utf-8"))["grouping"]


async def test_faults_come_together_and_each_fire_alone(kafka_broker: str, database: str, tmp_path: Path) -> None:
    async with scenario(kafka_broker, database, tmp_path) as here:
        faulty, burning = [f"F{number:02}" for number in range(20)], [f"B{number}" for number in range(5)]
        await here.publish(
            pack_record(sample_pack(grouping=GROUPING)),
            *[unit_record(unit) for unit in (*faulty, *burning)],
            contact_record("c-centre", "centre", email=CENTRE),
            contact_record("c-street", "T01", email="street@mail.firenet-demo.cn"),
            contact_record("c-health", "health", email="health@mail.firenet-demo.cn"),
        )
        here.start(ALERTS_CLOCK_RATE="8640", ALERTS_SUPERVISION_RATE="40")
        await here.until_row("SELECT count(*) = 9 FROM alerts.partitions WHERE topic <> 'firenet.documents.v1'")
        await here.publish(*[finding(unit, f"d-{unit}", kind=FindingKind.FAULT) for unit in faulty])
        await here.publish(*[fire(unit, f"s-{unit}") for unit in burning])
        await here.until_row("SELECT count(*) = 20 FROM alerts.cases WHERE kind = 'fault' AND step = 'H4'")
        await here.until_row("SELECT count(*) = 0 FROM alerts.notices WHERE state IN ('pending', 'sending')")
        mails = [message_from_bytes(raw, policy=default) for _, raw in here.mailbox.mails]
        sent = {re.sub("[<>]|@.*", "", str(mail["message-id"])): mail for mail in mails}
        left = await here.rows("SELECT notice_id, digest_id, fire, state FROM alerts.notices")
        assert {row["state"] for row in left} == {"accepted"}
        assert {row["digest_id"] or row["notice_id"] for row in left} == set(sent), (
            "every mail is somebody's, and one each"
        )
        fires = [row for row in left if row["fire"]]
        assert len(fires) == 5
        assert not any(row["digest_id"] for row in fires)
        digests = [mail for mail in mails if mail["x-firenet-digest"]]
        assert digests
        assert sum(int(str(mail["x-firenet-digest"])) for mail in digests) == sum(
            row["digest_id"] is not None for row in left
        )
        assert len(mails) < len(left) / 2
        told = await here.one(
            """SELECT count(DISTINCT e.detail ->> 'notice') FROM (SELECT detail, action FROM alerts.audit
               UNION ALL SELECT detail, action FROM alerts.audit_pending) e
               JOIN alerts.notices n ON n.notice_id = e.detail ->> 'notice' AND n.digest_id = e.detail ->> 'digest'
               WHERE e.action = 'notice_accepted'"""
        )
        assert told == sum(row["digest_id"] is not None for row in left), "the evidence says in which digest each left"
