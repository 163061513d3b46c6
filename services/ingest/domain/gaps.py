"""How many messages of each gateway never came: its own numbering shows loss in front of us.

A broker's acknowledgement is not durability, so this is the only evidence there is of what it lost.
"""

from collections import Counter, deque
from enum import StrEnum
from typing import NamedTuple

from services.ingest.domain.values import Accepted, Flag, FramePart, Kind, Message, Signal

WINDOW = 8
"""A number that is still missing when one this much higher has come is counted as lost."""

MAX_AHEAD = 256
"""Numbers of a gateway that wait, since the fire lane overtakes, until the others have come up to them."""

NEAR = 16 * WINDOW
"""A number that is further back than this is a count that was begun anew, not a message that came late."""

LARGEST_JUMP = 1_000_000
"""A jump beyond this is a gateway that was set anew, not a loss."""

SURE = 3
"""So much oftener must frames of a maker's own be the very next than not, before they count where they are not."""

SERIALS = 1 << 16
LARGEST_SERIAL_JUMP = 1 << 13
LARGEST_LOSS_AT_WRAP = 1 << 8
"""Serials that fall over 65535 to 0 with more missing than this are a count that was begun anew."""

_SEEN_ALL = (1 << WINDOW) - 1


class Step(StrEnum):
    """What a number is, beside the highest one so far. A gap is open until the window has passed it."""

    NEXT = "next"
    AHEAD = "ahead"
    REPEATED = "repeated"
    LATE = "late"
    GAP = "gap"
    RESTART = "restart"
    WRAP = "wrap"


class Numbered(NamedTuple):
    """`missing`: messages that are known to be lost since the number before (mostly 0)."""

    step: Step
    missing: int = 0


_NEXT, _AHEAD, _REPEATED, _LATE, _RESTART = map(
    Numbered, (Step.NEXT, Step.AHEAD, Step.REPEATED, Step.LATE, Step.RESTART)
)


class Count:
    """Follows one kind of numbers, for each gateway apart. Memory: one entry per gateway, and what is ahead.

    `size` is how many numbers there are before they begin again with 0, None where they go on without end.
    """

    def __init__(self, size: int | None = None) -> None:
        self._size = size
        self._heard: dict[str, tuple[int, int]] = {}
        self._waiting: dict[str, deque[int]] = {}

    def overtook(self, gateway_id: str, number: int) -> Numbered:
        """Take in a number that came by a faster way: it proves nothing until the others have come up to it."""
        known = self._heard.get(gateway_id)
        step = None if known is None else self._step(number, known[0])
        if known is not None and step is not None and -WINDOW < step <= 0:
            return self._behind(gateway_id, known[0], -step, known[1])
        waiting = self._waiting.setdefault(gateway_id, deque())
        waiting.append(number)
        return _AHEAD if len(waiting) <= MAX_AHEAD else self.heard(gateway_id, waiting.popleft())

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
        lost = self._pass_waiting(gateway_id, highest, step) if gateway_id in self._waiting else 0
        highest, seen = self._heard[gateway_id]
        what, missing = self._ahead(gateway_id, number, self._step(number, highest) or 0, seen)
        return Numbered(what, lost + missing)

    def follows(self, gateway_id: str, number: int) -> bool:
        """Say whether a number is the very next one, after those that came by a faster way and wait."""
        known = self._heard.get(gateway_id)
        step = None if known is None else self._step(number, known[0])
        if known is None or step is None or step < 1:
            return False
        waiting = self._waiting.get(gateway_id, ())
        if step - 1 > len(waiting):
            return False
        ahead = {self._step(other, known[0]) for other in waiting}
        return all(between in ahead for between in range(1, step))

    def is_near(self, gateway_id: str, number: int) -> bool:
        """Say whether a number lies where a late one or one behind a loss would: in the same count without doubt."""
        known = self._heard.get(gateway_id)
        step = None if known is None else self._step(number, known[0])
        return step is not None and -WINDOW < step <= NEAR

    def _step(self, number: int, highest: int) -> int | None:
        """Return how far a number is ahead of the highest (below 0: behind), None where the count was begun anew."""
        step = number - highest
        if self._size is None:
            return step if step <= LARGEST_JUMP else None
        half = self._size // 2
        step = (step + half) % self._size - half
        allowed = LARGEST_SERIAL_JUMP if number > highest else LARGEST_LOSS_AT_WRAP
        return step if step <= allowed else None

    def _pass_waiting(self, gateway_id: str, highest: int, step: int) -> int:
        """Take in, in their order, the waiting numbers up to `step` above the highest; return how many were lost."""
        above = [(self._step(number, highest), number) for number in self._waiting.pop(gateway_id)]
        further = [number for far, number in above if far is None or far > step]
        if further:
            self._waiting[gateway_id] = deque(further)
        return sum(
            self.heard(gateway_id, number).missing
            for far, number in sorted((far, number) for far, number in above if far is not None and 0 < far < step)
        )

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

    All lanes share one watch, because a gateway counts over all of them. To be told in order, of each message once, and
    of a known resend by its flag only.
    """

    def __init__(self) -> None:
        self._seqs = Count()
        self._serials = Count(SERIALS)
        self._followed: dict[str, int] = {}

    def follow(self, accepted: Accepted, steps: Counter[Step], *, overtakes: bool = False) -> Accepted:
        """Count in `steps` what each number is; return `accepted` with one more signal for each loss that it proves.

        `overtakes`: it came by a way that is faster than that of the other messages.
        """
        gaps: list[Signal] = []
        for signal in accepted.signals:
            numbered = self._numbered(signal, again=accepted.arrival.duplicate, overtakes=overtakes)
            if numbered is not None:
                steps[numbered.step] += 1
                if numbered.missing:
                    gaps.append(_gap(signal, numbered.missing, part=len(accepted.signals) + len(gaps)))
        return accepted._replace(signals=(*accepted.signals, *gaps)) if gaps else accepted

    def _numbered(self, signal: Signal, *, again: bool, overtakes: bool) -> Numbered | None:
        message = signal.message
        if message.frame is not None:
            number = self._serial(signal, message.frame)
            count = self._serials
        else:
            number, count = message.seq, self._seqs
        if number is not None:
            if overtakes:
                return count.overtook(signal.gateway_id, number)
            return count.heard(signal.gateway_id, number, again=again)
        return _REPEATED if Flag.REPEATED in signal.flags else None

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


_SEND = 2
_ANSWERS = frozenset({3, 5, 6})


def _gap(shown_by: Signal, missing: int, part: int) -> Signal:
    message = shown_by.message
    gap = Message(Kind.GAP, message.seq, message.occurred_at, missing=missing, frame=message.frame)
    flags = tuple([flag for flag in shown_by.flags if flag not in message.flags])
    return shown_by._replace(message=gap, flags=flags, part=part)
