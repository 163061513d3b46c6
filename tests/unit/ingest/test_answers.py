"""A press of the duty key that the device kept from before the check answers nothing; what cannot be known is said."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.answers import SET_BACK_AFTER, Answer, AnswerMatch, Check, Clocks
from services.kernel.words import Transport
from tests.unit.ingest.build import NOON, QUICK, after

G = "G000001"
SENT = NOON
MINUTE = 60.0
RESET = datetime(2000, 1, 1, tzinfo=NOON.tzinfo)


def clocks(ahead_s: float = 0, frames: int = 4) -> Clocks:
    """A device that sent a frame a minute until the check, with a clock that is so far ahead."""
    known = Clocks()
    for number in range(frames):
        at = (number - frames) * MINUTE
        known.heard(G, after(at), after(at + ahead_s), 100 + number)
    return known


def pressed(came_s: float, label_s: float | None, *, serial: int | None = None, kept: bool = False) -> Answer:
    label = None if label_s is None else after(label_s)
    return Answer(after(came_s), Transport.MQTT_GB26875, label, serial, kept)


def test_a_press_from_before_the_check_is_no_answer_to_it() -> None:
    assert clocks().match(G, pressed(20, -600), Check(SENT)) is AnswerMatch.OLD


def test_a_press_after_the_check_answers_it() -> None:
    assert clocks().match(G, pressed(20, 20), Check(SENT)) is AnswerMatch.ANSWERS


@pytest.mark.parametrize("ahead_s", [3600.0, -3600.0, -9e8])
def test_a_wrong_clock_that_is_known_hides_no_old_press_and_blames_nobody(ahead_s: float) -> None:
    known = clocks(ahead_s)
    assert known.match(G, pressed(20, -600 + ahead_s), Check(SENT)) is AnswerMatch.OLD
    confirmed = Check(SENT, confirm_label=after(1 + ahead_s))
    assert known.match(G, pressed(20, 20 + ahead_s), confirmed) is AnswerMatch.ANSWERS
    assert known.match(G, pressed(20, 20 + ahead_s), Check(SENT)) is AnswerMatch.UNPROVEN, "no confirm shows it"


def test_a_clock_of_which_nothing_is_known_is_believed_unless_it_lost_its_battery() -> None:
    unknown = Clocks()
    assert unknown.match(G, pressed(20, -600), Check(SENT)) is AnswerMatch.OLD
    assert unknown.match(G, pressed(20, 20), Check(SENT)) is AnswerMatch.ANSWERS
    assert unknown.match(G, Answer(after(20), Transport.MQTT_GB26875, RESET), Check(SENT)) is AnswerMatch.UNPROVEN
    assert unknown.match(G, pressed(20, None), Check(SENT)) is AnswerMatch.UNPROVEN


def test_a_confirm_that_copies_our_label_blames_nobody_whose_clock_is_known_to_be_behind() -> None:
    assert clocks(-3600).match(G, pressed(20, 20 - 3600), Check(SENT, confirm_label=SENT)) is AnswerMatch.UNPROVEN


def test_one_slip_of_a_device_makes_no_answer_old() -> None:
    known = clocks()
    known.heard(G, after(-10), after(-10) + timedelta(days=3000), 104)
    assert known.match(G, pressed(20, 20), Check(SENT)) is AnswerMatch.ANSWERS


def test_a_clock_that_was_set_back_is_learnt_and_a_few_kept_frames_are_not_taken_for_that() -> None:
    known = clocks(3600)
    kept = clocks()
    for number in range(SET_BACK_AFTER):
        known.heard(G, after(number), after(number), 104 + number)
        if number < SET_BACK_AFTER - 1:
            kept.heard(G, after(number), after(number - 600), 104 + number)
    assert known.match(G, pressed(20, 20), Check(SENT)) is AnswerMatch.ANSWERS
    assert kept.match(G, pressed(20, -590), Check(SENT)) is AnswerMatch.OLD


def test_a_clock_that_we_set_is_learnt_anew() -> None:
    known = clocks(3600)
    known.was_set(G)
    assert known.match(G, pressed(20, 20), Check(SENT)) is AnswerMatch.ANSWERS


def test_what_was_retained_or_taken_in_again_answers_nothing() -> None:
    assert clocks().match(G, pressed(20, 20, kept=True), Check(SENT)) is AnswerMatch.OLD


def test_a_number_that_the_device_had_used_before_the_check_is_old_where_time_says_nothing() -> None:
    known = clocks(frames=5)
    check = Check(SENT, serial=known.newest_serial(G))
    assert check.serial == 104
    assert known.match(G, pressed(20, None, serial=103), check) is AnswerMatch.OLD
    assert known.match(G, pressed(20, None, serial=105), check) is AnswerMatch.UNPROVEN
    assert known.match(G, pressed(20, 20, serial=103), check) is AnswerMatch.ANSWERS, "time proves it"


def test_a_device_that_does_not_count_has_no_newest_number() -> None:
    known = Clocks()
    for serial in (5, 5, 900, 5, 17):
        known.heard(G, NOON, NOON, serial)
    assert known.newest_serial(G) is None


@QUICK
@given(
    ahead_s=st.floats(-1e9, 1e9),
    delays=st.lists(st.floats(0, 4), min_size=2, max_size=12),
    pressed_s=st.floats(0, 300),
    delay_s=st.floats(0, 4),
    confirm=st.none() | st.floats(0, 4),
)
def test_no_press_after_the_check_is_ever_old_whatever_the_clock_and_the_delays(
    ahead_s: float, delays: list[float], pressed_s: float, delay_s: float, confirm: float | None
) -> None:
    known = Clocks()
    for number, delay in enumerate(delays):
        written = (number - len(delays)) * 30.0
        known.heard(G, after(written + delay), after(written + ahead_s), number)
    label = None if confirm is None else after(confirm + ahead_s)
    answer = pressed(pressed_s + delay_s, pressed_s + ahead_s)
    assert known.match(G, answer, Check(SENT, confirm_label=label)) is not AnswerMatch.OLD


@QUICK
@given(
    ahead_s=st.floats(-1e9, 1e9),
    delays=st.lists(st.floats(0, 4), min_size=2, max_size=12),
    before_s=st.floats(10, 80_000),
    came_s=st.floats(0, 300),
)
def test_no_press_before_the_check_ever_answers_it_whatever_the_clock(
    ahead_s: float, delays: list[float], before_s: float, came_s: float
) -> None:
    known = Clocks()
    for number, delay in enumerate(delays):
        written = (number - len(delays)) * 30.0
        known.heard(G, after(written + delay), after(written + ahead_s), number)
    answer = pressed(came_s, ahead_s - before_s)
    assert known.match(G, answer, Check(SENT, confirm_label=after(1 + ahead_s))) is AnswerMatch.OLD


def test_the_oldest_device_is_forgotten_beyond_the_bound() -> None:
    known = Clocks(limit=2)
    for number in range(3):
        for _ in range(2):
            known.heard(f"G{number}", NOON, after(3600), 1)
    assert known.match("G2", pressed(20, 3000), Check(SENT)) is AnswerMatch.OLD
    assert known.match("G0", pressed(20, 3000), Check(SENT)) is AnswerMatch.UNPROVEN


def test_an_older_answer_takes_the_place_of_none_that_came_just_before_but_a_clock_may_be_set_back() -> None:
    genuine, kept, later = pressed(20, 20), pressed(21, -600), pressed(86_400, -9e8)
    assert kept.is_older_than(genuine)
    assert not later.is_older_than(genuine)
    assert not pressed(21, None).is_older_than(genuine)
