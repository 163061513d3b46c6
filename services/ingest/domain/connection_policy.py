"""How a connection of a device has to behave, and why it is ended when it does not."""

from dataclasses import dataclass
from enum import StrEnum

from services.ingest.domain.device_stream import Piece
from services.ingest.domain.values import Accepted, Outcome
from services.kernel.words import RefusalReason

_TEXTS_AT_ONCE = 16
_TEXTS_PER_S = 1.0
"""What a module may say of its own accord before it is rubbish: a greeting of some words, and then now and then one."""
_CHAT_LASTS = 10
"""Times the limit for the first frame: so long after its last text the device behind a module is waited for."""

_MIN_REJECTED = 256
"""What a rejection counts at least, so that single bytes of rubbish do not make thousands of refusals."""

NOT_WHO_IT_SAYS = (RefusalReason.UNKNOWN_GATEWAY, RefusalReason.IDENTITY_MISMATCH)


class EndReason(StrEnum):
    """Why a connection ended; the words of log and metric."""

    BY_DEVICE = "by_device"
    BROKEN = "broken"
    TAKEN_OVER = "taken_over"
    NO_FRAME = "no_frame"
    UNFINISHED_FRAME = "unfinished_frame"
    IDLE = "idle"
    GARBAGE = "garbage"
    UNKNOWN_GATEWAY = "unknown_gateway"
    NOT_BELIEVED = "not_believed"
    DOES_NOT_READ = "does_not_read"
    TOO_MANY = "too_many"
    MADE_ROOM = "made_room"
    NO_TLS = "no_tls"
    REVOKED = "revoked"
    OUR_ERROR = "our_error"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Limits:
    """What devices may cost us. Seconds are of a monotonic clock.

    connections            open at a time, in all
    per_peer               the same from one IP address, of callers of whom no frame was believed yet
    first_frame_s          from the connection to its first whole frame
    frame_s                from the first byte of a frame to its last
    idle_s                 between whole frames; a patrol cycle has at most two hours
    garbage_bytes          rejected bytes since the last whole frame
    unregistered           frames under an address that no gateway has
    disbelieved            frames in a row that were refused for who sent them
    in_flight              frames of one connection that Kafka does not have yet; beyond that it is not read
    unsent_bytes           answers that a device does not read
    """

    connections: int = 10_000
    per_peer: int = 64
    first_frame_s: float = 30
    frame_s: float = 10
    idle_s: float = 3 * 3600
    garbage_bytes: int = 16 * 1024
    unregistered: int = 3
    disbelieved: int = 3
    in_flight: int = 256
    unsent_bytes: int = 64 * 1024


class ConnectionPolicy:
    """The record of one connection."""

    __slots__ = (
        "_began_at",
        "_begun_at",
        "_disbelieved",
        "_garbage",
        "_limits",
        "_text_at",
        "_texts_left",
        "_unregistered",
        "_whole_at",
        "greeted",
    )

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._began_at = self._whole_at = now
        self._text_at: float | None = None
        self._texts_left = float(_TEXTS_AT_ONCE)
        self._begun_at: float | None = None
        self._garbage = 0
        self._unregistered = 0
        self._disbelieved = 0
        self.greeted = False

    def heard(self, piece: Piece, known: bool, now: float) -> EndReason | None:
        """Take in a piece, `known` when a gateway has its address; return why this was the last one."""
        if not known:
            self._unregistered += 1
            if self._unregistered >= self._limits.unregistered:
                return EndReason.UNKNOWN_GATEWAY
        if piece.whole:
            self.greeted = True
            self._whole_at = now
            self._garbage = 0
        else:
            self._garbage += max(_MIN_REJECTED, len(piece.raw))
            if self._garbage > self._limits.garbage_bytes:
                return EndReason.GARBAGE
        return None

    def may_say(self, now: float) -> bool:
        """Take in a text of a module; return whether that is all right. Too much of it is rubbish, to be `heard`."""
        since = 0.0 if self._text_at is None else now - self._text_at
        self._texts_left = min(_TEXTS_AT_ONCE, self._texts_left + since * _TEXTS_PER_S)
        self._text_at = now
        if self._texts_left < 1:
            return False
        self._texts_left -= 1
        return True

    def left_over(self, pending: int, progress: bool, now: float) -> None:
        """After each read: `pending` bytes of a frame are there; `progress` when the read ended some piece."""
        if not pending:
            self._begun_at = None
        elif progress or self._begun_at is None:
            self._begun_at = now

    def excused(self, now: float) -> None:
        """We did not listen until `now`: the time limits begin anew."""
        self._began_at = self._whole_at = now
        if self._begun_at is not None:
            self._begun_at = now

    def decided(self, outcome: Outcome) -> EndReason | None:
        """Take in what became of a frame; return why the connection is not worth keeping."""
        if isinstance(outcome, Accepted):
            self._disbelieved = 0
        elif outcome.reason in NOT_WHO_IT_SAYS:
            self._disbelieved += 1
            if self._disbelieved >= self._limits.disbelieved:
                return EndReason.NOT_BELIEVED
        return None

    def overdue(self, now: float) -> EndReason | None:
        """Return which time limit has passed."""
        if self._begun_at is not None and now - self._begun_at >= self._limits.frame_s:
            return EndReason.UNFINISHED_FRAME
        silent_s = now - self._whole_at
        if self.greeted:
            return EndReason.IDLE if silent_s >= self._limits.idle_s else None
        if self._text_at is not None and now - self._text_at < _CHAT_LASTS * self._limits.first_frame_s:
            return EndReason.NO_FRAME if now - self._began_at >= self._limits.idle_s else None
        return EndReason.NO_FRAME if silent_s >= self._limits.first_frame_s else None
