"""Ids derived from a cause: the same cause gives the same id in every process and in every replay.

The same function as schemas.ids (a test holds the two equal); the domain sees no wire module.
"""

from hashlib import blake2b


def derive(*parts: str) -> str:
    """Return 32 hex digits that depend on every part and on where one part ends and the next begins."""
    digest = blake2b(digest_size=16)
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big"))
        digest.update(raw)
    return digest.hexdigest()


def finding_id(unit_id: str, kind: str, cause_id: str) -> str:
    """Return the id of the finding that `cause_id` began; for a fire that is the id of its first signal."""
    return derive("finding", unit_id, kind, cause_id)
