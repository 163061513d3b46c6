"""GB/T 26875.3-2011, the alarm transmission protocol: a complete and pure codec.

    decode_frame(data, profile) -> Frame           one frame, or a Gb26875Error
    encode_frame(frame, profile) -> bytes
    StreamDecoder(profile).feed(data) -> events    frames and rejections out of a stream
    notes(frame, profile)                          what is odd about a good frame
    frame_document / read_document                 the JSON form
    confirm, deny, set_clock, duty_check, query    what the centre sends

A `DeviceProfile` says how one make of device reads the standard; `PROFILES` are those we ship.
"""

from services.ingest.domain.gb26875.adu import Adu, RawAdu
from services.ingest.domain.gb26875.document import Document, Json, frame_document, object_documents
from services.ingest.domain.gb26875.document_read import read_document
from services.ingest.domain.gb26875.errors import (
    AduError,
    DocumentError,
    EncodeError,
    ErrorCode,
    FrameError,
    Gb26875Error,
)
from services.ingest.domain.gb26875.exchange import (
    Envelope,
    Purpose,
    confirm,
    deny,
    deny_rejected,
    duty_check,
    may_send,
    purpose,
    query,
    set_clock,
)
from services.ingest.domain.gb26875.frame import Frame, decode_frame, encode_frame
from services.ingest.domain.gb26875.notes import Note, NoteCode, notes
from services.ingest.domain.gb26875.profile import (
    PROFILES,
    STANDARD,
    AddressForm,
    ComponentOrder,
    DeviceProfile,
    TimeCoding,
    profile_named,
)
from services.ingest.domain.gb26875.stream import Decoded, Event, Rejected, StreamDecoder, decode_all
from services.ingest.domain.gb26875.tables import Command
from services.ingest.domain.gb26875.values import ComponentAddress, Text, TimeLabel

__all__ = [
    "PROFILES",
    "STANDARD",
    "AddressForm",
    "Adu",
    "AduError",
    "Command",
    "ComponentAddress",
    "ComponentOrder",
    "Decoded",
    "DeviceProfile",
    "Document",
    "DocumentError",
    "EncodeError",
    "Envelope",
    "ErrorCode",
    "Event",
    "Frame",
    "FrameError",
    "Gb26875Error",
    "Json",
    "Note",
    "NoteCode",
    "Purpose",
    "RawAdu",
    "Rejected",
    "StreamDecoder",
    "Text",
    "TimeCoding",
    "TimeLabel",
    "confirm",
    "decode_all",
    "decode_frame",
    "deny",
    "deny_rejected",
    "duty_check",
    "encode_frame",
    "frame_document",
    "may_send",
    "notes",
    "object_documents",
    "profile_named",
    "purpose",
    "query",
    "read_document",
    "set_clock",
]
