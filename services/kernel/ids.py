"""Ids derived from a cause: the same cause gives the same id in every process and in every replay."""

from hashlib import blake2b

SIGNAL_DIGITS = 32
DELIVERY_DIGITS = 20
"""So many of the digits of a signal's id name the delivery by the broker, the others the reception."""

_LENGTHS = tuple(length.to_bytes(4, "big") for length in range(256))


def derive(*parts: str | bytes) -> str:
    """Return 32 hex digits that depend on every part and on where one part ends and the next begins."""
    said: list[bytes] = []
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        said.append(_LENGTHS[len(raw)] if len(raw) < len(_LENGTHS) else len(raw).to_bytes(4, "big"))
        said.append(raw)
    return blake2b(b"".join(said), digest_size=16).hexdigest()  # at once: a third less than part by part


def finding_id(unit_id: str, kind: str, cause_id: str) -> str:
    """Return the id of the finding that `cause_id` began.

    Rules and the fire lane of alerts both call it: for a fire `cause_id` is the id of the signal that began it, so
    the finding that rules makes later joins the case that alerts has already opened.
    """
    return derive("finding", unit_id, kind, cause_id)
