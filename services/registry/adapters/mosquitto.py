"""Passwords and access lists as Mosquitto reads them."""

import base64
import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from services.kernel.synthetic import SYNTHETIC
from services.registry.adapters.secret_files import replace_all
from services.registry.domain.credentials import Access
from services.registry.domain.errors import CredentialsRefused

GATEWAY_ACL = """\
# A gateway speaks under its own id and hears what is sent to it; everything else is refused.
pattern write firenet/v1/%u/up/#
pattern write firenet/v1/%u/alarm/#
pattern write firenet/v1/%u/status
pattern read firenet/v1/%u/down/#
"""
SERVICE_ACL: Mapping[str, str] = {
    "ingest": """\
topic read firenet/v1/+/up/+
topic read firenet/v1/+/alarm/+
topic read firenet/v1/+/status
topic write firenet/v1/+/down/#
topic readwrite firenet/v1/$ingest/#
""",
    "monitor": "topic read $SYS/#\n",
    # Sends synthetic alarms, and can pretend to be nobody else.
    "alerts": f"topic write firenet/v1/{SYNTHETIC}/alarm/+\n",
    # Ends sessions by taking their client id over; it may neither speak nor hear.
    "registry": "",
    # For trials: speaks for every gateway.
    "simulator": """\
topic write firenet/v1/+/up/+
topic write firenet/v1/+/alarm/+
topic write firenet/v1/+/status
topic read firenet/v1/+/down/#
""",
}
ITERATIONS = 1
"""Stretching makes guessing a chosen password dear; ours are 192 random bits, which nobody guesses. The broker hashes
in its only thread, for every connection and again for every live session when it is told to read anew: with its
default of 101 rounds, 0.1 ms here, 20 000 gateways would hold a fire alarm up for two seconds; with one, for 0.1 s.
"""
PASSWORD_BYTES = 24
MIN_SERVICE_PASSWORD = 24
_SALT_BYTES = 12
_PASSWORD = re.compile(rf"[\x21-\x7e]{{{MIN_SERVICE_PASSWORD},200}}")


def hashed(password: str) -> str:
    """Return a salted hash in Mosquitto's format 7: PBKDF2 with HMAC-SHA-512."""
    salt = secrets.token_bytes(_SALT_BYTES)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS, 64)
    return f"$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


class MosquittoPasswords:
    def draw(self) -> tuple[str, str]:
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        return password, hashed(password)


class MosquittoAccess:
    """The folder that the broker's settings name.

    Gateways and services have files, and listeners, of their own: a gateway's password opens nothing on the services'
    listener, and a gateway that is called `ingest` is a gateway.
    """

    def __init__(self, folder: Path, services: Mapping[str, str]) -> None:
        """`services` are the passwords of those services that use this broker."""
        self._folder = folder
        self._services = dict(services)

    def write(self, access: Access, revocations: bytes, authority: bytes) -> None:
        names = sorted(self._services)
        services = _lines(f"{name}:{hashed(self._services[name])}" for name in names)
        rights = "".join(f"user {name}\n{SERVICE_ACL[name]}" for name in names)
        replace_all(
            self._folder,
            {
                "ca.crt": authority,
                "revoked.pem": revocations,
                "gateways.acl": GATEWAY_ACL.encode(),
                "gateways.passwords": _lines(f"{each.gateway_id}:{each.hashed}" for each in access.passwords),
                "services.acl": rights.encode(),
                "services.passwords": services,
            },
        )


def service_passwords(files: Mapping[str, Path]) -> dict[str, str]:
    """Return the password in each service's file. Raises CredentialsRefused, never with what a file holds."""
    found: dict[str, str] = {}
    for name, path in files.items():
        if name not in SERVICE_ACL:
            raise CredentialsRefused(f"no service {name[:60]!r} uses the broker; there are {', '.join(SERVICE_ACL)}")
        try:
            password = path.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise CredentialsRefused(f"the password of {name} cannot be read: {type(error).__name__}") from error
        if _PASSWORD.fullmatch(password) is None:
            raise CredentialsRefused(
                f"the password of {name} must have {MIN_SERVICE_PASSWORD} to 200 letters, digits or signs; draw it"
            )
        found[name] = password
    return found


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
