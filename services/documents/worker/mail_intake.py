"""Takes mails in that answer documents, and gives a person the say over them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from services.documents.domain import correspondence as domain
from services.documents.domain.correspondence import Actor, Correspondence, Written
from services.documents.domain.errors import MailboxUnavailable, NotFound, StoreUnavailable
from services.documents.domain.mails import read, refused
from services.documents.metrics import DocumentsMetrics
from services.documents.ports import Arrived, Mailbox, MailStore, Taken, WaitingMail
from services.kernel.words import SubmissionKind
from services.runtime.clock import Clock
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger

AT_ONCE = 20


class MailIntake:
    """Mails are kept one by one, then the place in the mailbox: after a crash some are read again, and known."""

    def __init__(
        self, *, mailbox: Mailbox, store: MailStore, metrics: DocumentsMetrics, clock: Clock, ours: frozenset[str]
    ) -> None:
        self._mailbox = mailbox
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._ours = ours

    async def turn(self) -> int:
        """Take in what has come and return how many mails. Raises MailboxUnavailable, StoreUnavailable."""
        name = self._mailbox.name
        position, arrived = await self._mailbox.after(await self._store.position(name), AT_ONCE)
        for one in arrived:
            await self._keep(one)
        await self._store.advance(name, position)
        return len(arrived)

    async def _keep(self, one: Arrived) -> None:
        mail = refused(one.mail_id, "too_large", one.size) if one.raw is None else read(one.raw, self._ours)
        sort = await self._store.keep(mail, self._clock.now())
        self._metrics.mails.labels(sort or "duplicate").inc()
        get_logger().info("mail_kept", mail_id=mail.mail_id, sort=str(sort or "duplicate"), reason=mail.reason)

    async def run(self, pause_s: float, on_progress: Callable[[], None], stop: Stop) -> None:
        """Turn until stop, with a pause after each turn that found nothing. A mailbox that is away stops nothing."""
        while not stop.is_set():
            try:
                busy = await self.turn() > 0
                self._metrics.mailbox_up.set(1)
            except (MailboxUnavailable, StoreUnavailable) as error:
                self._metrics.mailbox_up.set(0)
                get_logger().warning("mailbox_wait", error=f"{type(error).__name__}: {error}")
                busy = False
            on_progress()
            if not busy:
                await stop.wait_for(pause_s)


class MailDesk:
    """What a person does with mails that wait."""

    def __init__(self, *, store: MailStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def mails(self, *, everything: bool, limit: int = 200) -> Sequence[dict[str, Any]]:
        """Return the mails that wait, or all, newest first. Raises StoreUnavailable."""
        return await self._store.mails(everything=everything, limit=limit)

    async def take(self, mail_id: str, party: str, by: str) -> None:
        """Hand the mail in as the party's reply, to be accepted or returned as any; it signs where it has not.

        Raises NotFound, NotPossible, StoreUnavailable.
        """
        now = self._clock.now()

        def step(mail: WaitingMail, stands: Correspondence) -> Iterator[Taken]:
            if not stands.concerns(party):
                raise NotFound
            actor = Actor(party, by, mail.sender_name or mail.sender, "mail")
            signed, receipt = domain.sign(stands, actor, now)
            if receipt is not None:
                yield signed, receipt, ()
            text = mail.text or mail.subject
            written = Written(SubmissionKind.REPLY, len(signed.submissions), text, files=mail.files)
            handed_in, change = domain.submit(signed, actor, written, now)
            yield handed_in, change, mail.files

        await self._store.take(mail_id, by, now, step)
        get_logger().info("mail_taken", mail_id=mail_id, party=party, by=by)

    async def set_aside(self, mail_id: str, by: str) -> None:
        """Say that it is no reply; it stays where it is. Raises NotFound, StoreUnavailable."""
        await self._store.set_aside(mail_id, by, self._clock.now())
        get_logger().info("mail_set_aside", mail_id=mail_id, by=by)
