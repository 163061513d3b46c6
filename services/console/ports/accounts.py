"""Who may in: accounts, passwords, codes, a provider of identities, screens."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.console.domain.account_audit import AccountAct, AccountLink
from services.console.domain.accounts import Account, AccountRow, NewAccount, Session
from services.console.domain.identity import Answer, Asked, Identity
from services.console.domain.screens import NewScreen, Screen, ScreenKey
from services.console.domain.second_factor import Enrolment, SecondFactor
from services.console.domain.viewer import Username, Viewer


class Throttle(Protocol):
    def count(self, client: str) -> None:
        """Count one request of this address. Raises TooBusy."""
        ...


class Accounts(Protocol):
    """Accounts and sessions. Every method raises DataUnavailable when the store does not answer.

    What is done to an account (`act`) writes only what it is about, so that it undoes nothing that was done meanwhile;
    it is written down with how the account stands since, and the account's sessions end. Raises LastAdministrator,
    with nothing done, when no administrator with a password of his own would be left that may sign in.
    """

    async def find(self, username: str) -> Account | None: ...

    async def save(self, account: Account, now: datetime) -> None:
        """Create the account or replace all of it; ends its sessions. Not written down."""
        ...

    async def put(self, account: Account, act: AccountAct) -> None:
        """Create the account or replace all of it."""
        ...

    async def create(self, account: Account, act: AccountAct) -> None:
        """Raises AccountExists."""
        ...

    async def put_screen(self, screen: Account, act: AccountAct) -> None:
        """Create a screen, or name it anew; its key ends. Raises AccountExists for the name of a person."""
        ...

    async def screens(self) -> Sequence[Screen]: ...

    async def change_password(
        self, username: Username, verified: str, password_hash: str, act: AccountAct, *, keep: str
    ) -> None:
        """Put a hash in the place of the `verified` one; the session with the token hash `keep` goes on.

        Raises WrongPassword when the account has another hash by now, is disabled, or is gone.
        """
        ...

    async def edit(self, described: Viewer, act: AccountAct) -> None:
        """Write role, department, display name and whether it administers. Raises NotFound."""
        ...

    async def reset(self, username: Username, password_hash: str, until: datetime, act: AccountAct) -> None:
        """Give it a one-time password; a disabled one is enabled. Raises NotFound."""
        ...

    async def disable(self, username: str, act: AccountAct) -> None:
        """Raises NotFound."""
        ...

    async def linked(self, identity: Identity) -> Account | None:
        """Return the account that is linked to this person."""
        ...

    async def link(self, username: str, identity: Identity | None, act: AccountAct) -> None:
        """Link the account to a person, or to none. Raises IdentityTaken: another account is, or there is none here."""
        ...

    async def set_second_factor(
        self, verified: Account, factor: SecondFactor, recovery_codes: Sequence[str], act: AccountAct, *, keep: str
    ) -> None:
        """Give it a second factor and the digests of its recovery codes; the session `keep` goes on.

        Raises WrongCode when the account has one, has another password than the `verified` one, or is disabled.
        """
        ...

    async def drop_second_factor(self, username: str, act: AccountAct, *, keep: str | None = None) -> None:
        """Take it away, with its recovery codes. Raises NotFound when there is none."""
        ...

    async def take_step(self, username: Username, sealed: str, step: int) -> bool:
        """Return whether this code may be used: once, and none older than one that was."""
        ...

    async def take_recovery_code(
        self, username: Username, digest: str, act: AccountAct, *, keep: str | None = None
    ) -> bool:
        """Use up a recovery code; return whether it was one that was left. It is written down."""
        ...

    async def end_sessions(self, username: str, act: AccountAct) -> None:
        """Raises NotFound."""
        ...

    async def audited(self) -> Sequence[AccountLink]:
        """Return the whole audit of accounts, in order."""
        ...

    async def all(self) -> Sequence[Account]: ...

    async def failed(self, username: Username, now: datetime) -> int:
        """Count one more failure, lock by the rule of `lock_until`, and return how many there are in a row.

        A name without an account takes as long and changes nothing: 0.
        """
        ...

    async def succeeded(self, username: Username) -> None:
        """Forget the failures."""
        ...

    async def open_session(
        self,
        token_hash: str,
        verified: Account,
        csrf: str,
        now: datetime,
        until: datetime,
        *,
        by_provider: bool = False,
    ) -> None:
        """Keep a session; removes those that have ended.

        Raises BadCredentials when the account has another password, second factor or identity by now than the
        `verified` one, or is disabled.
        """
        ...

    async def session(self, token_hash: str, now: datetime) -> Session | None:
        """Return the session unless it ended, its account is disabled, or there is none. Changes nothing."""
        ...

    async def close_session(self, token_hash: str) -> None: ...


class Passwords(Protocol):
    """Slow hashes, off the event loop and a few at a time. Raises TooBusy when too many wait."""

    async def hash(self, password: str) -> str: ...

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Return whether they match; takes as long for None (no such account) and then returns False."""
        ...


class OneTimeCodes(Protocol):
    """Codes from telephones, and their secrets, sealed for one account each."""

    @property
    def offered(self) -> bool:
        """Whether there is a key: without one nobody enrols, and no code is right."""
        ...

    def begin(self, username: str, now: datetime) -> Enrolment:
        """Draw a secret. Raises SecondFactorUnavailable."""
        ...

    def confirm(self, pending: str, username: str, code: str, now: datetime) -> SecondFactor:
        """Return what is to be kept once a first code was right. Raises WrongCode."""
        ...

    def step_of(self, sealed: str, username: str, code: str, now: datetime) -> int | None:
        """Return the step of 30 s since 1970 whose code this is, None for a wrong one."""
        ...


class IdentityProvider(Protocol):
    """Says who somebody is. Every method raises ProviderUnavailable, and ProviderRefused for what is not believed."""

    @property
    def issuer(self) -> str: ...

    async def ask(self) -> Asked: ...

    async def who(self, asked: Asked, answer: Answer) -> Identity: ...

    async def leave(self) -> str | None:
        """Return where a browser signs out there, None where the provider has no such place."""
        ...


class ByProvider(Protocol):
    """Sign-in by an identity provider. Raises as IdentityProvider does."""

    async def begin(self) -> Asked: ...

    async def complete(self, asked: Asked, answer: Answer) -> tuple[str, Session]:
        """Return the token for the cookie and its session. Raises NotLinked, BadCredentials, DataUnavailable."""
        ...

    async def leave(self) -> str | None: ...


class Secrets(Protocol):
    def password(self) -> str:
        """Return a password that nobody guesses and a person can read aloud."""
        ...

    def token(self) -> str:
        """Return 32 random bytes in URL-safe text."""
        ...

    def digest(self, token: str) -> str:
        """Return what may be stored in the token's place."""
        ...


class Authentication(Protocol):
    """Sign-in, sessions, sign-out."""

    async def sign_in(self, username: str, password: str, client: str, code: str = "") -> tuple[str, Session]:
        """Return the token for the cookie and its session. `code` is of the second factor, for who has one.

        Raises:  BadCredentials, LockedOut, TooBusy, DataUnavailable.
        """
        ...

    async def session(self, token: str | None, *, takes_due: bool = False) -> Session:
        """Return the session of a cookie. Raises NotSignedIn, DataUnavailable.

        One that was opened with a one-time password (PasswordDue), or without a second factor that its account has to
        have (SecondFactorDue), is none but for who asks with `takes_due`.
        """
        ...

    async def sign_out(self, token: str) -> None: ...


class AccountWork(Protocol):
    """What the pages may do with accounts. Raises NotAllowed for who does not administer, DataUnavailable.

    What changes an account of somebody else raises NotFound, and OwnAccount for one's own.
    """

    async def change_password(self, viewer: Viewer, token: str, current: str, new: str) -> None:
        """Change one's own; all other sessions end. Raises WrongPassword, LockedOut, BadAccountOrder, TooBusy."""
        ...

    async def begin_second_factor(self, viewer: Viewer, current: str) -> Enrolment:
        """Raises WrongPassword, LockedOut, HasSecondFactor, SecondFactorUnavailable, TooBusy."""
        ...

    async def confirm_second_factor(self, viewer: Viewer, token: str, pending: str, code: str) -> Sequence[str]:
        """Return the recovery codes, which are shown once; all other sessions end. Raises WrongCode, LockedOut."""
        ...

    async def remove_second_factor(self, viewer: Viewer, token: str, current: str, code: str) -> None:
        """Remove one's own; all other sessions end. Raises WrongPassword, WrongCode, LockedOut, TooBusy."""
        ...

    async def link(self, viewer: Viewer, username: str, subject: str | None) -> None:
        """Link it to a person at the identity provider, or to none. Raises BadAccountOrder, IdentityTaken."""
        ...

    async def reset_second_factor(self, viewer: Viewer, username: str) -> None:
        """Remove that of somebody who lost it."""
        ...

    async def sign_out_everywhere(self, viewer: Viewer) -> None: ...

    async def listed(self, viewer: Viewer) -> Sequence[AccountRow]: ...

    async def create(self, viewer: Viewer, asked: NewAccount) -> str:
        """Return the one-time password. Raises AccountExists, BadAccountOrder."""
        ...

    async def edit(self, viewer: Viewer, asked: NewAccount) -> None:
        """Change everything but name and password; its sessions end. Raises BadAccountOrder."""
        ...

    async def reset(self, viewer: Viewer, username: str) -> str:
        """Return a new one-time password; opens a disabled account again."""
        ...

    async def disable(self, viewer: Viewer, username: str) -> None: ...

    async def make_screen(self, viewer: Viewer, asked: NewScreen) -> ScreenKey:
        """Make a screen, or give it a new key in the place of the old. Raises AccountExists, BadAccountOrder."""
        ...

    async def sign_out(self, viewer: Viewer, username: str) -> None:
        """End all sessions of an account."""
        ...
