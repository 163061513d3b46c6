"""What can be saved of a JSON payload that the strict reading refused: troubles and their ends.

Three rules stand above all others:

- A trouble is never lost to its decoration: whatever is wrong beside `kind` costs nothing but itself.
- Nothing is made up. What names no trouble becomes none; where `kind` stands twice the graver one counts.
- An end is taken only when it is surely one: complete, of this format, its `restores` exact, its component exactly as
  it was sent. Without a component it must say nothing but what the format knows. Else it is left unread: a fire that
  goes on for too long is seen by people, one that was ended in error by nobody.

Who speaks was decided before, from the topic or the connection. A unit that is named must be that unit all the same.
"""

from collections.abc import Sequence

from services.ingest.adapters.json_ends import KNOWN, Doubt, end_of
from services.ingest.adapters.json_fields import MAX_LABEL, occurred_at_of, point_of, seq_of, text_of, word_of
from services.ingest.adapters.json_unwrapping import messages_in, require_unit, unpacked
from services.ingest.adapters.loose_json import Bare, Members, Quoted, read_loosely
from services.ingest.adapters.payload_text import likely_text
from services.ingest.domain.directory import Sender
from services.ingest.domain.values import Message, Salvage
from services.kernel.words import Flag, SignalKind

MAX_NOTES = 16
"""As many as a signal holds."""

_BEGINS = {
    SignalKind.FIRE: ("fire", "fire_alarm", "firealarm", "火警", "火灾", "火灾报警"),
    SignalKind.FAULT: ("fault", "故障"),
    SignalKind.ISOLATION: ("isolation", "屏蔽"),
    SignalKind.SUPERVISORY: ("supervisory", "监管"),
}
_WORDS = {word: kind for kind, words in _BEGINS.items() for word in words} | {"restore": SignalKind.RESTORE}
_GRAVEST_FIRST = (*_BEGINS, SignalKind.RESTORE)


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
    values = unpacked(documents.values)
    found: list[Message] = []
    for members, plain in messages_in(values):
        message = _message(members, notes, plain=plain)
        if message is not None:
            found.append(message)
    if found and sender.unit_id:  # of a gateway in no register nothing is known to hold against it
        require_unit(values, sender)
    if found and found[0].salvage is not None:  # the payload is kept once, with the first of its messages
        found[0] = found[0]._replace(salvage=found[0].salvage._replace(raw=payload))
    return found


def _message(members: Members, of_payload: Sequence[str], *, plain: bool) -> Message | None:
    notes = list(of_payload)
    kind = _kind(members, notes)
    if kind is None:
        return None
    try:
        restores, point = (
            end_of(members, notes, plain=plain) if kind is SignalKind.RESTORE else (None, point_of(members, notes))
        )
    except Doubt:
        return None
    if not members.whole:
        notes.append("body: cut, or not in order")
    _note_the_rest(members, kind, notes)
    return Message(
        kind,
        seq_of(members, notes),
        occurred_at_of(members, notes),
        point=point,
        restores=restores,
        text=text_of(members, notes),
        flags=(Flag.SALVAGED,),
        salvage=Salvage(tuple(notes[:MAX_NOTES]), None),
    )


def _kind(members: Members, notes: list[str]) -> SignalKind | None:
    said = [word_of(value) for value in members.named("kind")]
    kinds = {_WORDS[word] for word in said if word in _WORDS}
    if len(said) > 1:
        notes.append("kind: stands more than once")
    return next((kind for kind in _GRAVEST_FIRST if kind in kinds), None)


def _note_the_rest(members: Members, kind: SignalKind, notes: list[str]) -> None:
    said = [value.text.strip() for value in members.named("v") if isinstance(value, Quoted | Bare)]
    if said != ["1"]:
        notes.append("v: is not the number 1")
    names = [name.strip().casefold() for name, _ in members.pairs]
    strange = sum(name not in KNOWN for name in names)
    if strange:
        notes.append(f"body: {strange} members that are not known")
    if len(set(names)) != len(names):
        notes.append("body: a name stands more than once")
    for name in ("measurement", "restores"):
        if name in names and not (name == "restores" and kind is SignalKind.RESTORE):
            notes.append(f"{name}: does not go with this kind")
