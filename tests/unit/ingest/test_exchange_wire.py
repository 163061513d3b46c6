"""Orders and steps on the topics: nothing is lost on the way, and the same step has the same id whoever tells it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec
from services.ingest.adapters.exchange_wire import command_of, event_of, exchange_of, order_of
from services.ingest.domain.controls import ExchangeEvent, Order
from services.kernel.words import ControlKind, ExchangeReason, ExchangeStep, Transport
from tests.unit.ingest.build import NOON, QUICK, after

ORDERS = st.sampled_from(
    [
        Order("c1", "G000001", ControlKind.SET_CLOCK, None, "王五", NOON),
        Order("d1", "G000001", ControlKind.DUTY_CHECK, 255, "w", NOON),
    ]
)
STEPS = st.builds(
    ExchangeEvent,
    ORDERS,
    st.sampled_from(ExchangeStep),
    st.floats(0, 1e6).map(after),
    st.just("ingest-1"),
    st.none() | st.integers(0, 0xFFFF),
    st.none() | st.sampled_from(Transport),
    st.none() | st.integers(1, 11),
    st.none() | st.floats(0, 1e6),
    st.none() | st.sampled_from(ExchangeReason),
)


@QUICK
@given(STEPS)
def test_a_step_comes_back_from_the_log_as_it_was_told(event: ExchangeEvent) -> None:
    assert event_of(codec.exchanges.encode(exchange_of(event))) == event


@QUICK
@given(ORDERS)
def test_an_order_comes_back_from_the_log_as_it_was_given(order: Order) -> None:
    assert order_of(codec.commands.decode(codec.commands.encode(command_of(order, "/cli")))) == order


@QUICK
@given(STEPS, STEPS)
def test_two_steps_have_one_id_exactly_when_command_step_and_attempt_are_the_same(
    one: ExchangeEvent, two: ExchangeEvent
) -> None:
    def key(event: ExchangeEvent) -> object:
        return event.order.command_id, event.step, event.attempt

    assert (exchange_of(one).id == exchange_of(two).id) == (key(one) == key(two))


@pytest.mark.parametrize("minutes", [0, 256])
def test_an_order_out_of_range_is_never_written(minutes: int) -> None:
    with pytest.raises(ValueError, match="minutes"):
        command_of(Order("d1", "G000001", ControlKind.DUTY_CHECK, minutes, "w", NOON), "/cli")
