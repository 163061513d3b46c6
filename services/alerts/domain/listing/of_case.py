"""What a listing does to its case: its deadline is a clock of the case, and the case stays open as long as it runs."""

from dataclasses import replace
from datetime import datetime, timedelta

from services.alerts.domain.case.case import Case
from services.alerts.domain.case.clocks import Clock
from services.alerts.domain.case.lifecycle import close
from services.alerts.domain.escalation.ladder import Pace, clock_from
from services.alerts.domain.listing.listing import Listing
from services.kernel.words import ClockKind

CLOSED_BY_LISTING = "listing_closed"
"""Why a case was closed whose trouble had ended before, when its listing was closed."""


def under(case: Case, listing: Listing, now: datetime, pace: Pace) -> Case:
    """Return the case as the listing has it now.

    In force its deadline is a clock of the case. Closed, a case whose trouble is over is closed with it; one whose
    trouble stands goes on climbing: that an authority closed its file mends nothing.
    """
    clock = None
    if listing.is_in_force:
        assert listing.due_at is not None, "what is listed has a deadline"
        clock = Clock(listing.due_at, listing.listing_id)
    after = replace(case, clocks=case.clocks.set(ClockKind.LISTING, clock))
    if not after.is_open:
        return after
    if clock is None and after.cured_at is not None:
        return close(after, CLOSED_BY_LISTING, now)
    if case.step is None or case.flapping.quiet_until is not None:
        return after  # its first step waits for a common cause, or it is quiet: that clock is not ours to move
    return clock_from(after, now, timedelta(0), pace)
