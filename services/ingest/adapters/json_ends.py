"""Ends of troubles in a payload that the strict reading refused: taken only when they are surely ends.

Complete, of this format, `restores` exact, the component exactly as it was sent; without a component it must say
nothing but what the format knows. A fire that goes on for too long is seen by people, one that was ended in error by
nobody.
"""

from services.ingest.adapters.json_fields import (
    LONE_SURROGATE,
    MAX_ADDRESS,
    UNSEEN,
    is_null,
    label_of,
    name_of,
    number_as_text,
    word_of,
)
from services.ingest.adapters.loose_json import Bare, Members, Quoted, Value
from services.ingest.domain.values import EVERY_COMPONENT, Point
from services.kernel.words import Restores

KNOWN = frozenset({"v", "kind", "seq", "occurred_at", "unit_id", "point", "restores", "measurement", "text"})
"""The members of the format."""
_RESTORES = {str(restores): restores for restores in Restores}
_OF_POINT = frozenset({"address", "system", "type", "label"})
_ONE = frozenset({"1", "1.0"})


class Doubt(Exception):
    """An end that may be none."""


def end_of(members: Members, notes: list[str], *, plain: bool) -> tuple[Restores, Point | None]:
    """Return what surely ends. Raises Doubt."""
    for value in members.named("v"):
        if not isinstance(value, Quoted | Bare) or value.text.strip() not in _ONE:
            raise Doubt
    if not members.whole or any(len(members.named(name)) > 1 for name in ("kind", "restores", "point", "unit_id")):
        raise Doubt
    restores = _RESTORES.get(word_of(_only(members, "restores")))
    if restores is None:
        raise Doubt
    if members.named("point"):
        return restores, _exact_point(_only(members, "point"), notes)
    if not plain or any(name not in KNOWN for name, _ in members.pairs):  # a component may hide in what is not known
        raise Doubt
    return restores, None


def _only(members: Members, name: str) -> Value:
    found = members.named(name)
    if len(found) != 1:
        raise Doubt
    return found[0]


def _exact_point(value: Value, notes: list[str]) -> Point:
    """Return the component that an end names, when there is no doubt which. Raises Doubt."""
    if isinstance(value, Quoted | Bare):
        if value.text.strip() == EVERY_COMPONENT:
            raise Doubt
        return Point(_exact(value), None, None, None)
    if not isinstance(value, Members) or not value.whole or len({name for name, _ in value.pairs}) != len(value.pairs):
        raise Doubt
    if any(name not in _OF_POINT for name, _ in value.pairs):
        raise Doubt
    system = value.named("system")
    address = _exact(_only(value, "address"))
    if address == EVERY_COMPONENT and not (system and isinstance(system[0], Quoted)):
        raise Doubt
    return Point(
        address,
        _exact(system[0]) if system and not is_null(system[0]) else None,
        name_of(value, "type", notes),
        label_of(value, notes),
    )


def _exact(value: Value) -> str:
    """Return a name that came through unharmed. Raises Doubt."""
    if not isinstance(value, Quoted | Bare) or (isinstance(value, Quoted) and not value.whole):
        raise Doubt
    text = number_as_text(value)
    if not text or len(text) > MAX_ADDRESS or is_null(value) or UNSEEN.search(text) or LONE_SURROGATE.search(text):
        raise Doubt
    if "\ufffd" in text:  # bytes that could not be read: two different names would look alike
        raise Doubt
    return text
