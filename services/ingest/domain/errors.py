"""What can go wrong in ingest.

IngestError
+-- Unusable          a decoder cannot use this payload: the message becomes a refusal
+-- ConnectionDied    the thread of a broker connection ended or hangs: the process must be started anew
+-- NotAllowed        a frame that a centre which only monitors must never send
+-- LogUnavailable    Kafka does not answer one who reads refusals
"""

from services.kernel.words import RefusalReason


class IngestError(Exception):
    """Base of everything that ingest raises itself."""


class Unusable(IngestError):
    """A payload cannot be used. `detail` says where it went wrong without quoting the content.

    `replies` are what the device is answered once the refusal is stored.
    """

    def __init__(self, reason: RefusalReason, detail: str, replies: tuple[bytes, ...] = ()) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.replies = replies


class ConnectionDied(IngestError):
    """The thread that serves a broker connection is gone or does not turn."""

    def __init__(self, lane: str, why: str) -> None:
        super().__init__(f"connection {lane}: {why}")
        self.lane = lane


class NameLost(IngestError):
    """Another process works under our name now."""

    def __init__(self, name: str) -> None:
        super().__init__(f"another process took over the name {name}")
        self.name = name


class NotAllowed(IngestError):
    """A frame could do more than set a clock or ask; it is not sent."""

    def __init__(self, command: int, adu_type: int | None) -> None:
        super().__init__(f"command {command} with type {adu_type} is not sent: FireNet only monitors")


class LogUnavailable(IngestError):
    """The refusals topic cannot be read now."""
