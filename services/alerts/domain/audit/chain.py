"""The audit chain: each entry's hash covers the hash before it, so that no entry can be changed or taken out unseen."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC

from services.alerts.domain.audit.entry import AuditEntry
from services.kernel.chain import GENESIS, chained

__all__ = ["GENESIS", "Link", "Verified", "chain", "hash_of", "verify"]


@dataclass(frozen=True, slots=True)
class Link:
    """An entry in its place in the chain."""

    seq: int
    entry: AuditEntry
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Verified:
    """`broken_at` is the first place that does not fit, None when all do; `last_hash` is worth keeping elsewhere."""

    entries: int
    last_hash: str
    broken_at: int | None = None
    why: str = ""


def hash_of(seq: int, entry: AuditEntry, prev_hash: str) -> str:
    """Return sha256 over the previous hash and the canonical JSON of the entry (sorted keys, no spaces, UTC)."""
    row = {
        "seq": seq,
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": entry.actor,
        "action": entry.action,
        "case_id": entry.case_id,
        "detail": entry.detail,
    }
    return chained(prev_hash, row)


def chain(entries: Iterable[AuditEntry], last_seq: int, last_hash: str) -> list[Link]:
    """Return the entries linked behind the last one (`0`, `GENESIS` for an empty chain)."""
    links = []
    for seq, entry in enumerate(entries, start=last_seq + 1):
        links.append(Link(seq, entry, last_hash, hash_of(seq, entry, last_hash)))
        last_hash = links[-1].hash
    return links


def verify(links: Iterable[Link], start: Verified = Verified(0, GENESIS)) -> Verified:
    """Return how far the chain holds, going on from `start`; `links` must be in the order of `seq`."""
    count, last = start.entries, start.last_hash
    if start.broken_at is not None:
        return start
    for link in links:
        if link.seq != count + 1:
            return Verified(count, last, count + 1, "an entry is missing")
        if link.prev_hash != last:
            return Verified(count, last, link.seq, "does not follow the entry before it")
        if hash_of(link.seq, link.entry, link.prev_hash) != link.hash:
            return Verified(count, last, link.seq, "was changed after it was written")
        count, last = link.seq, link.hash
    return Verified(count, last)
