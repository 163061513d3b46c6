"""Accounts from the browser: one's own password, and what an administrator may do with those of others."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.console.domain.account_audit import AccountAct
from services.console.domain.accounts import (
    MAX_PASSWORD,
    Account,
    AccountRow,
    BadAccount,
    NewAccount,
    checked_account,
    checked_password,
    may_administer,
)
from services.console.domain.errors import (
    AccountExists,
    BadAccountOrder,
    HasSecondFactor,
    LockedOut,
    NotFound,
    NotSignedIn,
    OwnAccount,
    WrongCode,
    WrongPassword,
)
from services.console.domain.identity import Identity, is_subject
from services.console.domain.screens import NO_PASSWORD, NewScreen, ScreenKey, new_screen
from services.console.domain.second_factor import RECOVERY_CODES, Enrolment, as_typed
from services.console.domain.viewer import Role, Username, Viewer
from services.console.ports.accounts import Accounts, OneTimeCodes, Passwords, Secrets
from services.console.worker.authentication import FORGOTTEN, LoginThrottle, SecondFactorCheck
from services.runtime.clock import Clock

ONE_TIME = timedelta(days=3)
"""A password that was handed over on paper or by telephone is used within some days, or drawn anew."""


class AccountUseCases:
    """Implements the port `AccountWork`."""

    def __init__(
        self,
        accounts: Accounts,
        passwords: Passwords,
        secrets: Secrets,
        clock: Clock,
        codes: OneTimeCodes,
        issuer: str | None = None,
    ) -> None:
        """`issuer`: the identity provider, where there is one."""
        self._issuer = issuer
        self._accounts = accounts
        self._passwords = passwords
        self._secrets = secrets
        self._clock = clock
        self._codes = codes
        self._factor = SecondFactorCheck(accounts, codes, secrets)
        # Whoever finds a browser that somebody left signed in must not find out the password by trying.
        self._tries = LoginThrottle(4096)

    async def change_password(self, viewer: Viewer, token: str, current: str, new: str) -> None:
        account = await self._proven(viewer, current)
        self._tries.forget(viewer.username)
        if new == current or viewer.username in new.lower():
            raise BadAccountOrder("another password than before, without the name of the account in it")
        hashed = await self._passwords.hash(_checked(new))
        await self._accounts.change_password(
            account.username,
            account.password_hash,
            hashed,
            self._act(viewer, "password"),
            keep=self._secrets.digest(token),
        )

    async def begin_second_factor(self, viewer: Viewer, current: str) -> Enrolment:
        account = await self._proven(viewer, current)
        self._tries.forget(viewer.username)
        if account.second_factor is not None:
            raise HasSecondFactor
        return self._codes.begin(viewer.username, self._clock.now())

    async def confirm_second_factor(self, viewer: Viewer, token: str, pending: str, code: str) -> Sequence[str]:
        now, account = self._clock.now(), await self._own(viewer)
        if account.second_factor is not None:
            raise HasSecondFactor
        try:
            factor = self._codes.confirm(pending, viewer.username, as_typed(code), now)
        except WrongCode:
            self._tries.add(viewer.username, now, FORGOTTEN)
            raise
        recovery = [self._secrets.password() for _ in range(RECOVERY_CODES)]
        digests = [self._secrets.digest(each) for each in recovery]
        act = self._act(viewer, "second_factor")
        await self._accounts.set_second_factor(account, factor, digests, act, keep=self._secrets.digest(token))
        self._tries.forget(viewer.username)
        return recovery

    async def remove_second_factor(self, viewer: Viewer, token: str, current: str, code: str) -> None:
        account, keep = await self._proven(viewer, current), self._secrets.digest(token)
        if not await self._factor.takes(account, code, self._clock.now(), keep=keep):
            self._tries.add(viewer.username, self._clock.now(), FORGOTTEN)
            raise WrongCode
        self._tries.forget(viewer.username)
        await self._accounts.drop_second_factor(account.username, self._act(viewer, "second_factor_removed"), keep=keep)

    async def link(self, viewer: Viewer, username: str, subject: str | None) -> None:
        account = await self._others(viewer, username)
        if subject is not None and (self._issuer is None or not is_subject(subject)):
            raise BadAccountOrder("the subject of a person at the identity provider, 1 to 255 ASCII characters")
        identity = None if subject is None or self._issuer is None else Identity(self._issuer, subject)
        await self._accounts.link(account.username, identity, self._act(viewer, "link" if identity else "unlink"))

    async def reset_second_factor(self, viewer: Viewer, username: str) -> None:
        account = await self._others(viewer, username)
        await self._accounts.drop_second_factor(account.username, self._act(viewer, "second_factor_reset"))

    async def sign_out_everywhere(self, viewer: Viewer) -> None:
        await self._end_sessions(viewer, viewer.username)

    async def listed(self, viewer: Viewer) -> Sequence[AccountRow]:
        may_administer(viewer)
        now = self._clock.now()
        ends = {screen.username: screen.expires_at for screen in await self._accounts.screens()}
        rows = [_row(account, viewer, now) for account in await self._accounts.all()]
        return [replace(row, opens_until=ends.get(row.username)) if row.screen else row for row in rows]

    async def create(self, viewer: Viewer, asked: NewAccount) -> str:
        may_administer(viewer)
        if await self._accounts.find(asked.username) is not None:
            raise AccountExists
        made = _described(asked)
        password, hashed, until = await self._one_time()
        account = Account(
            made.username,
            made.role,
            made.department,
            made.display_name,
            hashed,
            administers=made.administers,
            one_time_until=until,
            display_name_en=made.display_name_en,
        )
        await self._accounts.create(account, self._act(viewer, "create"))
        return password

    async def edit(self, viewer: Viewer, asked: NewAccount) -> None:
        await self._others(viewer, asked.username)
        await self._accounts.edit(_described(asked), self._act(viewer, "edit"))

    async def reset(self, viewer: Viewer, username: str) -> str:
        account = await self._others(viewer, username)
        password, hashed, until = await self._one_time()
        await self._accounts.reset(account.username, hashed, until, self._act(viewer, "reset"))
        return password

    async def disable(self, viewer: Viewer, username: str) -> None:
        account = await self._others(viewer, username, screens=True)
        await self._accounts.disable(account.username, self._act(viewer, "disable"))

    async def make_screen(self, viewer: Viewer, asked: NewScreen) -> ScreenKey:
        may_administer(viewer)
        try:
            return await open_screen(self._accounts, self._secrets, asked, self._act(viewer, "screen"))
        except BadAccount as error:
            raise BadAccountOrder(str(error)) from error

    async def sign_out(self, viewer: Viewer, username: str) -> None:
        may_administer(viewer)
        await self._end_sessions(viewer, username)

    async def _own(self, viewer: Viewer) -> Account:
        """Return the account of who is signed in, unless too much was tried on it. Raises LockedOut, NotSignedIn."""
        now = self._clock.now()
        until = self._tries.lock_until(viewer.username, now)
        if until is not None and until > now:
            raise LockedOut(max(1, round((until - now).total_seconds())))
        account = await self._accounts.find(viewer.username)
        if account is None or account.disabled or viewer.is_screen:
            raise NotSignedIn
        return account

    async def _proven(self, viewer: Viewer, current: str) -> Account:
        """Return the same once the password was right. Raises WrongPassword, LockedOut, NotSignedIn, TooBusy."""
        account = await self._own(viewer)
        if not await self._passwords.matches(account.password_hash, current[: MAX_PASSWORD + 1]):
            self._tries.add(viewer.username, self._clock.now(), FORGOTTEN)
            raise WrongPassword
        return account

    async def _end_sessions(self, viewer: Viewer, username: str) -> None:
        account = await self._accounts.find(username)
        if account is None or account.viewer.is_screen:  # the one session of a screen is its key: that is revoked
            raise NotFound
        await self._accounts.end_sessions(account.username, self._act(viewer, "sign_out"))

    async def _others(self, viewer: Viewer, username: str, *, screens: bool = False) -> Account:
        """Return the account of somebody else. An administrator who shuts himself out leaves nobody to let him in."""
        may_administer(viewer)
        account = await self._accounts.find(username)
        if account is None or (account.viewer.is_screen and not screens):
            raise NotFound
        if account.username == viewer.username:
            raise OwnAccount
        return account

    async def _one_time(self) -> tuple[str, str, datetime]:
        """Draw a password that its owner has to change; return it, its hash, and until when it opens that.

        It is shown once, and kept nowhere.
        """
        password, until = self._secrets.password(), self._clock.now() + ONE_TIME
        return password, await self._passwords.hash(password), until

    def _act(self, viewer: Viewer, action: str) -> AccountAct:
        return AccountAct(self._clock.now(), viewer.username, action)


async def open_screen(accounts: Accounts, secrets: Secrets, asked: NewScreen, act: AccountAct) -> ScreenKey:
    """Make a screen or give it a new key; the former one ends. Raises BadAccount, AccountExists."""
    screen, lasts = new_screen(asked.name, asked.display_name, asked.days)
    key, until = secrets.token(), act.at + lasts
    await accounts.put_screen(screen, act)
    await accounts.open_session(secrets.digest(key), screen, secrets.token(), act.at, until)
    return ScreenKey(key, until)


def _described(asked: NewAccount) -> Viewer:
    try:
        if asked.role is Role.SCREEN:
            raise BadAccount("a screen is made as one: it has a key and no password")
        return checked_account(
            asked.username,
            asked.role,
            asked.department,
            asked.display_name,
            administers=asked.administers,
            display_name_en=asked.display_name_en,
        )
    except BadAccount as error:
        raise BadAccountOrder(str(error)) from error


def _checked(password: str) -> str:
    try:
        return checked_password(password)
    except BadAccount as error:
        raise BadAccountOrder(str(error)) from error


def _row(account: Account, viewer: Viewer, now: datetime) -> AccountRow:
    locked = account.locked_until if account.locked_until is not None and account.locked_until > now else None
    return AccountRow(
        username=Username(account.username),
        role=account.role,
        department=account.department,
        display_name=account.display_name,
        display_name_en=account.display_name_en,
        administers=account.administers,
        disabled=account.disabled,
        one_time_until=account.one_time_until,
        locked_until=locked,
        own=account.username == viewer.username,
        screen=account.password_hash == NO_PASSWORD,
        second_factor=account.second_factor is not None,
        subject=None if account.identity is None else account.identity.subject,
    )
