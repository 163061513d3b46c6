"""Numbers of gateways: what never came is told, and nothing else, whatever order the rest comes in."""

import random
from collections.abc import Iterable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.gateway_sequences import LARGEST_JUMP, SERIALS, SequenceCounter
from services.ingest.domain.number_sequence import IN_A_ROW, MAX_RUNS
from services.ingest.domain.sequence_steps import Numbered, Reception, SequenceStep
from tests.unit.ingest.build import QUICK, after

GRACE = timedelta(seconds=10)
GATEWAY = "G1"


class Ear:
    """One process that hears a gateway. A second passes with each number; all that was sent before has come."""

    def __init__(self, size: int | None = None) -> None:
        self.count = SequenceCounter(size, GRACE)
        self.told: list[Numbered] = []
        self.second = 0

    def hear(self, *numbers: int, overtakes: bool = False, again: bool = False, proven: int | None = 0) -> "Ear":
        """`proven`: so many seconds ago; None: nothing is."""
        for number in numbers:
            self.second += 1
            until = None if proven is None else after(self.second - proven)
            self.told.append(self.count.heard(GATEWAY, number, Reception(after(self.second), until, overtakes, again)))
        return self

    def met(self, *numbers: int) -> "Ear":
        """Hear as many numbers, ending with `numbers`, as make the count known."""
        first = numbers[0] - 2 * IN_A_ROW - 10
        return self.hear(*(number % SERIALS for number in range(first, numbers[0])), *numbers)

    @property
    def missing(self) -> int:
        return sum(one.missing for one in self.told)

    @property
    def steps(self) -> list[str]:
        return [str(one.step) for one in self.told]


def lost(numbers: Iterable[int], size: int | None = None) -> int:
    return Ear(size).hear(*numbers).missing


def test_an_unbroken_count_loses_nothing() -> None:
    assert lost(range(1000)) == 0


def test_a_skipped_number_is_told_when_the_grace_is_over_and_not_before() -> None:
    ear = Ear().hear(*range(50), *range(51, 61))
    assert ear.missing == 0
    assert ear.hear(61, 62).missing == 1


def test_nothing_is_told_while_something_that_was_sent_before_may_still_be_on_its_way() -> None:
    ear = Ear().hear(*range(50), *range(53, 100), proven=None)
    assert ear.missing == 0
    ear = Ear().hear(*range(50)).hear(*range(53, 100), proven=60)
    assert ear.missing == 0
    assert ear.hear(100).missing == 3


def test_a_number_that_comes_late_is_not_lost() -> None:
    ear = Ear().hear(*range(50), 51, 52, 53, 50, *range(54, 100))
    assert (ear.missing, ear.steps.count("late"), ear.steps.count("gap")) == (0, 1, 1)


def test_a_number_that_comes_after_it_was_told_as_lost_is_taken_back_on_that_day() -> None:
    ear = Ear().hear(*range(50), *range(53, 80))
    told = next(second for second, one in enumerate(ear.told, 1) if one.missing)
    assert ear.missing == 3
    back = ear.hear(51).told[-1]
    assert back == Numbered(SequenceStep.FOUND, -1, after(told))
    assert ear.hear(51).missing == 2, "and only once"
    assert ear.hear(52, 50, *range(80, 100)).missing == 0


def test_a_number_that_comes_where_the_count_would_have_gone_on_takes_all_back() -> None:
    assert Ear().hear(*range(50), *range(53, 80), 50).missing == 0


def test_a_long_gap_is_counted_whole_once_nobody_goes_on_before_it() -> None:
    ear = Ear().hear(*range(50), *range(5050, 5200))
    assert (ear.missing, ear.steps.count("restart")) == (0, 1)
    assert ear.hear(*range(5200, 5400)).missing == 5000
    assert ear.hear(*range(50, 60)).missing < 5000


def test_a_long_gap_is_none_when_the_count_goes_on_before_it() -> None:
    assert Ear().hear(*range(50), *range(5050, 5200), 50, *range(5200, 5900)).missing == 0


def test_two_gaps_are_told_each_in_its_time() -> None:
    ear = Ear().hear(*range(50), *range(52, 56), *range(57, 90))
    assert [one.missing for one in ear.told if one.missing] == [2, 1]


def test_an_old_message_that_is_sent_again_is_no_new_count() -> None:
    """What issue 8 found: a stored message, its number more than 128 behind, became 154 missing."""
    ear = Ear().hear(*range(1, 301), 146, *range(301, 400))
    assert (ear.missing, ear.steps.count("restart")) == (0, 0)


@pytest.mark.parametrize("again", [[3], [200, 3, 150], list(range(1, 200)), [*range(1, 50), *range(80, 140, 3)]])
def test_buffered_messages_that_are_sent_again_are_no_loss_in_any_order(again: list[int]) -> None:
    assert Ear().hear(*range(1, 301), *again, *range(301, 400)).missing == 0
    interleaved = [number for pair in zip(range(301, 900), again, strict=False) for number in pair]
    assert Ear().hear(*range(1, 301), *interleaved, *range(301 + len(again), 400 + len(again))).missing == 0
    assert Ear().hear(*range(1, 301), *reversed(again), *range(301, 400)).missing == 0


def test_what_was_old_and_looked_like_a_new_count_with_losses_is_taken_back() -> None:
    ear = Ear().hear(*range(1, 1001)).hear(*range(1, 60), *range(70, 200))
    assert ear.missing == 10
    assert ear.hear(1001, 1002).missing == 0


@pytest.mark.parametrize("first", [0, 1])
def test_a_gateway_that_begins_its_count_anew_loses_nothing_and_is_watched_on(first: int) -> None:
    ear = Ear().hear(*range(5000, 5100), *range(first, 50))
    assert (ear.missing, ear.steps.count("restart")) == (0, 1)
    assert ear.hear(*range(53, 80)).missing == 3


@pytest.mark.parametrize("again", [59, 58, 50])
def test_a_message_that_comes_twice_does_not_bring_back_the_count_that_a_restart_ended(again: int) -> None:
    ear = Ear().hear(*range(45), *range(60), again)
    assert ear.hear(*range(62, 90)).missing == 2


def test_a_gateway_that_says_a_word_or_two_after_each_of_many_starts_loses_nothing() -> None:
    """Field case F14: the count begins with 1 after each boot."""
    for words in (1, 2, 7, 8, 9, 20):
        boots = [list(range(1, words + 1 + boot % 2)) for boot in range(40)]
        assert lost([number for boot in boots for number in boot]) == 0


def test_a_gateway_that_counts_its_keep_alives_apart_loses_nothing() -> None:
    told = [number for beat in range(100) for number in (beat, 5000 + beat)]
    assert lost(told) == lost(told, SERIALS) == 0
    rare = [number for beat in range(40) for number in (*range(20 * beat, 20 * beat + 20), 5000 + beat)]
    assert lost(rare) == lost(rare, SERIALS) == 0


def test_a_gateway_that_numbers_by_the_clock_does_not_count() -> None:
    assert lost(range(1_780_000_000, 1_780_006_000, 30)) == 0


def test_what_is_set_anew_far_ahead_is_no_loss() -> None:
    assert lost([*range(50), *range(50 + LARGEST_JUMP, 500 + LARGEST_JUMP)]) == 0
    assert lost([*range(100, 150), *range(30_000, 30_500)], SERIALS) == 0


def test_gateways_are_counted_apart() -> None:
    count = SequenceCounter(None, GRACE)
    for second in range(100):
        reception = Reception(after(second), after(second), overtakes=False)
        assert count.heard("G1", second, reception).missing == 0
        assert count.heard("G2", 7 * second, reception).missing == 0


def test_a_repeated_number_is_no_step() -> None:
    ear = Ear(SERIALS).hear(*range(40), 39, 39, 40)
    assert ear.steps[-3:] == ["repeated", "repeated", "next"]


def test_serials_begin_again_behind_65535() -> None:
    ear = Ear(SERIALS).met(65_534, 65_535, 0, 1, 65_535, 2)
    assert ear.steps[-5:] == ["next", "wrap", "next", "repeated", "next"]
    assert ear.missing == 0


def test_serials_that_were_lost_around_the_wrap_are_counted() -> None:
    assert Ear(SERIALS).met(65_529, *range(10, 40)).missing == 16


@pytest.mark.parametrize("last", [900, 40_000, 65_000, 65_500])
@pytest.mark.parametrize("first", [0, 1])
def test_a_device_that_starts_anew_is_not_said_to_have_lost_what_was_left_to_the_wrap(last: int, first: int) -> None:
    assert Ear(SERIALS).met(last, *range(first, 60)).missing == 0


def test_a_device_that_does_not_count_loses_nothing() -> None:
    assert lost([0] * 100, SERIALS) == 0


def test_a_number_that_the_broker_delivers_again_begins_no_new_count() -> None:
    ear = Ear().hear(*range(100)).hear(*range(40), again=True)
    assert (set(ear.steps[100:]), ear.hear(*range(100, 200)).missing) == ({"repeated"}, 0)


def test_what_was_here_before_us_is_not_missed() -> None:
    """A killed process had stored a fire that had overtaken; the rest comes to the next one."""
    ear = Ear().hear(*range(100, 160), proven=60).hear(*range(161, 200))
    assert ear.missing == 0


def test_a_device_that_sends_again_what_a_killed_process_did_not_confirm_has_lost_nothing() -> None:
    ear = Ear(SERIALS).hear(4, *range(6, 40))
    assert ear.missing == 0
    assert Ear(SERIALS).hear(*range(1, 10), *range(11, 40)).missing == 0, "10 was stored by another"


def test_a_fire_that_overtakes_a_backlog_proves_no_loss() -> None:
    ear = Ear().hear(*range(50)).hear(200, 203, overtakes=True).hear(*range(50, 200), *range(201, 203))
    assert ear.hear(*range(204, 300)).missing == 0
    assert "ahead" in ear.steps


def test_what_is_missing_beside_a_fire_that_overtook_is_told_once_the_others_have_passed_it() -> None:
    ear = Ear().hear(*range(50)).hear(55, overtakes=True).hear(*range(50, 52), proven=5)
    assert ear.hear(*range(60, 100)).missing == 3 + 4


def test_a_fire_lane_that_is_counted_apart_proves_nothing() -> None:
    ear = Ear().hear(*range(100, 150))
    for number in range(60):
        ear.hear(5000 + number, overtakes=True).hear(150 + number)
    assert ear.missing == 0


@pytest.mark.thorough
def test_a_gateway_that_only_uses_the_fire_lane_is_counted_too() -> None:
    ear = Ear(SERIALS).hear(*(number for number in range(800) if number != 150), overtakes=True)
    assert ear.missing == 1


def test_a_message_that_was_refused_unread_may_be_the_one_that_is_missing() -> None:
    ear = Ear().hear(*range(50))
    ear.count.excuse(GATEWAY, after(ear.second))
    assert ear.hear(*range(51, 90)).missing == 0
    assert ear.hear(*range(92, 130)).missing == 2, "it excuses one number, once"


def test_many_gaps_cost_bounded_memory_and_are_said_to_be_forgotten() -> None:
    ear = Ear().hear(*range(50)).hear(*range(50, 50 + 4 * MAX_RUNS, 2), proven=None)
    sequences = ear.count._sequences[GATEWAY]
    assert len(sequences.followed.runs) == MAX_RUNS
    assert ear.steps.count("forgotten") > 0


@QUICK
@given(st.lists(st.integers(0, 2**53)), st.booleans())
def test_no_sequence_makes_it_fail_or_take_back_more_than_it_told(numbers: list[int], overtakes: bool) -> None:
    for size in (None, SERIALS):
        ear = Ear(size).hear(*(number % (size or 2**53) for number in numbers), overtakes=overtakes)
        assert ear.missing >= 0


@QUICK
@given(st.sets(st.integers(40, 120)), st.integers(0, 0xFFFF), st.integers(0, 2**32))
def test_exactly_what_is_missing_is_told_wherever_the_count_stands(missing: set[int], start: int, seed: int) -> None:
    dice = random.Random(seed)
    present = [number for number in range(160) if number not in missing]
    for at in range(45, len(present) - 40):  # neighbours change places
        if dice.random() < 0.3:
            present[at - 1], present[at] = present[at], present[at - 1]
    unwrapped = [(start + number) % SERIALS for number in present]
    boots = {start + number for number in range(160) if (start + number) % SERIALS < 2} & {
        start + number for number in present
    }
    around = {number for number in missing if any(abs(start + number - boot) < 64 for boot in boots)}
    told = lost(unwrapped, SERIALS)
    assert told <= len(missing)
    if not around:  # what is missing before a 0 or 1 may be a count that was begun anew
        assert told == len(missing)


class Scenario:
    """A gateway, a broker with two lanes, processes that are killed; and what truly became of each number."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.ear = Ear()
        self.told = 0
        self.number = self.first = dice.randrange(0, 3000)
        self.queue: list[tuple[int, int]] = []  # (number, sent at)
        self.second = 0
        self.gone: set[int] = set()

    def send(self, fire: float, loss: float) -> None:
        self.number += 1
        self.second += 1
        if self.dice.random() < loss:
            self.gone.add(self.number)
        elif self.dice.random() < fire:
            self._hear(self.number, overtakes=True)
        else:
            self.queue.append((self.number, self.second))

    def deliver(self, most: int) -> None:
        for number, _ in self.queue[:most]:
            self._hear(number)
        del self.queue[:most]

    def kill(self) -> None:
        """What was stored and not acknowledged comes again: nobody remembers it."""
        self.told += self.ear.missing
        self.ear = Ear()

    def _hear(self, number: int, *, overtakes: bool = False, again: bool = False) -> None:
        self.ear.second = self.second
        since = self.queue[0][1] if self.queue else self.second
        self.ear.hear(number, overtakes=overtakes, again=again, proven=self.second + 1 - since)

    def send_again(self, back: int) -> None:
        number = self.number - self.dice.randrange(0, back)
        if number > self.first and number not in self.gone and all(number != queued for queued, _ in self.queue):
            self._hear(number)

    def reboot(self) -> None:
        self.deliver(len(self.queue))
        self.number = self.first = self.dice.randrange(-1, 1)
        self.gone.clear()


@QUICK
@given(st.integers(0, 2**32))
def test_in_a_world_that_loses_nothing_nothing_is_told_whatever_is_killed_overtakes_or_begins_anew(seed: int) -> None:
    dice = random.Random(seed)
    scenario = Scenario(dice)
    for _ in range(400):
        scenario.send(fire=0.2, loss=0)
        if dice.random() < 0.4:
            scenario.deliver(dice.randrange(0, 12))
        if dice.random() < 0.05:
            scenario.send_again(400)
        if dice.random() < 0.02:
            scenario.kill()
        if dice.random() < 0.01:
            scenario.reboot()
    assert scenario.told + scenario.ear.missing == 0


@QUICK
@given(st.integers(0, 2**32))
def test_in_a_world_that_loses_some_exactly_those_are_told_and_a_kill_tells_no_other(seed: int) -> None:
    dice = random.Random(seed)
    scenario = Scenario(dice)
    for _ in range(60):
        scenario.send(fire=0, loss=0)
        scenario.deliver(9)
    for _ in range(300):
        scenario.send(fire=0.2, loss=0.02)
        if dice.random() < 0.4:
            scenario.deliver(dice.randrange(0, 12))
    for _ in range(60):
        scenario.send(fire=0, loss=0)
        scenario.deliver(999)
    assert scenario.ear.missing == len(scenario.gone)
    for _ in range(200):
        scenario.send(fire=0.2, loss=0.02)
        scenario.deliver(dice.randrange(0, 3))
        if dice.random() < 0.02:
            scenario.kill()
    assert scenario.told + scenario.ear.missing <= len(scenario.gone)


@QUICK
@given(st.integers(0, 2**32), st.floats(0, 0.1))
def test_serials_that_wrap_while_fires_overtake_and_neighbours_change_places_are_never_missed_wrongly(
    seed: int, loss: float
) -> None:
    dice = random.Random(seed)
    ear, number, gone = Ear(SERIALS), SERIALS - 80, 0
    for _ in range(90):
        skipped = dice.randrange(1, 5) if number > SERIALS - 50 and dice.random() < loss else 0
        number, gone = number + skipped, gone + skipped
        frames = [(number + at, dice.random() < 0.3) for at in range(dice.choice((1, 1, 2, 3)))]
        number += len(frames)
        if dice.random() < 0.3:
            dice.shuffle(frames)
        for serial, overtakes in frames:
            ear.hear(serial % SERIALS, overtakes=overtakes)
    ear.hear(*(serial % SERIALS for serial in range(number, number + 60)))
    assert 0 <= ear.missing <= gone
