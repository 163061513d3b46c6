"""`OneTimeCodes` with pyotp (RFC 6238: SHA-1, six digits, 30 s), segno and AES-GCM.

Secrets are sealed with a key from the settings and for one account: a reader of the database has no code of anybody,
and a writer cannot give an account the secret of another.
"""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Sequence
from datetime import datetime, timedelta

import pyotp
import segno
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.console.domain.errors import SecondFactorUnavailable, WrongCode
from services.console.domain.second_factor import Enrolment, SecondFactor, is_from_telephone

ISSUER = "FireNet"
STEP_S = 30
DRIFT_STEPS = 1
"""How many steps the clock of a telephone may be wrong, either way."""
PENDING = timedelta(minutes=15)
_NONCE_BYTES = 12
_CONTEXT = b"firenet second factor 1\n"
MAX_SEALED = 400


class TotpCodes:
    """Seals with the first of `keys`, opens with any of them. Without a key nobody enrols, and no code is right."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = [AESGCM(hashlib.sha256(_CONTEXT + key).digest()) for key in keys]

    @property
    def offered(self) -> bool:
        return bool(self._keys)

    def begin(self, username: str, now: datetime) -> Enrolment:
        secret = pyotp.random_base32()
        address = pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=ISSUER)
        code = segno.make(address, error="m", micro=False)
        picture = "".join(
            f"M{column} {line}h1v1h-1z"
            for line, row in enumerate(code.matrix)
            for column, dark in enumerate(row)
            if dark
        )
        until = int((now + PENDING).timestamp())
        return Enrolment(
            secret, address, picture, len(code.matrix), self._sealed(f"{until} {secret}", f"pending {username}")
        )

    def confirm(self, pending: str, username: str, code: str, now: datetime) -> SecondFactor:
        until, _, secret = (self._opened(pending, f"pending {username}") or "").partition(" ")
        if not secret or now.timestamp() >= int(until):
            raise WrongCode
        step = _step_of(secret, code, now)
        if step is None:
            raise WrongCode
        return SecondFactor(self._sealed(secret, username), step)

    def step_of(self, sealed: str, username: str, code: str, now: datetime) -> int | None:
        secret = self._opened(sealed, username)
        return None if secret is None else _step_of(secret, code, now)

    def _sealed(self, text: str, owner: str) -> str:
        if not self._keys:
            raise SecondFactorUnavailable
        nonce = os.urandom(_NONCE_BYTES)
        return base64.urlsafe_b64encode(nonce + self._keys[0].encrypt(nonce, text.encode(), owner.encode())).decode()

    def _opened(self, sealed: str, owner: str) -> str | None:
        if len(sealed) > MAX_SEALED:
            return None
        try:
            raw = base64.b64decode(sealed, altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            return None
        for key in self._keys:
            try:
                return key.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], owner.encode()).decode()
            except (InvalidTag, ValueError):
                continue
        return None


def _step_of(secret: str, code: str, now: datetime) -> int | None:
    """Return the step whose code this is, None for a wrong one. Looks at all of them, however early one fits."""
    if not is_from_telephone(code):
        return None
    current, maker = int(now.timestamp()) // STEP_S, pyotp.TOTP(secret)
    steps = range(current - DRIFT_STEPS, current + DRIFT_STEPS + 1)
    right = [step for step in steps if hmac.compare_digest(maker.generate_otp(step), code)]
    return max(right, default=None)
