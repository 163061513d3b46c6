"""The link of one document to one recipient: what it says, and the proof that we said it.

    base64url(document . recipient . end) . base64url(HMAC-SHA256, the first 20 bytes)

Whoever sends mail makes it, whoever keeps the documents proves it; the two share a key and nothing else. The link
itself is kept nowhere, so a stolen table opens nothing. It carries no right beyond its one document, and what it says
of its recipient is looked up again at each use: taking it back is a row, not a new key.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

MAX_LINK = 400
"""Characters; a longer one is none of ours and is not even looked into."""
_PROOF_BYTES = 20
_CONTEXT = b"firenet link 1\n"
"""Keeps the key's other uses, should there ever be any, apart from this one."""


@dataclass(frozen=True, slots=True)
class Link:
    """`recipient` is the contact that it was sent to. It opens nothing from `until` on (whole seconds, UTC)."""

    document_id: str
    recipient: str
    until: datetime


def sealed(link: Link, key: bytes) -> str:
    """Return the link as it stands in an address: the same arguments give the same text."""
    said = f"{link.document_id}\n{link.recipient}\n{int(link.until.timestamp())}".encode()
    return f"{_text(said)}.{_text(_proof(said, key))}"


def opened(text: str, keys: Sequence[bytes], now: datetime) -> Link | None:
    """Return what a link says; None when none of the keys made it, or its time is over. Nothing tells which."""
    said, _, proof = text.partition(".")
    if len(text) > MAX_LINK:
        return None
    try:
        raw, given = _bytes(said), _bytes(proof)
    except (ValueError, binascii.Error):
        return None
    # what the link says is read only when one of the keys made it
    if not any(hmac.compare_digest(_proof(raw, key), given) for key in keys):
        return None
    document_id, recipient, until = raw.decode().split("\n")
    link = Link(document_id, recipient, datetime.fromtimestamp(int(until), UTC))
    return link if now < link.until else None


def _proof(said: bytes, key: bytes) -> bytes:
    return hmac.new(key, _CONTEXT + said, hashlib.sha256).digest()[:_PROOF_BYTES]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _text(raw) != text:
        raise ValueError("there is one way to write a link")
    return raw
