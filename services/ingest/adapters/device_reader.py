"""What a device says over one TCP connection: bytes to messages for the lanes, each with the claim of who says it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from services.ingest.adapters.inbox import DeviceMessage
from services.ingest.domain.connection_policy import ConnectionPolicy, EndReason
from services.ingest.domain.device_stream import DeviceStream, Piece
from services.ingest.domain.directory import Directory
from services.ingest.domain.texts import KEPT, TextDecision, may_be_text
from services.ingest.domain.values import Claim
from services.runtime.clock import Clock


class ReadMessages(NamedTuple):
    """What was read together. `vouched`: a whole frame of a registered address was in it.

    `why`: the connection is not worth keeping; the messages are those before and with what showed it.
    """

    messages: list[DeviceMessage]
    fires: list[DeviceMessage]
    vouched: bool = False
    why: EndReason | None = None


class DeviceReader:
    """Reads one connection. The first gateway whose whole frame came stays that of the connection."""

    __slots__ = (
        "_called_before",
        "_clock",
        "_decide_text",
        "_directory",
        "_introduced",
        "_number",
        "_policy",
        "_stream",
        "_topic",
        "claim",
    )

    def __init__(
        self,
        number: int,
        topic: str,
        claim: Claim,
        policy: ConnectionPolicy,
        directory: Directory,
        clock: Clock,
        decide_text: Callable[[str, bytes], TextDecision],
        called_before: Callable[[str], bool],
    ) -> None:
        """`decide_text(sender, raw)`: whether a text of a module is kept. `called_before`: had a gateway one before."""
        self._number = number
        self._topic = topic
        self._policy = policy
        self._directory = directory
        self._clock = clock
        self._decide_text = decide_text
        self._called_before = called_before
        self._stream = DeviceStream()
        self._introduced = False
        self.claim = claim

    def feed(self, data: bytes) -> ReadMessages:
        pieces = self._stream.feed(data)
        read = self._read(pieces)
        self._policy.left_over(self._stream.pending, bool(pieces), self._clock.monotonic())
        return read

    def finish(self) -> ReadMessages:
        """Return what an unfinished frame leaves: nothing more will come."""
        return self._read(self._stream.finish())

    def _read(self, pieces: Sequence[Piece]) -> ReadMessages:
        messages: list[DeviceMessage] = []
        fires: list[DeviceMessage] = []
        vouched = False
        now = self._clock.monotonic() if pieces else 0.0
        for piece in pieces:
            claim = self._claim_of(piece)
            is_text = not piece.whole and may_be_text(piece.raw)
            decision = self._decide_text(claim.gateway_id or claim.peer, piece.raw) if is_text else KEPT
            if decision.keep:
                message = DeviceMessage(self._number, self._topic, piece.raw, self._noted(claim, piece, decision))
                (fires if piece.fire else messages).append(message)
            if not (is_text and self._policy.may_say(now)):
                why = self._policy.heard(piece, claim.gateway_id != "", now)
                if why is not None:
                    return ReadMessages(messages, fires, vouched, why)
            vouched = vouched or (piece.whole and claim.gateway_id != "")
        return ReadMessages(messages, fires, vouched)

    def _noted(self, claim: Claim, piece: Piece, decision: TextDecision) -> Claim:
        """Return the claim with what only the first frame, or a text that stands for others, has to say."""
        if piece.whole and not self._introduced:
            self._introduced = True
            return claim._replace(again=self._called_before(claim.gateway_id))
        return claim._replace(like_it=decision.before) if decision.before else claim

    def _claim_of(self, piece: Piece) -> Claim:
        """Return for whom the piece speaks; bytes that are no frame speak for whom they seem to name."""
        claim = self.claim
        if claim.gateway_id or piece.source is None:
            return claim
        gateway_id = self._directory.gateway_at(piece.source, self._clock.now())
        if gateway_id is None:
            return claim
        claim = claim._replace(gateway_id=gateway_id)
        if piece.whole:
            self.claim = claim
        return claim
