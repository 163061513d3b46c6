"""Passwords and certificates in the tables of migration 0007."""

from collections.abc import Sequence
from datetime import datetime

from services.registry.domain.credentials import Certificate, Password
from services.runtime.postgres import Connection


class PostgresCredentials:
    """Inside the register's transaction, which translates the driver's errors."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def passwords(self) -> Sequence[Password]:
        cursor = await self._connection.execute(
            "SELECT gateway_id, issued_at, hash FROM registry.passwords WHERE revoked_at IS NULL ORDER BY gateway_id"
        )
        return [Password(*row) for row in await cursor.fetchall()]

    async def put_passwords(self, passwords: Sequence[Password]) -> None:
        ids = [each.gateway_id for each in passwords]
        issued = [each.issued_at for each in passwords]
        hashes = [each.hashed for each in passwords]
        await self._connection.execute(
            "UPDATE registry.passwords held SET hash = NULL, revoked_at = new.issued_at"
            " FROM unnest(%s::text[], %s::timestamptz[]) AS new (gateway_id, issued_at)"
            " WHERE held.gateway_id = new.gateway_id AND held.revoked_at IS NULL",
            (ids, issued),
        )
        await self._connection.execute(
            "INSERT INTO registry.passwords (gateway_id, issued_at, hash)"
            " SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::text[])",
            (ids, issued, hashes),
        )

    async def certificates(self) -> Sequence[Certificate]:
        cursor = await self._connection.execute(
            "SELECT serial, gateway_id, issued_at, expires_at, revoked_at FROM registry.certificates"
            " ORDER BY gateway_id, issued_at, serial"
        )
        return [Certificate(*row) for row in await cursor.fetchall()]

    async def add_certificate(self, certificate: Certificate) -> None:
        await self._connection.execute(
            "INSERT INTO registry.certificates (serial, gateway_id, issued_at, expires_at) VALUES (%s, %s, %s, %s)",
            (certificate.serial, certificate.gateway_id, certificate.issued_at, certificate.expires_at),
        )

    async def revoke(self, gateway_ids: Sequence[str], at: datetime) -> tuple[int, int]:
        passwords = await self._connection.execute(
            "UPDATE registry.passwords SET hash = NULL, revoked_at = %s"
            " WHERE gateway_id = ANY(%s) AND revoked_at IS NULL",
            (at, list(gateway_ids)),
        )
        certificates = await self._connection.execute(
            "UPDATE registry.certificates SET revoked_at = %s WHERE gateway_id = ANY(%s) AND revoked_at IS NULL",
            (at, list(gateway_ids)),
        )
        return passwords.rowcount, certificates.rowcount
