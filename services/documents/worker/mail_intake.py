"""Takes mails in that answer documents, and gives a person the say over them."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from typing import Any

from services.documents.domain import correspondence as domain
from services.documents.domain.correspondence import Actor, Correspondence, Written
from services.documents.domain.errors import MailboxUnavailable, NotFound, NotPossible, StoreUnavailable
from services.documents.domain.mails import Mail, read, refused
from services.documents.metrics import DocumentsMetrics
from services.documents.ports import Arrived, Mailbox, MailStore, Position, Taken, WaitingMail
from services.kernel.words import SubmissionKind
from services.runtime.clock import Clock
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger

AT_ONCE = 20
MAX_BEGINNINGS = 5
"""Of one mail, by processes that did not end it: that many of them may have gone down of it, or for other reasons."""
BEAT_S = 10.0
"""Well within the time after which a task that does not turn makes the service not ready."""
TURN_S = 600.0
"""A turn that takes longer hangs: then it is to be seen."""


class MailIntake:
    """Mails are fetched, kept and put behind us one by one: after a crash the last is read again, and known.

    A mail is read in a thread: the worst within the bounds takes most of a second, and letters are issued meanwhile.
    """

    def __init__(
        self, *, mailbox: Mailbox, store: MailStore, metrics: DocumentsMetrics, clock: Clock, ours: frozenset[str]
    ) -> None:
        self._mailbox = mailbox
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._ours = ours
        self._begun: Position | None = None

    async def turn(self) -> int:
        """Take in what has come and return how many mails. Raises MailboxUnavailable, StoreUnavailable."""
        name, count = self._mailbox.name, 0
        async with aclosing(self._mailbox.after(await self._store.position(name), AT_ONCE)) as arrived:
            async for one in arrived:
                await self._keep(await self._read(one))
                await self._store.advance(name, one.position)
                count += 1
        return count

    async def _read(self, one: Arrived) -> Mail:
        if one.raw is None:
            return refused(one.mail_id, "too_large", one.size)
        if self._begun != one.position:  # a database that is away between two attempts ended no process
            if await self._store.begin(self._mailbox.name, one.position) > MAX_BEGINNINGS:
                return refused(one.mail_id, "never_read_to_its_end", one.size)
            self._begun = one.position
        return await asyncio.to_thread(read, one.raw, self._ours)

    async def _keep(self, mail: Mail) -> None:
        sort = await self._store.keep(mail, self._clock.now())
        self._metrics.mails.labels(sort or "duplicate").inc()
        get_logger().info("mail_kept", mail_id=mail.mail_id, sort=str(sort or "duplicate"), reason=mail.reason)

    async def run(self, pause_s: float, on_progress: Callable[[], None], stop: Stop) -> None:
        """Turn until stop, with a pause after each turn that found nothing. A mailbox that is away stops nothing."""
        while not stop.is_set():
            try:
                busy = await self._turn(on_progress) > 0
                self._metrics.mailbox_up.set(1)
            except (MailboxUnavailable, StoreUnavailable) as error:
                self._metrics.mailbox_up.set(0)
                get_logger().warning("mailbox_wait", error=f"{type(error).__name__}: {error}")
                busy = False
            on_progress()
            ends = self._clock.monotonic() + (0 if busy else pause_s)
            while (left := ends - self._clock.monotonic()) > 0 and not await stop.wait_for(min(left, BEAT_S)):
                on_progress()

    async def _turn(self, on_progress: Callable[[], None]) -> int:
        """Turn, with a beat in between: a mail server that hangs has its own deadlines, and does not stop letters."""
        turn = asyncio.create_task(self.turn())
        try:
            for _ in range(int(TURN_S / BEAT_S)):
                if (await asyncio.wait({turn}, timeout=BEAT_S))[0]:
                    break
                on_progress()
            return await turn
        finally:
            turn.cancel()
            await asyncio.gather(turn, return_exceptions=True)


class MailUseCases:
    """What a person does with mails that wait."""

    def __init__(self, *, store: MailStore, clock: Clock, wake: Callable[[], None] = lambda: None) -> None:
        """`wake`: something is to be told on the topic of documents."""
        self._store = store
        self._clock = clock
        self._wake = wake

    async def mails(self, *, everything: bool, limit: int = 200) -> Sequence[dict[str, Any]]:
        """Return the mails that wait, or all, newest first. Raises StoreUnavailable."""
        return await self._store.mails(everything=everything, limit=limit)

    async def take(self, mail_id: str, party: str, by: str, document_id: str | None = None) -> None:
        """Hand the mail in as the party's reply, to be accepted or returned as any; it signs where it has not.

        `document_id`: what it was shown as an answer to; None where nobody looked. Raises NotFound, NotPossible
        (`changed`: somebody has joined it to another document meanwhile), StoreUnavailable.
        """
        now = self._clock.now()

        def step(mail: WaitingMail, stands: Correspondence) -> Iterator[Taken]:
            if document_id not in (None, mail.document_id):
                raise NotPossible("changed")
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

        await self._store.take(mail_id, party, by, now, step)
        self._wake()
        get_logger().info("mail_taken", mail_id=mail_id, party=party, by=by)

    async def join(self, mail_id: str, document: str, by: str, seen: int | None = None) -> None:
        """Say which document a mail answers, by id or number; it waits then. Raises NotFound, NotPossible.

        `seen`: how many acts it had when it was looked at; somebody who was quicker is not overruled unseen.
        """
        await self._store.join(mail_id, document, by, self._clock.now(), seen)
        get_logger().info("mail_joined", mail_id=mail_id, by=by)

    async def set_aside(self, mail_id: str, by: str, reason: str, seen: int | None = None) -> None:
        """Say that it is no reply, and why; it stays where it is. Raises NotFound, NotPossible, StoreUnavailable."""
        await self._store.set_aside(mail_id, by, self._clock.now(), reason, seen)
        get_logger().info("mail_set_aside", mail_id=mail_id, by=by)
