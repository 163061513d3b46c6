"""Whether a press of the duty key answers the check that is open now, or was kept by the device from before it.

A device whose line was away sends later what it kept, an answer to an earlier check too. Nothing in the protocol names
the check that an answer belongs to, so time has to tell, and the device's clock may be wrong. What can be known:

- A frame cannot be labelled later than it was received, by the device's own clock. So the greatest lead of its labels
  over our clock (`label - received`) is the least that its clock is ahead: what it labels t happened at t - lead at the
  latest. If even that lies before the check was sent, the press is no answer to it, however wrong the clock is.
- A clock of which we have seen too little is believed: one that is behind by less than a day looks like a press that
  was kept, and the check is about a person who is there now. One that is behind by more has no battery.
- The label of the confirm to the check was written after the device had it. A press labelled later came later. Some
  devices copy our label into the confirm; then this says the same as comparing with our own clock.
- A device that numbers what it sends had used the numbers up to the newest one that came before the check.

Whatever remains open is told as such: answered, time not provable. Nobody is blamed for a clock without a battery.
"""

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import NamedTuple

from services.kernel.words import Transport

MAX_CLOCKS = 100_000
CLOCK_ERROR = timedelta(seconds=5)
"""How far times of one device may contradict each other: labels are whole seconds, clocks drift within a check."""
BELIEVABLE_LAG = timedelta(days=1)
TOGETHER = timedelta(seconds=10)
"""Answers that come so close may belong to one check."""
AGREEING = 2
"""So many leads in a row that agree are believed; one alone may be a slip of the device."""
SET_BACK_AFTER = 8
"""So many that agree and lead less: somebody set the clock back. Fewer may have been kept."""
COUNTS_AFTER = 3
"""So many small steps in a row: a device that numbers its frames."""
NEAR = 64
_NUMBERS = 0x10000


class Answer(NamedTuple):
    """A press of the duty key. `at`: when it was received; `pressed_at`, `serial`: what the device says.

    `kept`: it was certainly kept by somebody: retained by the broker, or taken in again from a refusal.
    """

    at: datetime
    carrier: Transport
    pressed_at: datetime | None = None
    serial: int | None = None
    kept: bool = False

    def is_older_than(self, other: "Answer") -> bool:
        """Say whether it is, though received after it: then it does not take its place.

        Only of one that came just before, whose check may not have been read yet: the clock may be set in between.
        """
        if self.pressed_at is None or other.pressed_at is None or self.at - other.at > TOGETHER:
            return False
        return self.pressed_at < other.pressed_at


class AnswerMatch(Enum):
    ANSWERS = auto()
    UNPROVEN = auto()
    OLD = auto()


class Check(NamedTuple):
    """The check that is open: when it was first sent, by our clock; the label of its confirm and the newest number that
    the device had used by then, None where unknown."""

    sent_at: datetime
    confirm_label: datetime | None = None
    serial: int | None = None


@dataclass(slots=True)
class _Clock:
    """What the frames of one device said: by how much its labels lead at most (None: too few agree), how it counts."""

    lead: timedelta | None = None
    rival: timedelta = timedelta.max
    agreeing: int = 0
    serial: int | None = None
    steps: int = 0

    def labelled(self, lead: timedelta) -> None:
        if self.lead is not None and abs(lead - self.lead) <= CLOCK_ERROR:
            self.lead, self.agreeing = max(lead, self.lead), 0
            return
        if self.agreeing and abs(lead - self.rival) <= CLOCK_ERROR:
            self.rival, self.agreeing = max(lead, self.rival), self.agreeing + 1
        else:
            self.rival, self.agreeing = lead, 1
        if self.agreeing >= (AGREEING if self.lead is None or self.rival > self.lead else SET_BACK_AFTER):
            self.lead, self.agreeing = self.rival, 0

    def numbered(self, serial: int) -> None:
        step = None if self.serial is None else (serial - self.serial) % _NUMBERS
        self.steps = self.steps + 1 if step is not None and 0 < step <= NEAR else 0
        self.serial = serial


class Clocks:
    """The clock and the counter of each device, from the frames that it sent by itself. Bounded; reads no clock."""

    def __init__(self, limit: int = MAX_CLOCKS) -> None:
        self._limit = limit
        self._known: OrderedDict[str, _Clock] = OrderedDict()

    def heard(self, gateway_id: str, at: datetime, label: datetime, serial: int) -> None:
        """A frame that is no answer to one of ours came `at`; it is labelled `label`."""
        clock = self._known.get(gateway_id)
        if clock is None:
            clock = self._known[gateway_id] = _Clock()
            if len(self._known) > self._limit:
                self._known.popitem(last=False)
        clock.labelled(label - at)
        clock.numbered(serial)

    def was_set(self, gateway_id: str) -> None:
        """The device's clock was set: what it said before compares with nothing that it says from now on."""
        self._known.pop(gateway_id, None)

    def newest_serial(self, gateway_id: str) -> int | None:
        """Return the number of the newest frame of a device that counts, else None."""
        clock = self._known.get(gateway_id)
        return clock.serial if clock is not None and clock.steps >= COUNTS_AFTER else None

    def match(self, gateway_id: str, answer: Answer, check: Check) -> AnswerMatch:
        """Say what is known of `answer`, which was received after the check was sent."""
        if answer.kept:
            return AnswerMatch.OLD
        clock = self._known.get(gateway_id)
        lead = None if clock is None else clock.lead
        sent_at, pressed_at = check.sent_at - CLOCK_ERROR, answer.pressed_at
        if pressed_at is not None:
            if lead is not None and pressed_at - lead < sent_at:
                return AnswerMatch.OLD
            if sent_at <= pressed_at <= answer.at + CLOCK_ERROR:
                return AnswerMatch.ANSWERS
            if check.confirm_label is not None and pressed_at >= check.confirm_label - CLOCK_ERROR:
                return AnswerMatch.ANSWERS
            if lead is None and answer.at - BELIEVABLE_LAG <= pressed_at < sent_at:
                return AnswerMatch.OLD
        if answer.serial is not None and check.serial is not None and (check.serial - answer.serial) % _NUMBERS < NEAR:
            return AnswerMatch.OLD
        return AnswerMatch.UNPROVEN
