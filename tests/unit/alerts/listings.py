"""Listings for tests: who does what, and what is said with it."""

from datetime import date, datetime, timedelta

from services.alerts.domain.ids import CaseId
from services.alerts.domain.listing.listing import Listing, Said, after, proposed
from services.kernel.calendar import CHINA
from services.kernel.uploads import PDF, Upload
from services.kernel.words import ListingAct, ListingLevel
from tests.unit.alerts.build import T0

TODAY = T0.astimezone(CHINA).date()
FILE = Upload("整改照片.pdf", PDF, b"%PDF-1.7 evidence")
ACTS = tuple(act for act in ListingAct if act is not ListingAct.PROPOSE)


def every_day(day: date) -> bool:
    return True


def said(now: datetime = T0, *, days: int = 30, **more: object) -> Said:
    """All that any act may need, said on the day of `now`."""
    today = now.astimezone(CHINA).date()
    found: dict[str, object] = {
        "text": "理由",
        "level": ListingLevel.DISTRICT,
        "number": "鼓政办〔2026〕88号",
        "on": today,
        "until": today + timedelta(days=days),
        "inspector": "李建国",
        "files": (FILE,),
    }
    return Said(**found | more)  # type: ignore[arg-type] # names of its fields


def new(case_id: str = "C1", at: datetime = T0) -> Listing:
    return proposed(CaseId(case_id), 1, "brigade-1", "长期离线", at)


def done(listing: Listing, *acts: tuple[ListingAct, str], at: datetime = T0, **more: object) -> Listing:
    """Return the listing after these acts of these accounts."""
    for act, by in acts:
        listing = after(listing, act, by, said(at, **more), at, every_day)  # type: ignore[arg-type] # as above
    return listing


LIST = (ListingAct.LIST, "a")
HAND_IN = (ListingAct.HAND_IN, "clerk")
PASS = (ListingAct.PASS_RECHECK, "b")
APPROVE = (ListingAct.APPROVE_CLOSURE, "c")
