"""The answer to whoever acknowledges a case or signs for it."""

from enum import StrEnum


class Reply(StrEnum):
    """What became of an acknowledgement or receipt. Another body's case looks like no case at all."""

    DONE = "done"
    ALREADY = "already"
    NOT_FOUND = "not_found"
    CLOSED = "closed"
