"""What alerts remembers of the events it took in, so that the same one has no second effect.

The id of a gateway's signal is that of one reception, and its first digits name the delivery by the broker
(`kernel.ids`). What the broker marks as delivered before is asked about by its delivery alone; all else by its id: a
gateway that repeats itself means something new, and whether that changes anything the open case says.
"""

from collections.abc import Collection

from services.kernel.ids import DELIVERY_DIGITS, SIGNAL_DIGITS

_OF_GATEWAYS = "/gateways/"


def event_name(source: str, event_id: str, *, redelivered: bool = False) -> str:
    """Return the name that an event is remembered by."""
    whole = f"{source}#{event_id}"
    return _delivery(whole) or whole if redelivered else whole


def remembered(names: Collection[str]) -> set[str]:
    """Return everything that is remembered when events of these names are taken in."""
    return {*names, *_deliveries(names)}


def fresh_among(names: Collection[str], new: Collection[str]) -> set[str]:
    """Return which names are new, when of all that is remembered now `new` was not remembered before."""
    return (set(names) & set(new)) - _deliveries(names)


def _deliveries(names: Collection[str]) -> set[str]:
    return {delivery for name in names if (delivery := _delivery(name)) is not None}


def _delivery(name: str) -> str | None:
    source, _, event_id = name.rpartition("#")
    if not source.startswith(_OF_GATEWAYS) or len(event_id) != SIGNAL_DIGITS:
        return None
    return f"{source}#{event_id[:DELIVERY_DIGITS]}"
