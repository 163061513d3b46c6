"""Of the copies of a signal the one with the smallest time counts, whatever came first (R9)."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.kernel.earliest import Earliest, Taken

PAIR, OTHER = ("G1", "U1"), ("G1", "U2")
Copy = tuple[str, str, int, tuple[str, str], bool]
COPIES = st.lists(
    st.tuples(
        st.sampled_from(["/a", "/b"]), st.sampled_from(["1", "2"]), st.integers(0, 5), st.sampled_from([PAIR, OTHER]),
        st.booleans(),
    ),
    max_size=12,
)  # fmt: skip


def test_a_later_copy_has_no_effect_and_an_earlier_one_takes_the_place() -> None:
    earliest = Earliest()
    assert earliest.take("/a", "1", 5, PAIR, plain=True) == Taken(counts=True)
    assert earliest.take("/a", "1", 5, PAIR, plain=False) == Taken(counts=False)
    assert earliest.take("/a", "1", 3, OTHER, plain=True) == Taken(counts=True, replaces=(PAIR, 5))
    assert earliest.take("/a", "1", 2, PAIR, plain=False) == Taken(counts=True, replaces=(OTHER, 3))
    assert earliest.take("/a", "1", 1, PAIR, plain=True) == Taken(counts=True, keyed=True)


@given(COPIES)
def test_what_is_told_less_what_is_replaced_is_the_first_of_the_smallest_of_each(copies: list[Copy]) -> None:
    earliest = Earliest()
    plain_told: Counter[tuple[tuple[str, str], int]] = Counter()
    keyed_told: dict[tuple[str, str], tuple[tuple[str, str], int]] = {}
    expected: dict[tuple[str, str], Copy] = {}
    for copy in copies:
        source, signal_id, time, pair, plain = copy
        taken = earliest.take(source, signal_id, time, pair, plain=plain)
        if taken.replaces is not None:
            plain_told[taken.replaces] -= 1
        if taken.counts and plain and not taken.keyed:
            plain_told[pair, time] += 1
        elif taken.counts:
            keyed_told[source, signal_id] = (pair, time)
        held = expected.get((source, signal_id))
        if held is None or time < held[2]:
            expected[source, signal_id] = copy
    counted = plain_told + Counter(keyed_told.values())
    assert min(plain_told.values(), default=0) >= 0
    assert counted == Counter((pair, time) for _, _, time, pair, _ in expected.values())
