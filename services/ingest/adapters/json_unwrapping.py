"""Where in a JSON payload messages stand: alone, in arrays, in members that wrap, in texts that hold JSON."""

from collections.abc import Iterator, Sequence

from services.ingest.adapters.json_fields import is_null, stripped
from services.ingest.adapters.loose_json import Array, Bare, Members, Quoted, Value, read_loosely
from services.ingest.domain.directory import Sender
from services.ingest.domain.errors import Unusable
from services.kernel.words import RefusalReason

MAX_MESSAGES = 16
"""Messages read of one payload, and items of one array: each may cost a look at all its members."""
MAX_WRAPPINGS = 3
MAX_TEXTS = 4
"""Texts that are read as JSON once more: each is as long as the payload at most."""

_WRAPPINGS = frozenset(
    {"data", "payload", "msg", "message", "messages", "body", "content", "event", "events", "alarm", "alarms"}
    | {"params", "value", "values", "items", "list", "d"}
)
_UNIT = frozenset({"unit_id", "unitid", "unit-id"})


def messages_in(values: Sequence[tuple[Value, bool]]) -> Iterator[tuple[Members, bool]]:
    """Yield what may be a message, and whether it stands for itself."""
    level = list(values)
    count = 0
    for _ in range(MAX_WRAPPINGS + 1):
        inner: list[tuple[Value, bool]] = []
        for value, plain in level:
            if isinstance(value, Array):
                inner += [(item, False) for item in value.items[:MAX_MESSAGES]]
            elif isinstance(value, Members):
                if value.named("kind"):
                    count += 1
                    if count > MAX_MESSAGES:
                        return
                    yield value, plain
                else:
                    inner += [(held, False) for name, held in value.pairs if name.strip().casefold() in _WRAPPINGS]
        level = inner[:MAX_MESSAGES]


def unpacked(values: Sequence[Value]) -> list[tuple[Value, bool]]:
    """Return the documents with those that stand as a text in the outermost object or alone, as some clouds wrap it.

    What names a kind itself wraps nothing: a text in it is only what it says of itself.
    """
    found: list[tuple[Value, bool]] = []
    room = MAX_TEXTS
    for value in values:
        held: list[Value] = [value]
        if isinstance(value, Members):
            held = [] if value.named("kind") else [inner for _, inner in value.pairs]
        found.append((value, True))
        for text in held:
            if isinstance(text, Quoted) and text.whole and text.text.lstrip()[:1] in ("{", "[") and room:
                room -= 1
                found += [(document, False) for document in read_loosely(text.text).values]
    return found


def require_unit(values: Sequence[tuple[Value, bool]], sender: Sender) -> None:
    """Look at every name of a unit, wherever it stands. Raises Unusable when one is not the unit of the gateway."""
    level = [value for value, _ in values]
    while level:
        inner: list[Value] = []
        for value in level:
            if isinstance(value, Array):
                inner += value.items
            elif isinstance(value, Members):
                inner += [held for _, held in value.pairs]
                for name, held in value.pairs:
                    if name.strip().casefold() in _UNIT and not _is_unit(held, sender.unit_id):
                        detail = f"the gateway speaks for unit {sender.unit_id} and named another"
                        raise Unusable(RefusalReason.IDENTITY_MISMATCH, detail)
        level = inner


def _is_unit(value: Value, unit_id: str) -> bool:
    return isinstance(value, Quoted | Bare) and (is_null(value) or stripped(value.text) in (unit_id, ""))
