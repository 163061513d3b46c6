"""What modules say between frames is told apart, bounded, and kept once."""

import pytest

from services.ingest.domain.texts import AGAIN_AFTER_S, MAX_SENDERS, MAX_TEXTS, ModuleTexts, TextDecision, may_be_text


def test_texts_that_differ_in_their_numbers_only_are_of_one_kind() -> None:
    texts = ModuleTexts()
    said = [texts.hear("G1", raw, 0).keep for raw in (b"heart 001", b"heart 2\r\n", b"heart", b"\xfe", b"\xfe")]
    assert said == [True, False, True, True, False]


def test_speakers_are_told_apart() -> None:
    texts = ModuleTexts()
    assert [texts.hear(name, b"heart", 0).keep for name in ("G1", "G2", "G1")] == [True, True, False]


def test_once_a_day_a_text_is_kept_again_with_its_count() -> None:
    texts = ModuleTexts()
    for second in range(0, AGAIN_AFTER_S, 600):
        texts.hear("G1", b"heart", second)
    assert texts.hear("G1", b"heart", AGAIN_AFTER_S) == TextDecision(keep=True, before=143)
    assert texts.hear("G1", b"heart", AGAIN_AFTER_S + 1) == TextDecision(keep=False)


def test_what_is_remembered_is_bounded_and_rubbish_is_kept_each_time() -> None:
    texts = ModuleTexts()
    for text in range(2 * MAX_TEXTS):
        assert texts.hear("G1", bytes((65 + text,)), 0).keep
    assert texts.hear("G1", bytes((65 + 2 * MAX_TEXTS - 1,)), 0).keep
    for sender in range(MAX_SENDERS + 10):
        texts.hear(f"10.0.{sender}", b"heart", 0)
    assert len(texts._said) == MAX_SENDERS


@pytest.mark.parametrize(("raw", "is_one"), [(b"heart", True), (b"x" * 65, False), (b"@@\x01", False), (b"a@b", True)])
def test_nothing_like_a_frame_is_a_text(raw: bytes, is_one: bool) -> None:
    assert may_be_text(raw) is is_one
