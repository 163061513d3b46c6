"""E-mail by SMTP: the standard library in threads of our own, with a deadline on every exchange."""

import asyncio
import smtplib
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from email.errors import MessageError
from email.headerregistry import Address as MailAddress
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime

from services.alerts.domain.delivery.attempts import Outcome
from services.alerts.domain.delivery.documents import case_link
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.ports import Ready
from services.kernel.links import Link, sealed
from services.kernel.words import FileKind, Language
from services.runtime.clock import Clock
from services.runtime.smtp import Security, Smtp, SmtpServer
from services.runtime.texts import one_line

SUBJECT_CHARACTERS = 180
MAX_FILES_BYTES = 1024 * 1024
"""Of all files of a mail: what any server takes."""
MEDIA_TYPES = {
    FileKind.PDF: ("application", "pdf"),
    FileKind.DOCX: ("application", "vnd.openxmlformats-officedocument.wordprocessingml.document"),
}
_NOT_IN_NAMES = str.maketrans(dict.fromkeys('/\\:*?"<>|', "_"))


@dataclass(frozen=True, slots=True)
class SignedLinks:
    """Makes the links by which recipients without an account read, sign and answer.

    A link is made when its mail is sent and kept nowhere; `key` None: none is made, the mail leads to the case.
    """

    console_url: str = ""
    key: bytes | None = None
    lasts: timedelta = timedelta(days=30)

    def in_place(self, notice: Ready) -> tuple[str, str]:
        """Return text and page of the notice, with its own link where the document leads to the case."""
        about = notice.notice
        if self.key is None or about is None or about.signed_document_id is None:
            return notice.body, notice.html
        # from when the notice was written: a mail that is sent again has the same link
        link = Link(about.signed_document_id, notice.to.contact_id, about.created_at + self.lasts)
        case, own = case_link(self.console_url, notice.case_id), signed_link(self.console_url, link, self.key)
        own += f"?lang={Language.EN}" if notice.lang == Language.EN else ""
        return notice.body.replace(case, own), notice.html.replace(case, own)


def signed_link(console_url: str, link: Link, key: bytes) -> str:
    return f"{console_url.rstrip('/')}/d/{sealed(link, key)}"


NO_LINKS = SignedLinks()


@dataclass(frozen=True, slots=True)
class MailServer:
    """`security`: `none` in the clear, `starttls` on the plain port, `tls` from the first byte.

    `bounces_to`: the sender of the envelope, to whom servers report; None: that of the mail.
    """

    host: str
    port: int
    sender: str
    security: Security = "starttls"
    user: str | None = None
    password: str | None = None
    timeout_s: float = 10.0
    reply_to: str | None = None
    links: SignedLinks = NO_LINKS
    bounces_to: str | None = None

    def __repr__(self) -> str:
        return f"MailServer({self.host}:{self.port}, {self.security})"


def message_of(
    notice: Ready, sender: str, clock: Clock, links: SignedLinks = NO_LINKS, reply_to: str | None = None
) -> EmailMessage:
    """Return the mail. Its Message-ID begins with the notice's id, so that a repeated copy can be told as one.

    Raises ValueError or MessageError for an address that is none.
    """
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = sender
    if reply_to:
        message["Reply-To"] = MailAddress(addr_spec=reply_to)
    message["To"] = MailAddress(addr_spec=notice.to.address)
    message["Subject"] = one_line(notice.subject)[:SUBJECT_CHARACTERS]
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = f"<{_thread_name(notice)}@{sender.rpartition('@')[2].strip('<> ') or 'firenet'}>"
    message["Auto-Submitted"] = "auto-generated"
    if notice.members:
        message["X-FireNet-Digest"] = str(len(notice.members))
    else:
        message["X-FireNet-Case"] = notice.case_id
    message["Content-Language"] = notice.lang
    text, page = links.in_place(notice)
    message.set_content(text)
    if page:
        message.add_alternative(page, subtype="html")
    room = MAX_FILES_BYTES
    for file in notice.files:
        room -= len(file.content)
        if room < 0:
            break  # the text and the page are the document; a mail that is too large is no mail
        maintype, subtype = MEDIA_TYPES[file.kind]
        name = f"{one_line(notice.subject)[:80]}.{file.language}.{file.kind}"
        message.add_attachment(file.content, maintype=maintype, subtype=subtype, filename=_file_name(name))
    return message


def _thread_name(notice: Ready) -> str:
    """Return what an answer will name in its thread: the notice and, where it carries one, the document."""
    document_id = notice.notice.signed_document_id if notice.notice is not None else None
    return f"{notice.notice_id}.{document_id}" if document_id else notice.notice_id


def _file_name(name: str) -> str:
    """Return a name that every system can keep a file under."""
    return name.translate(_NOT_IN_NAMES)


class MailChannel:
    """See ports.Carrier. A hanging server holds its threads, never the event loop or another lane's threads."""

    def __init__(self, *, server: MailServer, clock: Clock, threads: int, name: str) -> None:
        self._server = server
        self._clock = clock
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=f"mail-{name}")
        self._smtp = Smtp(
            SmtpServer(server.host, server.port, server.security, server.user, server.password, server.timeout_s)
        )

    async def send(self, notice: Ready) -> Outcome:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._send, notice)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _send(self, notice: Ready) -> Outcome:
        try:
            message = message_of(notice, self._server.sender, self._clock, self._server.links, self._server.reply_to)
        except (ValueError, MessageError, IndexError) as error:
            return Outcome(Reason.ADDRESS_REFUSED, type(error).__name__)
        try:
            self._smtp.send(message, self._server.bounces_to)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            return _by_code(max(codes, default=550), Reason.RECIPIENT_REFUSED)
        except smtplib.SMTPAuthenticationError as error:
            return Outcome(Reason.AUTH, f"smtp {error.smtp_code}")
        except smtplib.SMTPResponseException as error:
            return _by_code(error.smtp_code, Reason.REJECTED)
        except smtplib.SMTPNotSupportedError as error:
            return Outcome(Reason.TLS, type(error).__name__)
        except ssl.SSLError as error:
            return Outcome(Reason.TLS, type(error).__name__)
        except TimeoutError as error:
            return Outcome(Reason.TIMEOUT, type(error).__name__)
        except (smtplib.SMTPException, OSError) as error:
            # smtplib turns a deadline that passed while it waits for a reply into a disconnection
            late = isinstance(error.__context__, TimeoutError)
            return Outcome(Reason.TIMEOUT if late else Reason.CONNECT, type(error).__name__)
        return Outcome(None, "smtp 250")


def _by_code(code: int, permanent: Reason) -> Outcome:
    if code in (421, 450, 451, 452):
        return Outcome(Reason.THROTTLED, f"smtp {code}")
    return Outcome(permanent if code >= 500 else Reason.SERVER_ERROR, f"smtp {code}")
