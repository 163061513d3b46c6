"""Secrets of channels from files: one file per reference.

Of a webhook one signing key per line while keys are being changed; of a robot its address, and below it its secret.
"""

import base64
import binascii
import re
from pathlib import Path

_REF = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
_PREFIX = "whsec_"
MAX_BYTES = 4096


class NoSecret(Exception):
    """There is no usable secret under this reference. The message holds no secret."""


class SecretFiles:
    """Reads on each use, so that a changed file takes effect at once. Keys stay inside."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keys(self, ref: str) -> list[bytes]:
        """Return the signing keys, newest first. Raises NoSecret."""
        return [_key(line) for line in self.lines(ref)]

    def lines(self, ref: str) -> list[str]:
        """Return the lines that are not empty, at least one. Raises NoSecret."""
        if not _REF.match(ref):
            raise NoSecret("the reference is not a file name")
        try:
            with (self._folder / ref).open("rb") as file:
                text = file.read(MAX_BYTES).decode("ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise NoSecret(type(error).__name__) from error
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        if not lines:
            raise NoSecret("the file is empty")
        return lines


def _key(line: str) -> bytes:
    """`whsec_` and base64 as Standard Webhooks writes it; anything else is taken as the key's own bytes."""
    if not line.startswith(_PREFIX):
        return line.encode()
    text = line.removeprefix(_PREFIX).rstrip("=")
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise NoSecret("not base64 behind whsec_") from error
    if not key:
        raise NoSecret("nothing behind whsec_")
    return key
