"""Identifiers of alerts. Those derived here are the same in every process and every replay."""

from hashlib import blake2b
from typing import NewType

CaseId = NewType("CaseId", str)
NoticeId = NewType("NoticeId", str)
RequestId = NewType("RequestId", str)
ContactId = NewType("ContactId", str)
BodyCode = NewType("BodyCode", str)


def digest(size: int, *parts: str) -> str:
    """Return 2 * `size` hex digits over the parts; their lengths are in it, so no two lists of parts read alike."""
    found = blake2b(digest_size=size)
    for part in parts:
        raw = part.encode()
        found.update(len(raw).to_bytes(4, "big") + raw)
    return found.hexdigest()
