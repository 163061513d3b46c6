"""The answer to whoever does something with a case."""

from enum import StrEnum


class Reply(StrEnum):
    """What became of it. Another body's case looks like no case at all.

    `alone`: it burns, or may, and is answered by itself, not with many. `full`: there are as many as are kept.
    `nothing_next`: no step waits for time, or it is held. `unfit`: the two cases cannot be one.
    """

    DONE = "done"
    ALREADY = "already"
    NOT_FOUND = "not_found"
    CLOSED = "closed"
    ALONE = "alone"
    FULL = "full"
    NOTHING_NEXT = "nothing_next"
    UNFIT = "unfit"
