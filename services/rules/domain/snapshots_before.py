"""Saved states of the formats before, which had places instead of names: read as if today's had written them.

Format 2 gave each point two words; format 1 one word, each with one order. Only an upgrade needs this: the first
checkpoint after it writes the whole state anew.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from services.rules.domain.unit.points import NOWHERE, UNSAID

FORMATS = (1, 2)
_BY_DUTY = ("commissioning", "exempt", "retired")
"""Shown in place of what the links were, which was not kept: it is written down anew when the state is read."""
Plain = Any
Named = dict[str, Plain]


def named_head(head: Mapping[str, Plain]) -> Named:
    """Return what is true of a partition as a whole, with names."""
    instance = ("epoch", "number", "proven_until", "written_at")
    return {
        **head,
        "instances": {name: _zip(instance, values) for name, values in head["instances"].items()},
        "unsampled": [_zip(("scope", "dimension", "value"), key) for key in head["unsampled"]],
    }


def unit_namer(saved_format: int) -> Callable[[list[Plain]], Named]:
    """Return what gives names to the state of a unit. A damaged one raises TypeError, ValueError or IndexError."""
    return partial(_unit, read=_trouble if saved_format == 2 else _trouble_of_one_order)


def _zip(names: Sequence[str], values: Sequence[Plain]) -> Named:
    return dict(zip(names, values, strict=True))


def _unit(plain: list[Plain], read: Callable[..., Named]) -> Named:
    connection = {
        "partly": plain[4],
        **_zip(("never_from", "never_since"), plain[7:9]),
        "links": [_link(link) for link in plain[13]],
    }
    if plain[1] is not None:
        connection |= _zip(("shown", "shown_since", "shown_detected"), plain[1:4])
        if plain[1] not in _BY_DUTY:
            connection |= {"state": plain[1], "detected": plain[3]}
    if len(plain) > 17:
        connection |= _zip(("line_drops", "unstable_until"), plain[17:19])
    condition: Named = _zip(("health", "since"), plain[5:7])
    if plain[14] is not None:
        condition["troubles"] = {kind: read(*saved) for kind, saved in plain[14].items()}
    deduplication = _zip(("hour", "beats", "overflow"), plain[9:12])
    if plain[16] is not None:
        deduplication["recent"] = dict(_recent(plain[16]))
    return {
        "registration": {"key": plain[12]},
        "connection": connection,
        "condition": condition,
        "deduplication": deduplication,
        "findings": plain[15],
    }


def _link(plain: list[Plain]) -> Named:
    names = ("gateway", "state", "last_proof", "down_at", "lost_at", "streak", "beat", "beat_before")
    drops = plain[8] if len(plain) > 8 else []
    return {**_zip(names, plain[:8]), "drops": [{"minute": minute, "count": count} for minute, count in drops]}


def _recent(saved: list[str]) -> Iterator[tuple[str, str]]:
    """Yield ids with what the signals said; states saved before that was kept hold ids alone."""
    for one in saved:
        known, _, content = one.partition(" ")
        yield known, content


def _trouble(floor: list[int], words: list[list[Plain]], floors: list[list[Plain]]) -> Named:
    return {
        "all_ended": _position(floor),
        "systems_ended": {system: _position(position) for system, position in floors},
        "points": {
            point: {"begun": _position(begun), "ended": _position(ended), "open": is_open}
            for point, begun, ended, is_open in words
        },
    }


def _trouble_of_one_order(floor: list[int], words: list[list[Plain]], floors: Sequence[list[Plain]] = ()) -> Named:
    return _trouble(
        _in_both_orders(floor),
        [
            [point, *([_in_both_orders(key), UNSAID] if is_open else [UNSAID, _in_both_orders(key)]), is_open]
            for point, key, is_open in words
        ],
        [[system, _in_both_orders(key)] for system, key in floors],
    )


def _in_both_orders(key: list[int]) -> list[int]:
    happened, heard, _ = key
    return [happened, heard, NOWHERE]


def _position(position: Sequence[int]) -> Named:
    return _zip(("happened", "heard", "arrived"), position)
