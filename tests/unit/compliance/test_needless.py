"""Signals that go when their days are final leave everything of later days as it was."""

from random import Random

import pytest

from services.compliance.domain.health import Condition, Health, condition, trouble_time
from services.compliance.domain.needless import needless, silenced
from services.compliance.domain.signals import SignalFact
from services.kernel.words import CountsAsTest

HOUR = 3_600_000_000
BEFORE = 200 * HOUR
KINDS = ("fire", "fault", "isolation", "restore", "restore", "restore", "state", "test", "heartbeat", "link_down")
FLAGS = ((), (), (), (), ("repeated",), ("retained",), ("replayed",), ("test_or_omission",))


def signals(seed: int) -> list[SignalFact]:
    chance, found = Random(seed), []
    for number in range(chance.randrange(2, 60)):
        received = chance.randrange(0, 400 * HOUR, HOUR // 2)
        kind = chance.choice(KINDS)
        fact = SignalFact(
            key=("/g", f"s{number}"),
            received=received,
            pair=("G1", "U1"),
            kind=kind,
            flags=frozenset(chance.choice(FLAGS)),
            occurred_at=chance.choice((None, received - chance.randrange(0, 30) * HOUR)),
            address=chance.choice((None, "p1", "p2", "p3", "*")),
            restores=chance.choice(("fault", "isolation", "fire", "all")) if kind == "restore" else None,
        )
        found.append(fact)
    return found


def from_then_on(found: Condition) -> tuple[object, ...]:
    """Return what a condition says of `BEFORE` and later."""
    held = [change for change in found.changes if change.at < BEFORE]
    later = [(each.at, each.trouble) for each in found.changes if each.at >= BEFORE]
    first = held[-1].trouble if held else None
    if first is not None and first.health is Health.NONE:
        first = None
    if first is None and later and later[0][1].health is Health.NONE:
        later = later[1:]  # quiet before it too
    seen = sorted(max(at, BEFORE) for at in found.seen)
    return first, later, [fault for fault in found.faults if fault.ended is None or fault.ended >= BEFORE], seen


def last_tests(found: list[SignalFact]) -> list[tuple[CountsAsTest, int]]:
    """Return the last test of each kind before `BEFORE`."""
    tests = [(counts, each.received) for each in found for counts in CountsAsTest if each.is_test(counts)]
    return sorted({counts: max(at for name, at in tests if name is counts) for counts, _ in tests}.items())


@pytest.mark.thorough
@pytest.mark.parametrize("block", range(10))
def test_what_comes_later_does_not_hang_on_what_went(block: int) -> None:
    gone = 0
    for seed in range(block * 100, block * 100 + 100):
        whole = signals(seed)
        may_go, silent = needless(whole, condition(whole), BEFORE, BEFORE)
        left = [silenced(each) if each in silent else each for each in whole if each not in may_go]
        gone += len(may_go)

        assert from_then_on(condition(left)) == from_then_on(condition(whole)), seed
        assert last_tests(left) == last_tests(whole), seed
        again = needless(left, condition(left), BEFORE, BEFORE)
        assert again == ([], []), "the week after nothing is left to do"
        assert all(each.received < BEFORE and trouble_time(each) < BEFORE for each in may_go)
    assert gone > 100


def test_a_trouble_that_goes_on_keeps_what_belongs_to_it_and_what_came_since() -> None:
    def one(name: str, at: int, kind: str, point: str, restores: str | None = None) -> SignalFact:
        return SignalFact(("/g", name), at * HOUR, ("G1", "U1"), kind, address=point, restores=restores)

    told = [
        one("a", 1, "fault", "p1"), one("b", 2, "restore", "p1", "fault"), one("c", 3, "fault", "p1"),
        one("d", 4, "restore", "p1", "fault"), one("e", 10, "fault", "p2"), one("f", 11, "fault", "p1"),
        one("g", 12, "restore", "p1", "fault"),
    ]  # fmt: skip
    may_go, _ = needless(told, condition(told), BEFORE, BEFORE)
    assert [each.key[1] for each in may_go] == ["b", "c", "d"], "the first signal names p1; e goes on"


def test_signals_since_the_last_proof_stay() -> None:
    told = [SignalFact(("/g", f"s{at}"), at * HOUR, ("G1", "U1"), "state") for at in range(10)]
    may_go, _ = needless(told, condition(told), 5 * HOUR, BEFORE)
    assert [each.received // HOUR for each in may_go] == [0, 1, 2, 3, 4]
