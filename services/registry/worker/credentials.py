"""Issue, rotate, revoke; and write down for the broker what holds."""

from collections.abc import Sequence
from datetime import date, timedelta

from services.registry.domain.credentials import (
    Access,
    Certificate,
    Drawn,
    GatewayCredentials,
    Password,
    access,
    known,
    speaks,
    to_issue,
)
from services.registry.domain.entities import Gateway, Kind, of_type
from services.registry.ports import Authority, BrokerAccess, Handout, KeyPair, Passwords, Register, Store
from services.registry.worker.importing import today_in_shanghai
from services.runtime.clock import Clock


class CredentialsOffice:
    """Everything about credentials that needs the register. Nothing reaches the broker before `access` is written."""

    def __init__(self, *, store: Store, passwords: Passwords, clock: Clock) -> None:
        self._store = store
        self._passwords = passwords
        self._clock = clock

    async def issue(self, wanted: Sequence[str] | None, handout: Handout) -> int:
        """Give a password to the named gateways, or to all without one; return how many were shown.

        Raises:  CredentialsRefused, StoreUnavailable; then no password holds that was not there before.
        """
        async with self._store.transaction() as register:
            holding = {each.gateway_id: each for each in await register.credentials.passwords()}
            return await self._give(register, to_issue(wanted, await self._living(register), holding), handout)

    async def rotate(self, wanted: Sequence[str] | None, handout: Handout) -> int:
        """Replace the passwords of the named gateways, or of all that have one. Otherwise as `issue`."""
        async with self._store.transaction() as register:
            living = await self._living(register)
            if wanted is None:
                holding = {each.gateway_id for each in await register.credentials.passwords()}
                chosen = [gateway_id for gateway_id in living if gateway_id in holding]
            else:
                chosen = known(wanted, living)
            return await self._give(register, chosen, handout)

    async def _give(self, register: Register, gateway_ids: Sequence[str], handout: Handout) -> int:
        now = self._clock.now()
        drawn: list[Drawn] = []
        kept: list[Password] = []
        for gateway_id in gateway_ids:
            password, hashed = self._passwords.draw()
            drawn.append(Drawn(gateway_id, password))
            kept.append(Password(gateway_id, now, hashed))
        await register.credentials.put_passwords(kept)
        # Shown before it holds: a password that holds and that nobody has seen would shut its gateway out.
        handout.show(drawn)
        return len(drawn)

    async def revoke(self, gateway_ids: Sequence[str]) -> tuple[int, int]:
        """End every password and certificate of the gateways, in force or not; return how many of each."""
        async with self._store.transaction() as register:
            return await register.credentials.revoke(list(dict.fromkeys(gateway_ids)), self._clock.now())

    async def certify(self, gateway_id: str, authority: Authority, valid: timedelta) -> KeyPair:
        """Issue a client certificate; it is noted, so that it can be revoked, before anybody has it.

        Raises:  CredentialsRefused, AuthorityUnusable, StoreUnavailable.
        """
        async with self._store.transaction() as register:
            known([gateway_id], await self._living(register))
            made = authority.certify(gateway_id, self._clock.now(), valid)
            await register.credentials.add_certificate(made.certificate)
        return made

    async def held(self) -> list[GatewayCredentials]:
        """Return every gateway of the register, and every other one that was ever given anything."""
        async with self._store.transaction() as register:
            living = set(await self._living(register))
            passwords = {each.gateway_id: each for each in await register.credentials.passwords()}
            certificates: dict[str, list[Certificate]] = {}
            for each in await register.credentials.certificates():
                certificates.setdefault(each.gateway_id, []).append(each)
        return [
            GatewayCredentials(
                gateway_id, gateway_id in living, passwords.get(gateway_id), certificates.get(gateway_id, ())
            )
            for gateway_id in sorted({*living, *passwords, *certificates})
        ]

    async def shut_out(self) -> Sequence[str]:
        """Return the gateways that may have no session on a certificate any more."""
        async with self._store.transaction() as register:
            return (await self._access(register)).shut_out

    async def write(self, broker: BrokerAccess, authority: Authority) -> Access:
        """Write what holds now down for the broker and return it. Of two at once the later one knows more.

        Raises:  CredentialsRefused, AuthorityUnusable, StoreUnavailable.
        """
        async with self._store.transaction() as register:
            held = await self._access(register)
            broker.write(held, authority.revocations(held.revoked, self._clock.now()), authority.certificate())
            return held

    async def _access(self, register: Register) -> Access:
        return access(
            await self._living(register),
            await register.credentials.passwords(),
            await register.credentials.certificates(),
            self._clock.now(),
        )

    async def _living(self, register: Register) -> list[str]:
        today: date = today_in_shanghai(self._clock.now())
        gateways = of_type(await register.current(Kind.GATEWAY, today), Gateway)
        return [version.facts.gateway_id for version in gateways if speaks(version.facts, today)]
