"""Two people: one asks, others decide. One rule for adjustments of time and for proposals to the register.

    requested -> approved
        |----> rejected      (by a second person)
        '----> withdrawn     (by who asked)

Nothing is ever deleted: what was rejected or withdrawn stays as it was.
"""

import re
from dataclasses import dataclass
from typing import Protocol

from services.kernel.words import AdjustmentState, Role
from services.registry.domain.errors import AdjustmentRefusal, AdjustmentRefused

MAX_TEXT = 500
_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Person:
    """Who acts: an account as it signs in. `via`: by which way, for the audit."""

    account: str
    role: Role
    via: str


class Asked(Protocol):
    """What somebody asked for and other people decide about."""

    @property
    def id(self) -> str: ...
    @property
    def requested_by(self) -> str: ...
    @property
    def approvals_needed(self) -> int: ...
    @property
    def approvals(self) -> tuple[str, ...]: ...
    @property
    def state(self) -> AdjustmentState: ...


def checked_person(by: Person) -> Person:
    """Return who acts. Raises AdjustmentRefused for what is no account: `Li` and `li` must not be two people."""
    if not _ACCOUNT.fullmatch(by.account):
        raise bad("an account: 1 to 64 of a-z, 0-9, '_', '.', '-', starting with a letter or digit")
    return by


def approvals_with(held: Asked, by: Person) -> tuple[tuple[str, ...], AdjustmentState]:
    """Return the approvals with that of `by`, and the state then: approved when it was the last one needed.

    Never by who asked, and never by the same person twice. Raises AdjustmentRefused.
    """
    check_decides(held, by)
    approvals = (*held.approvals, by.account)
    enough = len(approvals) >= held.approvals_needed
    return approvals, AdjustmentState.APPROVED if enough else AdjustmentState.REQUESTED


def check_decides(held: Asked, by: Person) -> None:
    """Raise AdjustmentRefused for who may not approve or reject what waits: another one than the brigade, who asked."""
    checked_person(by)
    if by.role is not Role.BRIGADE:
        raise refused(AdjustmentRefusal.NOT_ALLOWED, "an account of the brigade decides")
    _waits(held)
    if by.account == held.requested_by:
        raise refused(AdjustmentRefusal.SAME_PERSON, f"{by.account} asked for it: a second person decides")
    if by.account in held.approvals:
        raise refused(AdjustmentRefusal.SAME_PERSON, f"{by.account} approved it already: another person is needed")


def check_withdraws(held: Asked, by: Person) -> None:
    """Raise AdjustmentRefused unless it waits and `by` asked for it."""
    checked_person(by)
    _waits(held)
    if by.account != held.requested_by:
        raise refused(AdjustmentRefusal.NOT_ALLOWED, f"only {held.requested_by}, who asked for it, may withdraw it")


def text(name: str, given: str, longest: int = MAX_TEXT) -> str:
    """Return what somebody wrote, on one line. Raises AdjustmentRefused."""
    clean = " ".join(given.split())
    if not 1 <= len(clean) <= longest or not clean.isprintable():
        raise bad(f"{name}: 1 to {longest} printable characters")
    return clean


def optional(name: str, given: str | None, longest: int = MAX_TEXT) -> str | None:
    return None if given is None or not given.strip() else text(name, given, longest)


def bad(sentence: str) -> AdjustmentRefused:
    return refused(AdjustmentRefusal.BAD_REQUEST, sentence)


def refused(refusal: AdjustmentRefusal, sentence: str) -> AdjustmentRefused:
    return AdjustmentRefused(refusal, sentence)


def _waits(held: Asked) -> None:
    if held.state is not AdjustmentState.REQUESTED:
        raise refused(AdjustmentRefusal.NOT_WAITING, f"{held.id} is {held.state} and waits for nobody")
