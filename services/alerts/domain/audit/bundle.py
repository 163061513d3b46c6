"""An evidence bundle: all that happened to one case, in one archive that a third party checks without us."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

from services.alerts.domain.audit.chain import Link, Verified, digest_of, hash_of
from services.alerts.domain.ids import CaseId

FORMAT = 1
MANIFEST = "manifest.json"
MAX_LINKS = 1_000_000
"""A case that stayed open while more happened to others is told to be cut at the operator's, not packed."""
Rows = Sequence[Mapping[str, Any]]


class NoBundle(Exception):
    """There is none to be made; the message says why."""


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """The rows of one case as they are stored, by the name of their table; `case` is one row."""

    case: Mapping[str, Any]
    steps: Rows
    clocks: Rows
    notices: Rows
    receipts: Rows
    requests: Rows
    listings: Rows = ()
    listing_acts: Rows = ()
    listing_files: Rows = ()


@dataclass(frozen=True, slots=True)
class ChainPart:
    """The part of the chain from the first entry of a case to its last: `own` entries whole, of all their digests."""

    before_hash: str
    own: Sequence[Link]
    digests: Sequence[tuple[int, str]]

    @property
    def last_hash(self) -> str:
        last = self.before_hash
        for _, digest in self.digests:
            last = hash_of(digest, last)
        return last


def part_of(links: Sequence[Link], case_id: CaseId) -> ChainPart:
    """Return the part that `links` are, the first and last of which are of the case. Raises NoBundle."""
    if not links:
        raise NoBundle("nothing of this case is sealed in the audit chain yet: try again in a minute")
    for link in links:
        if hash_of(digest_of(link.seq, link.entry), link.prev_hash) != link.hash:
            raise NoBundle(
                f"entry {link.seq} of the audit chain does not hold, or is of a version that sealed entries without "
                "their digest: verify-audit says which"
            )
    own = [link for link in links if link.entry.case_id == case_id]
    return ChainPart(links[0].prev_hash, own, [(link.seq, digest_of(link.seq, link.entry)) for link in links])


def files_of(
    record: CaseRecord, part: ChainPart, index: str, verifier: str, verified: Verified, now: datetime
) -> dict[str, bytes]:
    """Return the files of the bundle by name, the manifest last. The same record makes the same bytes but `made_at`."""
    files = {
        "index.html": index.encode(),
        "case.json": _json(record.case),
        "steps.json": _json(record.steps),
        "clocks.json": _json(record.clocks),
        "notices.json": _json(record.notices),
        "receipts.json": _json(record.receipts),
        "requests.json": _json(record.requests),
        "listings.json": _json(record.listings),
        "listing_acts.json": _json(record.listing_acts),
        "listing_files.json": _json([_without_content(row) for row in record.listing_files]),
        "audit.json": _json([_entry(link) for link in part.own]),
        "chain.json": json.dumps(part.digests, separators=(",", ":")).encode(),
        "verify.py": verifier.encode(),
    }
    for number, notice in enumerate(record.notices, start=1):
        files[f"notices/{number:04d}-{notice['channel']}.txt"] = f"{notice['subject']}\n\n{notice['body']}".encode()
        if notice.get("html"):
            files[f"notices/{number:04d}-{notice['channel']}.html"] = str(notice["html"]).encode()
    for row in record.listing_files:
        files[evidence_name(row)] = bytes(row["content"])
    manifest = {
        "format": FORMAT,
        "case_id": record.case["case_id"],
        "made_at": now.astimezone(UTC).isoformat(timespec="seconds"),
        "chain": {
            "first_seq": part.digests[0][0],
            "last_seq": part.digests[-1][0],
            "before_hash": part.before_hash,
            "last_hash": part.last_hash,
            "whole_chain": {"entries": verified.entries, "last_hash": verified.last_hash},
        },
        "files": {name: {"sha256": sha256(body).hexdigest(), "bytes": len(body)} for name, body in files.items()},
    }
    return {**files, MANIFEST: _json(manifest)}


def evidence_name(row: Mapping[str, Any]) -> str:
    """Return what a file that was handed in with a listing is called in the bundle."""
    return f"listings/{row['listing_id']}-{row['number']}-{row['sha256'][:16]}-{row['name']}"


def _without_content(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "content"}


def _entry(link: Link) -> dict[str, Any]:
    entry = link.entry
    return {
        "seq": link.seq,
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": entry.actor,
        "action": entry.action,
        "case_id": entry.case_id,
        "detail": entry.detail,
        "prev_hash": link.prev_hash,
        "hash": link.hash,
    }


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, default=_plain).encode()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")
