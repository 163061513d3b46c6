"""Where each GB/T 26875.3 device was last heard, and how it addresses us: the way that a control goes to it."""

from collections import OrderedDict
from typing import NamedTuple

from services.ingest.domain.gb26875.values import ADDRESS_SIZE
from services.kernel.words import Transport

MAX_REMEMBERED = 100_000
"""Devices; beyond that the one that was silent for longest is forgotten, and is reached over MQTT until heard again."""

_SOURCE = slice(12, 18)
_DEST = slice(18, 24)
NOWHERE = b"\0" * ADDRESS_SIZE


class ReturnPath(NamedTuple):
    """`device` and `centre` are address bytes as the device itself writes them."""

    carrier: Transport
    device: bytes
    centre: bytes


class ReturnPaths:
    """Remembers a bounded number of devices, by the frames that they sent."""

    def __init__(self, limit: int = MAX_REMEMBERED) -> None:
        self._limit = limit
        self._known: OrderedDict[str, ReturnPath] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def heard(self, gateway_id: str, carrier: Transport, frame: bytes) -> None:
        """A whole frame came from the gateway."""
        self._known[gateway_id] = ReturnPath(carrier, frame[_SOURCE], frame[_DEST])
        self._known.move_to_end(gateway_id)
        if len(self._known) > self._limit:
            self._known.popitem(last=False)

    def of(self, gateway_id: str) -> ReturnPath | None:
        """Return where the gateway was last heard, None when this process has not heard it."""
        return self._known.get(gateway_id)
