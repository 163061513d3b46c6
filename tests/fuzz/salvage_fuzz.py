"""Coverage-guided fuzzing of the careful reading with atheris, which is no requirement of the project.

    pip install atheris && python -m tests.fuzz.salvage_fuzz [corpus folder] -max_total_time=300

The promises of `check` are held by the seeded tests of the suite as well.
"""

import json
import sys
import unicodedata
from collections.abc import Sequence

from schemas import codec
from services.ingest.adapters import loose_json
from services.ingest.adapters.json_salvage import MAX_NOTES, salvage
from services.ingest.adapters.json_unwrapping import MAX_MESSAGES
from services.ingest.adapters.payload_text import likely_text
from services.ingest.adapters.wire import Encoder
from services.ingest.domain.directory import Sender
from services.ingest.domain.errors import Unusable
from services.ingest.domain.values import Arrival, Message, Signal
from services.kernel.words import Flag, Lane, RefusalReason, SignalKind, Transport
from tests.unit.ingest.build import NOON

UNIT = "U000001"
WORDS = {
    SignalKind.FIRE: ("fire", "火警", "火灾"),
    SignalKind.FAULT: ("fault", "故障"),
    SignalKind.ISOLATION: ("isolation", "屏蔽"),
    SignalKind.SUPERVISORY: ("supervisory", "监管"),
    SignalKind.RESTORE: ("restore",),
}
ENCODER = Encoder("ingest-1")


def check(payload: bytes) -> Sequence[Message]:
    """Read a payload and hold what must be true of any; return what was read."""
    try:
        messages = salvage(payload, Sender(UNIT), "not_json: because")
    except Unusable as error:
        if error.reason is not RefusalReason.IDENTITY_MISMATCH:
            raise
        return ()
    assert len(messages) <= MAX_MESSAGES
    assert not (messages and names_another_kind(payload)), "made of what a message says of itself"
    text = likely_text(payload)[0]
    named = unicodedata.normalize("NFKC", loose_json.unescaped(loose_json.unescaped(text))).casefold()
    for part, message in enumerate(messages):
        assert any(word in named for word in WORDS[message.kind]), "made up"
        assert message.unit_id is None
        assert (message.kind is SignalKind.RESTORE) == (message.restores is not None)
        assert Flag.SALVAGED in message.flags
        assert message.salvage is not None
        assert 0 < len(message.salvage.notes) <= MAX_NOTES
        assert (message.salvage.raw is not None) == (part == 0)
        if message.point is not None:
            assert 0 < len(message.point.address) <= 64
        check_written(message, payload, part)
    return messages


def names_another_kind(payload: bytes) -> bool:
    """Say whether a payload is one good JSON object whose only kind is no trouble: what else it holds is its own."""

    def pairs(found: list[tuple[str, object]]) -> dict[str, object]:
        if len({name.strip().casefold() for name, _ in found}) < len(found):
            raise ValueError("a name stands twice")
        return dict(found)

    try:
        content = json.loads(payload, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return False
    kind = content.get("kind") if isinstance(content, dict) else None
    if not isinstance(kind, str):
        return False
    folded = unicodedata.normalize("NFKC", kind).casefold()
    return not any(word in folded for words in WORDS.values() for word in words)


def check_written(message: Message, payload: bytes, part: int) -> None:
    """What was read can be written, and is read back by the schema."""
    signal = Signal("G000001", UNIT, Lane.ALARM, Transport.MQTT_JSON, message, message.flags, part)
    codec.signals.decode(ENCODER.signal(signal, Arrival(1, 1, "t", payload, NOON)))


def one_input(data: bytes) -> None:
    """What atheris calls."""
    check(data[:65536])


if __name__ == "__main__":
    import atheris

    atheris.instrument_all()
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
