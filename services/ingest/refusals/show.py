"""Refusals as people and programs read them: a table row, a sheet, a JSON object, a hex dump."""

import base64
from collections.abc import Iterator, Sequence
from datetime import datetime

from services.ingest.domain.directory import Directory, Sender
from services.ingest.domain.gb26875 import PROFILES, STANDARD, Decoded, Document, decode_all, frame_document, notes
from services.ingest.domain.replays import ReplayNote, StoredRefusal
from services.ingest.domain.topics import split_topic
from services.ingest.domain.values import Accepted, Format, Outcome
from services.kernel.calendar import CHINA

OPEN, REPLAYED = "open", "replayed"
HEADINGS = ("received 接收时间", "id", "gateway 网关", "reason 原因", "state 状态", "bytes 字节")
WIDTHS = (23, 32, 16, 19, 8, 7)


def state_of(history: Sequence[ReplayNote]) -> str:
    """Return whether a replay has made signals of it."""
    return REPLAYED if any(note.reason is None for note in history) else OPEN


def local(at: datetime) -> str:
    return at.astimezone(CHINA).isoformat(" ", "milliseconds")[:-6]


def plain(text: str) -> str:
    """Return `text` without characters that a terminal would act on: topics and texts come from anybody."""
    return "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in text)


def row(refusal: StoredRefusal, history: Sequence[ReplayNote]) -> str:
    cells = (
        local(refusal.arrival.received_at),
        refusal.position.refusal_id,
        refusal.gateway_id or "-",
        refusal.reason,
        state_of(history),
        str(refusal.raw_bytes),
    )
    return (
        "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, WIDTHS, strict=True)) + f"  {plain(refusal.detail)}"
    )


def headings() -> str:
    # A Chinese character takes the place of two on a terminal.
    cells = (
        heading + " " * max(0, width - len(heading) - sum(ord(one) > 0x2E7F for one in heading))
        for heading, width in zip(HEADINGS, WIDTHS, strict=True)
    )
    return "  ".join(cells) + "  detail 说明"


def document(refusal: StoredRefusal, history: Sequence[ReplayNote], *, raw: bool = True) -> Document:
    """Return everything that is known of a refusal, for JSON."""
    arrival = refusal.arrival
    claim = arrival.claim
    found: Document = {
        "id": refusal.position.refusal_id,
        "partition": refusal.position.partition,
        "offset": refusal.position.offset,
        "received_at": arrival.received_at.isoformat(),
        "reason": refusal.reason,
        "detail": refusal.detail,
        "gateway_id": refusal.gateway_id,
        "topic": arrival.topic,
        "carrier": None if claim is None else claim.route.carrier.value,
        "peer": None if claim is None else claim.peer,
        "instance": refusal.instance,
        "redelivered": arrival.duplicate,
        "retained": arrival.retained,
        "raw_bytes": refusal.raw_bytes,
        "state": state_of(history),
        "replays": [_note(note) for note in history],
    }
    return found | {"raw": base64.b64encode(arrival.payload).decode()} if raw else found


def _note(note: ReplayNote) -> Document:
    return {"command_id": note.command_id, "by": note.by, "at": note.at.isoformat()} | result(note)


def result(note: ReplayNote) -> Document:
    """Return what a replay made, or would make, of a refusal."""
    outcome = "accepted" if note.reason is None else "refused"
    parts: Document = {"outcome": outcome, "signals": note.signals, "undecodable": note.undecodable}
    return parts | {"reason": note.reason, "detail": note.detail}


def in_words(note: ReplayNote) -> str:
    """Return the same in words."""
    if note.reason is not None:
        return plain(f"unusable: {note.reason}: {note.detail}")
    left = f", {note.undecodable} parts unusable: {note.detail}" if note.undecodable else ""
    return plain(f"{note.signals} signals{left}")


def verdict(outcome: Outcome) -> Document:
    """Return what would become of a refusal today."""
    if isinstance(outcome, Accepted):
        kinds = [signal.message.kind.value for signal in outcome.signals]
        undecodable = [f"{one.reason}: {one.detail}" for one in outcome.undecodable]
        return {
            "outcome": "accepted",
            "unit_id": outcome.signals[0].unit_id,
            "signals": [*kinds],
            "undecodable": [*undecodable],
        }
    return {"outcome": "refused", "reason": outcome.reason.value, "detail": outcome.detail}


def sheet(
    refusal: StoredRefusal, history: Sequence[ReplayNote], today: Outcome, directory: Directory, limit: int
) -> Iterator[str]:
    """Yield the lines of a full description; the hex dump ends after `limit` bytes and says so."""
    for name, value in document(refusal, (), raw=False).items():
        if name not in ("state", "replays"):
            yield f"{name:<12} {plain(str(value))}"
    yield f"{'state':<12} {state_of(history)}"
    for note in history:
        yield f"{'replayed':<12} {local(note.at)} by {plain(note.by)}: {in_words(note)}"
    yield f"{'today':<12} {plain(str(verdict(today)))}"
    for line in frames(refusal, directory):
        yield f"{'frame':<12} {plain(str(line))}"
    yield ""
    yield from hex_dump(refusal.arrival.payload[:limit])
    if refusal.raw_bytes > limit or not refusal.whole:
        have = len(refusal.arrival.payload)
        yield f"... {refusal.raw_bytes - min(limit, have)} of {refusal.raw_bytes} bytes are not shown; {have} are kept"


def frames(refusal: StoredRefusal, directory: Directory) -> list[Document]:
    """Return what the codec makes of GB/T 26875.3 bytes, by the profile of the gateway or else by the standard."""
    arrival = refusal.arrival
    claim = arrival.claim
    found = split_topic(arrival.topic)
    route = claim.route if claim is not None else None if found is None else found[1]
    if route is None or route.format is not Format.GB26875 or not arrival.payload:
        return []
    sender = directory.sender(refusal.gateway_id or "", arrival.received_at)
    wanted = sender.device.profile if isinstance(sender, Sender) else STANDARD.name
    profile = PROFILES.get(wanted, STANDARD)
    said: list[Document] = [] if profile.name == wanted else [{"error": f"no device profile is named {wanted}"}]
    for event in decode_all(arrival.payload, profile):
        if isinstance(event, Decoded):
            odd = [f"{note.path} {note.code}" for note in notes(event.frame, profile)]
            said.append({**frame_document(event.frame, profile), "offset": event.offset, "notes": [*odd]})
        elif not event.continued:
            error = event.error
            said.append({"offset": event.offset + error.offset, "error": error.code.value, "message": error.message})
    return said


def hex_dump(raw: bytes) -> Iterator[str]:
    for start in range(0, len(raw), 16):
        part = raw[start : start + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        yield f"{start:08x}  {part[:8].hex(' '):<23}  {part[8:].hex(' '):<23}  {text}"
