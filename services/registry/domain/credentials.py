"""Passwords and certificates with which gateways prove to the MQTT broker who they are, and which of them hold."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from services.registry.domain.entities import Gateway
from services.registry.domain.errors import CredentialsRefused


@dataclass(frozen=True, slots=True)
class Password:
    """The password of a gateway, as its salted hash; the gateway's id is its user name."""

    gateway_id: str
    issued_at: datetime
    hashed: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A password nobody has seen yet. It is shown once and kept nowhere."""

    gateway_id: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A client certificate that names its gateway. `serial` is hex."""

    serial: str
    gateway_id: str
    issued_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """What the broker must know: whose passwords hold, and which certificates, valid by date, must not be taken."""

    passwords: Sequence[Password]
    revoked: Sequence[Certificate]

    @property
    def shut_out(self) -> Sequence[str]:
        """The gateways of revoked certificates that may have no session any more."""
        return sorted({certificate.gateway_id for certificate in self.revoked})


@dataclass(frozen=True, slots=True)
class GatewayCredentials:
    """What a gateway has to show. `speaks`: the register has it in force today."""

    gateway_id: str
    speaks: bool
    password: Password | None
    certificates: Sequence[Certificate]


def speaks(gateway: Gateway, today: date) -> bool:
    """Tell whether a gateway in force today has not been retired."""
    return gateway.retired_on is None or gateway.retired_on > today


def access(
    living: Iterable[str], passwords: Iterable[Password], certificates: Iterable[Certificate], now: datetime
) -> Access:
    """Return what holds at `now` for the gateways in `living`; a gateway that is retired loses all it had."""
    ids = set(living)
    return Access(
        sorted((each for each in passwords if each.gateway_id in ids), key=lambda each: each.gateway_id),
        sorted(
            (
                each
                for each in certificates
                if each.expires_at > now and (each.revoked_at is not None or each.gateway_id not in ids)
            ),
            key=lambda each: each.serial,
        ),
    )


def to_issue(wanted: Sequence[str] | None, living: Sequence[str], holding: Mapping[str, Password]) -> list[str]:
    """Return the gateways that get a password now: those named, or all without one.

    Raises:  CredentialsRefused for one that is not in force, or was named and has one already.
    """
    if wanted is None:
        return [gateway_id for gateway_id in living if gateway_id not in holding]
    named = known(wanted, living)
    for gateway_id in named:
        if gateway_id in holding:
            raise CredentialsRefused(f"{gateway_id} has a password already; `rotate` replaces it")
    return named


def known(wanted: Sequence[str], living: Iterable[str]) -> list[str]:
    """Return the named gateways, each once. Raises CredentialsRefused for one that is not in force."""
    ids = set(living)
    for gateway_id in wanted:
        if gateway_id not in ids:
            raise CredentialsRefused(f"{gateway_id!r} is no gateway in force today")
    return list(dict.fromkeys(wanted))
