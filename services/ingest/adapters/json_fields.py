"""The fields of a message that the strict reading refused, each mended for itself; `notes` says what was.

A trouble is never lost to its decoration: what cannot be read here is left out, and nothing else with it.
"""

import re
import unicodedata
from datetime import datetime
from hashlib import blake2b

from services.ingest.adapters.loose_json import Array, Bare, Members, Quoted, Value
from services.ingest.domain.values import EVERY_COMPONENT, Point

MAX_ADDRESS, MAX_NAME, MAX_LABEL = 64, 64, 200
MAX_SEQ = 2**53
"""As in the schema of what gateways send; the last number that JSON carries safely everywhere."""

UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\ufeff\ufffe\uffff]")
LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")
_WHOLE_NUMBER = re.compile(r"\+?([0-9]{1,16})(?:\.0{1,6})?")


def point_of(members: Members, notes: list[str]) -> Point | None:
    found = members.named("point")
    if not found or all(is_null(value) for value in found):
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
    return Point(address, name_of(value, "system", notes), name_of(value, "type", notes), label_of(value, notes))


def _address(value: Value) -> str | None:
    """Return an address that is the same each time the same is sent, and another for another; None for none."""
    if not isinstance(value, Quoted | Bare) or is_null(value) or (isinstance(value, Quoted) and not value.whole):
        return None
    text = stripped(number_as_text(value))
    text = LONE_SURROGATE.sub(lambda lone: f"\\u{ord(lone[0]):04x}", UNSEEN.sub("", text))
    if not text or text == EVERY_COMPONENT:
        return None
    if len(text) > MAX_ADDRESS:
        digest = blake2b(text.encode(), digest_size=8).hexdigest()
        text = f"{text[: MAX_ADDRESS - 17]}~{digest}"
    return text


def name_of(members: Members, name: str, notes: list[str]) -> str | None:
    found = [value for value in members.named(name) if not is_null(value)]
    if not found:
        return None
    text = number_as_text(found[-1]) if isinstance(found[-1], Quoted | Bare) else ""
    kept = _shown(text)[:MAX_NAME]
    if kept != text or not isinstance(found[-1], Quoted) or not found[-1].whole:
        notes.append(f"point.{name}: mended" if kept else f"point.{name}: cannot be read")
    return kept or None


def label_of(members: Members, notes: list[str]) -> str | None:
    return _shown_text(members, "label", "point.label", notes)


def text_of(members: Members, notes: list[str]) -> str | None:
    return _shown_text(members, "text", "text", notes)


def _shown_text(members: Members, name: str, called: str, notes: list[str]) -> str | None:
    found = [value for value in members.named(name) if not is_null(value)]
    if not found:
        return None
    value = found[-1]
    text = value.text if isinstance(value, Quoted | Bare) else ""
    kept = _shown(text)[:MAX_LABEL]
    if kept != text or not isinstance(value, Quoted) or not value.whole:
        notes.append(f"{called}: mended" if kept else f"{called}: cannot be read")
    return kept or None


def seq_of(members: Members, notes: list[str]) -> int | None:
    found = [value for value in members.named("seq") if not is_null(value)]
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


def occurred_at_of(members: Members, notes: list[str]) -> datetime | None:
    found = [value for value in members.named("occurred_at") if not is_null(value)]
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


def word_of(value: Value) -> str:
    """Return a word of a closed set as it was meant: in any case, width and padding, or alone in a list."""
    if isinstance(value, Array) and len(value.items) == 1:
        value = value.items[0]
    if not isinstance(value, Quoted | Bare) or len(value.text) > MAX_NAME:
        return ""
    word = unicodedata.normalize("NFKC", stripped(value.text)).casefold()
    return re.sub(r"[\s-]+", "_", word)


def number_as_text(value: Quoted | Bare) -> str:
    """Return a name; one that is written as a number is taken by its digits."""
    if isinstance(value, Quoted):
        return value.text
    number = _WHOLE_NUMBER.fullmatch(value.text)
    return number[1] if number is not None else value.text


def is_null(value: Value) -> bool:
    return isinstance(value, Bare) and value.text.casefold() in {"null", "none"}


def stripped(text: str) -> str:
    return text.strip(" \t\r\n\0\ufeff\u3000")


def _shown(text: str) -> str:
    """Return a text that can be stored and shown: lone surrogates replaced, what nobody sees left out."""
    return UNSEEN.sub("", LONE_SURROGATE.sub("\ufffd", text)).strip()
