"""Lost numbers are counted once, whatever order the rest comes in."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.gaps import LARGEST_JUMP, SERIALS, WINDOW, Count, GapWatch, Step
from services.ingest.domain.values import Accepted, Carrier, Flag, FramePart, Kind, Lane, Message, Signal
from tests.unit.ingest.build import QUICK, arrival


def lost(numbers: list[int], size: int | None = None) -> int:
    count = Count(size)
    return sum(count.heard("G1", number).missing for number in numbers)


def steps(numbers: list[int]) -> list[str]:
    serials = Count(SERIALS)
    return [str(serials.heard("G1", number).step) for number in numbers]


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
    count = Count()
    assert [count.heard(*word).missing for word in (("G1", 1), ("G2", 500), ("G1", 2))] == [0, 0, 0]


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
    assert all(Count(size).heard("G1", number).missing >= 0 for size in (None, SERIALS) for number in numbers)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([5, 6, 7], ["next", "next", "next"]),
        ([65534, 65535, 0, 1], ["next", "next", "wrap", "next"]),
        ([65535, 2], ["next", "gap"]),
        ([7, 7, 7], ["next", "repeated", "repeated"]),
        ([7, 9, 8, 8, 10], ["next", "gap", "late", "repeated", "next"]),
        ([1, 65535, 2], ["next", "repeated", "next"]),
        ([200, 150], ["next", "late"]),
        ([900, 0, 1], ["next", "restart", "next"]),
        ([900, 3, 4], ["next", "restart", "next"]),
        ([40_000, 0, 1], ["next", "restart", "next"]),
        ([65_000, 0, 1], ["next", "restart", "next"]),
        ([100, 30_000, 30_001], ["next", "restart", "next"]),
    ],
)
def test_what_a_serial_is_beside_those_before(numbers: list[int], said: list[str]) -> None:
    assert steps(numbers) == said
    assert lost(numbers, SERIALS) == 0  # not yet, or not at all


def test_serials_that_were_lost_around_the_wrap_are_counted() -> None:
    assert lost([*range(65_500, 65_530), *range(10, 10 + WINDOW)], SERIALS) == 16


def test_a_device_that_does_not_count_loses_nothing() -> None:
    assert lost([0] * 100, SERIALS) == 0


def test_a_number_that_the_broker_delivers_again_begins_no_new_count() -> None:
    count = Count()
    for number in range(100):
        count.heard("G1", number)
    assert count.heard("G1", 0, again=True).step is Step.LATE
    assert count.heard("G1", 100).missing == 0


@QUICK
@given(st.sets(st.integers(0, 80)), st.integers(0, 0xFFFF))
def test_serials_lose_exactly_what_is_missing_wherever_the_count_stands(missing: set[int], start: int) -> None:
    present = [number for number in range(100) if number not in missing]
    expected = len({number for number in missing if number > present[0]})
    assert lost([(start + number) % SERIALS for number in present], SERIALS) == expected


def accepted(serial: int, command: int = 2, parts: int = 1, flags: tuple[Flag, ...] = ()) -> Accepted:
    frames = [FramePart("standard", serial, command, 1, None, (), b"", part) for part in range(parts)]
    messages = [Message(Kind.FAULT, frame=frame) for frame in frames]
    return Accepted(
        arrival(),
        tuple(
            Signal("G1", "U1", Lane.UP, Carrier.MQTT_GB26875, message, flags, at) for at, message in enumerate(messages)
        ),
    )


def follow(*told: Accepted) -> tuple[list[int], Counter[Step]]:
    watch, seen = GapWatch(), Counter[Step]()
    after = [watch.follow(each, seen) for each in told]
    return [signal.message.missing for each in after for signal in each.signals if signal.message.missing], seen


def test_a_loss_is_told_by_one_more_signal_of_the_frame_that_proves_it() -> None:
    watch, seen = GapWatch(), Counter[Step]()
    watch.follow(accepted(1), seen)
    (*own, gap) = watch.follow(accepted(20, parts=3), seen).signals
    assert [signal.message.kind for signal in own] == [Kind.FAULT] * 3
    assert (gap.message.kind, gap.message.missing, gap.part) == (Kind.GAP, 11, 3)
    assert gap.message.frame == own[0].message.frame


def test_only_frames_that_the_device_begins_are_counted_and_each_once() -> None:
    answers = [accepted(serial, command) for command in (3, 5, 6) for serial in (700, 50)]
    assert follow(accepted(1, parts=4), *answers, accepted(2)) == ([], Counter({Step.NEXT: 2}))


def test_frames_of_a_makers_own_count_where_they_fit() -> None:
    counted_in = [accepted(1), accepted(2, 7), accepted(3)]
    apart = [accepted(1), accepted(0, 7), accepted(2), accepted(0, 7), accepted(3)]
    for told in (counted_in, apart):
        missing, seen = follow(*told)
        assert (missing, seen) == ([], Counter({Step.NEXT: 3}))


def test_a_late_frame_of_a_makers_own_is_no_loss_where_they_are_counted() -> None:
    regular = [accepted(serial, 2 if serial % 2 else 7) for serial in range(1, 13)]
    swapped = [accepted(13), accepted(15), accepted(14, 7), accepted(16, 7)]
    behind_a_loss = [accepted(20, 7), *(accepted(serial) for serial in range(21, 40))]
    missing, _ = follow(*regular, *swapped, *behind_a_loss)
    assert sum(missing) == 3, "17, 18 and 19"


def test_frames_of_a_makers_own_that_fit_by_chance_prove_nothing() -> None:
    """Serial 100 in all of them, from a device that begins anew with 0: the very next number now and then."""
    begun_anew = [accepted(serial) for serial in range(100)]
    then = [accepted(100, 7), *(accepted(serial) for serial in range(100, 300)), accepted(100, 7), accepted(100, 7)]
    told = [*begun_anew, *then] * 4
    assert follow(*told, accepted(0), accepted(100, 7), accepted(1))[0] == []


def test_a_makers_own_frame_fits_behind_a_fire_that_overtook() -> None:
    watch, seen = GapWatch(), Counter[Step]()
    after = [watch.follow(accepted(1), seen), watch.follow(accepted(2), seen, overtakes=True)]
    after += [watch.follow(accepted(serial, 7), seen) for serial in (3, 4)]
    after += [watch.follow(accepted(serial), seen) for serial in range(5, 30)]
    assert [signal.message.missing for each in after for signal in each.signals if signal.message.missing] == []


def overtaking(main: list[int], fire: dict[int, list[int]], size: int | None = SERIALS) -> int:
    """Tell the numbers of both lanes; those of the fire lane come before the main lane's number that is their key."""
    count, missing = Count(size), 0
    for number in main:
        for ahead in fire.get(number, []):
            missing += count.overtook("G1", ahead).missing
        missing += count.heard("G1", number).missing
    return missing


def test_a_fire_that_overtakes_a_backlog_proves_no_loss() -> None:
    assert overtaking([*range(100), *range(101, 200)], {0: [100]}) == 0
    assert overtaking([*range(100), *range(103, 200)], {5: [100, 102, 101]}) == 0
    assert overtaking([65_534, 65_535, 2, 3], {65_534: [1, 0]}) == 0


def test_what_is_missing_beside_a_fire_that_overtook_is_counted_all_the_same() -> None:
    assert overtaking([*range(50), *range(60, 100)], {0: [55]}) == 9
    assert overtaking(list(range(50)), {0: [55]}) == 0  # nothing has come up to it


def test_a_fire_that_is_overtaken_fills_its_gap() -> None:
    assert overtaking([1, 2, 4, 5, *range(6, 40)], {5: [3]}) == 0


def test_a_gateway_that_only_uses_the_fire_lane_is_counted_in_the_end() -> None:
    count = Count(SERIALS)
    told = [count.overtook("G1", number) for number in range(1000) if number != 500]
    assert sum(numbered.missing for numbered in told) == 1
    assert count.heard("G1", 1000).missing == 0


def test_a_known_resend_is_no_step_of_the_count() -> None:
    again = accepted(1, flags=(Flag.REPEATED,))
    assert follow(accepted(1), accepted(2), again) == ([], Counter({Step.NEXT: 2, Step.REPEATED: 1}))
