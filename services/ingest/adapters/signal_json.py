"""Parts of a signal as JSON text: written by hand, in the order of the model (why: `wire.Encoder`)."""

from base64 import b64encode
from datetime import datetime
from json.encoder import encode_basestring as _quote

from services.ingest.domain.values import Arrival, FramePart, Message, Point, Salvage
from services.kernel import ids
from services.kernel.words import SignalKind


def optional_members(message: Message) -> str:
    """Return the members before `flags` that not every message has, each with a comma before it."""
    _, seq, occurred_at, _, point, restores, measurement, text, missing, *_ = message
    written = "" if seq is None else f',"seq":{seq}'
    if occurred_at is not None:
        written += f',"occurred_at":"{zoned(occurred_at)}"'
    if point is not None:
        written += _point_member(point)
    if restores is not None:
        written += f',"restores":"{restores}"'
    if measurement is not None:
        written += f',"measurement":{{"value":{measurement.value!r},"unit":{_quote(measurement.unit)}}}'
    if text is not None:
        written += f',"text":{_quote(text)}'
    if missing is not None:
        written += f',"missing":{missing}'
    return written


def _point_member(point: Point) -> str:
    address, system, kind, label = point
    written = f',"point":{{"address":{_quote(address)}'
    if system is not None:
        written += f',"system":{_quote(system)}'
    if kind is not None:
        written += f',"type":{_quote(kind)}'
    if label is not None:
        written += f',"label":{_quote(label)}'
    return written + "}"


def frame_member(frame: FramePart) -> str:
    profile, serial, command, kind, said, notes, raw, _, _ = frame
    written = f',"frame":{{"profile":"{profile}","serial":{serial},"command":{command}'
    if kind is not None:
        written += f',"type":{kind}'
    if said is not None:
        written += f',"said":{said}'
    if notes:
        written += f',"notes":[{",".join([_quote(note) for note in notes])}]'
    return f'{written},"raw":"{b64encode(raw).decode()}"}}'


def salvage_members(salvage: Salvage) -> str:
    notes, raw = salvage
    written = f',"notes":[{",".join([_quote(note) for note in notes])}]'
    return written if raw is None else f'{written},"raw":"{b64encode(raw).decode()}"'


def zoned(instant: datetime) -> str:
    """Return an instant in the zone that it was said in, UTC as `Z`."""
    written = instant.isoformat()
    return f"{written[:-6]}Z" if written.endswith("+00:00") else written


def content_key(gateway_id: str, arrival: Arrival, message: Message, part: int) -> str:
    """Return the key of what was said: the same for the same bytes; of a frame, which may come in other company, its
    own.
    """
    frame = message.frame
    if frame is None:
        return ids.derive("signal", gateway_id, arrival.payload, *([str(part)] if part else []))
    return ids.derive(
        "signal", gateway_id, frame.identity, "gap" if message.kind is SignalKind.GAP else str(frame.part)
    )
