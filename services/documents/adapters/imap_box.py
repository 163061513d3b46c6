"""The mailbox for answers, by IMAP: the standard library in a thread of its own, with a deadline on every exchange.

Mails are read with PEEK and never changed, moved or deleted: whoever opens the mailbox sees them as if nobody had been
there. How far we are is a UID in our own database, not a flag in theirs.
"""

import asyncio
import contextlib
import imaplib
import re
import ssl
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal, TypeVar

from services.documents.domain.errors import MailboxUnavailable
from services.documents.domain.mails import MAX_MAIL_BYTES
from services.documents.ports import Arrived, Position

T = TypeVar("T")
_UID = re.compile(rb"\bUID (\d{1,10})\b")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d{1,18})\b")


@dataclass(frozen=True, slots=True)
class MailboxAddress:
    """Where answers arrive. `security`: `tls` from the first byte, `starttls`, or `none`, in the clear."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    folder: str = "INBOX"
    security: Literal["none", "starttls", "tls"] = "tls"
    timeout_s: float = 20.0

    @property
    def name(self) -> str:
        return f"{self.user}@{self.host}/{self.folder}"


class ImapMailbox:
    """See ports.Mailbox. It connects for each look: a mailbox is looked into once a minute."""

    def __init__(self, address: MailboxAddress) -> None:
        self._address = address
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="imap")
        self._tls = ssl.create_default_context() if address.security != "none" else None

    @property
    def name(self) -> str:
        return self._address.name

    async def after(self, position: Position | None, limit: int) -> AsyncGenerator[Arrived, None]:
        client = await self._in_thread(self._opened)
        try:
            validity = await self._in_thread(_validity, client)
            same = position is not None and position.uid_validity == validity
            last = position.last_uid if same and position is not None else 0
            sizes = await self._in_thread(self._sizes, client, last)
            for uid, size in sorted(sizes.items())[:limit]:
                yield await self._in_thread(self._fetched, client, Position(validity, uid), size)
        finally:
            self._threads.submit(_leave, client)  # nobody waits for it: it may take as long as the server likes

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        except (imaplib.IMAP4.error, OSError, ValueError) as error:  # what it says may hold the account's name
            raise MailboxUnavailable(type(error).__name__) from error

    def _opened(self) -> imaplib.IMAP4:
        address = self._address
        if address.security == "tls":
            client: imaplib.IMAP4 = imaplib.IMAP4_SSL(
                address.host, address.port, ssl_context=self._tls, timeout=address.timeout_s
            )
        else:
            client = imaplib.IMAP4(address.host, address.port, timeout=address.timeout_s)
        try:
            if address.security == "starttls":
                client.starttls(self._tls)
            client.login(address.user, address.password)
            _ok(client.select(_quoted(address.folder), readonly=True))
        except BaseException:
            _leave(client)
            raise
        return client

    def _sizes(self, client: imaplib.IMAP4, last: int) -> dict[int, int]:
        """Return uid and size of every mail behind `last`. `n:*` names the last mail even if it is before n."""
        found: dict[int, int] = {}
        for line in _ok(client.uid("FETCH", f"{last + 1}:*", "(UID RFC822.SIZE)")):
            said = line[0] if isinstance(line, tuple) else line
            uid, size = (_UID.search(said), _SIZE.search(said)) if isinstance(said, bytes) else (None, None)
            if uid and size and int(uid[1]) > last:
                found[int(uid[1])] = int(size[1])
        return found

    def _fetched(self, client: imaplib.IMAP4, position: Position, size: int) -> Arrived:
        uid = position.last_uid
        name = sha256(f"{self.name} {position.uid_validity} {uid}".encode()).hexdigest()
        if size > MAX_MAIL_BYTES:
            return Arrived(position, None, size, name)
        for line in _ok(client.uid("FETCH", str(uid), "(BODY.PEEK[])")):
            if isinstance(line, tuple) and isinstance(line[1], bytes):
                return Arrived(position, line[1], size, name)
        raise ValueError("a mail that is there has no content")


def _leave(client: imaplib.IMAP4) -> None:
    with contextlib.suppress(imaplib.IMAP4.error, OSError):
        client.logout()


def _ok(answer: tuple[str, Sequence[object]]) -> Sequence[object]:
    status, lines = answer
    if status != "OK":
        raise imaplib.IMAP4.error(status)
    return lines


def _validity(client: imaplib.IMAP4) -> int:
    _, lines = client.response("UIDVALIDITY")
    if lines and isinstance(lines[0], bytes):
        client.untagged_responses["UIDVALIDITY"] = lines  # asking for it takes it away
        return int(lines[0])
    raise ValueError("the server says no UIDVALIDITY")


def _quoted(folder: str) -> str:
    """Return the folder as IMAP wants it: modified UTF-7 within quotes is left to who writes the setting."""
    return '"' + folder.replace("\\", "\\\\").replace('"', '\\"') + '"'
