"""Passwords and certificates in the tables of migration 0007."""

from collections.abc import Sequence
from datetime import datetime

from services.registry.adapters.statements import SQL
from services.registry.domain.credentials import Certificate, Password
from services.runtime.postgres import Connection


class PostgresCredentials:
    """Inside the register's transaction, which translates the driver's errors."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def passwords(self) -> Sequence[Password]:
        cursor = await self._connection.execute(SQL["passwords"])
        return [Password(*row) for row in await cursor.fetchall()]

    async def put_passwords(self, passwords: Sequence[Password]) -> None:
        ids = [each.gateway_id for each in passwords]
        issued = [each.issued_at for each in passwords]
        hashes = [each.hashed for each in passwords]
        await self._connection.execute(
            SQL["passwords_end"],
            (ids, issued),
        )
        await self._connection.execute(
            SQL["passwords_add"],
            (ids, issued, hashes),
        )

    async def certificates(self) -> Sequence[Certificate]:
        cursor = await self._connection.execute(SQL["certificates"])
        return [Certificate(*row) for row in await cursor.fetchall()]

    async def add_certificate(self, certificate: Certificate) -> None:
        await self._connection.execute(
            SQL["certificate_add"],
            (certificate.serial, certificate.gateway_id, certificate.issued_at, certificate.expires_at),
        )

    async def revoke(self, gateway_ids: Sequence[str], at: datetime) -> tuple[int, int]:
        passwords = await self._connection.execute(
            SQL["passwords_revoke"],
            (at, list(gateway_ids)),
        )
        certificates = await self._connection.execute(
            SQL["certificates_revoke"],
            (at, list(gateway_ids)),
        )
        return passwords.rowcount, certificates.rowcount
