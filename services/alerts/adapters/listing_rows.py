"""Rows of listings to domain values and back."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from services.alerts.domain.ids import CaseId
from services.alerts.domain.listing.listing import Extension, LadderProposal, Listing, ListingEntry, ListingId, Recheck
from services.kernel.words import ListingLevel, ListingState

Row = dict[str, Any]


def listing_row(listing: Listing) -> Row:
    extension, recheck = listing.extension, listing.recheck
    return {
        "listing_id": listing.listing_id,
        "case_id": listing.case_id,
        "number": listing.number,
        "state": str(listing.state),
        "proposed_at": listing.proposed_at,
        "proposed_by": listing.proposed_by,
        "reason": listing.reason,
        "level": None if listing.level is None else str(listing.level),
        "document": listing.document,
        "listed_on": _text(listing.listed_on),
        "deadline": _text(listing.deadline),
        "due_at": listing.due_at,
        "extension": None
        if extension is None
        else {
            "by": extension.by,
            "at": extension.at.isoformat(),
            "until": extension.until.isoformat(),
            "reason": extension.reason,
        },
        "evidence": listing.evidence,
        "files": listing.files,
        "recheck": None
        if recheck is None
        else {
            "inspector": recheck.inspector,
            "on": recheck.on.isoformat(),
            "by": recheck.by,
            "at": recheck.at.isoformat(),
        },
        "approved_by": listing.approved_by,
        "ended_at": listing.ended_at,
        "revision": listing.revision,
    }


def listing_of(row: Mapping[str, Any]) -> Listing:
    """Return the listing of a row with the columns of `listing_names` in `sql/`."""
    extension, recheck = row["extension"], row["recheck"]
    return Listing(
        listing_id=ListingId(row["listing_id"]),
        case_id=CaseId(row["case_id"]),
        number=row["number"],
        state=ListingState(row["state"]),
        proposed_at=row["proposed_at"],
        proposed_by=row["proposed_by"],
        reason=row["reason"],
        level=None if row["level"] is None else ListingLevel(row["level"]),
        document=row["document"],
        listed_on=row["listed_on"],
        deadline=row["deadline"],
        due_at=row["due_at"],
        extension=None
        if extension is None
        else Extension(
            extension["by"],
            datetime.fromisoformat(extension["at"]),
            date.fromisoformat(extension["until"]),
            extension["reason"],
        ),
        evidence=row["evidence"],
        files=row["files"],
        recheck=None
        if recheck is None
        else Recheck(
            recheck["inspector"],
            date.fromisoformat(recheck["on"]),
            recheck["by"],
            datetime.fromisoformat(recheck["at"]),
        ),
        approved_by=row["approved_by"],
        ended_at=row["ended_at"],
        revision=row["revision"],
    )


def entry_row(entry: ListingEntry, case_id: CaseId) -> Row:
    return {
        "listing_id": entry.listing_id,
        "number": entry.number,
        "case_id": case_id,
        "at": entry.at,
        "by": entry.by,
        "body_code": entry.body_code,
        "act": str(entry.act),
        "detail": dict(entry.detail),
        "due_at": entry.due_at,
    }


def with_acts(listings: Sequence[Mapping[str, Any]], acts: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return the rows of listings, each with those of its acts in their order."""
    return [{**one, "acts": [act for act in acts if act["listing_id"] == one["listing_id"]]} for one in listings]


def proposal_row(proposal: LadderProposal) -> Row:
    return {
        "listing_id": proposal.listing_id,
        "case_id": proposal.case_id,
        "at": proposal.at,
        "detail": {"step": proposal.step, "clause": proposal.clause},
    }


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
