"""Payloads of GB/T 26875.3 to messages: whole frames, read by the profile of the device that sent them."""

from datetime import datetime

from services.ingest.domain.directory import Speaker
from services.ingest.domain.errors import Unusable
from services.ingest.domain.gb26875 import (
    PROFILES,
    AduError,
    Command,
    Decoded,
    DeviceProfile,
    Frame,
    Gb26875Error,
    Rejected,
    confirm,
    decode_all,
    deny_rejected,
    encode_frame,
    notes,
)
from services.ingest.domain.values import FramePart, Kind, Message, Reading, Reason, Spoiled


class Gb26875Decoder:
    """Reads what gateways publish on `.../up/gb26875` and `.../alarm/gb26875`: one frame, or several in a row."""

    def decode(self, payload: bytes, speaker: Speaker, received_at: datetime) -> Reading:
        profile = PROFILES.get(speaker.device.profile)
        if profile is None:
            raise Unusable(Reason.UNKNOWN_VERSION, f"no device profile is named {speaker.device.profile}")
        messages: list[Message] = []
        spoiled: list[Spoiled] = []
        replies: list[bytes] = []
        for event in decode_all(payload, profile):
            if isinstance(event, Rejected):
                spoiled.append(Spoiled(event.raw, _reason(event.error), str(event.error)))
                denial = None if event.continued else deny_rejected(event.raw, received_at, profile)
                if denial is not None:
                    replies.append(encode_frame(denial, profile))
            elif speaker.device.address not in (None, event.frame.source_raw):
                spoiled.append(Spoiled(event.raw, Reason.IDENTITY_MISMATCH, "another source address is registered"))
            else:
                messages.append(_message(event, profile))
                if event.frame.command == Command.SEND:
                    replies.append(encode_frame(confirm(event.frame, received_at, profile), profile))
        if not messages:
            raise Unusable(spoiled[0].reason, spoiled[0].detail, tuple(replies))
        return Reading(tuple(messages), tuple(spoiled), tuple(replies))


def _reason(error: Gb26875Error) -> Reason:
    return Reason.BAD_DATA_UNIT if isinstance(error, AduError) else Reason.BAD_FRAME


def _message(event: Decoded, profile: DeviceProfile) -> Message:
    frame: Frame = event.frame
    kind = None if frame.adu is None else frame.adu.type
    odd = tuple(f"{note.path} {note.code}" for note in notes(frame, profile))
    part = FramePart(profile.name, frame.serial, frame.command, kind, None, odd, event.raw)
    return Message(Kind.HEARTBEAT, occurred_at=frame.time_label.instant(profile), frame=part)
