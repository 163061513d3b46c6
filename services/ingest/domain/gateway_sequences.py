"""The counts that gateways keep: mostly one each; for a while one more that is over, old, or kept for other things."""

from datetime import datetime, timedelta

from services.ingest.domain.number_sequence import GRACE, NumberSequence
from services.ingest.domain.sequence_steps import AHEAD, NEXT, REPEATED, RESTART, Numbered, Reception, SequenceStep

MAX_OTHERS = 2
"""Counts that a gateway may have beside the one that it follows: sent again, begun anew, one for its keep-alives."""

SILENT = 30
"""Times the grace: a count that was silent for so long is over, and not one that a gateway keeps beside another."""

NEAR = 128
"""More than so many at once are no loss yet: the number may be of another count."""

LARGEST_JUMP = 1_000_000
"""A jump beyond this is a gateway that was set anew, not a loss."""

SERIALS = 1 << 16
LARGEST_SERIAL_JUMP = 1 << 13
LARGEST_LOSS_AT_WRAP = 32
"""Serials that fall over 65535 to 0 with more missing than this are a count that was begun anew."""


class GatewaySequences:
    """The counts of one gateway. `followed` is the one whose losses are reported.

    A number that is far back or far ahead is no new count yet: it may be something old that is sent again, or of a
    count that the gateway keeps for other things. So it stands beside, and is followed once a row of numbers has come
    behind it and none of the other between. What lies between the two is lost if the other is never heard again.
    """

    __slots__ = ("_excused_at", "_excuses", "_grace", "_left", "_silence", "followed", "others")

    def __init__(self, number: int, reception: Reception, grace: timedelta) -> None:
        self._grace = grace
        self._silence = SILENT * grace
        self._left: NumberSequence | None = None
        self.followed = NumberSequence(number, reception, grace)
        self.others: list[NumberSequence] = []
        self._excuses = 0
        self._excused_at = reception.at

    def excuse(self, at: datetime) -> None:
        """Something came that was refused, and nobody can say which number it had."""
        self._excuses += 1
        self._excused_at = at

    def mention(self, number: int, size: int | None, reception: Reception) -> None:
        """Something came that was refused, and says that it has this number: so that one is not missing."""
        sequence = self.followed
        unwrapped = _unwrapped(number, sequence.high, size)
        if sequence.floor < unwrapped <= sequence.high:
            sequence.hear(unwrapped, reception._replace(proven=None))
        elif _is_ahead(sequence, unwrapped, size):
            sequence.keep_ahead(unwrapped, reception.at)

    def hear_next(self, at: datetime, proven: datetime | None) -> bool:
        """Take in the number behind the highest one, the common case; False when there is more to do than that."""
        if self.others:
            if self._is_any_silent(proven):
                return False
            for other in self.others:
                other.interrupt()
        return self.followed.hear_next(at, proven)

    def hear(self, number: int, size: int | None, reception: Reception) -> Numbered:
        """Take in a number as the gateway gave it; `size` is how many there are before they begin again with 0."""
        sequence = self.followed
        unwrapped = _unwrapped(number, sequence.high, size)
        over = self._drop_silent(reception, size)
        heard = self._hear_somewhere(
            number, unwrapped, size, reception if over is None else reception._replace(proven=None)
        )
        return heard if over is None else over._replace(step=heard.step)

    def _hear_somewhere(self, number: int, unwrapped: int, size: int | None, reception: Reception) -> Numbered:
        sequence = self.followed
        is_its = _is_of(sequence, unwrapped, size, reception)
        if not is_its or unwrapped - sequence.high > 1:
            for other in self.others:
                there = _unwrapped(number, other.high, size)
                # What the count followed has passed is sent again: it does not bring back one that is over.
                is_a_jump = not is_its and not (other.was_followed and sequence.has_passed(unwrapped))
                if there - other.high == 1 or (is_a_jump and _is_of(other, there, size, reception)):
                    if _is_ahead(sequence, unwrapped, size):
                        sequence.keep_ahead(unwrapped, reception.at)
                    return self._heard_beside(other, there, reception)
        if is_its:
            return self._heard(unwrapped, reception)
        if _is_ahead(sequence, unwrapped, size):
            sequence.keep_ahead(unwrapped, reception.at)
        return self._keep_beside(number, unwrapped, size, reception)

    def _heard(self, unwrapped: int, reception: Reception) -> Numbered:
        for other in self.others:
            other.interrupt()
        if self._excuses and reception.at - self._excused_at > 2 * self._grace:
            self._excuses = 0
        heard = self.followed.hear(unwrapped, reception, self._excuses)
        if heard.missing > 0:
            self._excuses = 0
        return heard

    def _heard_beside(self, other: NumberSequence, unwrapped: int, reception: Reception) -> Numbered:
        """Take in a number of another count, and follow that from now on if the one followed is over, or was none."""
        if not other.was_followed:
            heard = other.hear(unwrapped, reception)
            if not other.is_steady:
                return heard
            self._follow(other, reception.at)
            self._left = self.others[-1]
            return RESTART
        found = self.followed.take_all_back()  # what looked like a new count was something old, or is kept beside
        self._follow(other, reception.at)
        heard = self._heard(unwrapped, reception)
        return heard if found is None else found

    def _keep_beside(self, number: int, unwrapped: int, size: int | None, reception: Reception) -> Numbered:
        is_known = unwrapped == self.followed.high or any(
            _unwrapped(number, o.high, size) == o.high for o in self.others
        )
        if not (is_known or reception.again):
            self.others = [*self.others, NumberSequence(number, reception, self._grace)][-MAX_OTHERS:]
        return REPEATED if unwrapped <= self.followed.high else AHEAD

    def _follow(self, other: NumberSequence, at: datetime) -> None:
        self.others.remove(other)
        self.others.append(self.followed)
        self.followed.was_followed = True
        self.followed = other
        self._left = None
        other.begin_anew(at)

    def _is_any_silent(self, proven: datetime | None) -> bool:
        if proven is not None:
            since = proven - self._silence
            for other in self.others:  # asked of every message: `any` costs three times as much
                if other.heard_at < since:
                    return True
        return False

    def _drop_silent(self, reception: Reception, size: int | None) -> Numbered | None:
        """Forget counts that are over; return what was lost between one that was left and the one that is followed."""
        proven = reception.proven
        if proven is None or not self._is_any_silent(proven):
            return None
        over = [other for other in self.others if other.heard_at < proven - self._silence]
        self.others = [other for other in self.others if other not in over]
        left, sequence = self._left, self.followed
        if left is None or left not in over:
            return None
        self._left = None
        first = _unwrapped(sequence.first if size is None else sequence.first % size, left.high, size)
        if not _is_a_jump(left, first, size):
            return None
        return sequence.report_before(sequence.first - (first - left.high), reception.at)


def _is_of(sequence: NumberSequence, unwrapped: int, size: int | None, reception: Reception) -> bool:
    """Say whether a number can be of this count: the next one, a late one, or one behind a loss."""
    step = unwrapped - sequence.high
    if step <= 0:
        return sequence.knows(unwrapped)
    if step == 1 or sequence.follows(unwrapped):
        return True
    return _is_a_jump(sequence, unwrapped, size) and (step <= NEAR or reception.overtakes)


def _is_a_jump(sequence: NumberSequence, unwrapped: int, size: int | None) -> bool:
    """Say whether what lies between a count and a number ahead may be lost, and the number not begin another count."""
    number = unwrapped if size is None else unwrapped % size
    # 0 and 1 are where a count begins: it would be chance if just the ones before were lost.
    return number > 1 and _is_ahead(sequence, unwrapped, size)


def _is_ahead(sequence: NumberSequence, unwrapped: int, size: int | None) -> bool:
    """Say whether a number may be one of this count that comes before those between."""
    step = unwrapped - sequence.high
    if step < 1 or size is None:
        return 1 <= step <= LARGEST_JUMP
    wraps = unwrapped % size < sequence.high % size
    return step <= (LARGEST_LOSS_AT_WRAP if wraps else LARGEST_SERIAL_JUMP)


def _unwrapped(number: int, high: int, size: int | None) -> int:
    """Return where a number lies in a count without end, as near to `high` as can be."""
    if size is None:
        return number
    half = size // 2
    return high + (number - high + half) % size - half


class SequenceCounter:
    """Follows one kind of numbers, for each gateway apart. Memory: one line per gateway, more where things are odd."""

    def __init__(self, size: int | None = None, grace: timedelta = GRACE) -> None:
        self._size = size
        self._grace = grace
        self._sequences: dict[str, GatewaySequences] = {}

    def heard(self, gateway_id: str, number: int, reception: Reception) -> Numbered:
        """Take in a number of a gateway."""
        if not reception.overtakes and self.heard_next(gateway_id, number, reception.at, reception.proven):
            return NEXT
        sequences = self._sequences.get(gateway_id)
        if sequences is None:
            self._sequences[gateway_id] = GatewaySequences(number, reception, self._grace)
            return NEXT
        numbered = sequences.hear(number, self._size, reception)
        return (
            numbered._replace(step=SequenceStep.WRAP)
            if number == 0 and numbered.step is SequenceStep.NEXT
            else numbered
        )

    def heard_next(self, gateway_id: str, number: int, at: datetime, proven: datetime | None) -> bool:
        """Take in the very next number of a count without gaps, the common case; False when it is none."""
        sequences = self._sequences.get(gateway_id)
        if sequences is None or number == 0:
            return False
        step = number - sequences.followed.high
        if step != 1 and (self._size is None or step % self._size != 1):
            return False
        return sequences.hear_next(at, proven)

    def mention(self, gateway_id: str, number: int, reception: Reception) -> None:
        """A message came that was refused, and this is its number."""
        sequences = self._sequences.get(gateway_id)
        if sequences is not None:
            sequences.mention(number, self._size, reception)

    def excuse(self, gateway_id: str, at: datetime) -> None:
        """A message came that was refused, and its number cannot be read: one that is missing may be its."""
        sequences = self._sequences.get(gateway_id)
        if sequences is not None:
            sequences.excuse(at)

    def follows(self, gateway_id: str, number: int) -> bool:
        """Say whether a number is the very next one, after those that came by a faster way too."""
        sequences = self._sequences.get(gateway_id)
        return sequences is not None and sequences.followed.follows(
            _unwrapped(number, sequences.followed.high, self._size)
        )

    def is_near(self, gateway_id: str, number: int) -> bool:
        """Say whether a number lies where a late one or one behind a loss would: in the same count without doubt."""
        sequences = self._sequences.get(gateway_id)
        if sequences is None:
            return False
        sequence = sequences.followed
        unwrapped = _unwrapped(number, sequence.high, self._size)
        return sequence.knows(unwrapped) if unwrapped <= sequence.high else unwrapped - sequence.high <= NEAR
