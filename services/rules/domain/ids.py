"""Ids derived from a cause: the same cause gives the same id in every process and in every replay.

The same function as schemas.ids (a test holds the two equal); the domain sees no wire module.
"""

from hashlib import blake2b

_LENGTHS = tuple(length.to_bytes(4, "big") for length in range(256))


def derive(*parts: str) -> str:
    """Return 32 hex digits that depend on every part and on where one part ends and the next begins."""
    joined = b""
    for part in parts:
        raw = part.encode()
        joined += (_LENGTHS[len(raw)] if len(raw) < 256 else len(raw).to_bytes(4, "big")) + raw
    return blake2b(joined, digest_size=16).hexdigest()


SIGNAL_DIGITS = 32
DELIVERY_DIGITS = 20
"""So many of the digits of a signal's id name the delivery by the broker (schemas/ids.py)."""


def finding_id(unit_id: str, kind: str, cause_id: str) -> str:
    """Return the id of the finding that `cause_id` began; for a fire that is the id of its first signal."""
    return derive("finding", unit_id, kind, cause_id)
