"""A mail server that keeps what it is given, and a console that sends it reports without a minute's rest."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.stack.ports import free_ports
from services.console.worker import report_schedules
from tests.integration.console import reports as facts
from tests.integration.console.harness import Console, console
from tests.integration.console.letters import letters
from tests.integration.console.scenario import Scenario, district


@dataclass
class Mailbox:
    """`answer` to what comes; what is taken is kept."""

    answer: str = "250 OK"
    mails: list[EmailMessage] = field(default_factory=list)
    refused: int = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answer.startswith("250"):
            mail = message_from_bytes(envelope.content or b"", policy=policy.default)  # type: ignore[arg-type]  # bytes
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
        else:
            self.refused += 1
        return self.answer


@asynccontextmanager
async def mailing(scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Console, Mailbox]]:
    """Yield a console with documents and a mail server, and a month that is over and published."""
    monkeypatch.setattr(report_schedules, "EVERY_S", 0.1)
    facts.empty(scenario)
    scenario.execute("TRUNCATE console.report_schedules, console.report_audit CASCADE")
    scenario.put(district(16))
    scenario.stay_fresh()
    facts.month(scenario)
    for code, body in (("brigade", "brigade"), ("health", "health")):
        scenario.contact(f"c-{code}", body, "office", f"{code} 值班室", None, email=f"{code}@example.org")
    mailbox, (port,) = Mailbox(), free_ports(1)
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, ready_timeout=60)
    controller.start()
    try:
        settings = {"smtp_host": "127.0.0.1", "smtp_port": port, "smtp_security": "none"}
        async with letters(scenario.dsn) as book, console(scenario.dsn, **book.settings, **settings) as running:
            yield running, mailbox
    finally:
        controller.stop()


def publish_now(scenario: Scenario) -> None:
    """Let the figures of the month have been published a quarter of an hour ago, after all schedules were made."""
    scenario.execute("UPDATE console.report_schedules SET since = now() - interval '1 hour'")
    scenario.execute("UPDATE compliance.figures SET recorded_at = now() - interval '15 minutes'")
