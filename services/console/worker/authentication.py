"""Sign-in, sessions, sign-out. Every refusal looks alike whether or not the account exists."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.console.domain.account_audit import AccountAct
from services.console.domain.accounts import MAX_PASSWORD, Account, Session, SignIn, lock_until, session_of
from services.console.domain.errors import (
    BadCredentials,
    DataUnavailable,
    LockedOut,
    NotSignedIn,
    PasswordDue,
    SecondFactorDue,
    TooBusy,
)
from services.console.domain.second_factor import as_typed, is_from_telephone, must_have_one
from services.console.domain.viewer import Username
from services.console.metrics import Metrics
from services.console.ports.accounts import Accounts, OneTimeCodes, Passwords, Secrets
from services.runtime.clock import Clock

MAX_TOKEN = 128
FORGOTTEN = timedelta(days=1)


class LoginThrottle:
    """Failures in a row by key, in bounded memory: the key that was quiet longest is forgotten first."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._failures: OrderedDict[str, tuple[int, datetime]] = OrderedDict()

    def count(self, key: str, now: datetime, forget_after: timedelta) -> int:
        failures, last = self._failures.get(key, (0, now))
        return 0 if now - last > forget_after else failures

    def last(self, key: str) -> datetime | None:
        entry = self._failures.get(key)
        return entry[1] if entry else None

    def add(self, key: str, now: datetime, forget_after: timedelta) -> None:
        self._failures[key] = (self.count(key, now, forget_after) + 1, now)
        self._failures.move_to_end(key)
        while len(self._failures) > self._entries:
            self._failures.popitem(last=False)

    def forget(self, key: str) -> None:
        self._failures.pop(key, None)

    def lock_until(self, key: str, now: datetime) -> datetime | None:
        """Return until when this key is locked, as an account with the same failures would be."""
        last = self.last(key)
        return lock_until(self.count(key, now, FORGOTTEN), last) if last else None

    def __len__(self) -> int:
        return len(self._failures)


@dataclass(frozen=True, slots=True)
class LoginLimits:
    """`client_failures` within `client_window` from one address lock that address out.

    `factor_for_some`: accounts that administer or approve have to have a second factor.
    """

    session: timedelta = timedelta(hours=12)
    client_failures: int = 50
    client_window: timedelta = timedelta(minutes=5)
    book_entries: int = 4096
    factor_for_some: bool = False


class SecondFactorCheck:
    """Whether a code is that of an account's second factor; a right one is used up by asking."""

    def __init__(self, accounts: Accounts, codes: OneTimeCodes, secrets: Secrets) -> None:
        self._accounts = accounts
        self._codes = codes
        self._secrets = secrets

    async def takes(self, account: Account, code: str, now: datetime, *, keep: str | None = None) -> bool:
        """`keep`: the digest of the session that goes on when a recovery code ends the others."""
        if account.second_factor is None:
            return False
        typed = as_typed(code)
        if is_from_telephone(typed):
            step = self._codes.step_of(account.second_factor, account.username, typed, now)
            return step is not None and await self._accounts.take_step(account.username, account.second_factor, step)
        digest = self._secrets.digest(typed)
        if digest not in account.recovery_codes:
            return False
        act = AccountAct(now, account.username, "recovery_code")
        return await self._accounts.take_recovery_code(account.username, digest, act, keep=keep)


class Authenticator:
    """Implements the port `Authentication`."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        passwords: Passwords,
        secrets: Secrets,
        clock: Clock,
        metrics: Metrics,
        rules: LoginLimits,
        codes: OneTimeCodes,
    ) -> None:
        self._factor = SecondFactorCheck(accounts, codes, secrets)
        self._accounts = accounts
        self._passwords = passwords
        self._secrets = secrets
        self._clock = clock
        self._metrics = metrics
        self._rules = rules
        self._clients = LoginThrottle(rules.book_entries)
        # Names without an account lock like the others, so that a lock says nothing about who exists.
        self._ghosts = LoginThrottle(rules.book_entries)
        # Strangers who guess close an account to strangers only: where somebody signed in before, its own failures
        # count.
        self._homes: OrderedDict[str, None] = OrderedDict()
        self._at_home = LoginThrottle(rules.book_entries)

    async def sign_in(self, username: str, password: str, client: str, code: str = "") -> tuple[str, Session]:
        """Return token and session. See the port."""
        try:
            result = await self._sign_in(username.strip().lower()[:64], password, client, code)
        except BadCredentials:
            self._metrics.logins.labels(SignIn.BAD_CREDENTIALS).inc()
            raise
        except LockedOut:
            self._metrics.logins.labels(SignIn.LOCKED_OUT).inc()
            raise
        except TooBusy:
            self._metrics.logins.labels(SignIn.TOO_BUSY).inc()
            raise
        except DataUnavailable:
            self._metrics.logins.labels(SignIn.DATA_UNAVAILABLE).inc()
            raise
        except asyncio.CancelledError:
            self._metrics.logins.labels(SignIn.STOPPING).inc()
            raise
        self._metrics.logins.labels(SignIn.OK).inc()
        return result

    async def session(self, token: str | None, *, takes_due: bool = False) -> Session:
        if not token or len(token) > MAX_TOKEN:
            raise NotSignedIn
        session = await self._accounts.session(self._secrets.digest(token), self._clock.now())
        if session is None:
            raise NotSignedIn
        session = self._judged(session)
        if session.password_due and not takes_due:
            raise PasswordDue
        if session.factor_due and not takes_due:
            raise SecondFactorDue
        return session

    async def sign_out(self, token: str) -> None:
        await self._accounts.close_session(self._secrets.digest(token[:MAX_TOKEN]))

    def _judged(self, session: Session) -> Session:
        due = self._rules.factor_for_some and must_have_one(session.viewer) and not session.second_factor
        return replace(session, factor_due=due and not session.by_provider)

    async def _sign_in(self, username: str, password: str, client: str, code: str) -> tuple[str, Session]:
        rules = self._rules
        now = self._clock.now()
        if self._clients.count(client, now, rules.client_window) >= rules.client_failures:
            raise LockedOut(int(rules.client_window.total_seconds()))
        verified = await self._known(username)
        self._refuse_when_locked(verified, username, client, now)
        right = await self._passwords.matches(
            verified.password_hash if verified else None, password[: MAX_PASSWORD + 1]
        )
        now = self._clock.now()
        if verified is None or not right:
            await self._note_failure(verified, username, client, now)
            raise BadCredentials
        # Guesses that ran side by side may have locked the account meanwhile: then even a right one does not count.
        account = await self._known(username)
        self._refuse_when_locked(account, username, client, now)
        if account is None or (account.one_time_until is not None and account.one_time_until <= now):
            raise BadCredentials
        # What was verified, and nothing that came since: the store compares.
        proven = replace(account, password_hash=verified.password_hash)
        if account.second_factor is not None and not await self._factor.takes(account, code, now):
            await self._note_failure(account, username, client, now)
            raise BadCredentials
        token, csrf = self._secrets.token(), self._secrets.token()
        until = now + rules.session
        await self._accounts.open_session(self._secrets.digest(token), proven, csrf, now, until)
        await self._welcome(account, client, now)
        return token, self._judged(session_of(account, csrf, until))

    async def _known(self, username: str) -> Account | None:
        account = await self._accounts.find(username)
        return None if account is None or account.disabled else account

    def _refuse_when_locked(self, account: Account | None, username: str, client: str, now: datetime) -> None:
        if account is None:
            until = self._ghosts.lock_until(username, now)
        elif _home(username, client) in self._homes:
            until = self._at_home.lock_until(_home(username, client), now)
        else:
            until = account.locked_until
        if until is not None and until > now:
            raise LockedOut(max(1, round((until - now).total_seconds())))

    async def _note_failure(self, account: Account | None, username: str, client: str, now: datetime) -> None:
        self._clients.add(client, now, self._rules.client_window)
        if account is None:
            self._ghosts.add(username, now, FORGOTTEN)
            await self._accounts.failed(Username(username), now)  # changes nothing, and takes as long as for the others
        elif _home(username, client) in self._homes:
            self._at_home.add(_home(username, client), now, FORGOTTEN)
        else:
            await self._accounts.failed(account.username, now)

    async def _welcome(self, account: Account, client: str, now: datetime) -> None:
        home = _home(account.username, client)
        self._homes[home] = None
        self._homes.move_to_end(home)
        while len(self._homes) > self._rules.book_entries:
            self._homes.popitem(last=False)
        self._at_home.forget(home)
        if account.locked_until is None or account.locked_until <= now:  # else strangers would get new guesses
            await self._accounts.succeeded(account.username)


def _home(username: str, client: str) -> str:
    return f"{username} {client}"  # no name of an account has a space
