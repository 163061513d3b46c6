"""Mails as files: the bytes as they came, and beside them what the envelope said. Every mail is taken as hostile."""

import email
import email.errors
import email.header
import email.message
import email.utils
import json
import os
import re
import secrets
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from services.runtime.clock import Clock

MAX_TEXT_CHARS = 20_000
MAX_FIELD_CHARS = 1_000
MAX_ATTACHMENTS = 20
_KEY = re.compile(r"[0-9]{20}-[0-9a-f]{12}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file in a mail, as its sender calls it: nothing of this is believed."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as a page may show it: decoded, shortened, without control characters, but **not** escaped."""

    key: str
    received_at: str
    envelope_from: str
    envelope_to: list[str]
    subject: str
    sender: str
    to: str
    message_id: str
    text: str
    size_bytes: int


class MailStore:
    """A folder of mails, safe for one writer and many readers, in this process or others."""

    def __init__(self, folder: Path, *, keep: int, clock: Clock) -> None:
        self._folder = folder
        self._keep = keep
        self._clock = clock
        self._lock = threading.Lock()

    def add(self, envelope_from: str, envelope_to: list[str], body: bytes) -> str:
        """Return the key of the mail once its bytes and its envelope are on disk.

        Raises:  OSError when they could not be stored; nothing of the mail is visible then.
        """
        now = self._clock.now()
        key = f"{now:%Y%m%d%H%M%S%f}-{secrets.token_hex(6)}"
        mail = read(key, now.isoformat(), envelope_from, envelope_to, body)
        with self._lock:
            _write(self._folder / f"{key}.eml", body)
            _write(self._folder / f"{key}.json", json.dumps(asdict(mail)).encode())  # makes it visible
            for old in self.keys()[self._keep :]:
                (self._folder / f"{old}.json").unlink(missing_ok=True)
                (self._folder / f"{old}.eml").unlink(missing_ok=True)
        return key

    def keys(self) -> list[str]:
        """Return every key, the newest first."""
        found = (path.stem for path in self._folder.glob("*.json"))
        return sorted((key for key in found if _KEY.fullmatch(key)), reverse=True)

    def mails(self, limit: int | None = None) -> list[Mail]:
        """Return the mails or the newest of them, the newest first; one that vanishes meanwhile is left out."""
        found = (self.mail(key) for key in self.keys()[:limit])
        return [mail for mail in found if mail is not None]

    def mail(self, key: str) -> Mail | None:
        """Return None for a key that is not of ours or whose mail is gone."""
        content = self._content(key, "json")
        return None if content is None else Mail(**json.loads(content))

    def body(self, key: str) -> bytes | None:
        """Return the bytes as they came."""
        return self._content(key, "eml")

    def attachments(self, key: str) -> list[Attachment]:
        """Return the files in a mail, none of one that is gone or cannot be read."""
        return attachments(self.body(key) or b"")

    def _content(self, key: str, kind: str) -> bytes | None:
        if not _KEY.fullmatch(key):
            return None
        try:
            return (self._folder / f"{key}.{kind}").read_bytes()
        except FileNotFoundError:
            return None


def read(key: str, received_at: str, envelope_from: str, envelope_to: list[str], body: bytes) -> Mail:
    """Take out of a mail what can be shown; what cannot be understood is shown as it is, never refused."""
    try:
        message = email.message_from_bytes(body)  # the old policy: it does not raise on a bad header
        text = _text(message)
    except Exception:  # noqa: BLE001 - hostile nesting makes the parser raise RecursionError and kinds it does not name
        message, text = email.message.Message(), "(cannot be read; see the source)"
    return Mail(
        key=key,
        received_at=received_at,
        envelope_from=_clean(envelope_from),
        envelope_to=[_clean(to) for to in envelope_to],
        subject=_header(message, "subject"),
        sender=_header(message, "from"),
        to=_header(message, "to"),
        message_id=_header(message, "message-id"),
        text=text,
        size_bytes=len(body),
    )


def attachments(body: bytes) -> list[Attachment]:
    """Return what a mail says to be files, the first twenty."""
    try:
        parts = [
            part for part in email.message_from_bytes(body).walk() if part.get_content_disposition() == "attachment"
        ]
        return [_attachment(part) for part in parts[:MAX_ATTACHMENTS]]
    except Exception:  # noqa: BLE001 - as in `read`
        return []


def _attachment(part: email.message.Message) -> Attachment:
    content = part.get_payload(decode=True)
    name = str(email.header.make_header(email.header.decode_header(part.get_filename() or "")))
    return Attachment(_clean(name) or "file", content if isinstance(content, bytes) else b"")


def _header(message: email.message.Message, name: str) -> str:
    raw = str(message.get(name, ""))
    try:
        return _clean(str(email.header.make_header(email.header.decode_header(raw))))
    except (LookupError, UnicodeError, ValueError, email.errors.MessageError):
        return _clean(raw)


def _text(message: email.message.Message) -> str:
    """Return the first plain part; of a mail that has none, say so rather than show its markup."""
    for part in message.walk():
        if part.get_content_type() == "text/plain" and not part.is_multipart():
            content = part.get_payload(decode=True)
            raw = content if isinstance(content, bytes) else b""
            try:
                text = raw.decode(part.get_content_charset() or "utf-8", "replace")
            except (LookupError, ValueError):
                text = raw.decode("utf-8", "replace")
            return _CONTROL.sub("", text.replace("\r\n", "\n")).rstrip()[:MAX_TEXT_CHARS]
    return "(no plain text)"


def _clean(value: str) -> str:
    return _CONTROL.sub("", " ".join(value.split()))[:MAX_FIELD_CHARS]


def _write(path: Path, content: bytes) -> None:
    draft = path.with_suffix(path.suffix + ".new")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
