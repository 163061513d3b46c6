"""Which signals nothing rests on any more once the days before an instant are final (ADR 105).

What stays of before it: what belongs to a trouble that goes on, the first signal that names each point (R25), the last
test of each kind (R45), and all from the last proof on at which the gateway was online (R13, R17).
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from services.compliance.domain.health import EVERY, Change, Condition, Health, tells, trouble_time
from services.compliance.domain.signals import SignalFact
from services.kernel.words import CountsAsTest


class Needless(NamedTuple):
    """`gone`: signals that may go. `silent`: those of the past that stay, and must begin and end no trouble any more.

    What ended the troubles that they tell of, or what had begun them, is gone.
    """

    gone: Sequence[SignalFact]
    silent: Sequence[SignalFact]


def needless(signals: Iterable[SignalFact], condition: Condition, proof: int, before: int) -> Needless:
    """Return what of a pair may go. `condition` is what all its signals come to.

    `proof`: the last one before `before` at which its gateway was online. Microseconds.
    """
    told, limit = list(signals), min(proof, before)
    # what came later may tell of earlier, of a day or, refused at first, of any time: that must not lack what ended it
    earliest = min((trouble_time(each) for each in told if each.received >= limit), default=limit)
    quiet = _quiet_until(condition.changes, min(earliest, limit))
    old = [each for each in told if each.received < limit and trouble_time(each) < quiet]
    needed = {each.key for each in (*_naming(old), *_last_tests(each for each in told if each.received < before))}
    stay = [each for each in old if each.key in needed and "repeated" not in each.flags]
    return Needless([each for each in old if each.key not in needed], [each for each in stay if tells(each)])


def silenced(signal: SignalFact) -> SignalFact:
    """Return a signal that begins and ends nothing (R22), and is the same otherwise."""
    return signal._replace(flags=signal.flags | {"repeated"})


def _quiet_until(changes: Sequence[Change], before: int) -> int:
    """Return an instant, `before` or earlier, up to which no trouble was open: none goes on from before it.

    The latest such instant; the beginning of time, where a trouble has been open ever since the first signal.
    """
    until = before
    for change in reversed([each for each in changes if each.at < before]):
        if change.trouble.health is Health.NONE:
            return until
        until = change.at
    return until


def _naming(signals: Iterable[SignalFact]) -> Iterable[SignalFact]:
    """Return, of each point, the signal that named it first."""
    first: dict[tuple[str, str], SignalFact] = {}
    for each in signals:
        if each.address is None or each.address == EVERY or "retained" in each.flags:
            continue
        held = first.get((each.system, each.address))
        if held is None or trouble_time(each) < trouble_time(held):
            first[each.system, each.address] = each
    return first.values()


def _last_tests(signals: Iterable[SignalFact]) -> Iterable[SignalFact]:
    last: dict[CountsAsTest, SignalFact] = {}
    for each in sorted(signals, key=lambda signal: signal.received):
        last.update((counts, each) for counts in CountsAsTest if each.is_test(counts))
    return last.values()
