"""Every way a GB/T 26875.3 frame, or a request to build one, can be wrong.

Gb26875Error            code, offset, message
├── FrameError          the frame around the data unit breaks a rule (6.5.3: answer deny)
├── AduError            the frame is sound, its data unit contradicts itself
├── EncodeError         a value cannot be put on the wire
└── DocumentError       a JSON document does not describe a frame
"""

from enum import StrEnum


class ErrorCode(StrEnum):
    """The closed set of reasons; the values are stable and shown to users."""

    BAD_START = "bad_start"
    BAD_END = "bad_end"
    BAD_CHECKSUM = "bad_checksum"
    ADU_TOO_LONG = "adu_too_long"
    UNKNOWN_COMMAND = "unknown_command"
    TRUNCATED = "truncated"
    TRAILING_BYTES = "trailing_bytes"

    ADU_TRUNCATED = "adu_truncated"
    COUNT_OVER_LIMIT = "count_over_limit"
    SIZE_MISMATCH = "size_mismatch"
    RECORD_COUNT_OVER_LIMIT = "record_count_over_limit"

    FIELD_RANGE = "field_range"
    TEXT_TOO_LONG = "text_too_long"
    TEXT_NOT_ENCODABLE = "text_not_encodable"
    WRONG_BODY = "wrong_body"

    MISSING_FIELD = "missing_field"
    BAD_FIELD = "bad_field"
    UNKNOWN_FIELD = "unknown_field"
    FIELD_CONFLICT = "field_conflict"


class Gb26875Error(Exception):
    """A broken rule: `code` says which, `offset` where, `message` why, for a person.

    Units:  `offset` counts bytes from the first byte of the frame (0-based). Errors that
            have no place in a frame (EncodeError, DocumentError) carry 0.
    """

    def __init__(self, code: ErrorCode, offset: int, message: str) -> None:
        super().__init__(code, offset, message)
        self.code = code
        self.offset = offset
        self.message = message

    def __str__(self) -> str:
        return f"{self.code.value} at byte {self.offset}: {self.message}"


class FrameError(Gb26875Error):
    """The frame breaks one of the checks of clause 6.5.3, or is cut short."""


class AduError(Gb26875Error):
    """The frame is whole and its checksum right, but its data unit contradicts table 1.5."""


class EncodeError(Gb26875Error):
    """A value does not fit its field; nothing was built."""


class DocumentError(Gb26875Error):
    """A JSON document lacks a field, has a wrong one, or contradicts itself. `path` names the field."""

    def __init__(self, code: ErrorCode, path: str, message: str) -> None:
        super().__init__(code, 0, f"{path}: {message}")
        self.args = (code, path, message)
        self.path = path
