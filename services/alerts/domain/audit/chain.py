"""The audit chain: each entry's hash covers the hash before it, so that no entry can be changed or taken out unseen.

It covers the entry by its digest. So a part of the chain can be proven to somebody who must not read the entries of
others in it: of those he gets the digests alone (`python -m services.alerts bundle`).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC
from hashlib import sha256

from services.alerts.domain.audit.entry import AuditEntry

GENESIS = "0" * 64


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


def canonical(seq: int, entry: AuditEntry) -> str:
    """Return the entry as JSON that is the same whoever writes it: sorted keys, no spaces, UTC in microseconds."""
    row = {
        "seq": seq,
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": entry.actor,
        "action": entry.action,
        "case_id": entry.case_id,
        "detail": entry.detail,
    }
    return json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(seq: int, entry: AuditEntry) -> str:
    """Return sha256 of the entry alone."""
    return sha256(canonical(seq, entry).encode()).hexdigest()


def hash_of(digest: str, prev_hash: str) -> str:
    """Return sha256 over the hash before and the digest of the entry, both as hex."""
    return sha256(f"{prev_hash}{digest}".encode()).hexdigest()


def _hash_of_before(seq: int, entry: AuditEntry, prev_hash: str) -> str:
    """Return the hash as entries of before have it: over the entry itself."""
    return sha256(f"{prev_hash}{canonical(seq, entry)}".encode()).hexdigest()


def chain(entries: Iterable[AuditEntry], last_seq: int, last_hash: str) -> list[Link]:
    """Return the entries linked behind the last one (`0`, `GENESIS` for an empty chain)."""
    links = []
    for seq, entry in enumerate(entries, start=last_seq + 1):
        links.append(Link(seq, entry, last_hash, hash_of(digest_of(seq, entry), last_hash)))
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
        if link.hash not in (
            hash_of(digest_of(link.seq, link.entry), last),
            _hash_of_before(link.seq, link.entry, last),
        ):
            return Verified(count, last, link.seq, "was changed after it was written")
        count, last = link.seq, link.hash
    return Verified(count, last)
