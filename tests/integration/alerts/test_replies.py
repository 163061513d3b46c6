"""On real parts: a document with its link in the mail, signed, answered and accepted, and its clocks stand still."""

import re
from pathlib import Path
from typing import Any

import httpx

from deploy.stack.ports import free_ports
from schemas.pack import Pack
from services.kernel.words import FindingKind
from tests.integration.alerts.scenario import (
    Scenario,
    contact_record,
    finding,
    pack_record,
    sample_pack,
    scenario,
)
from tests.integration.alerts.test_documents import FIRM, ROOM, mails, text_of, unit_of

TOKEN, KEY = "documents-secret", "links-secret-of-the-test"
OFFICE = "answers@firenet-demo.cn"
CLOCKS = "SELECT kind FROM alerts.clocks WHERE kind <> 'step' ORDER BY kind"


def pack_with_clocks() -> Pack:
    """Return the sample pack whose first letter wants a receipt and a reply, and what is missing is escalated."""
    said = sample_pack(group_wait_s=0).model_dump(mode="json")
    first = said["ladders"]["hazard"]["steps"][0] | {"receipt_working_days": 1, "reply_working_days": 3}
    missing = [
        {**first, "code": code, "after_s": None, "trigger": {"overdue": {"clock": clock}}, "tells": ["brigade"]}
        | {"receipt_working_days": None, "reply_working_days": None}
        for code, clock in (("H0a", "receipt"), ("H0b", "reply"))
    ]
    said["ladders"]["hazard"]["steps"] = [first, *missing]
    return Pack.model_validate(said)


async def clocks(here: Scenario) -> list[str]:
    return [row["kind"] for row in await here.rows(CLOCKS)]


async def test_a_document_is_signed_answered_and_accepted_by_its_link_and_the_clocks_stop(
    kafka_broker: str, database: str, tmp_path: Path
) -> None:
    console_port, status_port, documents_port = free_ports(3)
    console = f"http://127.0.0.1:{console_port}"
    documents = f"http://127.0.0.1:{documents_port}"
    async with scenario(kafka_broker, database, tmp_path) as here:
        await here.publish(
            pack_record(pack_with_clocks()), contact_record("c-centre", "centre", url=here.hook().url), *unit_of("U1")
        )
        here.start(
            python=("-m", "services.documents"),
            DOCUMENTS_HTTP_PORT=str(documents_port),
            DOCUMENTS_API_TOKEN=TOKEN,
            DOCUMENTS_LINK_KEYS=f"{KEY}-new,{KEY}",
        )
        here.start(
            python=("-m", "services.console"),
            CONSOLE_HTTP_PORT=str(console_port),
            CONSOLE_STATUS_PORT=str(status_port),
            CONSOLE_DOCUMENTS_URL=documents,
            CONSOLE_DOCUMENTS_TOKEN=TOKEN,
        )
        here.start(
            ALERTS_DOCUMENT_WAIT_S="600",
            ALERTS_CONSOLE_URL=console,
            ALERTS_LINK_KEY=KEY,
            ALERTS_MAIL_REPLY_TO=OFFICE,
        )
        await here.publish(finding("U1", "f1", kind=FindingKind.FAULT))
        (mail,) = await mails(here, ROOM, 1)
        assert mail["Reply-To"] == OFFICE
        (link,) = re.findall(rf"{re.escape(console)}/d/\S+", text_of(mail))
        assert link in text_of(mail, "html")
        (of_firm,) = await mails(here, FIRM, 1)
        assert link not in text_of(of_firm), "each recipient has a link of its own"
        assert await clocks(here) == ["receipt", "reply"]

        async with httpx.AsyncClient(trust_env=False, timeout=30) as reader:
            page = await reader.get(link)
            assert (page.status_code, await clocks(here)) == (200, ["receipt", "reply"]), "a look changes nothing"
            assert (await reader.post(f"{link}/sign", data={"name": "王工"})).status_code == 303
            await here.until_row("SELECT count(*) = 1 FROM alerts.clocks WHERE kind <> 'step'")
            assert await clocks(here) == ["reply"]
            form = {"kind": "reply", "seen": "0", "text": "已修复。", "name": "王工"}
            sent = await reader.post(f"{link}/submissions", data=form, files={"files": ("a.pdf", b"%PDF-1.7")})
            assert sent.status_code == 303
            await here.until_row("SELECT count(*) = 0 FROM alerts.clocks WHERE kind <> 'step'")
            await decide(here, reader, documents, "returned")
            await here.until_row("SELECT count(*) = 1 FROM alerts.clocks WHERE kind = 'reply'")
            again = await reader.post(f"{link}/submissions", data=form | {"seen": "1"}, files={"files": ("", b"")})
            assert again.status_code == 303
            await here.until_row("SELECT count(*) = 0 FROM alerts.clocks WHERE kind <> 'step'")
            await decide(here, reader, documents, "accepted")
        told = "SELECT count(*) = 1 FROM alerts.audit WHERE action = 'document_reply_accepted'"
        await here.until_row(told)
        assert await here.one("SELECT state FROM documents.documents") == "closed"
        assert await here.one("SELECT state FROM alerts.cases") == "open", "cure alone closes the case"
        assert await here.rows("SELECT step FROM alerts.steps") == [{"step": "H0"}], "nothing was overdue"
        assert link.rpartition("/")[2] not in here.logs()


async def decide(here: Scenario, client: httpx.AsyncClient, documents: str, verdict: str) -> None:
    (row,) = await here.rows("SELECT document_id, submission_id FROM documents.submissions WHERE state = 'submitted'")
    where = f"{documents}/v1/documents/{row['document_id']}/submissions/{row['submission_id']}/decision"
    answer: Any = await client.post(
        where,
        params={"account": "officer"},
        json={"verdict": verdict, "reasons": "没有写明时间"},
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    assert answer.status_code == 200, answer.text
