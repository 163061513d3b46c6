"""How many messages of each gateway never came: its own numbering shows loss in front of us.

A broker's acknowledgement is not durability, so this is the only evidence there is of what it lost.
"""

import re
from collections import Counter
from datetime import datetime, timedelta

from services.ingest.domain.gateway_sequences import SERIALS, SequenceCounter
from services.ingest.domain.number_sequence import GRACE
from services.ingest.domain.sequence_steps import REPEATED, Numbered, Reception, SequenceStep
from services.ingest.domain.values import Accepted, Format, FramePart, Message, Refused, Signal
from services.kernel.words import Flag, RefusalReason, SignalKind

SURE = 3
"""So much oftener must frames of a maker's own be the very next than not, before they count where they are not."""

_SEND = 2
_ANSWERS = frozenset({3, 5, 6})
_NOT_ITS_OWN = frozenset({RefusalReason.BAD_TOPIC, RefusalReason.UNKNOWN_GATEWAY})
"""Refusals of what no gateway that we know has sent."""
_SALVAGED = "salvaged"
_SEQ = re.compile(rb'"seq"\s*:\s*"?(\d{1,16})\b')
_START = b"@@"
_SERIAL = slice(2, 4)
_COMMAND = 26


class GapWatch:
    """Watches the numbers that gateways give what they send: `seq` of JSON, serials of GB/T 26875.3.

    All lanes share one watch, because a gateway counts over all of them. To be given in order, each message once, and a
    known resend by its flag only. What is refused came all the same.

    Of several processes that share the messages each sees a part, and what it does not see is not lost. So it counts
    only while all messages come to this process (`share`), and remembers nothing of what was before.
    """

    def __init__(self, grace: timedelta = GRACE) -> None:
        """`grace`: how long a missing number may still come before it is reported as lost."""
        self._grace = grace
        self._shared = False
        self._alone_since: datetime | None = None
        self._is_known = True
        self._begin()

    def _begin(self) -> None:
        self._seqs = SequenceCounter(grace=self._grace)
        self._serials = SequenceCounter(SERIALS, self._grace)
        self._followed: dict[str, int] = {}

    @property
    def counts(self) -> bool:
        """Whether a number that is missing will be reported."""
        return self._is_known and not self._shared

    def share(self, alone: bool | None, now: datetime) -> None:
        """Hear whether all messages come to this process; None: that cannot be known at the moment.

        While they do not, nothing is counted and all that was is forgotten. Once they do again, what this process had
        been dealt until `now` may still be on its way, with holes where others were dealt the rest: counting begins,
        and meets every gateway anew, behind the proof that all of that has come. While it is not known nothing is
        reported and nothing forgotten: most times nobody has joined, and what a broker lost meanwhile stays missing.
        """
        self._is_known = alone is not None
        if alone is False and not (self._shared and self._alone_since is None):
            self._shared, self._alone_since = True, None
            self._begin()
        elif alone and self._shared and self._alone_since is None:
            self._alone_since = now

    def _skips(self, proven: datetime | None) -> bool:
        if not self._shared:
            return False
        if proven is None or self._alone_since is None or proven < self._alone_since:
            return True
        self._shared, self._alone_since = False, None
        return False

    def follow(
        self, accepted: Accepted, steps: Counter[SequenceStep], proven: datetime | None, *, overtakes: bool = False
    ) -> Accepted:
        """Count in `steps` what each number is; return `accepted` with one more signal for each loss that it proves.

        All that gateways had sent before `proven` has been taken in. `overtakes`: this came by a way that is faster
        than that of the other messages.
        """
        arrival = accepted.arrival
        if arrival.retained or self._skips(proven):  # kept by the broker, and counted long ago; or one of a part
            return accepted
        proven = proven if self._is_known else None
        if (
            len(accepted.signals) == 1
            and not overtakes
            and self._is_simply_next(accepted.signals[0], arrival.received_at, proven)
        ):
            steps[SequenceStep.NEXT] += 1
            return accepted
        reception = Reception(arrival.received_at, proven, overtakes, arrival.duplicate)
        gaps: list[Signal] = []
        for undecodable in accepted.undecodable:
            self._came(accepted.signals[0].gateway_id, Format.GB26875, undecodable.raw, reception)
        for signal in accepted.signals:
            numbered = self._numbered(signal, reception)
            if numbered is not None:
                steps[numbered.step] += 1
                if numbered.missing:
                    gaps.append(_gap(signal, numbered, part=len(accepted.signals) + len(gaps)))
        return accepted._replace(signals=(*accepted.signals, *gaps)) if gaps else accepted

    def _is_simply_next(self, signal: Signal, at: datetime, proven: datetime | None) -> bool:
        """Say whether it is a message with the very next number, as nearly all are; then there is no more to do."""
        message = signal.message
        return (
            message.frame is None
            and message.seq is not None
            and self._seqs.heard_next(signal.gateway_id, message.seq, at, proven)
        )

    def refused(self, refused: Refused) -> None:
        """Take in that a message came which is kept as a refusal: what it was numbered is not lost."""
        arrival = refused.arrival
        gateway_id = refused.gateway_id
        if gateway_id is None or arrival.retained or refused.reason in _NOT_ITS_OWN:
            return
        if arrival.claim is not None and refused.reason is RefusalReason.IDENTITY_MISMATCH:
            return  # said by somebody else
        reception = Reception(arrival.received_at, None, again=arrival.duplicate)
        is_json = arrival.claim is None and not arrival.topic.endswith(f"/{Format.GB26875}")
        form = Format.JSON if is_json else Format.GB26875
        self._came(gateway_id, form, arrival.payload, reception)

    def _came(self, gateway_id: str, form: Format, raw: bytes, reception: Reception) -> None:
        """Take in bytes that are refused: the number that they name, or one that nobody can name, is not missing."""
        if form is Format.GB26875:
            # A frame without confirm is sent again under its number, so what names none excuses none.
            if raw.startswith(_START) and len(raw) > _COMMAND and raw[_COMMAND] not in _ANSWERS:
                self._serials.mention(gateway_id, int.from_bytes(raw[_SERIAL], "little"), reception)
            return
        found: list[bytes] = _SEQ.findall(raw)
        if len(found) == 1:
            self._seqs.mention(gateway_id, int(found[0]), reception)
        else:
            self._seqs.excuse(gateway_id, reception.at)

    def _numbered(self, signal: Signal, reception: Reception) -> Numbered | None:
        message = signal.message
        if message.frame is not None:
            number = self._serial(signal, message.frame)
            count = self._serials
        else:
            number, count = message.seq, self._seqs
        if number is not None:
            return count.heard(signal.gateway_id, number, reception)
        if Flag.REPEATED in signal.flags:
            return REPEATED
        if message.frame is None and _SALVAGED in signal.flags:  # its number may be what could not be read
            count.excuse(signal.gateway_id, reception.at)
        return None

    def _serial(self, signal: Signal, frame: FramePart) -> int | None:
        """Return the serial of a frame at the first of its signals; None where it says nothing.

        Answers return our own number. Frames of a maker's own may be counted in or not: each is when it is the very
        next; from a device where that is so again and again, a late one and one behind a loss are as well.
        """
        if frame.part or frame.command in _ANSWERS or Flag.REPEATED in signal.flags:
            return None
        if frame.command == _SEND:
            return frame.serial
        return frame.serial if self._is_counted(signal.gateway_id, frame.serial) else None

    def _is_counted(self, gateway_id: str, serial: int) -> bool:
        so_far = self._followed.get(gateway_id, 0)
        if self._serials.follows(gateway_id, serial):
            self._followed[gateway_id] = min(so_far + 1, 2 * SURE)
            return True
        if so_far:
            self._followed[gateway_id] = so_far - 1
        return so_far >= SURE and self._serials.is_near(gateway_id, serial)


def _gap(shown_by: Signal, numbered: Numbered, part: int) -> Signal:
    message = shown_by.message
    gap = Message(
        SignalKind.GAP,
        message.seq,
        message.occurred_at,
        missing=numbered.missing,
        frame=message.frame,
        reported_at=numbered.reported_at,
    )
    flags = tuple([flag for flag in shown_by.flags if flag not in message.flags and flag is not Flag.RECONNECTED])
    return shown_by._replace(message=gap, flags=flags, part=part)
