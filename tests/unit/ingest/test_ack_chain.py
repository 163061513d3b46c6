"""The chain that decides which deliveries may be acknowledged: against a plain model, over any interleaving."""

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.ack_chain import AckChain, Link
from tests.unit.ingest.build import QUICK


def test_nothing_is_released_before_everything_earlier_is_done() -> None:
    chain = AckChain()
    first, second = chain.arrived(1, 10), chain.arrived(1, 11)
    second.done = True
    assert chain.release() == []
    first.done = True
    assert chain.release() == [(1, 10), (1, 11)]
    assert chain.release() == []


def test_a_late_delivery_of_an_older_connection_is_never_released() -> None:
    chain = AckChain()
    old = chain.arrived(1, 7)
    new = chain.arrived(2, 7)
    old.done = True
    assert chain.release() == []
    new.done = True
    assert chain.release() == [(2, 7)]


def test_a_delivery_of_an_older_connection_that_comes_after_the_new_one_is_left_out() -> None:
    chain = AckChain()
    chain.reconnected(2)
    chain.arrived(1, 7).done = True
    assert chain.release() == []
    assert len(chain) == 0


steps = st.lists(
    st.one_of(
        st.tuples(st.just("arrive"), st.integers(1, 65535)),
        st.tuples(st.just("done"), st.integers(0, 200)),
        st.tuples(st.just("reconnect"), st.just(0)),
        st.tuples(st.just("release"), st.just(0)),
    ),
    max_size=200,
)


@QUICK
@given(steps)
def test_released_are_the_done_ones_at_the_head_in_order_of_the_present_connection(
    script: list[tuple[str, int]],
) -> None:
    chain, epoch = AckChain(), 1
    arrived: list[Link] = []
    released: list[tuple[int, int]] = []
    present: list[Link] = []
    for what, number in script:
        if what == "arrive":
            link = chain.arrived(epoch, number)
            arrived.append(link)
            present.append(link)
        elif what == "done" and arrived:
            arrived[number % len(arrived)].done = True
        elif what == "reconnect":
            epoch += 1
            chain.reconnected(epoch)
            present, released = [], []
        else:
            now = chain.release()
            assert all(of_epoch == epoch for of_epoch, _ in now)
            released += now
            done_at_head = next((place for place, link in enumerate(present) if not link.done), len(present))
            assert released == [(link.epoch, link.mid) for link in present[:done_at_head]]
