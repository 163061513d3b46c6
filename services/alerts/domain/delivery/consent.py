"""The last question before sending: may this notice go out this very moment?"""

from dataclasses import dataclass
from datetime import datetime

from services.alerts.domain.case.case import Case
from services.alerts.domain.delivery.notice import Notice
from services.alerts.domain.delivery.reasons import Reason
from services.kernel.words import Purpose


@dataclass(frozen=True, slots=True)
class SendDecision:
    """Whether a claimed notice may go out this very moment; else why not, and until when it waits."""

    stop: Reason | None = None
    wait_until: datetime | None = None


def may_send(
    purpose: Purpose,
    created_at: datetime,
    case: Case,
    *,
    fire: bool,
    now: datetime,
    first: bool = False,
    body_code: str = "",
) -> SendDecision:
    """Ask again right before sending: the case may have been closed, acknowledged, reopened or held meanwhile.

    What `body_code` has signed for is not sent to it, unless it is about a fire.

    The `first` notice of a fire goes out whatever became of the case: who was not told of it hears that it was.
    """
    if first:
        return SendDecision()
    if purpose is Purpose.ALL_CLEAR:
        return SendDecision(Reason.REOPENED) if case.is_open else SendDecision()
    if not case.is_open:
        return SendDecision(Reason.CASE_CLOSED)
    if case.acknowledged is not None and created_at <= case.acknowledged.at:
        return SendDecision(Reason.ACKNOWLEDGED)
    signed_at = None if fire else case.signed_at(body_code)
    if signed_at is not None and created_at <= signed_at:
        return SendDecision(Reason.ACKNOWLEDGED)
    if case.grouping.holds(now) and not fire and not case.is_common:
        return SendDecision(Reason.HELD, case.grouping.held_until)
    return SendDecision()


def may_send_notice(notice: Notice, case: Case, now: datetime) -> SendDecision:
    """Ask it of a notice and its case."""
    return may_send(
        notice.purpose,
        notice.created_at,
        case,
        fire=notice.fire,
        now=now,
        first=notice.first,
        body_code=notice.to.body_code,
    )
