"""`ReportCarrier` by SMTP: a report as a mail of its own, which belongs to no case and asks for no receipt."""

import asyncio
import smtplib
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from urllib.parse import urlencode

from services.console.adapters import spreadsheet
from services.console.domain.report import Section, Sheet
from services.console.domain.report_schedules import ReportContact, ReportMail, Trouble
from services.console.ports.reports import ReportFiles
from services.kernel.words import Language
from services.runtime.clock import Clock
from services.runtime.smtp import Smtp, SmtpServer
from services.runtime.texts import one_line

Texts = Mapping[str, Mapping[str, str]]
SUMMED_UP = ("figures", "outages", "cases")
"""Sections that stand in the text too."""
MAX_LINES = 12
MAX_CELLS = 5
SUBJECT_CHARACTERS = 180


@dataclass(frozen=True, slots=True)
class MailWords:
    """`console_url`: where links lead. `sender`: From, and the envelope's."""

    texts: Texts
    sender: str
    console_url: str


def message_of(
    mail: ReportMail, contact: ReportContact, files: ReportFiles, words: MailWords, clock: Clock
) -> EmailMessage:
    """Return the mail. Its Message-ID is the same at each try, so that a repeated copy can be told as one.

    Raises ValueError or MessageError for an address that is none.
    """
    first = files.sheets[0]
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = words.sender
    message["To"] = Address(addr_spec=contact.address)
    message["Subject"] = _subject(mail, first, words.texts)
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = f"<report.{mail.mail_id}@{words.sender.rpartition('@')[2] or 'firenet'}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-FireNet-Report"] = f"{mail.subject.dimension} {mail.subject.value} {mail.kind} {mail.first}"
    message["List-Unsubscribe"] = f"<{_stop_address(mail, words)}>"
    message["Content-Language"] = first.language.value
    message.set_content("\n\n".join("\n".join(_text(mail, sheet, words)) for sheet in files.sheets) + "\n")
    name = f"report-{mail.subject.dimension}-{mail.subject.value}-{mail.kind}-{mail.first}.{first.language}"
    for content, kind, media in ((files.pdf, "pdf", "application/pdf"), (files.xlsx, "xlsx", spreadsheet.XLSX)):
        maintype, _, subtype = media.partition("/")
        message.add_attachment(content, maintype=maintype, subtype=subtype, filename=f"{name}.{kind}")
    return message


def _subject(mail: ReportMail, sheet: Sheet, texts: Texts) -> str:
    corrected = texts["report_mail.corrected" if mail.correction else "report_mail.subject"][sheet.language]
    return one_line(corrected.format(title=sheet.title, period=sheet.head[1][1]))[:SUBJECT_CHARACTERS]


def _text(mail: ReportMail, sheet: Sheet, words: MailWords) -> Iterator[str]:
    """Yield the lines: what it is, in short what it says, where it stands, how it ends."""

    def t(key: str, **values: object) -> str:
        return words.texts[key][sheet.language].format(**values)

    yield sheet.title
    if mail.correction:
        yield t("report_mail.correction")
    yield ""
    for label, value in sheet.head:
        yield t("report_mail.line", label=label, value=value)
    for section in sheet.sections:
        if section.key in SUMMED_UP:
            yield ""
            yield from _summary(section)
    yield ""
    yield t("report_mail.files")
    yield t("report_mail.page", url=_page_address(mail, sheet.language, words))
    yield t("report_mail.later")
    yield t("report_mail.stop", url=_stop_address(mail, words))


def _summary(section: Section) -> Iterator[str]:
    yield section.heading
    table = section.table
    if table is None:
        yield from (f"- {note}" for note in section.notes)
        return
    for row in table.rows[:MAX_LINES]:
        yield "- " + " · ".join(
            f"{table.columns[place]} {one_line(cell)}" if place in table.numeric else one_line(cell)
            for place, cell in enumerate(row[:MAX_CELLS])
        )
    if len(table.rows) > MAX_LINES:
        yield "- …"


def _page_address(mail: ReportMail, language: Language, words: MailWords) -> str:
    query = {
        "of": mail.subject.dimension.value,
        "value": mail.subject.value,
        "period": mail.kind.value,
        "from": mail.first.isoformat(),
        "lang": language.value,
    }
    return f"{words.console_url.rstrip('/')}/reports/one?{urlencode(query)}"


def _stop_address(mail: ReportMail, words: MailWords) -> str:
    return f"{words.console_url.rstrip('/')}/reports/stop/{mail.stop_key}"


class SmtpReports:
    """Implements the port `ReportCarrier`: one mail at a time, in a thread, so that no server holds up the loop."""

    def __init__(self, server: SmtpServer, words: MailWords, clock: Clock) -> None:
        self._smtp = Smtp(server)
        self._words = words
        self._clock = clock

    async def send(self, mail: ReportMail, contact: ReportContact, files: ReportFiles) -> Trouble | None:
        return await asyncio.to_thread(self._send, mail, contact, files)

    def _send(self, mail: ReportMail, contact: ReportContact, files: ReportFiles) -> Trouble | None:
        try:
            message = message_of(mail, contact, files, self._words, self._clock)
        except (ValueError, MessageError, IndexError):
            return Trouble.BAD_ADDRESS
        try:
            self._smtp.send(message)
        except smtplib.SMTPRecipientsRefused as error:
            return _by_code(max((code for code, _ in error.recipients.values()), default=550))
        except (smtplib.SMTPAuthenticationError, smtplib.SMTPSenderRefused):
            return Trouble.NOT_NOW  # our own setting is wrong: that can be mended
        except smtplib.SMTPResponseException as error:
            return _by_code(error.smtp_code)
        except (smtplib.SMTPException, ssl.SSLError, OSError):
            return Trouble.NOT_NOW
        return None


def _by_code(code: int) -> Trouble:
    return Trouble.REFUSED if code >= 500 else Trouble.NOT_NOW
