"""`Accounts` on console.accounts and console.sessions."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from psycopg import AsyncConnection

from services.console.adapters.postgres_read import translated
from services.console.adapters.rows import Row
from services.console.adapters.statements import SQL
from services.console.domain.account_audit import AccountAct, AccountEntry, AccountLink, entry, link
from services.console.domain.accounts import Account, Session, lock_until, session_of
from services.console.domain.errors import (
    AccountExists,
    BadCredentials,
    IdentityTaken,
    LastAdministrator,
    NotFound,
    WrongCode,
    WrongPassword,
)
from services.console.domain.identity import Identity
from services.console.domain.screens import Screen
from services.console.domain.second_factor import SecondFactor
from services.console.domain.viewer import BodyCode, Role, Username, Viewer
from services.runtime.postgres import Pool


def account_of(row: Row) -> Account:
    department = BodyCode(row[2]) if row[2] is not None else None
    recovery_codes, issuer, subject = row[-3:]
    identity = None if issuer is None else Identity(issuer, subject)
    account = Account(Username(row[0]), Role(row[1]), department, *row[3:-3])
    return replace(account, recovery_codes=tuple(recovery_codes), identity=identity)


def _link(row: Row) -> AccountLink:
    seq, at, by, action, about, detail, prev_hash, made = row
    return AccountLink(seq, AccountEntry(at, by, action, about, detail), prev_hash, made)


def _whole(account: Account, now: datetime) -> list[object]:
    return [
        account.username, account.role.value, account.department, account.display_name, account.password_hash, now,
        account.administers, account.display_name_en,
    ]  # fmt: skip


async def _administrators(connection: AsyncConnection[Row]) -> int:
    row = await (await connection.execute(SQL["administrators_left"])).fetchone()
    return int(row[0]) if row else 0


class PostgresAccounts:
    """Every call is one transaction."""

    def __init__(self, pool: Pool, deadline_s: float = 5.0) -> None:
        self._pool = pool
        self._deadline_s = deadline_s

    async def find(self, username: str) -> Account | None:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            cursor = await connection.execute(
                SQL["account_find"],
                [username],
            )
            row = await cursor.fetchone()
            return None if row is None else account_of(row)

    async def save(self, account: Account, now: datetime) -> None:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            await connection.execute(SQL["account_save"], _whole(account, now))
            await connection.execute(SQL["account_end_sessions"], [account.username])

    async def put(self, account: Account, act: AccountAct) -> None:
        await self._done(act, SQL["account_save"], _whole(account, act.at))

    async def create(self, account: Account, act: AccountAct) -> None:
        values = [*_whole(account, act.at), account.one_time_until]
        if not await self._done(act, SQL["account_create"], values):
            raise AccountExists

    async def put_screen(self, screen: Account, act: AccountAct) -> None:
        if not await self._done(act, SQL["screen_save"], _whole(screen, act.at)):
            raise AccountExists

    async def change_password(
        self, username: Username, verified: str, password_hash: str, act: AccountAct, *, keep: str
    ) -> None:
        values = [password_hash, username, verified]
        if not await self._done(act, SQL["account_change_password"], values, keep=keep):
            raise WrongPassword

    async def edit(self, described: Viewer, act: AccountAct) -> None:
        values = [
            described.role.value, described.department, described.display_name, described.administers,
            described.display_name_en, described.username,
        ]  # fmt: skip
        if not await self._done(act, SQL["account_edit"], values):
            raise NotFound

    async def reset(self, username: Username, password_hash: str, until: datetime, act: AccountAct) -> None:
        if not await self._done(act, SQL["account_reset"], [password_hash, until, username]):
            raise NotFound

    async def disable(self, username: str, act: AccountAct) -> None:
        if not await self._done(act, SQL["account_disable"], [username]):
            raise NotFound

    async def linked(self, identity: Identity) -> Account | None:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            cursor = await connection.execute(SQL["account_linked"], [identity.issuer, identity.subject])
            row = await cursor.fetchone()
            return None if row is None else account_of(row)

    async def link(self, username: str, identity: Identity | None, act: AccountAct) -> None:
        issuer, subject = (None, None) if identity is None else (identity.issuer, identity.subject)
        values = {"username": username, "issuer": issuer, "subject": subject}
        if not await self._done(act, SQL["account_link"], values):
            raise IdentityTaken

    async def set_second_factor(
        self, verified: Account, factor: SecondFactor, recovery_codes: Sequence[str], act: AccountAct, *, keep: str
    ) -> None:
        values = [factor.sealed, factor.step, list(recovery_codes), verified.username, verified.password_hash]
        if not await self._done(act, SQL["account_set_factor"], values, keep=keep):
            raise WrongCode

    async def drop_second_factor(self, username: str, act: AccountAct, *, keep: str | None = None) -> None:
        if not await self._done(act, SQL["account_drop_factor"], [username], keep=keep):
            raise NotFound

    async def take_step(self, username: Username, sealed: str, step: int) -> bool:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            cursor = await connection.execute(
                SQL["account_take_step"], {"username": username, "sealed": sealed, "step": step}
            )
            return cursor.rowcount == 1

    async def take_recovery_code(
        self, username: Username, digest: str, act: AccountAct, *, keep: str | None = None
    ) -> bool:
        return await self._done(
            act, SQL["account_take_recovery_code"], {"username": username, "code": digest}, keep=keep
        )

    async def end_sessions(self, username: str, act: AccountAct) -> None:
        if not await self._done(act, SQL["account_find"], [username]):
            raise NotFound

    async def audited(self) -> Sequence[AccountLink]:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            cursor = await connection.execute(SQL["account_audited"])
            return [_link(row) for row in await cursor.fetchall()]

    async def all(self) -> Sequence[Account]:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            cursor = await connection.execute(SQL["accounts_all"])
            return [account_of(row) for row in await cursor.fetchall()]

    async def screens(self) -> Sequence[Screen]:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            cursor = await connection.execute(SQL["screens_all"])
            return [Screen(Username(row[0]), *row[1:]) for row in await cursor.fetchall()]

    async def failed(self, username: Username, now: datetime) -> int:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            cursor = await connection.execute(
                SQL["account_failed"],
                [username],
            )
            row = await cursor.fetchone()
            failures = int(row[0]) if row else 0
            await connection.execute(
                SQL["account_lock"],
                [lock_until(failures, now), username],
            )
            return failures

    async def succeeded(self, username: Username) -> None:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            await connection.execute(SQL["account_succeeded"], [username])

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
        identity = verified.identity
        issuer, subject = (None, None) if identity is None else (identity.issuer, identity.subject)
        async with translated(self._deadline_s), self._pool.connection() as connection:
            # The account first, as whatever else locks it and sessions does: else the two could wait for each other.
            cursor = await connection.execute(
                SQL["session_open"],
                [token_hash, csrf, now, until, now, by_provider, verified.username, verified.password_hash,
                 verified.second_factor, issuer, subject],
            )  # fmt: skip
            if cursor.rowcount != 1:
                raise BadCredentials
            await connection.execute(SQL["sessions_expire"], [now])

    async def session(self, token_hash: str, now: datetime) -> Session | None:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            cursor = await connection.execute(
                SQL["session_find"],
                [token_hash, now],
            )
            row = await cursor.fetchone()
            if row is None:
                return None
            account = account_of(row[:-3])
            return session_of(account, row[-3], row[-2], by_provider=row[-1])

    async def close_session(self, token_hash: str) -> None:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            await connection.execute(SQL["session_close"], [token_hash])

    async def _done(
        self,
        act: AccountAct,
        statement: str,
        values: Sequence[object] | Mapping[str, object],
        *,
        keep: str | None = None,
    ) -> bool:
        """Run a statement that returns the account that it is about, end sessions, write the act down.

        Return False, with nothing done, when there is no such account. Raises LastAdministrator, with nothing done:
        the lock lets one act at a time through, so two administrators who disable each other are two acts.
        """
        async with translated(self._deadline_s), self._pool.connection() as connection:
            await connection.execute(SQL["account_audit_lock"])
            before = await _administrators(connection)
            row = await (await connection.execute(statement, values)).fetchone()
            if row is None:
                return False
            if before and not await _administrators(connection):
                raise LastAdministrator
            done = entry(act, account_of(row))
            await connection.execute(SQL["account_end_other_sessions"], [done.about, keep])
            row = await (await connection.execute(SQL["account_audit_last"])).fetchone()
            made = link(done, None if row is None else _link(row))
            await connection.execute(
                SQL["account_audit"],
                [made.seq, done.at, done.by, done.action, done.about,
                 json.dumps(dict(done.detail), ensure_ascii=False), made.prev_hash, made.hash],
            )  # fmt: skip
            return True
