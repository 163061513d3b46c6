"""Accounts, sessions and the rule of lockout. Times are UTC instants; `now` is an argument."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from services.console.domain.errors import NotAllowed
from services.console.domain.identity import Identity
from services.console.domain.viewer import BodyCode, Role, Username, Viewer

FREE_FAILURES = 5
FIRST_LOCK = timedelta(seconds=30)
LONGEST_LOCK = timedelta(minutes=15)
MIN_PASSWORD = 10
MAX_PASSWORD = 200
_USERNAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class SignIn(StrEnum):
    """How an attempt to sign in ended; the label of its metric."""

    OK = "ok"
    BAD_CREDENTIALS = "bad_credentials"
    LOCKED_OUT = "locked_out"
    TOO_BUSY = "too_busy"
    FORGED = "forged"
    DATA_UNAVAILABLE = "data_unavailable"
    STOPPING = "stopping"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    PROVIDER_REFUSED = "provider_refused"
    NOT_LINKED = "not_linked"


class BadAccount(ValueError):
    """The description of an account breaks a rule; the message says which."""


@dataclass(frozen=True, slots=True)
class Account:
    username: Username
    role: Role
    department: BodyCode | None
    display_name: str
    password_hash: str
    disabled: bool = False
    failed_logins: int = 0
    locked_until: datetime | None = None
    administers: bool = False
    one_time_until: datetime | None = None
    """Set: somebody else drew the password; until then it opens nothing but the change of it, later nothing at all."""
    display_name_en: str = ""
    """How readers of English call it; "": as everybody does."""
    second_factor: str | None = field(default=None, repr=False)
    """The sealed secret of its one-time codes; set: the password alone opens nothing."""
    recovery_codes: tuple[str, ...] = field(default=(), repr=False)
    """What is kept of each recovery code that is left."""
    identity: Identity | None = None
    """Who it is at an identity provider, which signs it in beside the password."""

    @property
    def viewer(self) -> Viewer:
        return Viewer(
            self.username, self.role, self.department, self.display_name, self.administers, self.display_name_en
        )


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account as an administrator describes it."""

    username: str
    role: Role
    department: str | None
    display_name: str
    administers: bool = False
    display_name_en: str = ""


@dataclass(frozen=True, slots=True)
class AccountRow:
    """An account as an administrator sees it; `own` is his."""

    username: Username
    role: Role
    department: BodyCode | None
    display_name: str
    administers: bool
    disabled: bool
    one_time_until: datetime | None
    locked_until: datetime | None
    own: bool
    screen: bool
    opens_until: datetime | None = None
    """Of a screen: when its key opens nothing any more; None: it opens nothing now."""
    display_name_en: str = ""
    second_factor: bool = False
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser. `csrf` must come back with every POST.

    `password_due`: it was opened with a one-time password, and may do nothing before that is changed. `factor_due`:
    its account has to have a second factor, and may do nothing before it has. `by_provider`: an identity provider
    opened it, which answers for both.
    """

    viewer: Viewer
    csrf: str
    expires_at: datetime
    password_due: bool = False
    second_factor: bool = False
    recovery_left: int = 0
    factor_due: bool = False
    by_provider: bool = False

    @property
    def due(self) -> bool:
        """Return whether it opens the page of one's own account only."""
        return self.password_due or self.factor_due


def session_of(account: Account, csrf: str, expires_at: datetime, *, by_provider: bool = False) -> Session:
    return Session(
        account.viewer,
        csrf,
        expires_at,
        password_due=account.one_time_until is not None and not by_provider,
        second_factor=account.second_factor is not None,
        recovery_left=len(account.recovery_codes),
        by_provider=by_provider,
    )


def may_administer(viewer: Viewer) -> None:
    """Raise NotAllowed for who does not administer accounts."""
    if not viewer.administers or viewer.role is not Role.CENTRE:
        raise NotAllowed("accounts are administered by their administrators")


def checked_account(
    username: str,
    role: str,
    department: str | None,
    display_name: str,
    *,
    administers: bool = False,
    display_name_en: str = "",
) -> Viewer:
    """Return the account's identity. Raises BadAccount with one sentence."""
    if not _USERNAME.fullmatch(username):
        raise BadAccount("username: 1 to 64 of a-z, 0-9, '_', '.', '-', starting with a letter or digit")
    if role not in set(Role):
        raise BadAccount(f"role: one of {', '.join(Role)}")
    if (role == Role.DEPARTMENT) != bool(department):
        raise BadAccount("department: needed for role department, and only for it")
    if department and not _CODE.fullmatch(department):
        raise BadAccount("department: not a body's code")
    if not 1 <= len(display_name) <= 100 or not display_name.isprintable():
        raise BadAccount("display name: 1 to 100 printable characters")
    if len(display_name_en) > 100 or not display_name_en.isprintable():
        raise BadAccount("English display name: at most 100 printable characters")
    if administers and role != Role.CENTRE:
        raise BadAccount("administrator: of role centre only; who makes accounts must be nobody who approves")
    code = BodyCode(department) if department else None
    return Viewer(Username(username), Role(role), code, display_name, administers, display_name_en)


def checked_password(password: str) -> str:
    """Return the password. Raises BadAccount when it is shorter than 10 or longer than 200 characters."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise BadAccount(f"password: {MIN_PASSWORD} to {MAX_PASSWORD} characters")
    return password


def lock_until(failures: int, now: datetime) -> datetime | None:
    """Return when sign-in opens again after this many failures in a row, None while it is still open.

    Five are free; then 30 s, doubling up to 15 min: guessing is slow, and nobody is locked out for a shift.
    """
    if failures < FREE_FAILURES:
        return None
    wait: timedelta = FIRST_LOCK * (1 << min(failures - FREE_FAILURES, 10))
    return now + min(LONGEST_LOCK, wait)
