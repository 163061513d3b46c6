"""A fault on real parts: its numbered document in the mail, the short text while nobody makes documents, and back."""

import io
import json
import re
import subprocess
from collections.abc import Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Literal

from pypdf import PdfReader

from deploy.stack.ports import free_ports
from schemas.topics import REQUESTS
from services.kernel.words import ContactRole, FindingKind, Phase
from services.runtime.kafka import Record
from tests.integration.alerts.scenario import (
    Scenario,
    contact_record,
    finding,
    fire,
    gateway_record,
    pack_record,
    sample_pack,
    scenario,
    unit_record,
    until,
)

ROOM = "room@mail.firenet-demo.cn"
BUREAU = "bureau@mail.firenet-demo.cn"
FIRM = "firm@mail.firenet-demo.cn"


async def district(here: Scenario, *units: str) -> None:
    """Publish a small district in which a fault is told at once, to the unit and in English to its maintenance firm."""
    await here.publish(
        pack_record(sample_pack(group_wait_s=0)),
        contact_record("c-centre", "centre", url=here.hook().url),
        *[record for unit in units for record in unit_of(unit)],
    )


def unit_of(unit: str) -> Sequence[Record]:
    return (
        unit_record(unit),
        gateway_record(unit),
        contact_record(f"c-room-{unit}", unit, ContactRole.CONTROL_ROOM, email=ROOM),
        contact_record(f"c-firm-{unit}", unit, ContactRole.MAINTENANCE, email=FIRM, lang="en"),
    )


def start_documents(here: Scenario) -> subprocess.Popen[bytes]:
    (port,) = free_ports(1)
    # a busy machine may take its time: that files come late is no matter of these tests
    patience = {"DOCUMENTS_PDF_TIMEOUT_S": "60", "DOCUMENTS_PDF_WITHIN_S": "600"}
    return here.start(python=("-m", "services.documents"), DOCUMENTS_HTTP_PORT=str(port), **patience)


async def mails(here: Scenario, to: str, count: int) -> list[EmailMessage]:
    async def come() -> bool:
        return len(here.mailbox.to(to)) >= count

    await until(come, f"{count} mails to {to}")
    return [message_from_bytes(raw, policy=policy.default) for raw in here.mailbox.to(to)]


def text_of(mail: EmailMessage, kind: Literal["plain", "html"] = "plain") -> str:
    body = mail.get_body((kind,))
    assert body is not None
    content = body.get_content()
    assert isinstance(content, str)
    return content


def number_in_pdf(mail: EmailMessage) -> str:
    """Return the number that the document in a mail bears, read from its first page."""
    (attached,) = mail.iter_attachments()
    content = attached.get_content()
    assert isinstance(content, bytes)
    (number,) = re.findall(r"\S+〔\d+〕\d+号", PdfReader(io.BytesIO(content)).pages[0].extract_text())
    return str(number)


async def test_a_fault_is_told_with_its_numbered_document(kafka_broker: str, database: str, tmp_path: Path) -> None:
    async with scenario(kafka_broker, database, tmp_path) as here:
        await district(here, "U1", "U2")
        start_documents(here)
        here.start(ALERTS_DOCUMENT_WAIT_S="600")
        await here.publish(finding("U1", "f1", kind=FindingKind.FAULT))
        (mail,) = await mails(here, ROOM, 1)
        number = await here.one("SELECT number FROM alerts.requests WHERE state = 'issued'")
        assert number is not None
        assert number.endswith("〕1号")
        assert mail["Subject"] == f"关于第U1医院火灾自动报警系统设备故障的告知函（{number}）"
        assert number in text_of(mail)
        assert "抄送：维护保养单位。" in text_of(mail)
        assert f'<p class="number">{number}</p>' in text_of(mail, "html")
        assert number_in_pdf(mail) == number
        (english,) = await mails(here, FIRM, 1)
        assert [one.get_content_type() for one in english.iter_attachments()] == ["application/pdf"] * 2
        assert "现抄送" not in text_of(mail)
        assert "you have a copy of it" in text_of(english)
        assert number in text_of(english)
        assert "Copies to: maintenance firm." in text_of(english)
        (centre,) = here.hooks

        async def recipients() -> bool:
            return bool(centre.received)

        await until(recipients, "the centre's webhook")
        data = json.loads(centre.received[0].body)["data"]
        assert (data["kind"], data["document_number"]) == ("fault", number)
        assert number in data["text"]
        await here.publish(finding("U2", "f2", kind=FindingKind.FAULT))
        await mails(here, ROOM, 2)
        assert [row["serial"] for row in await here.rows("SELECT serial FROM documents.documents ORDER BY 1")] == [1, 2]
        await here.publish(finding("U1", "f1", Phase.ENDED, kind=FindingKind.FAULT))
        cleared = await mails(here, ROOM, 3)
        assert "解除" in cleared[2]["Subject"], "the all-clear waits for nobody and has no document"


async def test_a_department_gets_its_numbered_copy_notice_as_a_file_with_what_was_done_before(
    kafka_broker: str, database: str, tmp_path: Path
) -> None:
    async with scenario(kafka_broker, database, tmp_path) as here:
        await district(here, "U1")
        await here.publish(contact_record("c-health", "health", email=BUREAU))
        start_documents(here)
        # the whole ladder, a day to its last step, within some seconds
        here.start(ALERTS_DOCUMENT_WAIT_S="600", ALERTS_CLOCK_RATE="10000")
        await here.publish(finding("U1", "f1", kind=FindingKind.FAULT))
        (mail,) = await mails(here, BUREAU, 1)
        number = number_in_pdf(mail)
        assert "抄〔" in number
        assert mail["Subject"] == f"关于第U1医院火灾自动报警系统设备故障问题的抄告函（{number}）"
        said = text_of(mail)
        assert "卫生健康局：" in said
        # its number too, where that was there before this step was taken: the contract of the store holds that
        assert "告知第U1医院、维护保养单位" in said
        assert "现抄送" not in said, "it is addressed to the department"
        drafts = await here.rows("SELECT state FROM documents.documents WHERE instrument IN ('I1', 'I2', 'I3', 'I4')")
        assert {row["state"] for row in drafts} == {"issued"}


async def test_while_nobody_makes_documents_the_short_text_goes_out_and_nothing_comes_twice(
    kafka_broker: str, database: str, tmp_path: Path
) -> None:
    async with scenario(kafka_broker, database, tmp_path) as here:
        await district(here, "U1", "U2", "U3")
        alerts = here.start(ALERTS_DOCUMENT_WAIT_S="1")
        await here.publish(finding("U1", "f1", kind=FindingKind.FAULT), fire("U3", "s1"))
        (short,) = [one for one in await mails(here, ROOM, 2) if "火警" not in one["Subject"]]
        assert short["Subject"].startswith("【故障告知】")
        assert short.get_content_type() == "text/plain"
        await here.until_row("SELECT count(*) = 1 FROM alerts.requests WHERE state = 'published'")
        start_documents(here)
        await here.until_row("SELECT count(*) = 1 FROM alerts.requests WHERE state = 'issued'")
        alerts.terminate()
        alerts.wait(15)
        here.start(ALERTS_DOCUMENT_WAIT_S="600")
        await here.publish(finding("U2", "f2", kind=FindingKind.FAULT))
        third = (await mails(here, ROOM, 3))[2]
        assert "告知函" in third["Subject"], "documents is back"
        assert len(await mails(here, FIRM, 2)) == 2, "the late document of U1 was sent to nobody"
        used = await here.rows("SELECT serial, unit_id FROM documents.documents ORDER BY serial")
        assert [(row["serial"], row["unit_id"]) for row in used] == [(1, "U1"), (2, "U2")]


async def test_documents_killed_and_asked_again_has_each_document_once_and_survives_what_is_no_request(
    kafka_broker: str, database: str, tmp_path: Path
) -> None:
    async with scenario(kafka_broker, database, tmp_path) as here:
        await district(here, "U1", "U2")
        first = start_documents(here)
        here.start(ALERTS_DOCUMENT_WAIT_S="600")
        await here.publish(Record(REQUESTS, b"U1", b"no request"), finding("U1", "f1", kind=FindingKind.FAULT))
        await mails(here, ROOM, 1)
        first.kill()
        first.wait()
        # what a crash of alerts between sending and marking leads to: the same request once more
        await here.rows("UPDATE alerts.requests SET state = 'waiting' RETURNING request_id")
        await here.publish(finding("U2", "f2", kind=FindingKind.FAULT))
        start_documents(here)
        await mails(here, ROOM, 2)
        await here.until_row("SELECT count(*) = 2 FROM alerts.requests WHERE state <> 'waiting'")
        rows = await here.rows("SELECT serial, unit_id FROM documents.documents ORDER BY serial")
        assert [(row["serial"], row["unit_id"]) for row in rows] == [(1, "U1"), (2, "U2")]
        assert len(here.mailbox.to(ROOM)) == 2
        assert "record_rejected" in here.logs()
