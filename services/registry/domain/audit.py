"""Who did what to adjustments and proposals, in one chain that no entry can be taken out of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from services.kernel import chain
from services.kernel.chain import Link, linked
from services.registry.domain.adjustments import Adjustment
from services.registry.domain.approval import Person
from services.registry.domain.proposals import Proposal

MAX_AUDITED = 50
"""So many ids of a file stand in an entry; the file itself is kept, and its hash is in the entry."""
Detail = Mapping[str, str | int | list[str] | None]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """`about`: the id of an adjustment or a proposal; column and hash call it `adjustment_id`, which came first."""

    at: datetime
    by: Person
    action: str
    about: str
    detail: Detail


AuditLink = Link[AuditEntry]


def entry(action: str, held: Adjustment, by: Person, now: datetime) -> AuditEntry:
    """Return what is written down of an action: the whole of what was asked for, and how it stands now."""
    request = held.request
    detail: Detail = {
        "unit_id": request.unit_id,
        "what": request.what.value,
        "from": _text(request.starts_at),
        "to": _text(request.ends_at),
        "counted_as": None if request.counted_as is None else request.counted_as.value,
        "system": request.system,
        "address": request.address,
        "trouble": None if request.trouble is None else request.trouble.value,
        "reason": request.reason,
        "evidence": request.evidence,
        "state": held.state.value,
        "approvals": list(held.approvals),
        "approvals_needed": held.approvals_needed,
        "note": held.note,
    }
    return AuditEntry(now, by, action, held.adjustment_id, detail)


def entry_of_proposal(action: str, held: Proposal, by: Person, now: datetime) -> AuditEntry:
    """Return what is written down of an action on a proposal: the file by its hash, and how it stands now."""
    request = held.request
    detail: Detail = {
        "kind": request.kind.value,
        "file_name": request.file_name,
        "sha256": held.sha256,
        "valid_from": None if request.valid_from is None else request.valid_from.isoformat(),
        "rows": held.rows,
        "entities": list(held.entities[:MAX_AUDITED]),
        "entities_total": len(held.entities),
        "reason": request.reason,
        "state": held.state.value,
        "approvals": list(held.approvals),
        "approvals_needed": held.approvals_needed,
        "note": held.note,
    }
    return AuditEntry(now, by, action, held.proposal_id, detail)


def link(what: AuditEntry, last: AuditLink | None) -> AuditLink:
    """Return an entry linked behind the last one."""
    return linked(what, last, _row)


def broken_at(links: Iterable[AuditLink]) -> int | None:
    """Return the first place in which the chain does not hold, None when all of it does. In the order of `seq`."""
    return chain.broken_at(links, _row)


def _row(seq: int, what: AuditEntry) -> dict[str, object]:
    return {
        "seq": seq,
        "at": _text(what.at),
        "account": what.by.account,
        "role": what.by.role.value,
        "via": what.by.via,
        "action": what.action,
        "adjustment_id": what.about,
        "detail": dict(what.detail),
    }


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
