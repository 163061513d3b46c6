"""What a document is asked for with, and how it goes out: to whom, in whose name, with which files."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest
from pydantic import ValidationError

from services.alerts.adapters.kafka_requests import request_row
from services.alerts.adapters.letter_writer import TemplateWriter
from services.alerts.adapters.mail import MAX_FILES_BYTES, message_of
from services.alerts.adapters.rows import notice_row
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.delivery.documents import (
    DocumentRequest,
    File,
    Named,
    Particulars,
    addressee_of,
    addressees_of,
    copies_of,
    files_for,
)
from services.alerts.ports import Ready
from services.alerts.settings import AlertsSettings
from services.kernel.words import Channel, FileKind, Instrument, Purpose, Recipient
from tests.fakes.clock import ManualClock
from tests.unit.alerts.build import HAZARD, RULES, T0, address, case, event, issued
from tests.unit.alerts.harness import Harness
from tests.unit.alerts.test_documents import notice_with, texts, wanted_document

SAID = Particulars(
    "centre",
    Named("监控中心"),
    Named("医院"),
    bodies={"centre": Named("监控中心"), "health": Named("卫生健康局"), "T1": Named("示范街道")},
)
PAPERS = replace(
    RULES,
    ladders={
        **RULES.ladders,
        CaseKind.FAULT: tuple(
            replace(one, document=document)
            for one, document in zip(HAZARD, ("I1", "I2", "I3", "BOARD", "I4"), strict=False)
        ),
    },
)


async def climbed(to: str) -> tuple[Harness, DocumentRequest]:
    """Return a harness that has taken the step `to` of a fault's ladder, and what was asked for."""
    harness = Harness(group_wait=timedelta(0), ladders=PAPERS.ladders)
    harness.wait_for_documents(1.0)
    await harness.take(event(kind=CaseKind.FAULT, point="1-002"))
    code = {"I1": 0, "I4": 90_000}[to]
    await harness.pass_time(code + 5, every=1800 if code else 1)
    found = [one for one in harness.store.tables.requests.values() if one.instrument == to]
    return harness, found[-1]


def test_each_kind_of_document_is_addressed_to_whom_it_asks_something_of() -> None:
    one = case(CaseKind.FAULT)
    lead = one.facts.lead_department
    assert addressees_of(one, Instrument.FAULT_NOTICE) == {Recipient.UNIT_CONTROL_ROOM, Recipient.UNIT_MANAGER}
    assert addressees_of(one, Instrument.CHECK_TASK) == {Recipient.GRID_OFFICER}
    assert addressees_of(one, Instrument.COPY_NOTICE) == {lead}
    assert addressee_of(one, Instrument.URGING_NOTICE, SAID) == Named("医院")
    assert addressee_of(one, Instrument.CHECK_TASK, SAID).zh == "属地网格员"
    assert addressee_of(one, Instrument.COPY_NOTICE, replace(SAID, bodies={})) == Named("医院"), "nobody else is known"


def test_the_unit_has_a_copy_of_what_is_addressed_to_another() -> None:
    told = ("unit_manager", "grid_officer", "centre", "T1", "unit_control_room")
    assert copies_of(told, SAID, Named("属地网格员", "grid officer")) == (Named("医院"), Named("示范街道"))


async def test_a_copy_notice_is_addressed_to_the_department_and_tells_what_was_done_before() -> None:
    _, wanted = await climbed("I4")
    assert wanted.particulars.issuer_code == "centre"
    assert wanted.reply_due_at is not None
    assert next(earlier.told for earlier, _ in wanted.earlier) == ("centre", "unit_control_room")
    row = request_row(wanted)
    assert row["event"]["data"]["earlier"][0]["to"][-1]["zh"] == wanted.particulars.name.zh


async def test_who_has_a_copy_is_told_so_before_the_text_and_the_addressee_is_not() -> None:
    harness, wanted = await climbed("I1")
    document = issued(wanted.request_id, wanted.case.case_id)
    document = replace(
        document, renditions={"zh": replace(document.renditions["zh"], covering="现抄送你方。", html="<body>函</body>")}
    )
    writer = TemplateWriter("https://console.firenet-demo.cn")
    rows = {str(row.notice.to.body_code): row.notice for row in harness.store.tables.notices.values()}
    assert not rows["U1"].is_copy
    copy = writer.attach(replace(notice_with(Channel.EMAIL, "zh"), is_copy=True), document)
    assert copy.body == "现抄送你方。\n\n函文\n"
    assert "现抄送你方。" in copy.html
    assert writer.attach(notice_with(Channel.EMAIL, "zh"), document).body == "函文\n"


async def test_a_department_that_is_not_the_lead_one_has_a_copy() -> None:
    harness, wanted = await climbed("I4")
    by_body = {
        row.notice.to.body_code: row.notice.is_copy
        for row in harness.store.tables.notices.values()
        if row.notice.request_id == wanted.request_id
    }
    assert by_body == {"health": False, "T1": True}
    notice = next(row.notice for row in harness.store.tables.notices.values() if row.notice.is_copy)
    assert notice_row(notice, None, None, None)["is_copy"] is True


def test_a_draft_is_told_of_as_one() -> None:
    document = replace(issued(wanted_document().request_id, case().case_id), number="")
    writer = TemplateWriter("https://console.firenet-demo.cn")
    assert writer.attach(notice_with(Channel.EMAIL, "zh"), document).subject == "关于告知函（草稿）"
    assert writer.attach(notice_with(Channel.EMAIL, "en"), document).subject == "Notice (draft)"


FILES = (
    File("zh", FileKind.PDF, b"%PDF zh"),
    File("zh", FileKind.DOCX, b"PK zh"),
    File("en", FileKind.PDF, b"%PDF en"),
)


def mail(*files: File, subject: str = "关于某/某的告知函") -> Ready:
    return Ready(
        notice_id=notice_with(Channel.EMAIL, "zh").notice_id,
        case_id=case().case_id,
        to=address(),
        subject=subject,
        body="函文\n",
        fire=False,
        attempts=1,
        purpose=Purpose.NOTICE,
        lang="zh",
        caused_at=T0,
        html="<p>函文</p>",
        files=files,
    )


def test_everybody_has_the_chinese_files_and_those_of_his_language() -> None:
    assert [(one.language, one.kind) for one in files_for(FILES, "zh")] == [("zh", "pdf"), ("zh", "docx")]
    assert len(files_for(FILES, "en")) == 3


def test_a_mail_brings_the_files_with_names_that_can_be_kept() -> None:
    message = message_of(mail(*FILES[:2]), "FireNet <firenet@firenet-demo.cn>", ManualClock(T0))
    attached = list(message.iter_attachments())
    assert next(one.get_content_type() for one in attached) == "application/pdf"
    assert [one.get_filename() for one in attached] == ["关于某_某的告知函.zh.pdf", "关于某_某的告知函.zh.docx"]
    assert attached[0].get_content() == b"%PDF zh"
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content() == "函文\n"


def test_a_mail_that_would_be_too_large_leaves_files_out_and_keeps_its_text() -> None:
    large = File("zh", FileKind.PDF, b"x" * MAX_FILES_BYTES)
    message = message_of(mail(large, FILES[1]), "FireNet <firenet@firenet-demo.cn>", ManualClock(T0))
    assert len(list(message.iter_attachments())) == 1
    assert message.get_body(("html",)) is not None


async def test_a_document_comes_with_its_files_to_mails_only() -> None:
    harness = Harness(group_wait=timedelta(0), ladders=PAPERS.ladders)
    harness.wait_for_documents(600)
    await harness.take(event(kind=CaseKind.FAULT, point="1-002"))
    await harness.work()
    (wanted,) = harness.store.tables.requests.values()
    await harness.issue(replace(issued(wanted.request_id, wanted.case.case_id), files=FILES))
    await harness.deliver()
    assert texts(harness) == ["函文\n", "函文\n"]
    (entry,) = [one for one in harness.store.tables.audit if one.action == "document_issued"]
    assert entry.detail["files"] == [
        f"{one.language}.{one.kind} sha256:{sha256(one.content).hexdigest()}" for one in FILES
    ]
    for _, ready in harness.carrier.sent:
        assert len(ready.files) == (2 if ready.to.channel is Channel.EMAIL else 0)


def test_an_issuer_is_set_by_kind_and_must_be_a_body_that_issues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERTS_API_TOKEN", "x" * 8)
    assert AlertsSettings().document_issuers[Instrument.CORRECTION_ORDER] is Recipient.BRIGADE
    monkeypatch.setenv("ALERTS_DOCUMENT_ISSUERS", "I3=street, I4=brigade")
    assert AlertsSettings().document_issuers == {
        Instrument.URGING_NOTICE: Recipient.STREET,
        Instrument.COPY_NOTICE: Recipient.BRIGADE,
    }
    for wrong in ("I3", "I3=maintenance", "I0=street"):
        monkeypatch.setenv("ALERTS_DOCUMENT_ISSUERS", wrong)
        with pytest.raises(ValidationError):
            AlertsSettings()
