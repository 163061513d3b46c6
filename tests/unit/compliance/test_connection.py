"""Connection of one gateway, rule by rule of figures.md. Seconds stand for microseconds: deadline 240, late at 90."""

from itertools import pairwise

import pytest

from services.compliance.domain.connection import connection
from services.compliance.domain.policy import Profile
from services.compliance.domain.visibility import NEVER, Span, Visibility

PROFILE = Profile(interval=60, deadline=240, stable=2)
END = 10_000
EVER = Span(0, NEVER)


def pieces(
    proofs: list[int],
    *,
    through: int = END,
    run: Span = EVER,
    wills: list[int] | None = None,
    blind: list[Span] | None = None,
    impaired: list[Span] | None = None,
    heard: bool = False,
) -> list[tuple[int, int, str, str]]:
    visibility = Visibility(through, through, [Span(-NEVER, 0), *(blind or [])], impaired or [])
    found, _ = connection(run, proofs, wills or [], visibility, lambda _: PROFILE, heard)
    for earlier, later in pairwise(found):
        assert earlier.end == later.start
    merged: list[tuple[int, int, str, str]] = []
    for piece in found:
        end = min(piece.end, through)
        if merged and merged[-1][2:] == (piece.link, piece.cause):
            merged[-1] = (merged[-1][0], end, *merged[-1][2:])
        elif piece.start < end:
            merged.append((piece.start, end, piece.link.value, piece.cause))
    return merged


def test_a_proof_on_the_deadline_is_in_time_and_one_later_is_a_loss_from_the_last_proof_on() -> None:
    assert pieces([0, 240], through=300) == [
        (0, 90, "online", "signal"), (90, 240, "late", "late"), (240, 300, "online", "signal"),
    ]  # fmt: skip
    assert pieces([0, 241], through=300) == [(0, 300, "offline", "deadline")]


def test_the_horizon_is_judged_like_a_proof() -> None:
    assert pieces([0], through=240)[-1] == (90, 240, "late", "late")
    assert pieces([0], through=241) == [(0, 241, "offline", "deadline")]


def test_a_new_run_is_unproven_until_its_first_proof_and_offline_from_its_beginning_without_one() -> None:
    assert pieces([50], through=100) == [(0, 50, "unknown", "unproven"), (50, 100, "online", "signal")]
    assert pieces([], through=240) == [(0, 240, "unknown", "unproven")]
    assert pieces([300], through=310) == [(0, 300, "offline", "no_proof"), (300, 310, "online", "signal")]


def test_a_pair_heard_in_an_earlier_run_needs_proofs_in_a_row_to_return() -> None:
    assert pieces([300, 340], through=350, heard=True) == [
        (0, 340, "offline", "no_proof"), (340, 350, "online", "signal"),
    ]  # fmt: skip


def test_proofs_further_apart_than_a_deadline_are_not_in_a_row() -> None:
    assert pieces([0, 300, 600, 840], through=850) == [
        (0, 840, "offline", "deadline"), (840, 850, "online", "signal"),
    ]  # fmt: skip


def test_the_end_of_a_run_is_judged_like_the_horizon() -> None:
    assert pieces([0], run=Span(0, 240))[-1] == (90, 240, "late", "late")
    assert pieces([0], run=Span(0, 241)) == [(0, 241, "offline", "deadline")]


def test_a_last_will_makes_late_until_the_next_proof_and_nothing_while_offline() -> None:
    assert pieces([0, 60], wills=[0, 20, 30], through=100) == [
        (0, 20, "online", "signal"), (20, 60, "late", "link_down"), (60, 100, "online", "signal"),
    ]  # fmt: skip
    assert pieces([0], wills=[20], through=500) == [(0, 500, "offline", "deadline")]


def test_after_blindness_supervision_begins_anew() -> None:
    blind = [Span(100, 200)]
    assert pieces([0, 260], blind=blind, through=300) == [
        (0, 90, "online", "signal"), (90, 100, "late", "late"), (100, 200, "unknown", "blind"),
        (200, 260, "unknown", "unproven"), (260, 300, "online", "signal"),
    ]  # fmt: skip
    assert pieces([0], blind=blind, through=441)[-1] == (200, 441, "offline", "no_proof")


def test_a_proof_received_in_blind_time_is_none() -> None:
    assert pieces([0, 150], blind=[Span(100, 200)], through=300)[-1] == (200, 300, "unknown", "unproven")


@pytest.mark.parametrize(
    ("impaired", "expected"),
    [
        # the deadline (240) lies in it: unknown, and a full deadline from its end
        (Span(100, 300), [(100, 300, "unknown", "impaired"), (300, 541, "offline", "no_proof")]),
        # the deadline lies before it
        (Span(241, 300), [(0, 541, "offline", "deadline")]),
        # the deadline lies at or after its end, and no proof came in it: a new one from its end
        (Span(100, 240), [(90, 240, "late", "late"), (240, 541, "offline", "no_proof")]),
        # the last proof came in it, and its deadline lies after it
        (Span(0, 200), [(0, 541, "offline", "deadline")]),
    ],
)
def test_a_silence_that_began_before_impaired_time(impaired: Span, expected: list[tuple[int, int, str, str]]) -> None:
    assert pieces([0], impaired=[impaired], through=541)[-len(expected) :] == expected


def test_one_proof_ends_what_impairment_left_unknown() -> None:
    assert pieces([0, 400], impaired=[Span(100, 300)], through=450)[-3:] == [
        (100, 300, "unknown", "impaired"), (300, 400, "unknown", "unproven"), (400, 450, "online", "signal"),
    ]  # fmt: skip
