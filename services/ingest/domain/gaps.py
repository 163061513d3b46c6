"""How many messages of each gateway never came: its own numbering shows loss in front of us.

A broker's acknowledgement is not durability, so this is the only evidence there is of what it lost.
"""

from collections import Counter
from enum import StrEnum
from typing import NamedTuple

from services.ingest.domain.values import Accepted, Flag, FramePart, Kind, Message, Signal

WINDOW = 8
"""A number that is still missing when one this much higher has come is counted as lost: the fire lane overtakes."""

NEAR = 16 * WINDOW
"""A number that is further back than this is a count that was begun anew, not a message that came late."""

LARGEST_JUMP = 1_000_000
"""A jump beyond this is a gateway that was set anew, not a loss."""

SERIALS = 1 << 16
LARGEST_SERIAL_JUMP = 1 << 13
LARGEST_LOSS_AT_WRAP = 1 << 8
"""Serials that fall over 65535 to 0 with more missing than this are a count that was begun anew."""

_SEEN_ALL = (1 << WINDOW) - 1


class Step(StrEnum):
    """What a number is, beside the highest one so far. A gap is open until the window has passed it."""

    NEXT = "next"
    REPEATED = "repeated"
    LATE = "late"
    GAP = "gap"
    RESTART = "restart"
    WRAP = "wrap"


class Numbered(NamedTuple):
    """`missing`: messages that are known to be lost since the number before (mostly 0)."""

    step: Step
    missing: int = 0


_NEXT, _REPEATED, _LATE, _RESTART = map(Numbered, (Step.NEXT, Step.REPEATED, Step.LATE, Step.RESTART))


class Count:
    """Follows one kind of numbers, for each gateway apart. Memory: one entry per gateway that was heard.

    `size` is how many numbers there are before they begin again with 0, None where they go on without end.
    """

    def __init__(self, size: int | None = None) -> None:
        self._size = size
        self._heard: dict[str, tuple[int, int]] = {}

    def heard(self, gateway_id: str, number: int, *, again: bool = False) -> Numbered:
        """Take in a number. `again`: the broker says that it delivered this before, so it begins no new count."""
        known = self._heard.get(gateway_id)
        if known is None:
            self._heard[gateway_id] = (number, _SEEN_ALL)
            return _NEXT
        highest, seen = known
        if number - highest == 1 and seen == _SEEN_ALL:  # the common case, without arithmetic on the bits
            self._heard[gateway_id] = (number, seen)
            return _NEXT
        step = self._step(number, highest)
        if step is None or (step < 0 and self._is_far_back(number, -step) and not again):
            self._heard[gateway_id] = (number, _SEEN_ALL)
            return _RESTART
        if step <= 0:
            return self._behind(gateway_id, highest, -step, seen)
        return self._ahead(gateway_id, number, step, seen)

    def follows(self, gateway_id: str, number: int) -> bool:
        """Say whether a number is the very next one."""
        known = self._heard.get(gateway_id)
        return known is not None and self._step(number, known[0]) == 1

    def _step(self, number: int, highest: int) -> int | None:
        """Return how far a number is ahead of the highest (below 0: behind), None where the count was begun anew."""
        step = number - highest
        if self._size is None:
            return step if step <= LARGEST_JUMP else None
        half = self._size // 2
        step = (step + half) % self._size - half
        allowed = LARGEST_SERIAL_JUMP if number > highest else LARGEST_LOSS_AT_WRAP
        return step if step <= allowed else None

    def _is_far_back(self, number: int, back: int) -> bool:
        return back > NEAR or (number == 0 and back >= WINDOW)

    def _behind(self, gateway_id: str, highest: int, back: int, seen: int) -> Numbered:
        if back >= WINDOW:
            return _LATE
        self._heard[gateway_id] = (highest, seen | 1 << back)
        return _REPEATED if seen >> back & 1 else _LATE

    def _ahead(self, gateway_id: str, number: int, step: int, seen: int) -> Numbered:
        """Shift the window on to `number`; bit n of `seen` stands for the number n below the highest."""
        what = Step.GAP if step > 1 else Step.WRAP if number == 0 else Step.NEXT
        if step >= WINDOW:
            self._heard[gateway_id] = (number, 1)
            return Numbered(what, step - seen.bit_count())
        shifted = (seen << step) | 1
        fallen = shifted >> WINDOW
        self._heard[gateway_id] = (number, shifted & _SEEN_ALL)
        return Numbered(what, step - fallen.bit_count())


class GapWatch:
    """Watches the numbers that gateways give what they send: `seq` of JSON, serials of GB/T 26875.3.

    Both lanes share one watch, because a gateway counts over both. To be told in order, of each message once, and not
    of what is known to be a resend.
    """

    def __init__(self) -> None:
        self._seqs = Count()
        self._serials = Count(SERIALS)

    def follow(self, accepted: Accepted, steps: Counter[Step]) -> Accepted:
        """Count in `steps` what each number is; return `accepted` with one more signal for each loss that it proves."""
        gaps: list[Signal] = []
        for signal in accepted.signals:
            numbered = self._numbered(signal, again=accepted.arrival.duplicate)
            if numbered is not None:
                steps[numbered.step] += 1
                if numbered.missing:
                    gaps.append(_gap(signal, numbered.missing, part=len(accepted.signals) + len(gaps)))
        return accepted._replace(signals=(*accepted.signals, *gaps)) if gaps else accepted

    def _numbered(self, signal: Signal, *, again: bool) -> Numbered | None:
        message = signal.message
        if message.frame is not None:
            return self._frame(signal, message.frame, again=again)
        if message.seq is not None:
            return self._seqs.heard(signal.gateway_id, message.seq, again=again)
        return _REPEATED if Flag.REPEATED in signal.flags else None

    def _frame(self, signal: Signal, frame: FramePart, *, again: bool) -> Numbered | None:
        """Return what the serial of a frame is, told at the first of its signals; None where it says nothing.

        Answers return our own number. Frames of a maker's own may be counted in or not: they are when it fits.
        """
        gateway_id = signal.gateway_id
        if Flag.REPEATED in signal.flags:
            return _REPEATED
        if frame.part or frame.command in _ANSWERS:
            return None
        if frame.command != _SEND and not self._serials.follows(gateway_id, frame.serial):
            return None
        return self._serials.heard(gateway_id, frame.serial, again=again)


_SEND = 2
_ANSWERS = frozenset({3, 5, 6})


def _gap(shown_by: Signal, missing: int, part: int) -> Signal:
    message = shown_by.message
    gap = Message(Kind.GAP, message.seq, message.occurred_at, missing=missing, frame=message.frame)
    flags = tuple([flag for flag in shown_by.flags if flag not in message.flags])
    return shown_by._replace(message=gap, flags=flags, part=part)
