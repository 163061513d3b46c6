"""One mail to one SMTP server: the standard library, a deadline on every exchange. It blocks: call it in a thread."""

import contextlib
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Literal

Security = Literal["none", "starttls", "tls"]


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """`security`: `none` in the clear, `starttls` on the plain port, `tls` from the first byte."""

    host: str
    port: int
    security: Security = "starttls"
    user: str | None = None
    password: str | None = None
    timeout_s: float = 10.0

    def __repr__(self) -> str:
        return f"SmtpServer({self.host}:{self.port}, {self.security})"


class Smtp:
    """Hands mails over, each in a session of its own."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        # once, not per mail: reading the trusted authorities takes 55 ms in which no other Python runs, fire's neither
        self._tls = ssl.create_default_context() if server.security != "none" else None

    def send(self, message: EmailMessage, bounces_to: str | None = None) -> None:
        """Return when the server has taken the mail.

        `bounces_to`: the sender of the envelope, to whom servers report, also of success where they can (RFC 3461).

        Raises:  smtplib.SMTPException, ssl.SSLError, OSError (TimeoutError among them).
        """
        client = self._connect()
        try:
            _hand_over(client, message, bounces_to)
        finally:
            _part(client)

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


def _hand_over(client: smtplib.SMTP, message: EmailMessage, back: str | None) -> None:
    if back is None:
        client.send_message(message)
        return
    client.ehlo_or_helo_if_needed()
    asked = ["NOTIFY=SUCCESS,FAILURE"] if client.has_extn("dsn") else []
    client.send_message(message, from_addr=back, rcpt_options=asked)


def _part(client: smtplib.SMTP) -> None:
    """Say goodbye. What the server says to that changes nothing: the mail is taken or it is not."""
    try:
        with contextlib.suppress(smtplib.SMTPException, OSError):
            client.quit()
    finally:
        client.close()
