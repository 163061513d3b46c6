"""Mails that answer a document: what one is, read from what it says, within bounds. It proves nothing and does nothing.

    hostile or too large -> refused        a machine's delivery report -> bounce       any other machine's -> automatic
    a person's: names one of our documents -> reply, else -> unknown

Whatever it is, it is kept and counted. A reply waits for a person, who takes it for its party or sets it aside: who a
mail is from anybody can write into it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parseaddr
from enum import StrEnum
from hashlib import sha256

from services.documents.domain.errors import BadUpload
from services.documents.domain.uploads import MAX_ALL_BYTES, MAX_FILES, Upload, checked_uploads

MAX_MAIL_BYTES = 16 * 1024 * 1024
"""Files of 10 MiB grow by a third in a mail."""
MAX_PARTS = 60
MAX_DEPTH = 8
MAX_TEXT = 4000
MAX_LINE = 200
MAX_REFERENCES = 50
_OUR_ID = re.compile(r"<[0-9a-f]{32}\.([A-Za-z0-9][A-Za-z0-9_.-]{0,63})@[^<>@\s]{1,255}>")
"""Message-IDs of letters: the notice and, behind a dot, the document."""
_NUMBER = re.compile(r"([^\s〔\[（(:：]{1,20})[〔\[](\d{4})[〕\]](\d{1,6})号")
_TAG = re.compile(r"<[^<>]{0,2000}>")
_BULK = frozenset({"bulk", "junk", "list", "auto_reply"})


class MailSort(StrEnum):
    """What a mail is."""

    REPLY = "reply"
    UNKNOWN = "unknown"
    AUTOMATIC = "automatic"
    BOUNCE = "bounce"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class NumberRef:
    """A document number as somebody wrote it: 消监告〔2026〕1号."""

    mark: str
    year: int
    serial: int


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it was understood. `documents` and `numbers` are what it names, the nearest first.

    `sort` is REPLY for every mail of a person until it is known whether there is such a document.
    """

    mail_id: str
    sort: MailSort
    reason: str
    message_id: str
    sender: str
    sender_name: str
    subject: str
    text: str
    size: int
    documents: tuple[str, ...] = ()
    numbers: tuple[NumberRef, ...] = ()
    files: tuple[Upload, ...] = ()


def read(raw: bytes, ours: frozenset[str] = frozenset()) -> Mail:
    """Return what the mail is. `ours` are the addresses that our own mails come from. Never raises for its content."""
    mail_id = sha256(raw).hexdigest()
    if len(raw) > MAX_MAIL_BYTES:
        return refused(mail_id, "too_large", len(raw))
    try:
        return _read(raw, mail_id, ours)
    except Exception as error:  # noqa: BLE001 - the parser stumbles over much; no mail may keep the next one waiting
        return refused(mail_id, f"unreadable:{type(error).__name__}", len(raw))


def refused(mail_id: str, reason: str, size: int) -> Mail:
    return Mail(mail_id, MailSort.REFUSED, reason, "", "", "", "", "", size)


def _read(raw: bytes, mail_id: str, ours: frozenset[str]) -> Mail:
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    parts = list(_leaves(message))
    if len(parts) > MAX_PARTS:
        return refused(mail_id, "too_many_parts", len(raw))
    name, sender = parseaddr(_header(message, "from"))
    sort, reason = _sort(message, sender.lower(), ours)
    files, left_out = _files(parts) if sort is MailSort.REPLY else ((), "")
    message_id, subject, text = _header(message, "message-id"), _header(message, "subject"), _text(parts)
    if message_id:  # the same mail by another way: what servers wrote on top of it differs
        said = (message_id, sender, subject, text, *(one.sha256 for one in files))
        mail_id = sha256("\0".join(said).encode()).hexdigest()
    return Mail(
        mail_id=mail_id,
        sort=sort,
        reason=reason or left_out,
        message_id=message_id,
        sender=sender[:MAX_LINE],
        sender_name=name[:MAX_LINE],
        subject=subject,
        text=text,
        size=len(raw),
        documents=_documents(message),
        numbers=_numbers(_header(message, "subject")),
        files=files,
    )


def _leaves(message: EmailMessage, depth: int = 0) -> Iterator[EmailMessage]:
    """Yield the parts that hold something, at most one more than are taken. A mail within a mail is not opened."""
    if depth > MAX_DEPTH:
        raise ValueError("nested too deep")
    if message.get_content_maintype() != "multipart":
        yield message
        return
    count = 0
    for part in message.iter_parts():
        for leaf in _leaves(part, depth + 1):  # type: ignore[arg-type]  # the default policy makes no other
            yield leaf
            count += 1
            if count > MAX_PARTS:
                return


def _header(message: EmailMessage, name: str) -> str:
    """Return a header as one printable line of bounded length."""
    raw = str(message.get(name, ""))[: 10 * MAX_LINE]
    return " ".join("".join(one if one.isprintable() else " " for one in raw).split())[:MAX_LINE]


def _sort(message: EmailMessage, sender: str, ours: frozenset[str]) -> tuple[MailSort, str]:
    report = message.get_content_type() == "multipart/report"
    user = sender.partition("@")[0]
    if report or user in {"mailer-daemon", "postmaster"} or _header(message, "return-path") == "<>":
        return MailSort.BOUNCE, "delivery_report" if report else "from_a_mail_server"
    if sender in ours or message.get("x-firenet-case") or message.get("x-firenet-digest"):
        return MailSort.AUTOMATIC, "loop"
    submitted = _header(message, "auto-submitted").partition(";")[0].strip().lower()
    if submitted not in {"", "no"}:
        return MailSort.AUTOMATIC, "auto_submitted"
    if _header(message, "precedence").lower() in _BULK or message.get("list-id"):
        return MailSort.AUTOMATIC, "bulk"
    if message.get("x-autoreply") or message.get("x-autorespond"):
        return MailSort.AUTOMATIC, "auto_reply"
    if not sender or "@" not in sender:
        return MailSort.REFUSED, "no_sender"
    return MailSort.REPLY, ""


def _documents(message: EmailMessage) -> tuple[str, ...]:
    """Return the documents that its thread names: what it answers first, then the thread from its end."""
    thread = str(message.get("references", ""))[: MAX_REFERENCES * MAX_LINE]
    found = [*_OUR_ID.findall(str(message.get("in-reply-to", ""))[:MAX_LINE]), *reversed(_OUR_ID.findall(thread))]
    return tuple(dict.fromkeys(found))[:MAX_REFERENCES]


def _numbers(subject: str) -> tuple[NumberRef, ...]:
    return tuple(NumberRef(mark, int(year), int(serial)) for mark, year, serial in _NUMBER.findall(subject))[:5]


def _text(parts: Sequence[EmailMessage]) -> str:
    """Return what it says: the first plain text, else the first page without its tags."""
    for wanted in ("text/plain", "text/html"):
        for part in parts:
            if part.get_content_type() == wanted and not part.is_attachment():
                text = _decoded(part)[: 10 * MAX_TEXT]
                plain = _TAG.sub(" ", text) if wanted == "text/html" else text
                return "".join(one for one in plain if one.isprintable() or one in "\n\t").strip()[:MAX_TEXT]
    return ""


def _decoded(part: EmailMessage) -> str:
    """Return the text of a part; whatever cannot be read of it is marked, in an unknown character set all of it."""
    content = _bytes(part)
    charset = part.get_content_charset("utf-8")
    try:
        return content.decode(charset, "replace")
    except LookupError:
        return content.decode("utf-8", "replace")


def _bytes(part: EmailMessage) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _files(parts: Sequence[EmailMessage]) -> tuple[tuple[Upload, ...], str]:
    """Return the files that are taken, by what their content is, and how many were left out."""
    taken: list[Upload] = []
    left_out = 0
    room = MAX_ALL_BYTES
    for part in parts:
        if not part.is_attachment() and not part.get_filename():
            continue
        content = _bytes(part)
        try:
            found = checked_uploads([(part.get_filename() or "file", content)])
        except BadUpload:
            found = ()
        if not found or len(taken) == MAX_FILES or len(content) > room:
            left_out += 1
            continue
        room -= len(content)
        taken += found
    return tuple(taken), f"files_left_out:{left_out}" if left_out else ""
