"""The answer to whoever acknowledges a case."""

from enum import StrEnum


class Reply(StrEnum):
    """What became of an acknowledgement. Another body's case looks like no case at all."""

    DONE = "done"
    ALREADY = "already"
    NOT_FOUND = "not_found"
    CLOSED = "closed"
