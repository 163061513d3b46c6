"""What can be saved of a JSON payload that the strict reading refused: troubles and their ends.

Three rules stand above all others:

- A trouble is never lost to its decoration: whatever is wrong beside `kind` costs nothing but itself.
- Nothing is made up. What names no trouble becomes none; where `kind` stands twice the graver one counts.
- An end is taken only when it is surely one: complete, of this format, its `restores` exact, its component exactly as
  it was sent. Without a component it must say nothing but what the format knows. Else it is left unread: a fire that
  goes on burning for too long is seen by people, one that was ended in error by nobody.

Who speaks was decided before, from the topic or the connection. A unit that is named must be that unit all the same.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import blake2b

from services.ingest.adapters.loose_json import Array, Bare, Members, Quoted, Value, read_loosely
from services.ingest.adapters.payload_text import likely_text
from services.ingest.domain.directory import Sender
from services.ingest.domain.errors import Unusable
from services.ingest.domain.values import Message, Point, Salvage
from services.kernel.words import Flag, RefusalReason, Restores, SignalKind

MAX_MESSAGES = 16
MAX_NOTES = 16
MAX_WRAPPINGS = 3
MAX_TEXTS = 4
MAX_ADDRESS, MAX_NAME, MAX_LABEL = 64, 64, 200
MAX_SEQ = 2**53

_WRAPPINGS = frozenset(
    {"data", "payload", "msg", "message", "messages", "body", "content", "event", "events", "alarm", "alarms"}
    | {"params", "value", "values", "items", "list", "d"}
)
_BEGINS = {
    SignalKind.FIRE: ("fire", "fire_alarm", "firealarm", "火警", "火灾", "火灾报警"),
    SignalKind.FAULT: ("fault", "故障"),
    SignalKind.ISOLATION: ("isolation", "屏蔽"),
    SignalKind.SUPERVISORY: ("supervisory", "监管"),
}
_WORDS = {word: kind for kind, words in _BEGINS.items() for word in words} | {"restore": SignalKind.RESTORE}
_GRAVEST_FIRST = (*_BEGINS, SignalKind.RESTORE)
_RESTORES = {str(restores): restores for restores in Restores}
_KNOWN = frozenset({"v", "kind", "seq", "occurred_at", "unit_id", "point", "restores", "measurement", "text"})
EVERY_COMPONENT = "*"
_UNIT = frozenset({"unit_id", "unitid", "unit-id"})
_OF_POINT = frozenset({"address", "system", "type", "label"})
_ONE = frozenset({"1", "1.0"})
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ufeff\ufffe\uffff]")
_LONE = re.compile(r"[\ud800-\udfff]")
_WHOLE_NUMBER = re.compile(r"\+?([0-9]{1,16})(?:\.0{1,6})?")


class _Doubt(Exception):
    """An end that may be none."""


def salvage(payload: bytes, sender: Sender, fault: str) -> list[Message]:
    """Return the troubles and ends that can be read in a payload, none when there is none.

    `fault` is why the strict reading refused it. Raises Unusable when any of it is said of a unit that the gateway does
    not speak for. Bounded in time and memory by what `read_loosely` reads.
    """
    text, encoding = likely_text(payload)
    documents = read_loosely(text)
    notes = [fault[:MAX_LABEL], *([encoding] if encoding else [])]
    if documents.rest:
        notes.append("body: something beside the message")
    values = _unpacked(documents.values)
    found: list[Message] = []
    for members, plain in _messages(values):
        message = _message(members, notes, plain=plain)
        if message is not None:
            found.append(message)
    if found and sender.unit_id:  # of a gateway in no register nothing is known to hold against it
        _require_unit(values, sender)
    raw: bytes | None = payload
    for index, message in enumerate(found):
        assert message.salvage is not None, "made below"
        found[index] = message._replace(salvage=message.salvage._replace(raw=raw))
        raw = None  # once is enough
    return found


# --- where messages stand


def _messages(values: Sequence[tuple[Value, bool]]) -> Iterator[tuple[Members, bool]]:
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


def _unpacked(values: Sequence[Value]) -> list[tuple[Value, bool]]:
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


def _require_unit(values: Sequence[tuple[Value, bool]], sender: Sender) -> None:
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
    return isinstance(value, Quoted | Bare) and (_is_null(value) or _stripped(value.text) in (unit_id, ""))


# --- one message


def _message(members: Members, of_payload: Sequence[str], *, plain: bool) -> Message | None:
    notes = list(of_payload)
    kind = _kind(members, notes)
    if kind is None:
        return None
    try:
        restores, point = (
            _end(members, notes, plain=plain) if kind is SignalKind.RESTORE else (None, _point(members, notes))
        )
    except _Doubt:
        return None
    if not members.whole:
        notes.append("body: cut, or not in order")
    _note_the_rest(members, kind, notes)
    return Message(
        kind,
        _seq(members, notes),
        _occurred_at(members, notes),
        point=point,
        restores=restores,
        text=_text(members, notes),
        flags=(Flag.SALVAGED,),
        salvage=Salvage(tuple(notes[:MAX_NOTES]), None),
    )


def _kind(members: Members, notes: list[str]) -> SignalKind | None:
    said = [_word(value) for value in members.named("kind")]
    kinds = {_WORDS[word] for word in said if word in _WORDS}
    if len(said) > 1:
        notes.append("kind: stands more than once")
    return next((kind for kind in _GRAVEST_FIRST if kind in kinds), None)


def _word(value: Value) -> str:
    """Return a word of a closed set as it was meant: in any case, width and padding, or alone in a list."""
    if isinstance(value, Array) and len(value.items) == 1:
        value = value.items[0]
    if not isinstance(value, Quoted | Bare) or len(value.text) > MAX_NAME:
        return ""
    word = unicodedata.normalize("NFKC", _stripped(value.text)).casefold()
    return re.sub(r"[\s-]+", "_", word)


def _note_the_rest(members: Members, kind: SignalKind, notes: list[str]) -> None:
    said = [value.text.strip() for value in members.named("v") if isinstance(value, Quoted | Bare)]
    if said != ["1"]:
        notes.append("v: is not the number 1")
    names = [name.strip().casefold() for name, _ in members.pairs]
    strange = sum(name not in _KNOWN for name in names)
    if strange:
        notes.append(f"body: {strange} members that are not known")
    if len(set(names)) != len(names):
        notes.append("body: a name stands more than once")
    for name in ("measurement", "restores"):
        if name in names and not (name == "restores" and kind is SignalKind.RESTORE):
            notes.append(f"{name}: does not go with this kind")


# --- ends


def _end(members: Members, notes: list[str], *, plain: bool) -> tuple[Restores, Point | None]:
    """Return what surely ends. Raises _Doubt."""
    for value in members.named("v"):
        if not isinstance(value, Quoted | Bare) or value.text.strip() not in _ONE:
            raise _Doubt
    if not members.whole or any(len(members.named(name)) > 1 for name in ("kind", "restores", "point", "unit_id")):
        raise _Doubt
    restores = _RESTORES.get(_word(_only(members, "restores")))
    if restores is None:
        raise _Doubt
    if members.named("point"):
        return restores, _exact_point(_only(members, "point"), notes)
    if not plain or any(name not in _KNOWN for name, _ in members.pairs):  # a component may hide in what is not known
        raise _Doubt
    return restores, None


def _only(members: Members, name: str) -> Value:
    found = members.named(name)
    if len(found) != 1:
        raise _Doubt
    return found[0]


def _exact_point(value: Value, notes: list[str]) -> Point:
    """Return the component that an end names, when there is no doubt which. Raises _Doubt."""
    if isinstance(value, Quoted | Bare):
        if value.text.strip() == EVERY_COMPONENT:
            raise _Doubt
        return Point(_exact(value), None, None, None)
    if not isinstance(value, Members) or not value.whole or len({name for name, _ in value.pairs}) != len(value.pairs):
        raise _Doubt
    if any(name not in _OF_POINT for name, _ in value.pairs):
        raise _Doubt
    system = value.named("system")
    address = _exact(_only(value, "address"))
    if address == EVERY_COMPONENT and not (system and isinstance(system[0], Quoted)):
        raise _Doubt
    return Point(
        address,
        _exact(system[0]) if system and not _is_null(system[0]) else None,
        _name(value, "type", notes),
        _label(value, notes),
    )


def _exact(value: Value) -> str:
    """Return a name that came through unharmed. Raises _Doubt."""
    if not isinstance(value, Quoted | Bare) or (isinstance(value, Quoted) and not value.whole):
        raise _Doubt
    text = _number_as_text(value)
    if not text or len(text) > MAX_ADDRESS or _is_null(value) or _UNSEEN.search(text) or _LONE.search(text):
        raise _Doubt
    if "\ufffd" in text:  # bytes that could not be read: two different names would look alike
        raise _Doubt
    return text


# --- components of troubles


def _point(members: Members, notes: list[str]) -> Point | None:
    found = members.named("point")
    if not found or all(_is_null(value) for value in found):
        return None
    value = found[-1]
    if len(found) > 1:
        notes.append("point: stands more than once")
    if isinstance(value, Quoted | Bare):
        notes.append("point: is no object")
        address = _address(value)
        return None if address is None else Point(address, None, None, None)
    addresses = value.named("address") if isinstance(value, Members) else []
    address = _address(addresses[-1]) if addresses else None
    if address is None or not isinstance(value, Members):
        notes.append("point: no address that can be read")
        return None
    if not isinstance(addresses[-1], Quoted) or address != addresses[-1].text:
        notes.append("point.address: mended")
    return Point(address, _name(value, "system", notes), _name(value, "type", notes), _label(value, notes))


def _address(value: Value) -> str | None:
    """Return an address that is the same each time the same is sent, and another for another; None for none."""
    if not isinstance(value, Quoted | Bare) or _is_null(value) or (isinstance(value, Quoted) and not value.whole):
        return None
    text = _stripped(_number_as_text(value))
    text = _LONE.sub(lambda lone: f"\\u{ord(lone[0]):04x}", _UNSEEN.sub("", text))
    if not text or text == EVERY_COMPONENT:
        return None
    if len(text) > MAX_ADDRESS:
        digest = blake2b(text.encode(), digest_size=8).hexdigest()
        text = f"{text[: MAX_ADDRESS - 17]}~{digest}"
    return text


def _name(members: Members, name: str, notes: list[str]) -> str | None:
    found = [value for value in members.named(name) if not _is_null(value)]
    if not found:
        return None
    text = _number_as_text(found[-1]) if isinstance(found[-1], Quoted | Bare) else ""
    kept = _shown(text)[:MAX_NAME]
    if kept != text or not isinstance(found[-1], Quoted) or not found[-1].whole:
        notes.append(f"point.{name}: mended" if kept else f"point.{name}: cannot be read")
    return kept or None


def _label(members: Members, notes: list[str]) -> str | None:
    return _shown_text(members, "label", "point.label", notes)


def _text(members: Members, notes: list[str]) -> str | None:
    return _shown_text(members, "text", "text", notes)


def _shown_text(members: Members, name: str, called: str, notes: list[str]) -> str | None:
    found = [value for value in members.named(name) if not _is_null(value)]
    if not found:
        return None
    value = found[-1]
    text = value.text if isinstance(value, Quoted | Bare) else ""
    kept = _shown(text)[:MAX_LABEL]
    if kept != text or not isinstance(value, Quoted) or not value.whole:
        notes.append(f"{called}: mended" if kept else f"{called}: cannot be read")
    return kept or None


# --- numbers and times


def _seq(members: Members, notes: list[str]) -> int | None:
    found = [value for value in members.named("seq") if not _is_null(value)]
    if not found:
        return None
    value = found[-1]
    number = _WHOLE_NUMBER.fullmatch(value.text.strip()) if isinstance(value, Quoted | Bare) else None
    if number is None or int(number[1]) > MAX_SEQ:
        notes.append("seq: no number that can be used")
        return None
    if not isinstance(value, Bare) or value.text != number[1]:
        notes.append("seq: a number in another form")
    return int(number[1])


def _occurred_at(members: Members, notes: list[str]) -> datetime | None:
    found = [value for value in members.named("occurred_at") if not _is_null(value)]
    if not found:
        return None
    at = _instant(found[-1].text) if isinstance(found[-1], Quoted) and found[-1].whole else None
    if at is None:
        notes.append("occurred_at: no time with a zone")
    return at


def _instant(text: str) -> datetime | None:
    """Return the instant that a text names beyond doubt: with its zone, and such that it can be told in UTC."""
    if not 16 <= len(text) <= 40:
        return None
    try:
        at = datetime.fromisoformat(text)
        return at if at.tzinfo is not None and 1 < at.year < 9999 else None
    except ValueError:
        return None


# --- texts


def _number_as_text(value: Quoted | Bare) -> str:
    """Return a name; one that is written as a number is taken by its digits."""
    if isinstance(value, Quoted):
        return value.text
    number = _WHOLE_NUMBER.fullmatch(value.text)
    return number[1] if number is not None else value.text


def _is_null(value: Value) -> bool:
    return isinstance(value, Bare) and value.text.casefold() in {"null", "none"}


def _stripped(text: str) -> str:
    return text.strip(" \t\r\n\0\ufeff\u3000")


def _shown(text: str) -> str:
    """Return a text that can be stored and shown: lone surrogates replaced, what nobody sees left out."""
    return _UNSEEN.sub("", _LONE.sub("\ufffd", text)).strip()
