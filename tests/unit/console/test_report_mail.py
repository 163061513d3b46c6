"""The mail that a report is sent with: what it says in both languages, its files, what the server's answer means."""

import smtplib
from datetime import UTC, date, datetime
from email.message import EmailMessage
from unittest.mock import patch

import pytest

from services.console.adapters.report_mail import MailWords, SmtpReports, message_of
from services.console.adapters.web import texts
from services.console.domain.history import Subject
from services.console.domain.report import Section, Sheet, Table
from services.console.domain.report_schedules import ReportContact, ReportMail, Trouble
from services.console.ports.reports import ReportFiles
from services.kernel.words import BodyKind, Dimension, Language, Period
from services.runtime.smtp import Smtp, SmtpServer
from tests.fakes.clock import ManualClock

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
WORDS = MailWords(texts.load(), "firenet@example.org", "https://console.example.org/")
HEALTH = Subject(Dimension.DEPARTMENT, "health")
MAIL = ReportMail(7, 1, HEALTH, Period.MONTH, date(2026, 2, 1), 1, "c-health", "K" * 43, 1)
CONTACT = ReportContact("c-health", "卫健局", "health", BodyKind.DEPARTMENT, "h@example.org", Language.ZH)


def sheet(language: Language) -> Sheet:
    title = "卫健局联网监测月报" if language is Language.ZH else "Monthly report of the Health Bureau"
    table = Table(("范围", "指标"), tuple((f"S{n}", "99.8 %\r\nBcc: x@example.org") for n in range(20)), numeric=(1,))
    sections = (
        Section("figures", "指标", (), table),
        Section("outages", "断网", ("不再保存",)),
        Section("papers", "x"),
    )
    head = (("对象", "卫健局"), ("周期", "2026-02-01 – 2026-02-28"))
    return Sheet(language, title, "closed", NOW, head, sections, ())


FILES = ReportFiles((sheet(Language.ZH), sheet(Language.EN)), 1, True, b"%PDF-1.7", b"PK")


def made(mail: ReportMail = MAIL) -> EmailMessage:
    return message_of(mail, CONTACT, FILES, WORDS, ManualClock(NOW))


def text_of(message: EmailMessage) -> str:
    body = message.get_body()
    assert isinstance(body, EmailMessage)
    return str(body.get_content())


def test_it_says_in_short_what_the_report_says_in_both_languages() -> None:
    message = made()
    text = text_of(message)
    assert message["Subject"] == "卫健局联网监测月报 · 2026-02-01 – 2026-02-28"
    assert text.index("卫健局联网监测月报") < text.index("Monthly report of the Health Bureau")
    assert "- S11 · 指标 99.8 % Bcc: x@example.org\n- …" in text.replace("\r\n", "\n"), "a cell stays in its line"
    assert "- 不再保存" in text
    assert "/reports/one?of=department&value=health&period=month&from=2026-02-01&lang=zh" in text
    assert message["List-Unsubscribe"] == f"<https://console.example.org/reports/stop/{'K' * 43}>"
    assert [each.get_filename() for each in message.iter_attachments()] == [
        "report-department-health-month-2026-02-01.zh.pdf", "report-department-health-month-2026-02-01.zh.xlsx"
    ]  # fmt: skip
    assert message["Message-ID"] == made()["Message-ID"], "a copy that is sent again can be told as one"


def test_a_correction_says_so() -> None:
    message = made(ReportMail(8, 1, HEALTH, Period.MONTH, date(2026, 2, 1), 2, "c-health", "K" * 43, 1))
    assert str(message["Subject"]).startswith("更正：")
    assert "数据已修订" in text_of(message)


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (smtplib.SMTPRecipientsRefused({"h@example.org": (550, b"no")}), Trouble.REFUSED),
        (smtplib.SMTPRecipientsRefused({"h@example.org": (450, b"later")}), Trouble.NOT_NOW),
        (smtplib.SMTPSenderRefused(550, b"not you", "firenet@example.org"), Trouble.NOT_NOW),
        (smtplib.SMTPAuthenticationError(535, b"no"), Trouble.NOT_NOW),
        (smtplib.SMTPDataError(554, b"spam"), Trouble.REFUSED),
        (TimeoutError(), Trouble.NOT_NOW),
        (None, None),
    ],
)
async def test_what_can_pass_is_tried_again_and_what_is_refused_for_good_is_not(
    error: Exception | None, trouble: Trouble | None
) -> None:
    carrier = SmtpReports(SmtpServer("127.0.0.1", 1, "none"), WORDS, ManualClock(NOW))
    with patch.object(Smtp, "send", side_effect=error):
        assert await carrier.send(MAIL, CONTACT, FILES) is trouble


async def test_an_address_that_is_none_is_said_to_be_none() -> None:
    carrier = SmtpReports(SmtpServer("127.0.0.1", 1, "none"), WORDS, ManualClock(NOW))
    nobody = ReportContact("c", "x", "health", BodyKind.DEPARTMENT, "no address", Language.ZH)
    assert await carrier.send(MAIL, nobody, FILES) is Trouble.BAD_ADDRESS
