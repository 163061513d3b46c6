"""The exchanges that have not ended, by order and by gateway, and what must be remembered of those that have."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import TypeVar
from zlib import crc32

from services.ingest.domain.controls import Order
from services.ingest.domain.exchange import Exchange
from services.kernel.words import ExchangeReason

MAX_ENDED = 100_000
"""Orders whose end is remembered: longer than the log that is read at a start has any."""
MAX_SERIALS = 100_000
"""Gateways whose last number is remembered; of one that is forgotten the next number comes from the order."""
_SERIALS = 0x10000

V = TypeVar("V")


class OpenExchanges:
    """Those that have not ended, in the order in which they were seen."""

    def __init__(self) -> None:
        self._by_order: dict[str, Exchange] = {}
        self._by_gateway: dict[str, list[Exchange]] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._serials: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_order)

    def __iter__(self) -> Iterator[Exchange]:
        return iter(self._by_order.values())

    def get(self, command_id: str) -> Exchange | None:
        return self._by_order.get(command_id)

    def has_ended(self, command_id: str) -> bool:
        return command_id in self._ended

    def with_gateway(self, gateway_id: str) -> list[Exchange]:
        return self._by_gateway.get(gateway_id, [])

    def why_not(self, order: Order, limit: int) -> ExchangeReason | None:
        """Return why there is no room for an order, None where there is: one of a kind at a time for each gateway."""
        if any(other.order.what is order.what for other in self.with_gateway(order.gateway_id)):
            return ExchangeReason.BUSY
        return ExchangeReason.TOO_MANY if len(self) >= limit else None

    def add(self, exchange: Exchange) -> None:
        self._by_order[exchange.order.command_id] = exchange
        self._by_gateway.setdefault(exchange.order.gateway_id, []).append(exchange)

    def end(self, command_id: str) -> None:
        """Drop one; it may be unknown, or have ended. It is never added again."""
        remember(self._ended, command_id, None, MAX_ENDED)
        exchange = self._by_order.pop(command_id, None)
        if exchange is None:
            return
        gateway_id = exchange.order.gateway_id
        left = [other for other in self._by_gateway[gateway_id] if other is not exchange]
        if left:
            self._by_gateway[gateway_id] = left
        else:
            del self._by_gateway[gateway_id]

    def next_serial(self, order: Order) -> int:
        """Return the next number for this gateway; of one we remember nothing of, a number that the order gives.

        To begin at 0 again after a restart could make ours look like a resend of an old one. Processes that claim the
        same order come to the same number.
        """
        used = {exchange.serial for exchange in self.with_gateway(order.gateway_id)}
        last = self._serials.get(order.gateway_id)
        serial = (crc32(order.command_id.encode()) if last is None else last + 1) % _SERIALS
        while serial in used:
            serial = (serial + 1) % _SERIALS
        return serial

    def use_serial(self, gateway_id: str, serial: int) -> None:
        """Take note that an exchange with this gateway has this number."""
        remember(self._serials, gateway_id, serial, MAX_SERIALS)


def remember(known: OrderedDict[str, V], key: str, value: V, limit: int) -> None:
    """Put a value at the end; beyond `limit` the one that was put longest ago is forgotten."""
    known[key] = value
    known.move_to_end(key)
    if len(known) > limit:
        known.popitem(last=False)
