"""The life of an adjustment: asked for by one person, approved by others, and only then a fact.

    requested -> approved -> ended        (an exemption, maintenance or test that is cut short)
        |----> rejected                   (by a second person)
        '----> withdrawn                  (by who asked)

Nothing is ever deleted: what was rejected or withdrawn stays as it was. Times are UTC instants, `now` is an argument.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.kernel.words import AdjustmentKind, AdjustmentState, CountedAs, Role, SignalKind
from services.registry.domain.approval import (
    Person,
    approvals_with,
    bad,
    check_decides,
    check_withdraws,
    checked_person,
    optional,
    refused,
    text,
)
from services.registry.domain.errors import AdjustmentRefusal

MAX_NAME = 64
LONGEST = timedelta(days=366)
"""Beyond it somebody slipped on the keyboard; a unit that is let off for longer is retired, or out of scope."""
LATEST_ENTRY = timedelta(days=1)
"""A repair may begin before anybody has typed it in. What lies further back is over, and a matter for a correction."""
MINUTE = timedelta(minutes=1)
TROUBLES = (SignalKind.FAULT, SignalKind.ISOLATION)
"""What can be let off by kind. Never a fire."""


@dataclass(frozen=True, slots=True)
class AdjustmentRequest:
    """What is asked for, over [starts_at, ends_at) in whole minutes. Fields as in `schemas.registry`."""

    unit_id: str
    what: AdjustmentKind
    starts_at: datetime
    ends_at: datetime
    reason: str
    evidence: str | None = None
    counted_as: CountedAs | None = None
    system: str | None = None
    address: str | None = None
    trouble: SignalKind | None = None


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A request and what became of it. `note` is what the last who acted had to say."""

    adjustment_id: str
    request: AdjustmentRequest
    requested_by: str
    requested_at: datetime
    approvals_needed: int
    approvals: tuple[str, ...] = ()
    state: AdjustmentState = AdjustmentState.REQUESTED
    changed_at: datetime | None = None
    note: str = ""

    @property
    def id(self) -> str:
        return self.adjustment_id


@dataclass(frozen=True, slots=True)
class ApprovedAdjustment:
    """What the register holds of an approved one, as a version of it."""

    adjustment_id: str
    request: AdjustmentRequest
    requested_by: str
    requested_at: datetime
    approved_by: tuple[str, ...]

    @property
    def id(self) -> str:
        return self.adjustment_id


def checked(request: AdjustmentRequest, by: Person, now: datetime) -> AdjustmentRequest:
    """Return the request in clean text. Raises AdjustmentRefused: `bad_request`, `not_allowed`, `over`."""
    checked_person(by)
    correction = request.what is AdjustmentKind.CORRECTION
    if correction and by.role is not Role.BRIGADE:
        raise refused(AdjustmentRefusal.NOT_ALLOWED, "a correction is asked for by an account of the brigade")
    request = replace(
        request,
        reason=text("reason", request.reason),
        evidence=optional("evidence", request.evidence),
        system=optional("system", request.system, MAX_NAME),
        address=optional("address", request.address, MAX_NAME),
    )
    _check_times(request)
    if correction:
        _check_correction(request, now)
    else:
        _check_let_off(request, now)
    return request


def approvals_needed(request: AdjustmentRequest, single_approval: Callable[[AdjustmentKind], timedelta | None]) -> int:
    """Return 2 for what is longer than the pack lets one person approve, else 1."""
    longest = single_approval(request.what)
    return 2 if longest is not None and request.ends_at - request.starts_at > longest else 1


def approve(held: Adjustment, by: Person, now: datetime) -> Adjustment:
    """Return it with one approval more, approved when that was the last. Raises AdjustmentRefused.

    Never by who asked, never by the same person twice, and not once its time is over: then nobody would see it act.
    """
    approvals, state = approvals_with(held, by)
    if held.request.what is not AdjustmentKind.CORRECTION and held.request.ends_at <= now:
        raise refused(AdjustmentRefusal.OVER, "its time is over; what is over is counted otherwise by a correction")
    return replace(held, approvals=approvals, state=state, changed_at=now, note="")


def reject(held: Adjustment, by: Person, now: datetime, note: str) -> Adjustment:
    """Return it rejected, which a second person does and says why. Raises AdjustmentRefused."""
    check_decides(held, by)
    return replace(held, state=AdjustmentState.REJECTED, changed_at=now, note=text("note", note))


def withdraw(held: Adjustment, by: Person, now: datetime, note: str = "") -> Adjustment:
    """Return it withdrawn, which only who asked may, while it waits. Raises AdjustmentRefused."""
    check_withdraws(held, by)
    return replace(held, state=AdjustmentState.WITHDRAWN, changed_at=now, note=optional("note", note) or "")


def end(held: Adjustment, by: Person, now: datetime, note: str = "") -> Adjustment:
    """Return it cut short at the next whole minute, never before its beginning. Raises AdjustmentRefused.

    No second person is needed: the unit is held to its duty again. A correction is taken back by another one.
    """
    checked_person(by)
    if held.state is not AdjustmentState.APPROVED or held.request.what is AdjustmentKind.CORRECTION:
        raise refused(AdjustmentRefusal.NOT_WAITING, "only an approved exemption, maintenance or test can be ended")
    if by.role is Role.DEPARTMENT and by.account != held.requested_by:
        raise refused(AdjustmentRefusal.NOT_ALLOWED, "ended by who asked for it, the brigade or the centre")
    if held.request.ends_at <= now:
        raise refused(AdjustmentRefusal.OVER, "it has ended by itself")
    until = max(held.request.starts_at, _next_minute(now))
    request = replace(held.request, ends_at=min(held.request.ends_at, until))
    note = optional("note", note) or ""
    return replace(held, request=request, state=AdjustmentState.ENDED, changed_at=now, note=note)


def approved(held: Adjustment) -> ApprovedAdjustment:
    """Return the fact that an approved or ended adjustment is."""
    return ApprovedAdjustment(held.adjustment_id, held.request, held.requested_by, held.requested_at, held.approvals)


def _check_times(request: AdjustmentRequest) -> None:
    starts, ends = request.starts_at, request.ends_at
    if any(each.second or each.microsecond for each in (starts, ends)):
        raise bad("from and to are whole minutes")
    if not starts < ends:
        raise bad("`from` lies before `to`")
    if ends - starts > LONGEST:
        raise bad(f"at most {LONGEST.days} days")


def _check_correction(request: AdjustmentRequest, now: datetime) -> None:
    if request.counted_as is None:
        raise bad(f"a correction says as what the time is counted: one of {', '.join(CountedAs)}")
    if (request.system, request.address, request.trouble) != (None, None, None):
        raise bad("a correction is of the whole unit's time")
    if request.evidence is None:
        raise bad("a correction names its evidence")
    if request.ends_at > now:
        raise bad("a correction is of time that is over")


def _check_let_off(request: AdjustmentRequest, now: datetime) -> None:
    if request.counted_as is not None:
        raise bad("only a correction says as what time is counted")
    if request.trouble not in (None, *TROUBLES):
        raise bad(f"only {' and '.join(TROUBLES)} can be let off by kind, never a fire")
    if request.ends_at <= now:
        raise refused(AdjustmentRefusal.OVER, "its time is over; what is over is counted otherwise by a correction")
    if request.starts_at < now - LATEST_ENTRY:
        raise bad("it may begin one day ago at the earliest; what lies before is a matter for a correction")


def _next_minute(now: datetime) -> datetime:
    whole = now.replace(second=0, microsecond=0)
    return whole if whole == now else whole + MINUTE
