"""Payloads of GB/T 26875.3 to messages: whole frames, read by the profile of the device that sent them."""

import json
from collections.abc import Iterator
from datetime import datetime

from services.ingest.adapters.frame_salvage import salvage_frame
from services.ingest.domain.directory import Sender
from services.ingest.domain.errors import Unusable
from services.ingest.domain.gb26875 import (
    PROFILES,
    AduError,
    Command,
    Decoded,
    DeviceProfile,
    Event,
    Frame,
    Gb26875Error,
    Rejected,
    confirm,
    decode_all,
    deny_rejected,
    encode_frame,
    notes,
    object_documents,
)
from services.ingest.domain.gb26875_signals import names_its_time, read_signals
from services.ingest.domain.values import DecodedPayload, FramePart, Message, Undecodable
from services.kernel.words import RefusalReason


class Gb26875Decoder:
    """Reads what gateways publish on `.../up/gb26875` and `.../alarm/gb26875`: one frame, or several in a row."""

    def decode(self, payload: bytes, sender: Sender, received_at: datetime) -> DecodedPayload:
        profile = PROFILES.get(sender.device.profile)
        if profile is None:
            raise Unusable(
                RefusalReason.UNKNOWN_PROFILE, f"the registry names a device profile {sender.device.profile}"
            )
        messages: list[Message] = []
        undecodable: list[Undecodable] = []
        replies: list[bytes] = []
        for event in decode_all(payload, profile):
            saved = _saved(event, sender, profile)
            if saved is not None:
                frame, found = saved
                messages += found
                if frame.command == Command.SEND:
                    replies.append(encode_frame(confirm(frame, received_at, profile), profile))
            elif isinstance(event, Rejected):
                undecodable.append(Undecodable(event.raw, _reason(event.error), str(event.error)))
                denial = None if event.continued else deny_rejected(event.raw, received_at, profile)
                if denial is not None:
                    replies.append(encode_frame(denial, profile))
            elif sender.device.address not in (None, event.frame.source_raw):
                undecodable.append(
                    Undecodable(event.raw, RefusalReason.IDENTITY_MISMATCH, "another source address is registered")
                )
            else:
                messages += _messages(event, profile)
                if event.frame.command == Command.SEND:
                    replies.append(encode_frame(confirm(event.frame, received_at, profile), profile))
        if not messages:
            raise Unusable(undecodable[0].reason, undecodable[0].detail, tuple(replies))
        return DecodedPayload(tuple(messages), tuple(undecodable), tuple(replies))


def _saved(event: Event, sender: Sender, profile: DeviceProfile) -> tuple[Frame, list[Message]] | None:
    """Return the frame and the alarms of a data unit that contradicts itself; None for all else."""
    if not isinstance(event, Rejected) or event.continued or not isinstance(event.error, AduError):
        return None
    found = salvage_frame(event.raw, event.error, profile)
    if found is None or sender.device.address not in (None, found[0].frame.source_raw):
        return None
    return found[0].frame, found[1]


def _reason(error: Gb26875Error) -> RefusalReason:
    return RefusalReason.BAD_DATA_UNIT if isinstance(error, AduError) else RefusalReason.BAD_FRAME


def _messages(event: Decoded, profile: DeviceProfile) -> Iterator[Message]:
    """Yield what a frame says, each message with the object that says it."""
    frame = event.frame
    kind = None if frame.adu is None else frame.adu.type
    documents = [] if frame.adu is None else object_documents(frame.adu, profile)
    of_frame, of_object = _odd(event, profile)
    timed = names_its_time(frame)
    last, said, odd = None, None, of_frame
    for part, (place, message) in enumerate(read_signals(frame, profile)):
        if place is not None and place != last:
            last, odd = place, of_frame + of_object.get(place, ())
            said = json.dumps(documents[place], ensure_ascii=False, separators=(",", ":"))
        whole = FramePart(profile.name, frame.serial, frame.command, kind, said, odd, event.raw, part, timed)
        yield message._replace(frame=whole)


_OBJECT = "adu.objects["


def _odd(event: Decoded, profile: DeviceProfile) -> tuple[tuple[str, ...], dict[int, tuple[str, ...]]]:
    """Return the anomalies of the frame as such, and those of each object, so that none stands with all the others."""
    of_frame: tuple[str, ...] = ()
    of_object: dict[int, tuple[str, ...]] = {}
    for note in notes(event.frame, profile):
        written = f"{note.path} {note.code}"
        if note.path.startswith(_OBJECT):
            index = int(note.path[len(_OBJECT) : note.path.index("]")])
            of_object[index] = (*of_object.get(index, ()), written)
        else:
            of_frame += (written,)
    return of_frame, of_object
