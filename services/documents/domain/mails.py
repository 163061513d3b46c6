"""Mails that answer a document: what one is, read from what it says, within bounds. It proves nothing and does nothing.

    hostile or too large -> refused        a machine's delivery report -> bounce       any other machine's -> automatic
    a person's: names one of our documents -> reply, else -> unknown

Whatever it is, it is kept and counted. A reply waits for a person, who takes it for its party or sets it aside: who a
mail is from anybody can write into it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.policy import Compat32, compat32
from email.utils import parseaddr
from enum import StrEnum
from hashlib import sha256

from services.documents.domain.errors import BadUpload
from services.documents.domain.uploads import MAX_ALL_BYTES, MAX_FILES, Upload, checked_uploads

MAX_MAIL_BYTES = 16 * 1024 * 1024
"""Files of 10 MiB grow by a third in a mail."""
MAX_PARTS = 60
MAX_BEGUN = 4 * MAX_PARTS
"""Parts of any sort, those within a mail within the mail too: each costs whether it is taken or not."""
MAX_DEPTH = 8
"""Of parts within parts: each line is held against the boundary of every one that is open."""
MAX_LINES = 300_000
"""16 MiB of files in lines of 60 letters have 280 000."""
_LONG_MARK = re.compile(rb"[\r\n]--[^\r\n]{10000}")
"""A line that looks like a boundary and is none: the parser goes back over all blanks in it."""
MAX_HEADER_BYTES = 32 * 1024
"""Of the header block of the mail, and of each part."""
MAX_PARAMETERS = 100
"""Of one header: what the standard library takes for them grows with their square."""
MAX_TEXT = 4000
MAX_LINE = 200
MAX_REFERENCES = 50
_OUR_ID = re.compile(r"<[0-9a-f]{32}\.([A-Za-z0-9][A-Za-z0-9_.-]{0,63})@[^<>@\s]{1,255}>")
"""Message-IDs of letters: the notice and, behind a dot, the document."""
_OUR_NOTICE = re.compile(rb"<([0-9a-f]{32})(?:\.[A-Za-z0-9_.-]{1,64})?@")
_NUMBER = re.compile(r"([^\s〔\[（(:：]{1,20})[〔\[](\d{4})[〕\]](\d{1,6})号")
_TAG = re.compile(r"<[^<>]{0,2000}>")
_CHARSETS = {
    **dict.fromkeys(("utf8", "usascii", "ascii"), "utf-8"),
    **dict.fromkeys(("gb2312", "gbk", "cp936", "gb18030"), "gb18030"),
    **dict.fromkeys(("big5", "big5hkscs"), "big5hkscs"),
    **{f"utf16{order}": f"utf-16{'-' if order else ''}{order}" for order in ("", "le", "be")},
    **{f"iso8859{part}": f"iso8859-{part}" for part in range(1, 17) if part != 12},
    **{f"{word}125{page}": f"cp125{page}" for word in ("windows", "cp") for page in range(9)},
}
"""By name without signs. All take a time that grows as the text does; of the other codecs of Python some do not."""
_OWN_HEADERS = frozenset(
    {
        *("from", "subject", "message-id", "in-reply-to", "references", "return-path", "list-id", "precedence"),
        *("auto-submitted", "x-autoreply", "x-autorespond", "x-firenet-case", "x-firenet-digest"),
        "action",
    }
)
_REPORT_ACTIONS = {"delivered": "delivered", "failed": "failed"}
"""Of RFC 3464; what was `delayed`, or `relayed` to a server that reports nothing, proves nothing."""
_PART_HEADERS = frozenset({"content-type", "content-disposition", "content-transfer-encoding"})
_BULK = frozenset({"bulk", "junk", "list", "auto_reply"})


class MailSort(StrEnum):
    """What a mail is."""

    REPLY = "reply"
    UNKNOWN = "unknown"
    AUTOMATIC = "automatic"
    BOUNCE = "bounce"
    REFUSED = "refused"


JOINABLE = frozenset({MailSort.REPLY, MailSort.UNKNOWN, MailSort.AUTOMATIC})
"""What a person may say to be the answer to a document: not what was refused unread, nor a delivery report."""


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
    report: tuple[str, str] | None = None


def read(raw: bytes, ours: frozenset[str] = frozenset()) -> Mail:
    """Return what the mail is. `ours` are the addresses that our own mails come from. Never raises for its content."""
    mail_id = sha256(raw).hexdigest()
    if len(raw) > MAX_MAIL_BYTES:
        return refused(mail_id, "too_large", len(raw))
    try:
        return _read(raw, mail_id, ours)
    except _OutOfBounds as error:
        return refused(mail_id, str(error), len(raw))
    except Exception as error:  # noqa: BLE001 - the parser stumbles over much; no mail may keep the next one waiting
        return refused(mail_id, f"unreadable:{type(error).__name__}", len(raw))


def refused(mail_id: str, reason: str, size: int) -> Mail:
    return Mail(mail_id, MailSort.REFUSED, reason, "", "", "", "", "", size)


class _OutOfBounds(Exception):
    """A mail that would cost too much to read on; its only argument is the reason."""


class _Part(Message):
    """A part as the parser makes it: it ends the parsing at the first bound. Of each header that is read the first.

    The parser of headers that the default policy brings takes seconds for some of a few kilobytes, at each look: here
    a header is a line, and what of it is asked is taken from it by functions that are bounded.
    """

    def __init__(self, policy: Compat32) -> None:
        super().__init__(policy)
        self._depth = 0
        self._header_bytes = 0

    def set_raw(self, name: str, value: str) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > MAX_HEADER_BYTES:
            raise _OutOfBounds("headers_too_large")
        known = name.lower()
        if known not in _OWN_HEADERS | _PART_HEADERS or known in self:
            return
        if known in _PART_HEADERS and value.count(";") > MAX_PARAMETERS:
            raise _OutOfBounds("too_many_parameters")
        plain = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        super().set_raw(name, plain.replace("\r", "").replace("\n", ""))

    def attach(self, payload: "_Part") -> None:  # type: ignore[override]  # the parser attaches what we made
        payload._depth = self._depth + (self.get_content_maintype() == "multipart")
        if payload._depth > MAX_DEPTH:
            raise _OutOfBounds("nested_too_deep")
        super().attach(payload)

    def get_boundary(self, failobj: object = None) -> str | None:  # type: ignore[override]  # no other is asked for
        return self.parameter("boundary").rstrip() or None

    def parameter(self, name: str, header: str = "content-type") -> str:
        """Return a parameter of a header, "" when it has none."""
        found = self.get_param(name, "", header)
        if isinstance(found, tuple):
            return _in_charset(found[2].encode("latin-1", "replace"), found[0] or "")
        return str(found)

    def filename(self) -> str:
        return _words((self.parameter("filename", "content-disposition") or self.parameter("name"))[: 10 * MAX_LINE])

    def is_attachment(self) -> bool:
        return self.get_content_disposition() == "attachment"


def _read(raw: bytes, mail_id: str, ours: frozenset[str]) -> Mail:
    message = _parsed(raw)
    parts = list(_leaves(message))
    if len(parts) > MAX_PARTS:
        raise _OutOfBounds("too_many_parts")
    name, sender = parseaddr(_printable(str(message.get("from", ""))[: 10 * MAX_LINE]))
    sort, reason = _sort(message, sender.lower(), ours)
    files, left_out = _files(parts) if sort in JOINABLE else ((), "")  # a person may find that it is an answer
    message_id, subject, text = _header(message, "message-id"), _header(message, "subject"), _text(parts)
    if message_id:  # the same mail by another way: what servers wrote on top of it differs
        said = (message_id, sender, subject, text, *(one.sha256 for one in files))
        mail_id = sha256("\0".join(said).encode()).hexdigest()
    return Mail(
        mail_id=mail_id,
        sort=sort,
        reason=" ".join(filter(None, (reason, left_out))),
        message_id=message_id,
        sender=sender[:MAX_LINE],
        sender_name=_printable(_words(name))[:MAX_LINE],
        subject=subject,
        text=text,
        size=len(raw),
        documents=_documents(message),
        report=_report(message) if sort is MailSort.BOUNCE else None,
        numbers=numbers_in(subject),
        files=files,
    )


def _report(message: _Part) -> tuple[str, str] | None:
    """Return (notice id, `delivered` or `failed`) of a report about one of our mails; None where it says neither.

    Of the mail that it is about it brings the headers along, or all of it.
    """
    if message.get_content_type() != "multipart/report":
        return None
    notice = action = ""
    for part in _leaves(message):
        kind, inner = part.get_content_type(), part.get_payload()
        if kind == "message/delivery-status" and isinstance(inner, list):
            said = {str(one.get("action", ""))[:MAX_LINE].strip().lower() for one in inner if isinstance(one, _Part)}
            action = next((word for word in said if word), "") if len(said - {""}) == 1 else ""
        elif kind == "message/rfc822" and isinstance(inner, list) and inner and isinstance(inner[0], _Part):
            notice = notice or _notice_in(str(inner[0].get("message-id", ""))[:MAX_LINE].encode())
        elif kind == "text/rfc822-headers":
            lines = _bytes(part)[:MAX_HEADER_BYTES].splitlines()
            named = next((line for line in lines if line[:11].lower() == b"message-id:"), b"")
            notice = notice or _notice_in(named[:MAX_LINE])
    word = _REPORT_ACTIONS.get(action)
    return (notice, word) if notice and word else None


def _notice_in(message_id: bytes) -> str:
    found = _OUR_NOTICE.search(message_id)
    return found[1].decode() if found else ""


def _parsed(raw: bytes) -> _Part:
    """Return the mail in parts. Raises _OutOfBounds."""
    if raw.count(b"\n") + raw.count(b"\r") - raw.count(b"\r\n") > MAX_LINES:
        raise _OutOfBounds("too_many_lines")
    if _LONG_MARK.search(raw):
        raise _OutOfBounds("line_too_long")
    begun = 0

    def part(policy: Compat32 = compat32) -> _Part:
        nonlocal begun
        begun += 1
        if begun > MAX_BEGUN:
            raise _OutOfBounds("too_many_parts")
        return _Part(policy)

    message = BytesParser(part, policy=compat32).parsebytes(raw)
    assert isinstance(message, _Part)
    return message


def _leaves(message: _Part) -> Iterator[_Part]:
    """Yield the parts that hold something. A mail within a mail is not opened."""
    if message.get_content_maintype() != "multipart":
        yield message
    elif message.is_multipart():
        for part in message.get_payload():
            assert isinstance(part, _Part)
            yield from _leaves(part)


def _header(message: _Part, name: str) -> str:
    """Return a header as one printable line of bounded length."""
    return _printable(_words(str(message.get(name, ""))[: 10 * MAX_LINE]))[:MAX_LINE]


def _printable(text: str) -> str:
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _words(text: str) -> str:
    """Return a text with its encoded words (RFC 2047) as what they say; as it stands where they say nothing."""
    if "=?" not in text:
        return text
    try:
        found = decode_header(text)
    except (HeaderParseError, ValueError):
        return text
    return "".join(one if isinstance(one, str) else _word(one, charset) for one, charset in found)


def _word(content: bytes, charset: str | None) -> str:
    """Return what the standard library took out of a header: what was no encoded word has no character set."""
    if charset is None:
        return content.decode("raw-unicode-escape", "replace")
    return _in_charset(content, charset)


def _in_charset(content: bytes, charset: str) -> str:
    """Return bytes as text; whatever cannot be read is marked, in a character set that is not taken all of it."""
    plain = re.sub(r"[^a-z0-9]", "", charset[:MAX_LINE].partition("*")[0].lower())
    return content.decode(_CHARSETS.get(plain, "utf-8"), "replace")


def _sort(message: _Part, sender: str, ours: frozenset[str]) -> tuple[MailSort, str]:
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


def _documents(message: _Part) -> tuple[str, ...]:
    """Return the documents that its thread names: what it answers first, then the thread from its end."""
    answered = _words(str(message.get("in-reply-to", ""))[: 10 * MAX_LINE])[:MAX_LINE]  # some encode long ones
    thread = _words(str(message.get("references", ""))[: MAX_REFERENCES * MAX_LINE])
    found = [*_OUR_ID.findall(answered), *reversed(_OUR_ID.findall(thread))]
    return tuple(dict.fromkeys(found))[:MAX_REFERENCES]


def numbers_in(subject: str) -> tuple[NumberRef, ...]:
    """Return the document numbers that a line of text names, the first five."""
    return tuple(NumberRef(mark, int(year), int(serial)) for mark, year, serial in _NUMBER.findall(subject))[:5]


def _text(parts: Sequence[_Part]) -> str:
    """Return what it says: the first plain text, else the first page without its tags."""
    for wanted in ("text/plain", "text/html"):
        for part in parts:
            if part.get_content_type() == wanted and not part.is_attachment():
                content = _bytes(part)[: 40 * MAX_TEXT]
                text = _in_charset(content, part.parameter("charset"))[: 10 * MAX_TEXT]
                plain = _TAG.sub(" ", text) if wanted == "text/html" else text
                return "".join(one for one in plain if one.isprintable() or one in "\n\t").strip()[:MAX_TEXT]
    return ""


def _bytes(part: _Part) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _files(parts: Sequence[_Part]) -> tuple[tuple[Upload, ...], str]:
    """Return the files that are taken, by what their content is, and how many were left out."""
    taken: list[Upload] = []
    left_out = 0
    room = MAX_ALL_BYTES
    for part in parts:
        name = part.filename()
        if not part.is_attachment() and not name:
            continue
        content = _bytes(part)
        try:
            found = checked_uploads([(name or "file", content)])
        except BadUpload:
            found = ()
        if not found or len(taken) == MAX_FILES or len(content) > room:
            left_out += 1
            continue
        room -= len(content)
        taken += found
    return tuple(taken), f"files_left_out:{left_out}" if left_out else ""
