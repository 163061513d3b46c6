"""Passwords with argon2id and random tokens."""

import asyncio
import hashlib
import secrets
from collections.abc import Callable

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from services.console.domain.errors import TooBusy

# Without 0/O, 1/l/I: a generated password is read from a screen.
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


class Argon2Passwords:
    """argon2id at `memory_kib` per hash (RFC 9106, second recommendation), at most `parallel` at a time."""

    def __init__(self, *, parallel: int = 2, waiting: int = 16, memory_kib: int = 65536, passes: int = 3) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
        self._turns = asyncio.Semaphore(parallel)
        self._bound = parallel + waiting
        self._inside = 0
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        return await self._in_turn(self._hasher.hash, password)

    async def matches(self, password_hash: str | None, password: str) -> bool:
        if self._nobody is None:
            self._nobody = await self.hash(secrets.token_urlsafe(16))
        right = await self._in_turn(self._verify, password_hash or self._nobody, password)
        return right == "yes" and password_hash is not None

    def _verify(self, password_hash: str, password: str) -> str:
        try:
            self._hasher.verify(password_hash, password)
            return "yes"
        except (Argon2Error, InvalidHashError):
            return "no"

    async def _in_turn(self, work: Callable[..., str], *arguments: str) -> str:
        if self._inside >= self._bound:
            raise TooBusy("too many sign-ins at once")
        self._inside += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work, *arguments)
        finally:
            self._inside -= 1


class RandomSecrets:
    """Implements the port `Secrets`."""

    def password(self) -> str:
        return generated_password()

    def token(self) -> str:
        return secrets.token_urlsafe(32)

    def digest(self, token: str) -> str:
        return hashlib.sha256(token.encode()).hexdigest()


def generated_password() -> str:
    """Return 16 characters in four groups, 80 bits."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(4))
