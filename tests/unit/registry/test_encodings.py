"""Which text the bytes of a file are: the likely reading, or a question, never a guess that nobody hears of."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.registry.domain.encodings import Reading, Undecided, decoded, read

HEADING = "contact_id,body_code,role,name,lang,email\n"
TWO_BYTES = [bytes([lead, trail]).decode("gb18030") for lead in range(0xC2, 0xE0) for trail in range(0x80, 0xC0)]
"""All characters whose two bytes in GBK are one character in UTF-8 too."""
COMMON = [bytes([row, cell]).decode("gb2312") for row in range(0xB0, 0xD7) for cell in range(0xA1, 0xFF)]
SURNAMES = "卢陆路楼娄毛茅谢邢魏渭薛学易"


def file_of(*names: str) -> str:
    return HEADING + "".join(f"C-{at},U1,control_room,{name},zh,c{at}@field.example\n" for at, name in enumerate(names))


def reading(raw: bytes) -> Reading | None:
    """Return the reading, None when we ask."""
    try:
        found = read(raw)
    except Undecided:
        return None
    assert found is not None
    return found


def test_there_are_as_many_such_characters_as_the_field_said() -> None:
    assert len(set(TWO_BYTES)) == 1920


@pytest.mark.thorough
def test_every_such_character_alone_is_read_as_chinese_or_asked_about() -> None:
    found = {char: reading(file_of(char).encode("gb18030")) for char in TWO_BYTES}
    assert {each.encoding for each in found.values() if each is not None} == {"gb18030"}
    common = [char for char in TWO_BYTES if char in set(COMMON)]
    assert len(common) > 600
    assert [char for char in common if found[char] is None] == []


@pytest.mark.parametrize("surname", SURNAMES)
def test_common_surnames_are_read_without_a_question(surname: str) -> None:
    for name in (surname, f"{surname}伟", f"{surname}小明"):
        text = file_of(name)
        found = reading(text.encode("gb18030"))
        assert found is not None
        assert found.text == text


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(TWO_BYTES), st.text(st.sampled_from(COMMON), max_size=3)).map("".join),
        min_size=1,
        max_size=4,
    )
)
@example(["卢伟"])
def test_names_in_gbk_with_such_characters_are_never_silently_something_else(names: list[str]) -> None:
    text = file_of(*names)
    found = reading(text.encode("gb18030"))
    assert found is None or found.text == text or found.doubt is not None


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(st.sampled_from(COMMON), min_size=1, max_size=4), min_size=1, max_size=4))
def test_chinese_in_utf_8_stays_utf_8(names: list[str]) -> None:
    text = file_of(*names)
    found = reading(text.encode("utf-8"))
    assert found is None or found.text == text or found.doubt is not None


@pytest.mark.parametrize(
    "name",
    [
        "Café", "Müller", "José Núñez", "Zoë", "Łódź", "São Paulo", "Straße", "Škoda", "Élan", "Ünlü", "Đorđe",
        "Nguyễn Văn An", "Москва", "Иван Петров", "Анна", "Ясная Поляна", "Αθήνα", "20°C", "100m²", "Ali·Khan",
        "Cafe\u0301", "東京ホテル", "서울", "张伟", "谢伟", "医院😀",
    ],
)  # fmt: skip
def test_utf_8_with_accents_and_other_scripts_stays_utf_8(name: str) -> None:
    text = file_of(name)
    found = reading(text.encode("utf-8"))
    assert found is not None
    assert found.text == text


def test_a_close_decision_is_said_in_both_languages() -> None:
    found = reading(file_of("卢伟").encode("gb18030"))
    assert found is not None
    assert found.doubt == "read as gb18030 ('卢伟'), though it could be utf-8 ('¬ΰ'); --encoding says otherwise"
    assert "按 gb18030 读取" in found.doubt.zh


def test_a_question_shows_both_readings_and_says_how_to_answer() -> None:
    with pytest.raises(Undecided) as caught:
        read(file_of("魏蔚位").encode("gb18030"))
    for said in (caught.value.expected, caught.value.expected.zh):
        assert all(word in said for word in ("魏蔚位", "κελ", "--encoding"))


def test_traditional_and_western_files_that_gbk_could_read_too_are_asked_about() -> None:
    assert reading(file_of("張三豐有限公司", "陳氏醫院").encode("big5")) is None
    assert reading(file_of("Müller", "Göthe").encode("cp1252")) is None


def test_what_is_in_no_encoding_is_none_and_a_mark_settles_it() -> None:
    assert read(b"\xff\xff\xff,\x80\n") is None
    found = read(b"\xef\xbb\xbf" + "¬ΰ".encode())
    assert found == Reading("¬ΰ", "utf-8")


def test_somebody_who_knows_better_is_believed() -> None:
    raw = "a,卢伟\n".encode("gb18030")
    assert decoded(raw, "utf-8") == Reading("a,¬ΰ\n", "utf-8")
    assert decoded(b"\xff\xff", "utf-8") is None


def test_a_large_file_is_weighed_by_a_part_of_it() -> None:
    text = "谢,卢\n" * 100_000
    found = reading(text.encode("gb18030"))
    assert found is not None
    assert found.text == text
