"""Growth of memory is told from within the lives of a process; a restart is no growth, and no shrinking either."""

from itertools import chain

from tests.chaos.samples import SHORTEST_LIFE_S, WARM_UP_S, Sample, slope_per_hour


def life(number: int, start_s: float, lasts_s: float, first_mb: float, mb_an_hour: float) -> list[Sample]:
    """A life that fills its caches, 50 MB, in its first minute and then grows evenly."""
    steps = range(0, int(lasts_s) + 1, 15)
    return [Sample(start_s + at, number, first_mb + min(at / 60, 1) * 50 + mb_an_hour * at / 3600) for at in steps]


def test_growth_is_found_although_restarts_take_it_back() -> None:
    lives = chain(life(1, 0, 1200, 100, 30), life(2, 1200, 1200, 90, 30), life(3, 2400, 1200, 110, 30))
    slope = slope_per_hour(list(lives))
    assert slope is not None
    assert abs(slope - 30) < 0.01


def test_filling_caches_and_lives_that_differ_are_no_growth() -> None:
    slope = slope_per_hour([*life(1, 0, 1200, 100, 0), *life(2, 1200, 1200, 300, 0)])
    assert slope is not None
    assert abs(slope) < 0.01


def test_lives_too_short_say_nothing() -> None:
    short = WARM_UP_S + SHORTEST_LIFE_S - 30
    assert slope_per_hour([]) is None
    assert slope_per_hour([*life(1, 0, short, 100, 500), *life(2, 600, short, 100, 500)]) is None
