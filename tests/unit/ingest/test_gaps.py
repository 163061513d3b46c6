"""Lost numbers are counted once, whatever order the rest comes in."""

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.gaps import LARGEST_JUMP, WINDOW, GapWatch
from tests.unit.ingest.build import QUICK


def lost(numbers: list[int]) -> int:
    watch = GapWatch()
    return sum(watch.heard("G1", number) for number in numbers)


def test_an_unbroken_count_loses_nothing() -> None:
    assert lost(list(range(1000))) == 0


def test_a_skipped_number_is_lost_once_it_is_out_of_the_window() -> None:
    assert lost([1, 2, 4]) == 0
    assert lost([1, 2, *range(4, 4 + WINDOW)]) == 1


def test_a_number_that_comes_a_little_later_is_not_lost() -> None:
    assert lost([1, 2, 4, 5, 3, *range(6, 40)]) == 0


def test_a_long_gap_is_counted_whole() -> None:
    assert lost([1, *range(102, 102 + WINDOW)]) == 100


def test_a_gateway_that_starts_its_count_anew_loses_nothing() -> None:
    assert lost([5000, 0, 1, 2, 3]) == 0
    assert lost([10**12, 5, 6, 7]) == 0
    assert lost([5, 5 + LARGEST_JUMP + 1, 5 + LARGEST_JUMP + 2]) == 0


def test_gateways_are_counted_apart() -> None:
    watch = GapWatch()
    assert watch.heard("G1", 1) + watch.heard("G2", 500) + watch.heard("G1", 2) == 0


@QUICK
@given(st.sets(st.integers(1, 60)), st.randoms(use_true_random=False))
def test_exactly_the_missing_numbers_are_lost_when_the_rest_is_only_a_little_out_of_order(
    missing: set[int], random: object
) -> None:
    present = [number for number in range(90) if number not in missing]
    shuffled: list[int] = []
    for start in range(0, len(present), 3):  # neighbours change places, within the window
        part = present[start : start + 3]
        random.shuffle(part)  # type: ignore[attr-defined] # hypothesis hands out a random.Random
        if part and max(part) - min(part) >= WINDOW - 4:
            part.sort()
        shuffled += part
    if shuffled[0] != min(shuffled[:3]):
        shuffled[:3] = sorted(shuffled[:3])
    assert lost(shuffled) == len({number for number in missing if number > shuffled[0]})


@QUICK
@given(st.lists(st.integers(0, 2**53)))
def test_no_sequence_makes_it_fail_or_count_below_zero(numbers: list[int]) -> None:
    watch = GapWatch()
    assert all(watch.heard("G1", number) >= 0 for number in numbers)
