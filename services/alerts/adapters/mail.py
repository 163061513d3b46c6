"""E-mail by SMTP: the standard library in threads of our own, with a deadline on every exchange."""

import asyncio
import contextlib
import smtplib
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address as MailAddress
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from typing import Literal

from services.alerts.domain.delivery.attempts import Outcome
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.ports import Ready
from services.runtime.clock import Clock
from services.runtime.texts import one_line

SUBJECT_CHARACTERS = 180


@dataclass(frozen=True, slots=True)
class MailServer:
    """`security`: `none` in the clear, `starttls` on the plain port, `tls` from the first byte."""

    host: str
    port: int
    sender: str
    security: Literal["none", "starttls", "tls"] = "starttls"
    user: str | None = None
    password: str | None = None
    timeout_s: float = 10.0

    def __repr__(self) -> str:
        return f"MailServer({self.host}:{self.port}, {self.security})"


def message_of(notice: Ready, sender: str, clock: Clock) -> EmailMessage:
    """Return the mail. Its Message-ID is the notice's id, so that a repeated copy can be told as one.

    Raises ValueError or MessageError for an address that is none.
    """
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = sender
    message["To"] = MailAddress(addr_spec=notice.to.address)
    message["Subject"] = one_line(notice.subject)[:SUBJECT_CHARACTERS]
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = f"<{notice.notice_id}@{sender.rpartition('@')[2].strip('<> ') or 'firenet'}>"
    message["Auto-Submitted"] = "auto-generated"
    if notice.members:
        message["X-FireNet-Digest"] = str(len(notice.members))
    else:
        message["X-FireNet-Case"] = notice.case_id
    message["Content-Language"] = notice.lang
    message.set_content(notice.body)
    if notice.html:
        message.add_alternative(notice.html, subtype="html")
    return message


class MailChannel:
    """See ports.Carrier. A hanging server holds its threads, never the event loop or another lane's threads."""

    def __init__(self, *, server: MailServer, clock: Clock, threads: int, name: str) -> None:
        self._server = server
        self._clock = clock
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=f"mail-{name}")
        # once, not per mail: reading the trusted authorities takes 55 ms in which no other Python runs, fire's neither
        self._tls = ssl.create_default_context() if server.security != "none" else None

    async def send(self, notice: Ready) -> Outcome:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._send, notice)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _send(self, notice: Ready) -> Outcome:
        try:
            message = message_of(notice, self._server.sender, self._clock)
        except (ValueError, MessageError, IndexError) as error:
            return Outcome(Reason.ADDRESS_REFUSED, type(error).__name__)
        try:
            client = self._connect()
            try:
                client.send_message(message)
            finally:
                _part(client)
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

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        if server.security == "tls":
            client: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=server.timeout_s, context=self._tls
            )
        else:
            client = smtplib.SMTP(server.host, server.port, timeout=server.timeout_s)
        try:
            if server.security == "starttls":
                client.starttls(context=self._tls)
            if server.user is not None:
                client.login(server.user, server.password or "")
        except BaseException:
            client.close()
            raise
        return client


def _part(client: smtplib.SMTP) -> None:
    """Say goodbye. What the server says to that changes nothing: the mail is taken or it is not."""
    try:
        with contextlib.suppress(smtplib.SMTPException, OSError):
            client.quit()
    finally:
        client.close()


def _by_code(code: int, permanent: Reason) -> Outcome:
    if code in (421, 450, 451, 452):
        return Outcome(Reason.THROTTLED, f"smtp {code}")
    return Outcome(permanent if code >= 500 else Reason.SERVER_ERROR, f"smtp {code}")
