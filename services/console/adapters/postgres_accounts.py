"""`Accounts` on console.accounts and console.sessions."""

from collections.abc import Sequence
from datetime import datetime

from services.console.adapters.postgres_read import translated
from services.console.adapters.rows import Row
from services.console.domain.accounts import Account, Session, lock_until
from services.console.domain.viewer import BodyCode, Role, Username
from services.runtime.postgres import Pool

COLUMNS = "username, role, department, display_name, password_hash, disabled, failed_logins, locked_until"


def account_of(row: Row) -> Account:
    department = BodyCode(row[2]) if row[2] is not None else None
    return Account(Username(row[0]), Role(row[1]), department, *row[3:])


class PostgresAccounts:
    """Every call is one transaction."""

    def __init__(self, pool: Pool, deadline_s: float = 5.0) -> None:
        self._pool = pool
        self._deadline_s = deadline_s

    async def find(self, username: str) -> Account | None:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            cursor = await connection.execute(
                f"SELECT {COLUMNS} FROM console.accounts WHERE username = %s",  # noqa: S608 - a constant
                [username],
            )
            row = await cursor.fetchone()
            return None if row is None else account_of(row)

    async def save(self, account: Account, now: datetime) -> None:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            await connection.execute(
                """
                INSERT INTO console.accounts (username, role, department, display_name, password_hash, created_at)
                VALUES (%s, %s, %s, %s, %s, %s)
                ON CONFLICT (username) DO UPDATE SET role = excluded.role, department = excluded.department,
                    display_name = excluded.display_name, password_hash = excluded.password_hash,
                    disabled = false, failed_logins = 0, locked_until = NULL
                """,
                [account.username, account.role.value, account.department, account.display_name,
                 account.password_hash, now],
            )  # fmt: skip
            await connection.execute("DELETE FROM console.sessions WHERE username = %s", [account.username])

    async def all(self) -> Sequence[Account]:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            cursor = await connection.execute(
                f"SELECT {COLUMNS} FROM console.accounts ORDER BY username"  # noqa: S608 - a constant
            )
            return [account_of(row) for row in await cursor.fetchall()]

    async def disable(self, username: str) -> bool:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            cursor = await connection.execute(
                "UPDATE console.accounts SET disabled = true WHERE username = %s", [username]
            )
            await connection.execute("DELETE FROM console.sessions WHERE username = %s", [username])
            return cursor.rowcount == 1

    async def failed(self, username: Username, now: datetime) -> int:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            cursor = await connection.execute(
                "UPDATE console.accounts SET failed_logins = failed_logins + 1 WHERE username = %s"
                " RETURNING failed_logins",
                [username],
            )
            row = await cursor.fetchone()
            failures = int(row[0]) if row else 0
            await connection.execute(
                "UPDATE console.accounts SET locked_until = %s WHERE username = %s",
                [lock_until(failures, now), username],
            )
            return failures

    async def succeeded(self, username: Username) -> None:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            await connection.execute(
                "UPDATE console.accounts SET failed_logins = 0, locked_until = NULL WHERE username = %s", [username]
            )

    async def open_session(
        self, token_hash: str, username: Username, csrf: str, now: datetime, until: datetime
    ) -> None:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            await connection.execute("DELETE FROM console.sessions WHERE expires_at <= %s", [now])
            await connection.execute(
                "INSERT INTO console.sessions (token_hash, username, csrf, created_at, expires_at, last_seen_at)"
                " VALUES (%s, %s, %s, %s, %s, %s)",
                [token_hash, username, csrf, now, until, now],
            )

    async def session(self, token_hash: str, now: datetime) -> Session | None:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT a.username, a.role, a.department, a.display_name, a.password_hash, a.disabled, a.failed_logins,"
                " a.locked_until, s.csrf, s.expires_at"
                " FROM console.sessions s JOIN console.accounts a USING (username)"
                " WHERE s.token_hash = %s AND s.expires_at > %s AND NOT a.disabled",
                [token_hash, now],
            )
            row = await cursor.fetchone()
            return None if row is None else Session(account_of(row[:8]).viewer, row[8], row[9])

    async def close_session(self, token_hash: str) -> None:
        async with translated(self._deadline_s), self._pool.connection() as connection:
            await connection.execute("DELETE FROM console.sessions WHERE token_hash = %s", [token_hash])
