"""Places for callers: newcomers make room for each other, nobody for them who has proven itself."""

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.connection_slots import ConnectionSlots
from tests.unit.ingest.build import QUICK


def test_the_oldest_silent_one_of_the_same_address_goes_first_then_the_oldest_that_is_vouched_for() -> None:
    room = ConnectionSlots(connections=10, per_peer=3)
    assert [room.enter(number, "a") for number in (1, 2, 3)] == [None] * 3
    room.vouch(1)
    assert [room.enter(number, "a") for number in (4, 5)] == [2, 3]
    for number in (4, 5):
        room.vouch(number)
    assert room.enter(6, "a") == 1
    room.doubt(5)
    assert room.enter(7, "b") is None
    assert [room.enter(number, "a") for number in (8, 9)] == [6, 5]


def test_a_full_room_costs_the_oldest_silent_one_of_all() -> None:
    room = ConnectionSlots(connections=3, per_peer=9)
    assert [room.enter(number, str(number)) for number in (1, 2, 3)] == [None] * 3
    room.prove(1)
    assert room.enter(4, "4") == 2


def test_one_that_has_proven_itself_makes_room_for_nobody() -> None:
    room = ConnectionSlots(connections=3, per_peer=1)
    for number in (1, 2, 3):
        assert room.enter(number, "a") is None
        assert room.prove(number)
    assert room.enter(4, "a") is None, "the spare place"
    assert not room.prove(4)
    assert room.enter(5, "b") == 4


@QUICK
@given(
    st.lists(
        st.tuples(st.sampled_from(("enter", "prove", "vouch", "doubt", "leave")), st.integers(0, 30)), max_size=150
    )
)
def test_the_bounds_hold_and_only_newcomers_are_sent_away(steps: list[tuple[str, int]]) -> None:
    room, here, proven = ConnectionSlots(connections=5, per_peer=3), dict[int, str](), set[int]()
    for number, (step, which) in enumerate(steps):
        if step == "enter":
            here[number] = f"peer{which % 4}"
            leaving = room.enter(number, here[number])
            assert leaving not in proven
            if leaving is not None:
                del here[leaving]
        elif step == "prove" and which in here:
            if room.prove(which):
                proven.add(which)
        elif step == "leave":
            room.leave(which)
            here.pop(which, None)
            proven.discard(which)
        elif step == "vouch":
            room.vouch(which)
        else:
            room.doubt(which)
        newcomers = [peer for one, peer in here.items() if one not in proven]
        assert len(room) == len(here) <= 5 + 1
        assert max((newcomers.count(peer) for peer in set(newcomers)), default=0) <= 3
