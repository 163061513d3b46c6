"""How often links may be followed: by address, altogether, and anew each minute."""

from services.console.domain.errors import TooBusy
from services.console.worker.documents import CLIENTS, WINDOW_S, LinkThrottle
from tests.fakes.clock import ManualClock
from tests.unit.alerts.build import T0


def refused(throttle: LinkThrottle, client: str) -> bool:
    try:
        throttle.count(client)
    except TooBusy:
        return True
    return False


def test_an_address_has_its_share_of_a_minute_and_another_its_own() -> None:
    clock = ManualClock(T0)
    throttle = LinkThrottle(clock, per_client=3)
    assert [refused(throttle, "a") for _ in range(5)] == [False, False, False, True, True]
    assert not refused(throttle, "b")
    clock.forward(WINDOW_S - 1)
    assert refused(throttle, "a")
    clock.forward(1)
    assert not refused(throttle, "a")


def test_all_addresses_together_have_a_bound_too() -> None:
    throttle = LinkThrottle(ManualClock(T0), per_minute=4)
    assert [refused(throttle, f"client-{n}") for n in range(6)] == [False] * 4 + [True] * 2


def test_addresses_without_end_take_no_memory_without_end() -> None:
    most = CLIENTS * 2
    throttle = LinkThrottle(ManualClock(T0), per_minute=most + 1)
    for number in range(most):
        throttle.count(f"client-{number}")
    assert len(throttle._clients) == CLIENTS
