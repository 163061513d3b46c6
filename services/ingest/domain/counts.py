"""The counts that gateways keep: mostly one each; for a while one more that is over, old, or kept for other things."""

from datetime import datetime, timedelta

from services.ingest.domain.numbering import GRACE, Hearing, Line, Numbered, Step

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

_NEXT, _AHEAD, _REPEATED, _RESTART = map(Numbered, (Step.NEXT, Step.AHEAD, Step.REPEATED, Step.RESTART))


class Lines:
    """The counts of one gateway. `followed` is the one that losses are told of.

    A number that is far back or far ahead is no new count yet: it may be something old that is sent again, or of a
    count that the gateway keeps for other things. So it stands beside, and is followed once a row of numbers has come
    behind it and none of the other between. What lies between the two is lost if the other is never heard again.
    """

    __slots__ = ("_excused_at", "_excuses", "_grace", "_left", "_silence", "followed", "others")

    def __init__(self, number: int, hearing: Hearing, grace: timedelta) -> None:
        self._grace = grace
        self._silence = SILENT * grace
        self._left: Line | None = None
        self.followed = Line(number, hearing, grace)
        self.others: list[Line] = []
        self._excuses = 0
        self._excused_at = hearing.at

    def excuse(self, at: datetime) -> None:
        """Something came that was refused, and nobody can say which number it had."""
        self._excuses += 1
        self._excused_at = at

    def mention(self, number: int, size: int | None, hearing: Hearing) -> None:
        """Something came that was refused, and says that it has this number: so that one is not missing."""
        line = self.followed
        laid_out = _laid_out(number, line.high, size)
        if line.floor < laid_out <= line.high:
            line.hear(laid_out, hearing._replace(proven=None))
        elif _is_ahead(line, laid_out, size):
            line.keep_ahead(laid_out, hearing.at)

    def hear_next(self, at: datetime, proven: datetime | None) -> bool:
        """Take in the number behind the highest one, the common case; False when there is more to do than that."""
        if self.others:
            if self._is_any_silent(proven):
                return False
            for other in self.others:
                other.interrupt()
        return self.followed.hear_next(at, proven)

    def hear(self, number: int, size: int | None, hearing: Hearing) -> Numbered:
        """Take in a number as the gateway gave it; `size` is how many there are before they begin again with 0."""
        line = self.followed
        laid_out = _laid_out(number, line.high, size)
        over = self._drop_silent(hearing, size)
        heard = self._hear_somewhere(number, laid_out, size, hearing if over is None else hearing._replace(proven=None))
        return heard if over is None else over._replace(step=heard.step)

    def _hear_somewhere(self, number: int, laid_out: int, size: int | None, hearing: Hearing) -> Numbered:
        line = self.followed
        is_its = _is_of(line, laid_out, size, hearing)
        if not is_its or laid_out - line.high > 1:
            for other in self.others:
                there = _laid_out(number, other.high, size)
                # What the count followed has passed is sent again: it does not bring back one that is over.
                is_a_jump = not is_its and not (other.was_followed and line.has_passed(laid_out))
                if there - other.high == 1 or (is_a_jump and _is_of(other, there, size, hearing)):
                    if _is_ahead(line, laid_out, size):
                        line.keep_ahead(laid_out, hearing.at)
                    return self._heard_beside(other, there, hearing)
        if is_its:
            return self._heard(laid_out, hearing)
        if _is_ahead(line, laid_out, size):
            line.keep_ahead(laid_out, hearing.at)
        return self._keep_beside(number, laid_out, size, hearing)

    def _heard(self, laid_out: int, hearing: Hearing) -> Numbered:
        for other in self.others:
            other.interrupt()
        if self._excuses and hearing.at - self._excused_at > 2 * self._grace:
            self._excuses = 0
        heard = self.followed.hear(laid_out, hearing, self._excuses)
        if heard.missing > 0:
            self._excuses = 0
        return heard

    def _heard_beside(self, other: Line, laid_out: int, hearing: Hearing) -> Numbered:
        """Take in a number of another count, and follow that from now on if the one followed is over, or was none."""
        if not other.was_followed:
            heard = other.hear(laid_out, hearing)
            if not other.is_steady:
                return heard
            self._follow(other, hearing.at)
            self._left = self.others[-1]
            return _RESTART
        found = self.followed.take_all_back()  # what looked like a new count was something old, or is kept beside
        self._follow(other, hearing.at)
        heard = self._heard(laid_out, hearing)
        return heard if found is None else found

    def _keep_beside(self, number: int, laid_out: int, size: int | None, hearing: Hearing) -> Numbered:
        is_known = laid_out == self.followed.high or any(_laid_out(number, o.high, size) == o.high for o in self.others)
        if not (is_known or hearing.again):
            self.others = [*self.others, Line(number, hearing, self._grace)][-MAX_OTHERS:]
        return _REPEATED if laid_out <= self.followed.high else _AHEAD

    def _follow(self, other: Line, at: datetime) -> None:
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

    def _drop_silent(self, hearing: Hearing, size: int | None) -> Numbered | None:
        """Forget counts that are over; return what was lost between one that was left and the one that is followed."""
        proven = hearing.proven
        if proven is None or not self._is_any_silent(proven):
            return None
        over = [other for other in self.others if other.heard_at < proven - self._silence]
        self.others = [other for other in self.others if other not in over]
        left, line = self._left, self.followed
        if left is None or left not in over:
            return None
        self._left = None
        first = _laid_out(line.first if size is None else line.first % size, left.high, size)
        if not _is_a_jump(left, first, size):
            return None
        return line.tell_before(line.first - (first - left.high), hearing.at)


def _is_of(line: Line, laid_out: int, size: int | None, hearing: Hearing) -> bool:
    """Say whether a number can be of this count: the next one, a late one, or one behind a loss."""
    step = laid_out - line.high
    if step <= 0:
        return line.knows(laid_out)
    if step == 1 or line.follows(laid_out):
        return True
    return _is_a_jump(line, laid_out, size) and (step <= NEAR or hearing.overtakes)


def _is_a_jump(line: Line, laid_out: int, size: int | None) -> bool:
    """Say whether what lies between a count and a number ahead may be lost, and the number not begin another count."""
    number = laid_out if size is None else laid_out % size
    # 0 and 1 are where a count begins: it would be chance if just the ones before were lost.
    return number > 1 and _is_ahead(line, laid_out, size)


def _is_ahead(line: Line, laid_out: int, size: int | None) -> bool:
    """Say whether a number may be one of this count that comes before those between."""
    step = laid_out - line.high
    if step < 1 or size is None:
        return 1 <= step <= LARGEST_JUMP
    wraps = laid_out % size < line.high % size
    return step <= (LARGEST_LOSS_AT_WRAP if wraps else LARGEST_SERIAL_JUMP)


def _laid_out(number: int, high: int, size: int | None) -> int:
    """Return where a number lies in a count without end, as near to `high` as can be."""
    if size is None:
        return number
    half = size // 2
    return high + (number - high + half) % size - half


class Count:
    """Follows one kind of numbers, for each gateway apart. Memory: one line per gateway, more where things are odd."""

    def __init__(self, size: int | None = None, grace: timedelta = GRACE) -> None:
        self._size = size
        self._grace = grace
        self._lines: dict[str, Lines] = {}

    def heard(self, gateway_id: str, number: int, hearing: Hearing) -> Numbered:
        """Take in a number of a gateway."""
        if not hearing.overtakes and self.heard_next(gateway_id, number, hearing.at, hearing.proven):
            return _NEXT
        lines = self._lines.get(gateway_id)
        if lines is None:
            self._lines[gateway_id] = Lines(number, hearing, self._grace)
            return _NEXT
        numbered = lines.hear(number, self._size, hearing)
        return numbered._replace(step=Step.WRAP) if number == 0 and numbered.step is Step.NEXT else numbered

    def heard_next(self, gateway_id: str, number: int, at: datetime, proven: datetime | None) -> bool:
        """Take in the very next number of a count without gaps, the common case; False when it is none."""
        lines = self._lines.get(gateway_id)
        if lines is None or number == 0:
            return False
        step = number - lines.followed.high
        if step != 1 and (self._size is None or step % self._size != 1):
            return False
        return lines.hear_next(at, proven)

    def mention(self, gateway_id: str, number: int, hearing: Hearing) -> None:
        """A message came that was refused, and this is its number."""
        lines = self._lines.get(gateway_id)
        if lines is not None:
            lines.mention(number, self._size, hearing)

    def excuse(self, gateway_id: str, at: datetime) -> None:
        """A message came that was refused, and its number cannot be read: one that is missing may be its."""
        lines = self._lines.get(gateway_id)
        if lines is not None:
            lines.excuse(at)

    def follows(self, gateway_id: str, number: int) -> bool:
        """Say whether a number is the very next one, after those that came by a faster way too."""
        lines = self._lines.get(gateway_id)
        return lines is not None and lines.followed.follows(_laid_out(number, lines.followed.high, self._size))

    def is_near(self, gateway_id: str, number: int) -> bool:
        """Say whether a number lies where a late one or one behind a loss would: in the same count without doubt."""
        lines = self._lines.get(gateway_id)
        if lines is None:
            return False
        line = lines.followed
        laid_out = _laid_out(number, line.high, self._size)
        return line.knows(laid_out) if laid_out <= line.high else laid_out - line.high <= NEAR
