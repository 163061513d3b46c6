"""The rules for a connection, without one."""

from services.ingest.domain.connection_policy import ConnectionPolicy, EndReason, Limits
from services.ingest.domain.device_stream import Piece
from services.ingest.domain.values import Accepted, Refused
from services.kernel.words import RefusalReason
from tests.unit.ingest.build import arrival

LIMITS = Limits(first_frame_s=30, frame_s=10, idle_s=100, garbage_bytes=1000, unregistered=2, disbelieved=2)
WHOLE = Piece(b"f" * 30, whole=True, source=bytes(6), fire=False, may_end_fire=False)
RUBBISH = WHOLE._replace(raw=b"x" * 600, whole=False, source=None)


def refused(reason: RefusalReason) -> Refused:
    return Refused(arrival(), reason, "", "G000001")


def test_a_whole_frame_forgives_the_rubbish_before_it() -> None:
    connection_policy = ConnectionPolicy(LIMITS, 0)
    assert [connection_policy.heard(piece, known=True, now=0) for piece in (RUBBISH, WHOLE, RUBBISH)] == [None] * 3
    assert connection_policy.heard(RUBBISH, known=True, now=0) is EndReason.GARBAGE


def test_strangers_are_counted_over_the_whole_connection() -> None:
    connection_policy = ConnectionPolicy(LIMITS, 0)
    assert connection_policy.heard(WHOLE, known=False, now=0) is None
    assert connection_policy.heard(WHOLE, known=True, now=0) is None
    assert connection_policy.heard(WHOLE, known=False, now=0) is EndReason.UNKNOWN_GATEWAY


def test_only_refusals_for_who_sent_it_count_and_an_accepted_frame_ends_the_row() -> None:
    connection_policy = ConnectionPolicy(LIMITS, 0)
    for reason in (RefusalReason.BAD_FRAME, RefusalReason.IDENTITY_MISMATCH, RefusalReason.BAD_DATA_UNIT):
        assert connection_policy.decided(refused(reason)) is None
    assert connection_policy.decided(Accepted(arrival(), ())) is None
    assert connection_policy.decided(refused(RefusalReason.IDENTITY_MISMATCH)) is None
    assert connection_policy.decided(refused(RefusalReason.UNKNOWN_GATEWAY)) is EndReason.NOT_BELIEVED


def test_the_first_frame_is_due_sooner_than_any_other() -> None:
    connection_policy = ConnectionPolicy(LIMITS, 0)
    assert (connection_policy.overdue(29.9), connection_policy.overdue(30)) == (None, EndReason.NO_FRAME)
    connection_policy.heard(WHOLE, known=True, now=29)
    assert (connection_policy.overdue(128.9), connection_policy.overdue(129)) == (None, EndReason.IDLE)


def test_texts_now_and_then_are_all_right_and_many_at_once_are_not() -> None:
    connection_policy = ConnectionPolicy(LIMITS, 0)
    assert [connection_policy.may_say(0) for _ in range(17)] == [True] * 16 + [False]
    assert all(connection_policy.may_say(second) for second in range(1, 100))


def test_who_says_a_text_is_waited_for_but_not_for_ever() -> None:
    connection_policy = ConnectionPolicy(LIMITS, 0)
    connection_policy.may_say(20)
    assert connection_policy.overdue(99) is None
    for second in range(20, 100, 30):
        connection_policy.may_say(second)
    assert connection_policy.overdue(100) is EndReason.NO_FRAME
    silent = ConnectionPolicy(Limits(first_frame_s=5, idle_s=100), 0)
    silent.may_say(1)
    assert (silent.overdue(50), silent.overdue(51)) == (None, EndReason.NO_FRAME)


def test_rubbish_does_not_stop_the_clock_of_the_first_frame() -> None:
    connection_policy = ConnectionPolicy(LIMITS, 0)
    connection_policy.heard(RUBBISH._replace(raw=b"x"), known=True, now=25)
    assert connection_policy.overdue(30) is EndReason.NO_FRAME


def test_a_frame_has_its_time_from_its_first_byte_and_the_next_one_its_own() -> None:
    connection_policy = ConnectionPolicy(LIMITS, 0)
    connection_policy.left_over(5, progress=False, now=1)
    connection_policy.left_over(9, progress=False, now=9)
    assert (connection_policy.overdue(10.9), connection_policy.overdue(11)) == (None, EndReason.UNFINISHED_FRAME)
    connection_policy.left_over(5, progress=True, now=10)
    assert connection_policy.overdue(11) is None
    connection_policy.left_over(0, progress=True, now=11)
    assert connection_policy.overdue(25) is None


def test_time_in_which_we_did_not_listen_is_forgiven() -> None:
    connection_policy = ConnectionPolicy(LIMITS, 0)
    connection_policy.left_over(5, progress=False, now=1)
    connection_policy.excused(50)
    assert (connection_policy.overdue(59), connection_policy.overdue(60)) == (None, EndReason.UNFINISHED_FRAME)
